//! Child runs: flows that an invocation has opened and waits for. All that goes on in one lies in a scope of its own, so
//! that the run's queue, pauses and snapshots hold it as they hold everything else.

use std::rc::Rc;

use super::flow::{Flow, FlowId, RUN};
use super::scope::{Scope, State as ScopeState};
use super::settle::{DELAYED, State};
use super::{InvocationId, NOBODY, Place, ROOT, Run, ScopeId, Slot, What};
use crate::bits::Bits;
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::{CMD_ABORT, CMD_ENDED, CMD_OPENED};
use crate::plan::Plan;

impl Run {
    /// Opens a child run; the event that begins it is in `slot`.
    pub fn handle_child(&mut self, by: InvocationId, plan: Rc<Plan>, slot: Slot, out: &mut Output<'_>) -> Result<(), CoreError> {
        let aborted = self.is_aborted(by)?;
        self.hold(slot)?;
        if aborted {
            self.release(slot, out);
            return Ok(());
        }
        let start = plan.start;
        let Some((flow, place)) = self.open_child(by, plan) else { return Ok(()) };
        out.push(CMD_OPENED, flow as i32, NONE, NONE);
        self.commit += 1;
        self.enqueue(start, slot, NOBODY, place);
        Ok(())
    }

    /// A child run in which nothing is yet, and the place of what comes.
    #[inline]
    pub(super) fn open_child(&mut self, by: InvocationId, plan: Rc<Plan>) -> Option<(FlowId, Place)> {
        let invocation = self.invocations.get_mut(by)?;
        invocation.within += 1;
        self.within += u32::from(invocation.within == 1);
        let sibling = invocation.children;
        let branch = if sibling == NOBODY { 0 } else { self.flows[sibling].branch + 1 };
        self.next_opened += 1;
        let flow = self.flows.insert(Flow { sibling, branch, ..Flow::new(plan, ROOT, by) });
        let root = self.scopes.insert(Scope { opened: self.next_opened, ..Scope::root(flow) });
        self.flows[flow].root = root;
        self.invocations[by].children = flow;
        Some((flow, Place { scope: root, branch: 0 }))
    }

    /// The plan of each child run, by their ids.
    pub fn child_plans(&self) -> Vec<Rc<Plan>> {
        self.flows.iter().skip(1).map(|(_, flow)| flow.plan.clone()).collect()
    }

    /// The host has no use for a child run any more.
    pub(super) fn handle_cancel_child(&mut self, flow: FlowId, out: &mut Output<'_>) -> Result<(), CoreError> {
        match self.flows.get(flow) {
            Some(child) if child.over => Ok(()),
            Some(_) => {
                self.end_child(flow, out);
                Ok(())
            }
            None => Err(CoreError::internal(format!("there is no child run {flow}"))),
        }
    }

    /// The child run's StopEvent has come to its turn.
    pub(super) fn finish_child(&mut self, flow: FlowId, slot: Slot, out: &mut Output<'_>) {
        out.push(CMD_ENDED, flow as i32, slot as i32, NONE);
        self.release(slot, out);
        self.end_child(flow, out);
    }

    /// Nothing is left to do in a child run: its collects over the whole of it get what they have, or it waits, or it has failed.
    pub(super) fn close_child(&mut self, flow: FlowId, out: &mut Output<'_>) {
        let root = self.flows[flow].root;
        if let Some(scope) = self.scopes.get_mut(root) {
            scope.state = ScopeState::Open;
            scope.held -= 1;
            // Something has come from outside since.
            if scope.live > 0 {
                return;
            }
        }
        if self.collect_whole(flow, out) {
            return;
        }
        if self.flows[flow].plan.external.is_empty() {
            self.fail(flow, self.stalled(flow), NOBODY, NONE, out);
        } else {
            self.flows[flow].outside = true;
            self.outside += 1;
        }
    }

    /// A child run that waited for events from outside, when its plan was another.
    pub(super) fn look_again(&mut self, flow: FlowId) {
        if !self.flows[flow].outside || !self.flows[flow].plan.external.is_empty() {
            return;
        }
        self.wake_child(flow);
        self.enqueue_close(self.flows[flow].root);
    }

    /// An event from outside comes to a child run.
    pub(super) fn wake_child(&mut self, flow: FlowId) {
        if std::mem::take(&mut self.flows[flow].outside) {
            self.outside -= 1;
        }
    }

    /// Nothing of a child run goes on, nor of those within it. Its own record stays for as long as the invocation that opened it.
    pub(super) fn end_child(&mut self, top: FlowId, out: &mut Output<'_>) {
        let Flow { by, root, invocations, scopes, .. } = self.flows[top];
        let leaves_nothing = invocations + scopes == 0 && self.scopes.get(root).is_some_and(|scope| scope.live == 0 && scope.held == 0);
        if leaves_nothing {
            self.end_flow(top, out);
        } else if let Some(only) = self.only_invocation(top) {
            self.drop_invocation(only, out);
            let asked = self.scopes.get_mut(root).map(|scope| std::mem::take(&mut scope.asked)).unwrap_or_default();
            for request in super::scope::in_order(&asked) {
                self.withdraw_request(request, out);
            }
            self.flows[top].invocations = 0;
            self.end_flow(top, out);
        } else {
            self.end_all(top, out);
        }
        if let Some(invocation) = self.invocations.get_mut(by) {
            invocation.within -= 1;
            self.within -= u32::from(invocation.within == 0);
        }
    }

    /// Where all that goes on in a child run is one invocation without child runs, and questions: where many of those end at once,
    /// a walk over the run for each would take long.
    fn only_invocation(&self, flow: FlowId) -> Option<InvocationId> {
        let &Flow { latest, root, invocations: 1, scopes: 0, .. } = self.flows.get(flow)? else { return None };
        let invocation = self.invocations.get(latest)?;
        let scope = self.scopes.get(root)?;
        let lives = matches!(invocation.state, State::Running | State::Waiting | State::Delayed);
        let all = lives && scope.live as usize == 1 + scope.asked.len() && scope.held == 0;
        (all && invocation.flow == flow && invocation.children == NOBODY).then_some(latest)
    }

    /// What a flow holds beside invocations, fan-outs and entries of the queue.
    fn end_flow(&mut self, id: FlowId, out: &mut Output<'_>) {
        // One that has ended before holds nothing, and its scope may be another's by now.
        if self.flows[id].over {
            return;
        }
        self.wake_child(id);
        let flow = &mut self.flows[id];
        flow.over = true;
        let (joins, whole) = (std::mem::take(&mut flow.joins), std::mem::take(&mut flow.whole));
        flow.pools = Vec::new();
        let given = std::mem::take(&mut flow.given);
        let root = flow.root;
        self.mark_ended(id, &given);
        self.flows[id].sent.clear();
        for (key, lines) in joins.iter().flat_map(|join| &join.sets) {
            for waiting in lines.iter().flatten() {
                self.mark_joined(waiting.arrival, *key);
                self.release(waiting.slot, out);
            }
        }
        for result in whole.iter().flat_map(|gathered| &gathered.results) {
            self.drop_result(*result, out);
        }
        self.scopes.remove(root);
    }

    /// Ends a flow in which something goes on, with all flows within it: in one walk over what the run has, however many they are.
    fn end_all(&mut self, top: FlowId, out: &mut Output<'_>) {
        let ending = self.nested(top);
        let ends = Bits::of(&ending);
        let invocations: Vec<InvocationId> =
            self.invocations.iter().filter(|(_, invocation)| ends.contains(invocation.flow)).map(|(id, _)| id).collect();
        let scopes: Vec<ScopeId> = self.scopes.iter().filter(|(_, scope)| ends.contains(scope.flow)).map(|(id, _)| id).collect();
        let within = Bits::of(&scopes);
        for at in 0..self.queue.len() {
            let queued = &mut self.queue[at];
            if !within.contains(queued.place.scope) {
                continue;
            }
            // Its place in the queue stays, so that those of the others do.
            let what = std::mem::replace(&mut queued.what, What::Nothing);
            queued.place = Place { scope: ROOT, branch: 0 };
            if let Some(changes) = &mut self.changes {
                changes.withdrawn.push(self.queue_head + at as u64);
            }
            if let What::Event { slot, .. } = what {
                self.release(slot, out);
            }
        }
        for id in invocations {
            self.drop_invocation(id, out);
        }
        for id in scopes {
            self.drop_gathered(id, out);
            let asked = self.scopes.get_mut(id).map(|scope| std::mem::take(&mut scope.asked)).unwrap_or_default();
            for request in super::scope::in_order(&asked) {
                self.withdraw_request(request, out);
            }
            self.scopes.remove(id);
        }
        for &flow in &ending {
            self.end_flow(flow, out);
            self.flows[flow].invocations = 0;
            self.flows[flow].scopes = 0;
            if flow != top {
                self.flows.remove(flow);
                self.mark_forgotten(flow);
            }
        }
    }

    /// A flow and all flows within it.
    fn nested(&self, top: FlowId) -> Vec<FlowId> {
        let (mut inside, mut outside) = (Bits::of(&[top]), Bits::of(&[RUN]));
        for (id, _) in self.flows.iter() {
            let (mut at, mut way) = (id, Vec::new());
            while !inside.contains(at) && !outside.contains(at) {
                way.push(at);
                at = self.invocations.get(self.flows[at].by).map_or(RUN, |invocation| invocation.flow);
            }
            let side = if inside.contains(at) { &mut inside } else { &mut outside };
            for flow in way {
                side.insert(flow);
            }
        }
        self.flows.iter().map(|(id, _)| id).filter(|id| inside.contains(*id)).collect()
    }

    /// An invocation of a flow that has ended: whatever it still does concerns nobody.
    fn drop_invocation(&mut self, id: InvocationId, out: &mut Output<'_>) {
        self.drop_staged(id, out);
        let Some(mut invocation) = self.invocations.remove(id) else { return };
        if let Some(waits) = invocation.waits.take() {
            self.drop_waits(id, *waits, out);
        }
        self.live -= u32::from(matches!(invocation.state, State::Running | State::Waiting | State::Delayed));
        self.lined -= u32::from(invocation.state == State::Waiting);
        self.within -= u32::from(invocation.within > 0);
        if invocation.state == State::Delayed {
            out.push(CMD_ABORT, id as i32, DELAYED, NONE);
        }
        self.release_input(invocation.input, out);
    }

    /// What an invocation has opened: nobody waits for it any more.
    pub(super) fn drop_children(&mut self, id: InvocationId, out: &mut Output<'_>) {
        let Some(invocation) = self.invocations.get_mut(id) else { return };
        let mut next = std::mem::replace(&mut invocation.children, NOBODY);
        while let Some(Flow { over, sibling, .. }) = self.flows.get(next) {
            let (child, over) = (next, *over);
            next = *sibling;
            if !over {
                self.end_child(child, out);
            }
            self.flows.remove(child);
            self.mark_forgotten(child);
        }
    }
}
