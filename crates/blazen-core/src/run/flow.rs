//! A plan being executed within a run: the run itself is the first, its child runs are the others.

use std::collections::VecDeque;
use std::rc::Rc;

use super::collect::{Gathered, Given};
use super::join::JoinState;
use super::{InvocationId, NOBODY, Place, ROOT, Run, ScopeId};
use crate::bits::Bits;
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::CMD_FAIL;
use crate::plan::{Plan, StepId};

pub type FlowId = u32;
/// The run itself.
pub const RUN: FlowId = 0;

#[derive(Default)]
pub struct Pool {
    pub running: u32,
    pub backlog: VecDeque<InvocationId>,
}

/// The tag of a command that is about a flow, which its upper bits name.
#[inline]
pub fn of(tag: i32, flow: FlowId) -> i32 {
    tag | (flow << 8) as i32
}

pub struct Flow {
    pub plan: Rc<Plan>,
    /// The scope in which all that goes on in it lies.
    pub root: ScopeId,
    /// The invocation that opened it; NOBODY of the run itself.
    pub by: InvocationId,
    /// The next of the child runs that the same invocation has opened.
    pub sibling: FlowId,
    /// Its number among those.
    pub branch: u32,
    /// It has ended; the record stays for as long as the invocation that opened it.
    pub over: bool,
    /// It has nothing left to do but for events from outside.
    pub outside: bool,
    /// Records of invocations, and of scopes beside the root.
    pub invocations: u32,
    /// The invocation that was made last; another may have the number by now.
    pub latest: InvocationId,
    pub scopes: u32,
    pub pools: Vec<Pool>,
    /// By step, as far as any was used.
    pub joins: Vec<JoinState>,
    /// What each collect over the whole of it has gathered, by its place.
    pub whole: Vec<Gathered>,
    /// By step, as far as any was used; what a stalled run tells of its collects.
    pub given: Vec<Given>,
    /// Ids of events that were sent.
    pub sent: Bits,
}

impl Flow {
    #[inline]
    pub fn new(plan: Rc<Plan>, root: ScopeId, by: InvocationId) -> Self {
        let pools = plan.limits.iter().map(|_| Pool::default()).collect();
        let whole = plan.whole.iter().map(|_| Gathered::default()).collect();
        Self {
            plan,
            root,
            by,
            sibling: NOBODY,
            branch: 0,
            over: false,
            outside: false,
            invocations: 0,
            latest: NOBODY,
            scopes: 0,
            pools,
            joins: Vec::new(),
            whole,
            given: Vec::new(),
            sent: Bits::default(),
        }
    }

    pub fn root(&self) -> Place {
        Place { scope: self.root, branch: 0 }
    }

    /// What a list by step has for one; the list grows as far as it is used.
    pub fn of_step<T: Default>(list: &mut Vec<T>, step: StepId) -> &mut T {
        let at = step as usize;
        if list.len() <= at {
            list.resize_with(at + 1, T::default);
        }
        &mut list[at]
    }
}

impl Run {
    /// The flow of what is at a place.
    #[inline]
    pub(super) fn flow_at(&self, place: Place) -> FlowId {
        if place.scope == ROOT { RUN } else { self.scopes.get(place.scope).map_or(RUN, |scope| scope.flow) }
    }

    /// Ends a flow, and with the first one the run, with an error that is about a step (or NOBODY) and a payload (or NONE), which
    /// is released.
    pub(super) fn fail(&mut self, flow: FlowId, mut error: CoreError, step: StepId, slot: i32, out: &mut Output<'_>) {
        error.step = self.flows[flow].plan.steps.get(step as usize).map(|step| step.name.clone());
        out.push(of(CMD_FAIL, flow), error.number, if error.step.is_some() { step as i32 } else { NONE }, slot);
        self.failure = Some(Box::new(error));
        if flow == RUN {
            self.over = true;
            return;
        }
        if slot != NONE {
            self.release(slot as u32, out);
        }
        self.end_child(flow, out);
    }

    /// Whether the flow has failed by what was just done, or the run has ended.
    #[inline]
    pub(super) fn has_ended(&self, flow: FlowId) -> bool {
        self.over || self.flows[flow].over
    }
}
