//! The child runs of a run, and the invocations that wait for them.

use std::rc::Rc;

use super::{Reading, Restored, fits, wrong};
use crate::plan::Plan;
use crate::run::flow::{Flow, FlowId, RUN};
use crate::run::scope::{Scope, State as ScopeState};
use crate::run::settle::State;
use crate::run::{NOBODY, ROOT};
use crate::snapshot::damaged;
use crate::sort::sort;

impl Reading<'_> {
    /// The flows, without what is in them.
    pub(super) fn flows(&mut self, plans: Vec<Rc<Plan>>) -> Restored<()> {
        let mut plans = plans.into_iter();
        let mut flows = Vec::new();
        let own = plans.next().map(|plan| (RUN, Flow::new(plan, ROOT, NOBODY)));
        flows.extend(own);
        for ((id, entry), plan) in self.layout.flows.iter().zip(plans) {
            let over = entry.scope.is_none();
            if !over && (entry.opened == 0 || entry.opened > self.run.next_opened) {
                return Err(wrong(&format!("flow/{id}"), "has a number that cannot be"));
            }
            let mut flow = Flow::new(plan, entry.scope.unwrap_or(ROOT), entry.by);
            (flow.branch, flow.over) = (entry.branch, over);
            if over {
                (flow.pools, flow.whole) = (Vec::new(), Vec::new());
            }
            flows.push((*id, flow));
        }
        fits(self.run.flows.restore(flows))
    }

    /// The scopes in which all of a flow lies.
    pub(super) fn roots(&self) -> Vec<(u32, Scope)> {
        let flows = self.layout.flows.iter();
        flows.filter_map(|(id, entry)| Some((entry.scope?, Scope { opened: entry.opened, ..Scope::root(*id) }))).collect()
    }

    /// Each child run is one of those that a running invocation has opened, one after the other, in a flow that was there before it.
    pub(super) fn children(&mut self) -> Restored<()> {
        let mut order: Vec<(u64, FlowId)> =
            self.layout.flows.iter().map(|(id, entry)| ((u64::from(entry.by) << 32) | u64::from(entry.branch), *id)).collect();
        sort(&mut order);
        for (_, id) in order {
            let key = format!("flow/{id}");
            let Flow { by, branch, over, root, .. } = self.run.flows[id];
            let opened = self.run.scopes.get(root).map_or(0, |scope| scope.opened);
            let sibling = self.run.invocations.get(by).map_or(NOBODY, |invocation| invocation.children);
            let due = self.run.flows.get(sibling).map_or(0, |flow| flow.branch + 1);
            let Some(invocation) = self.run.invocations.get_mut(by) else {
                return Err(wrong(&key, "is of an invocation that there is not"));
            };
            let around = self.run.flows[invocation.flow].root;
            let before = self.run.scopes.get(around).is_some_and(|scope| over || scope.opened < opened);
            if branch != due {
                return Err(wrong(&key, "has a branch that cannot be"));
            }
            if invocation.state != State::Running || !before {
                return Err(wrong(&key, "is where no child run can be"));
            }
            invocation.children = id;
            invocation.within += u32::from(!over);
            self.run.within += u32::from(!over && invocation.within == 1);
            self.run.flows[id].sibling = sibling;
        }
        Ok(())
    }

    /// What lives in the scope of a child run is known: one in which nothing does is about to end, or waits for events from outside.
    pub(super) fn outside(&mut self) -> Restored<()> {
        for (id, _) in &self.layout.flows {
            let flow = &mut self.run.flows[*id];
            if flow.over {
                continue;
            }
            let Some(scope) = self.run.scopes.get(flow.root) else { return Err(damaged(format!("the entry \"flow/{id}\" has no scope"))) };
            if scope.live == 0 && scope.state == ScopeState::Open {
                flow.outside = true;
                self.run.outside += 1;
            }
        }
        Ok(())
    }
}
