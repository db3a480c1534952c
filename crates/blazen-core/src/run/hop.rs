//! The most common exchange by far, in few instructions: a step of a chain returns one event that one plain step accepts.

use super::flow::of;
use super::settle::{Input, OK, State};
use super::{NOBODY, Run};
use crate::frame::{HEADER, NONE, WORDS};
use crate::generated::{CMD_INVOKE, CMD_RELEASE, IN_EMIT, IN_SETTLE};

impl Run {
    /// Does what Emit and Settle do one after the other, where nothing else can happen: the invocation that settles is
    /// the record that the next one would get. Gives the number of commands, or None having changed nothing.
    #[inline]
    pub fn hop(&mut self, buffer: &mut [i32]) -> Option<i32> {
        let &[IN_EMIT, id, ty, slot, IN_SETTLE, settled, OK, _] = buffer.get(HEADER..HEADER + 2 * WORDS)? else { return None };
        if id != settled || !self.quiet() {
            return None;
        }
        let invocation = self.invocations.get_mut(id as u32)?;
        let flow = self.flows.get(invocation.flow)?;
        let (plan, within) = (&flow.plan, invocation.flow);
        let step = plan.only(ty as u32)?;
        let Input::One(before) = invocation.input else { return None };
        let plain = invocation.place.scope == flow.root
            && invocation.fan == NOBODY
            && invocation.children == NOBODY
            && invocation.state == State::Running
            && invocation.waits.is_none();
        let unlimited = |step: u32| plan.steps.get(step as usize).is_some_and(|step| step.pool.is_none());
        if !plain || !unlimited(step) || !unlimited(invocation.step) || self.slots.get(slot as usize) != Some(&0) {
            return None;
        }
        let held = self.slots.get_mut(before as usize)?;
        *held -= 1;
        let free = *held == 0;
        *self.slots.get_mut(slot as usize)? = 1;
        invocation.seq = self.next_seq;
        invocation.attempts = 1;
        invocation.yields = 0;
        invocation.failures = 0;
        invocation.step = step;
        invocation.input = Input::One(slot as u32);
        self.next_seq += 1;
        self.called = self.next_seq;
        self.commit += 1;
        let invoke = [of(CMD_INVOKE, within), id, step as i32, slot];
        let commands = &mut buffer[HEADER..HEADER + 2 * WORDS];
        if free {
            self.failures.remove(before);
            commands[..WORDS].copy_from_slice(&[CMD_RELEASE, before as i32, NONE, NONE]);
            commands[WORDS..].copy_from_slice(&invoke);
            return Some(2);
        }
        commands[..WORDS].copy_from_slice(&invoke);
        Some(1)
    }

    /// Nothing waits its turn, and nothing was said about the next event.
    fn quiet(&self) -> bool {
        !self.over
            && self.queue.is_empty()
            && self.staged.is_empty()
            && self.spill.is_empty()
            && self.keys.is_empty()
            && !self.observed
            && self.next_keys.is_empty()
            && self.next_id.is_none()
            && self.commit < self.durable
            && self.called == self.next_seq
            && !self.paused
            && !self.restored
    }
}
