//! What becomes of an invocation that has failed: it is tried again after a delay, or its failure goes on as an event.

use super::flow::of;
use super::settle::{Input, Invocation, State};
use super::timer::{NEVER, Time, Timer};
use super::{InvocationId, NOBODY, Place, Run, Slot};
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::*;
use crate::plan::{Retry, StepId};

/// Randomness is a number below this.
const RANDOM: f64 = (1u32 << 30) as f64;
const MILLION: f64 = 1_000_000.0;

impl Retry {
    /// Milliseconds to wait after so many failures.
    fn delay(&self, failures: u32, random: u32) -> u64 {
        let doubled = if self.exponential { failures - 1 } else { 0 };
        // None that is too large to count.
        let delay = self.initial.checked_shl(doubled).filter(|delay| delay >> doubled == self.initial);
        let delay = delay.unwrap_or(if self.initial == 0 { 0 } else { self.max }).min(self.max);
        // Products and quotients of doubles are the same on every platform.
        let less = delay as f64 * f64::from(self.jitter) / MILLION * f64::from(random) / RANDOM;
        delay - less as u64
    }
}

impl Run {
    /// An attempt has failed: the invocation waits until it is tried again, without its place. False if it was the last.
    pub(super) fn retry(&mut self, id: InvocationId, out: &mut Output<'_>) -> bool {
        let random = self.timers.take_random().unwrap_or(0);
        let now = self.timers.now();
        let Some(invocation) = self.invocations.get_mut(id) else { return false };
        let (flow, step) = (invocation.flow, invocation.step);
        let plan = &self.flows[flow].plan.steps[step as usize];
        let pool = plan.pool;
        let Some(policy) = plan.retry.as_ref().filter(|policy| invocation.failures + 1 < policy.attempts) else { return false };
        invocation.failures += 1;
        let until = now.saturating_add(policy.delay(invocation.failures, random)).min(NEVER);
        invocation.state = State::Delayed;
        let failures = invocation.failures;
        let mut waits = invocation.waits.take().unwrap_or_default();
        waits.again = until;
        self.timers.add(until, Timer::Retry(id));
        self.stop_waiting(id, &mut waits);
        self.drop_children(id, out);
        if let Some(invocation) = self.invocations.get_mut(id) {
            invocation.waits = Some(waits);
        }
        out.push(of(CMD_DELAYED, flow), id as i32, step as i32, failures as i32);
        if let Some(pool) = pool {
            self.next_of(flow, pool, out);
        }
        true
    }

    /// The delay is over: the invocation gets a place, or stands in line for one.
    pub(super) fn try_again(&mut self, id: InvocationId, out: &mut Output<'_>) {
        let Some(invocation) = self.invocations.get_mut(id) else { return };
        invocation.state = State::Running;
        invocation.end_delay();
        let (flow, step) = (invocation.flow, invocation.step);
        if self.take_place(flow, step, id) {
            if let Some(invocation) = self.invocations.get_mut(id) {
                invocation.attempts += 1;
            }
            self.call(id, out);
        } else if let Some(changes) = &mut self.changes {
            changes.retried = true;
        }
    }

    /// A step has failed for good: a StepFailedEvent is routed in its branch where one is accepted, else the run fails (5.1).
    /// The error is in `slot`, and the host makes the event of it.
    pub(super) fn fail_step(&mut self, step: StepId, place: Place, inputs: &[Slot], attempts: u32, slot: Slot, out: &mut Output<'_>) {
        let flow = self.flow_at(place);
        let plan = &self.flows[flow].plan;
        let (Some(ty), false) = (plan.failed, inputs.iter().any(|input| self.failures.contains(*input))) else {
            let error = CoreError { attempts, ..CoreError::new(ERR_STEP, "the step failed") };
            return self.fail(flow, error, step, slot as i32, out);
        };
        for input in inputs {
            out.push(CMD_ARG, *input as i32, NONE, NONE);
        }
        out.push(of(CMD_FAILED, flow), slot as i32, step as i32, attempts as i32);
        self.commit += 1;
        self.enqueue(ty, slot, NOBODY, place);
    }
}

impl Invocation {
    /// When it is tried again, if it waits for that.
    pub fn again(&self) -> Option<Time> {
        self.waits.as_ref().filter(|_| self.state == State::Delayed).map(|waits| waits.again)
    }

    /// What it has waited for stays, if it has waited for anything else.
    fn end_delay(&mut self) {
        if self.waits.as_ref().is_some_and(|waits| waits.sleeps.is_empty() && waits.requests.is_empty()) {
            self.waits = None;
        }
    }
}

impl Input {
    pub fn slots(&self) -> Vec<Slot> {
        match self {
            Self::One(slot) => vec![*slot],
            Self::Set(slots) => slots.clone(),
        }
    }
}
