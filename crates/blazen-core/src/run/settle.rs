//! Invocations: their start, what they emit, and their end.

use super::flow::{FlowId, of};
use super::request::Waits;
use super::{InvocationId, NOBODY, Place, ROOT, Run, ScopeId, Slot, Staged};
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::*;
use crate::plan::{StepId, TypeId};
use crate::sort::sort;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    /// It waits for a place in its pool.
    Waiting,
    /// Its fan-out is over: what it does is dropped, but it keeps its place until it settles.
    Aborted,
    /// As Aborted, before it began.
    Withdrawn,
    /// It has failed, and is tried again later.
    Delayed,
}

pub enum Input {
    One(Slot),
    Set(Vec<Slot>),
}

pub struct Invocation {
    /// Its number among all that the run has made.
    pub seq: u64,
    pub step: StepId,
    pub flow: FlowId,
    pub place: Place,
    pub input: Input,
    pub state: State,
    /// The fan-out that its array or generator opened, or NOBODY.
    pub fan: ScopeId,
    /// How often it was called.
    pub attempts: u32,
    /// How many events its generator has yielded and committed.
    pub yields: u32,
    /// How often it has failed: what counts for its retry policy.
    pub failures: u32,
    pub waits: Option<Box<Waits>>,
    /// The latest of the child runs that it has opened, or NOBODY, and how many of them go on.
    pub children: FlowId,
    pub within: u32,
    // Neighbours among the invocations of its fan-out.
    pub previous: InvocationId,
    pub next: InvocationId,
}

pub const OK: i32 = 0;
const FAILED: i32 = 1;
const BAD_RETURN: i32 = 2;
/// Failed, and the step's `retryOn` does not want it tried again.
const FAILED_FOR_GOOD: i32 = 3;

/// Of an Abort: what the invocation was doing.
const RUNNING: i32 = 0;
const STORED: i32 = 1;
pub const DELAYED: i32 = 2;

impl Run {
    /// Calls a step, or lets it wait for a place.
    #[inline]
    pub(super) fn invoke(&mut self, flow: FlowId, step: StepId, place: Place, input: Input, out: &mut Output<'_>) {
        let one = if let Input::One(slot) = input { Some(slot) } else { None };
        let seq = self.next_seq;
        let id = self.start_running(flow, step, place, input);
        if !self.take_place(flow, step, id) {
            if let Some(invocation) = self.invocations.get_mut(id) {
                invocation.attempts = 0;
            }
            return;
        }
        if let Some(slot) = one {
            self.announce(seq, 1, out);
            return out.push(of(CMD_INVOKE, flow), id as i32, step as i32, slot as i32);
        }
        self.call(id, out);
    }

    /// The record of an invocation, in its scope.
    #[inline]
    pub(super) fn start_running(&mut self, flow: FlowId, step: StepId, place: Place, input: Input) -> InvocationId {
        let id = self.invocations.insert(Invocation {
            seq: self.next_seq,
            step,
            flow,
            place,
            input,
            state: State::Running,
            fan: NOBODY,
            attempts: 1,
            yields: 0,
            failures: 0,
            waits: None,
            children: NOBODY,
            within: 0,
            previous: NOBODY,
            next: NOBODY,
        });
        self.next_seq += 1;
        self.live += 1;
        let its = &mut self.flows[flow];
        its.invocations += 1;
        its.latest = id;
        if place.scope != ROOT {
            self.enter(place.scope, id);
        }
        id
    }

    /// A place in the step's pool, if it has one; else the invocation stands in line for it.
    #[inline]
    pub(super) fn take_place(&mut self, flow: FlowId, step: StepId, id: InvocationId) -> bool {
        let Some(pool) = self.flows[flow].plan.steps[step as usize].pool else { return true };
        let limit = self.flows[flow].plan.limits[pool as usize];
        let pool = &mut self.flows[flow].pools[pool as usize];
        if pool.running < limit {
            pool.running += 1;
            return true;
        }
        pool.backlog.push_back(id);
        self.lined += 1;
        if let Some(invocation) = self.invocations.get_mut(id) {
            invocation.state = State::Waiting;
        }
        false
    }

    /// The host numbers the invocations as they are called; it is told of any other number or attempt than the next first.
    #[inline]
    fn announce(&mut self, seq: u64, attempt: u32, out: &mut Output<'_>) {
        if seq != self.called || attempt != 1 {
            out.push(CMD_AGAIN, (seq >> 32) as i32, seq as i32, attempt as i32);
        }
        self.called = seq + 1;
    }

    /// Calls what had not settled when the run was stored, in the order in which it was made (7.3).
    pub(super) fn call_again(&mut self, out: &mut Output<'_>) {
        self.restored = false;
        let begun = |invocation: &Invocation| matches!(invocation.state, State::Running | State::Aborted);
        let mut unsettled: Vec<(u64, InvocationId)> =
            self.invocations.iter().filter(|(_, invocation)| begun(invocation)).map(|(id, invocation)| (invocation.seq, id)).collect();
        sort(&mut unsettled);
        for (_, id) in unsettled {
            let Some(invocation) = self.invocations.get_mut(id) else { continue };
            if invocation.state == State::Aborted {
                out.push(CMD_ABORT, id as i32, STORED, NONE);
                continue;
            }
            invocation.attempts += 1;
            self.call(id, out);
        }
        let flows: Vec<FlowId> = self.flows.iter().filter(|(_, flow)| !flow.over).map(|(id, _)| id).collect();
        for flow in flows {
            self.look_again(flow);
            // Limits may be higher than they were.
            for pool in 0..self.flows[flow].pools.len() {
                while self.flows[flow].pools[pool].running < self.flows[flow].plan.limits[pool]
                    && !self.flows[flow].pools[pool].backlog.is_empty()
                {
                    self.flows[flow].pools[pool].running += 1;
                    self.next_of(flow, pool as u32, out);
                }
            }
        }
    }

    #[inline]
    pub(super) fn call(&mut self, id: InvocationId, out: &mut Output<'_>) {
        let Some(invocation) = self.invocations.get(id) else { return };
        let Invocation { flow, seq, attempts, yields, .. } = *invocation;
        if yields > 0 {
            out.push(CMD_YIELDED, yields as i32, NONE, NONE);
        }
        self.announce(seq, attempts, out);
        let Some(invocation) = self.invocations.get(id) else { return };
        let slot = match &invocation.input {
            Input::One(slot) => *slot as i32,
            Input::Set(slots) => {
                for slot in slots {
                    out.push(CMD_ARG, *slot as i32, NONE, NONE);
                }
                NONE
            }
        };
        out.push(of(CMD_INVOKE, flow), id as i32, invocation.step as i32, slot);
    }

    #[inline]
    pub(super) fn running(&self, id: InvocationId) -> Result<&Invocation, CoreError> {
        match self.invocations.get(id) {
            Some(invocation) if matches!(invocation.state, State::Running | State::Aborted) => Ok(invocation),
            _ => Err(CoreError::internal(format!("invocation {id} is not running"))),
        }
    }

    #[inline]
    pub(super) fn handle_emit(&mut self, id: InvocationId, ty: TypeId, slot: Slot) -> Result<(), CoreError> {
        self.running(id)?;
        self.hold(slot)?;
        self.keep_keys(slot);
        self.staged.push(Staged { invocation: id, ty, slot });
        Ok(())
    }

    #[inline]
    pub(super) fn handle_fan(&mut self, id: InvocationId) -> Result<(), CoreError> {
        let invocation = self.running(id)?;
        let (flow, step, place) = (invocation.flow, invocation.step, invocation.place);
        let collects = self.flows[flow].plan.steps[step as usize].collects.len();
        if collects == 0 || invocation.fan != NOBODY || invocation.state == State::Aborted {
            return Ok(());
        }
        let fan = self.open(flow, step, id, place, collects);
        if let Some(invocation) = self.invocations.get_mut(id) {
            invocation.fan = fan;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn handle_commit(&mut self, id: InvocationId, yields: bool, out: &mut Output<'_>) -> Result<(), CoreError> {
        let flow = self.running(id)?.flow;
        if self.known_id(flow) {
            self.drop_staged(id, out);
            return Ok(());
        }
        if yields && let Some(invocation) = self.invocations.get_mut(id) {
            invocation.yields += 1;
        }
        self.flush(id, out);
        Ok(())
    }

    #[inline]
    pub(super) fn handle_send(&mut self, id: InvocationId, ty: TypeId, slot: Slot, out: &mut Output<'_>) -> Result<(), CoreError> {
        let invocation = self.running(id)?;
        let Invocation { flow, step, place, state, .. } = *invocation;
        self.hold(slot)?;
        self.keep_keys(slot);
        if state == State::Aborted || self.known_id(flow) {
            self.next_id = None;
            self.release(slot, out);
            return Ok(());
        }
        self.commit += 1;
        self.enqueue(ty, slot, step, place);
        Ok(())
    }

    /// What an invocation has staged becomes part of the run.
    #[inline]
    fn flush(&mut self, id: InvocationId, out: &mut Output<'_>) {
        self.commit += 1;
        if self.staged.is_empty() {
            return;
        }
        let Some(invocation) = self.invocations.get(id) else { return };
        let (step, place, fan, state) = (invocation.step, invocation.place, invocation.fan, invocation.state);
        // The common case: one event, in the branch it came from.
        if let &[output] = &self.staged[..]
            && output.invocation == id
            && fan == NOBODY
            && state == State::Running
        {
            self.staged.clear();
            return self.enqueue(output.ty, output.slot, step, place);
        }
        let mut staged = std::mem::take(&mut self.staged);
        let dropped = state == State::Aborted || (fan != NOBODY && self.is_cancelled(fan));
        staged.retain(|output| {
            if output.invocation != id {
                return true;
            }
            if dropped {
                self.release(output.slot, out);
            } else {
                let place = if fan == NOBODY { place } else { self.branch(fan) };
                self.enqueue(output.ty, output.slot, step, place);
            }
            false
        });
        self.staged = staged;
    }

    #[inline]
    pub(super) fn handle_settle(&mut self, id: InvocationId, outcome: i32, error: i32, out: &mut Output<'_>) -> Result<(), CoreError> {
        let aborted = self.running(id)?.state == State::Aborted;
        if outcome == OK {
            self.flush(id, out);
        } else {
            self.drop_staged(id, out);
            self.hold(error as u32)?;
            if aborted || outcome != FAILED {
                self.timers.take_random();
            }
            if !aborted {
                match outcome {
                    FAILED if self.retry(id, out) => {
                        self.release(error as u32, out);
                        return Ok(());
                    }
                    FAILED | FAILED_FOR_GOOD => {
                        let Invocation { flow, step, place, input, attempts, .. } = self.running(id)?;
                        let (flow, step, place, inputs, attempts) = (*flow, *step, *place, input.slots(), *attempts);
                        self.fail_step(step, place, &inputs, attempts, error as u32, out);
                        if self.has_ended(flow) {
                            return Ok(());
                        }
                    }
                    BAD_RETURN => {
                        let Invocation { flow, step, .. } = *self.running(id)?;
                        self.fail(flow, CoreError::new(ERR_STEP_RETURN, "the step returned what is no event"), step, error, out);
                        return Ok(());
                    }
                    _ => return Err(CoreError::internal(format!("there is no outcome {outcome}"))),
                }
            } else {
                self.release(error as u32, out);
            }
        }
        self.leave_running(id, aborted, out);
        Ok(())
    }

    #[inline]
    pub(super) fn drop_staged(&mut self, id: InvocationId, out: &mut Output<'_>) {
        let mut staged = std::mem::take(&mut self.staged);
        staged.retain(|output| {
            if output.invocation == id {
                self.release(output.slot, out);
            }
            output.invocation != id
        });
        self.staged = staged;
    }

    #[inline]
    fn leave_running(&mut self, id: InvocationId, aborted: bool, out: &mut Output<'_>) {
        if !aborted {
            self.exit(id);
            self.live -= 1;
        }
        if self.invocations.get(id).is_some_and(|invocation| invocation.children != NOBODY) {
            self.drop_children(id, out);
        }
        let Some(mut invocation) = self.invocations.remove(id) else { return };
        if let Some(waits) = invocation.waits.take() {
            self.drop_waits(id, *waits, out);
        }
        self.flows[invocation.flow].invocations -= 1;
        self.release_input(invocation.input, out);
        if invocation.fan != NOBODY {
            self.leave_generator(invocation.fan);
        }
        if !aborted {
            self.leave(invocation.place.scope);
        }
        let pool = self.flows[invocation.flow].plan.steps[invocation.step as usize].pool;
        if let Some(pool) = pool {
            self.next_of(invocation.flow, pool, out);
        }
    }

    /// A place in a pool is free: the next that waits takes it.
    #[inline]
    pub(super) fn next_of(&mut self, flow: FlowId, pool: u32, out: &mut Output<'_>) {
        // A run that was stored may have more places taken than its plan has now.
        if self.flows[flow].pools[pool as usize].running > self.flows[flow].plan.limits[pool as usize] {
            self.flows[flow].pools[pool as usize].running -= 1;
            return;
        }
        while let Some(id) = self.flows[flow].pools[pool as usize].backlog.pop_front() {
            let Some(invocation) = self.invocations.get_mut(id) else { continue };
            if invocation.state == State::Withdrawn {
                self.invocations.remove(id);
                self.flows[flow].invocations -= 1;
                continue;
            }
            invocation.state = State::Running;
            self.lined -= 1;
            // A run that was stored calls all that runs in it when it goes on.
            if self.restored {
                return;
            }
            invocation.attempts += 1;
            return self.call(id, out);
        }
        self.flows[flow].pools[pool as usize].running -= 1;
    }

    #[inline]
    pub(super) fn release_input(&mut self, input: Input, out: &mut Output<'_>) {
        match input {
            Input::One(slot) => self.release(slot, out),
            Input::Set(slots) => slots.into_iter().for_each(|slot| self.release(slot, out)),
        }
    }

    /// Its fan-out is over: a running invocation is told so, one that waits never begins.
    pub(super) fn abort(&mut self, id: InvocationId, out: &mut Output<'_>) {
        let waits = self.invocations.get_mut(id).and_then(|invocation| invocation.waits.take());
        if let Some(waits) = waits {
            self.drop_waits(id, *waits, out);
        }
        self.drop_children(id, out);
        let Some(invocation) = self.invocations.get_mut(id) else { return };
        let flow = invocation.flow;
        let fan = std::mem::replace(&mut invocation.fan, NOBODY);
        self.live -= 1;
        invocation.place = self.flows[flow].root();
        invocation.previous = NOBODY;
        invocation.next = NOBODY;
        match invocation.state {
            State::Waiting => {
                invocation.state = State::Withdrawn;
                self.lined -= 1;
                let input = std::mem::replace(&mut invocation.input, Input::Set(Vec::new()));
                self.release_input(input, out);
            }
            State::Delayed => {
                out.push(CMD_ABORT, id as i32, DELAYED, NONE);
                if let Some(invocation) = self.invocations.remove(id) {
                    self.flows[flow].invocations -= 1;
                    self.release_input(invocation.input, out);
                }
            }
            _ => {
                invocation.state = State::Aborted;
                out.push(of(CMD_ABORT, flow), id as i32, RUNNING, NONE);
            }
        }
        if fan != NOBODY {
            self.leave_generator(fan);
        }
    }
}
