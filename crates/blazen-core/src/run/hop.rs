//! The most common exchanges by far, in few instructions: a step of a chain returns one event that one plain step accepts; a child
//! run is opened, and ends with its only step.

use std::rc::Rc;

use super::flow::{RUN, of};
use super::settle::{Input, Invocation, OK, State};
use super::{InvocationId, NOBODY, Run};
use crate::frame::{HEADER, NONE, WORDS};
use crate::generated::{CMD_ENDED, CMD_INVOKE, CMD_OPENED, CMD_RELEASE, IN_CHILD, IN_EMIT, IN_SETTLE};
use crate::plan::{Plan, STOP};

impl Run {
    /// Does what Emit and Settle do one after the other, where nothing else can happen: the invocation that settles is
    /// the record that the next one would get. Gives the number of commands, or None having changed nothing.
    #[inline]
    pub fn hop(&mut self, buffer: &mut [i32]) -> Option<i32> {
        let &[IN_EMIT, id, ty, slot, IN_SETTLE, settled, OK, _] = buffer.get(HEADER..HEADER + 2 * WORDS)? else { return None };
        if id != settled || !self.quiet() {
            return None;
        }
        let lowest = self.invocations.is_lowest(id as u32);
        let invocation = self.invocations.get_mut(id as u32)?;
        let flow = self.flows.get(invocation.flow)?;
        let (plan, within) = (&flow.plan, invocation.flow);
        let Some(step) = plan.only(ty as u32) else {
            return if ty as u32 == STOP && within != RUN { self.end_hop(id as u32, slot, buffer) } else { None };
        };
        let Input::One(before) = invocation.input else { return None };
        let plain = invocation.place.scope == flow.root
            && invocation.fan == NOBODY
            && invocation.within == 0
            && invocation.state == State::Running
            && invocation.waits.is_none();
        let unlimited = |step: u32| plan.steps.get(step as usize).is_some_and(|step| step.pool.is_none());
        if !plain || !unlimited(step) || !unlimited(invocation.step) || self.slots.get(slot as usize) != Some(&0) {
            return None;
        }
        // In a child run, and after one, the next gets the id that it would get otherwise.
        let children = invocation.children;
        if (within != RUN || children != NOBODY) && !lowest {
            return None;
        }
        if self.flows.get(children).is_some_and(|child| child.sibling != NOBODY) {
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
        if children != NOBODY {
            invocation.children = NOBODY;
            self.flows.remove(children);
        }
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

    /// The same where a child run ends: its only step gives its StopEvent.
    fn end_hop(&mut self, id: InvocationId, stop: i32, buffer: &mut [i32]) -> Option<i32> {
        let &Invocation { flow: id_of_flow, input: Input::One(before), place, fan, within, children, state: State::Running, .. } =
            self.invocations.get(id)?
        else {
            return None;
        };
        let flow = self.flows.get(id_of_flow)?;
        let scope = self.scopes.get(flow.root)?;
        let alone = flow.invocations == 1
            && flow.scopes == 0
            && place.scope == flow.root
            && scope.live == 1
            && scope.held == 0
            && flow.joins.is_empty()
            && flow.whole.is_empty()
            && fan == NOBODY
            && within == 0
            && children == NOBODY
            && self.invocations.get(id)?.waits.is_none()
            && self.slots.get(stop as usize) == Some(&0);
        if !alone {
            return None;
        }
        let (root, by) = (flow.root, flow.by);
        self.commit += 1;
        self.live -= 1;
        self.invocations.remove(id);
        self.scopes.remove(root);
        let flow = &mut self.flows[id_of_flow];
        flow.over = true;
        flow.invocations = 0;
        flow.pools = Vec::new();
        flow.given = Vec::new();
        flow.sent.clear();
        if let Some(opener) = self.invocations.get_mut(by) {
            opener.within -= 1;
            self.within -= u32::from(opener.within == 0);
        }
        let held = self.slots.get_mut(before as usize)?;
        *held -= 1;
        let free = *held == 0;
        let commands: &mut [[i32; WORDS]] = buffer[HEADER..HEADER + 3 * WORDS].as_chunks_mut().0;
        let ended = [CMD_ENDED, id_of_flow as i32, stop, NONE];
        let release = |slot: i32| [CMD_RELEASE, slot, NONE, NONE];
        if free {
            self.failures.remove(before);
            commands.copy_from_slice(&[release(before as i32), ended, release(stop)]);
            return Some(3);
        }
        commands[..2].copy_from_slice(&[ended, release(stop)]);
        Some(2)
    }

    /// A child run is opened whose first event one plain step accepts: what Child does where nothing else can happen.
    pub fn open_hop(&mut self, plan: &Rc<Plan>, buffer: &mut [i32]) -> Option<i32> {
        let &[IN_CHILD, by, _, slot] = buffer.get(HEADER..HEADER + WORDS)? else { return None };
        let step = plan.only(plan.start)?;
        let unlimited = plan.steps.get(step as usize).is_some_and(|step| step.pool.is_none());
        let running = self.invocations.get(by as u32).is_some_and(|invocation| invocation.state == State::Running);
        if !unlimited || !running || !self.quiet() || self.slots.get(slot as usize) != Some(&0) {
            return None;
        }
        let (flow, place) = self.open_child(by as u32, plan.clone())?;
        self.slots[slot as usize] = 1;
        self.commit += 1;
        let id = self.start_running(flow, step, place, Input::One(slot as u32));
        self.called = self.next_seq;
        let commands: &mut [[i32; WORDS]] = buffer[HEADER..HEADER + 2 * WORDS].as_chunks_mut().0;
        commands.copy_from_slice(&[[CMD_OPENED, flow as i32, NONE, NONE], [of(CMD_INVOKE, flow), id as i32, step as i32, slot]]);
        Some(2)
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
            && self.changes.is_none()
            && self.commit < self.durable
            && !self.paused
            && !self.restored
            && self.called == self.next_seq
    }
}
