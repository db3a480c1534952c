//! The entries of a snapshot, one by one (`docs/format.md`).

use std::borrow::Cow;

use super::changes::Arrived;
use super::collect::Given;
use super::entries::{
    CollectEntry, FlowEntry, GivenEntry, InvocationEntry, JoinEntry, QueueEntry, RequestEntry, RunEntry, ScopeEntry, place_of,
};
use super::flow::{Flow, FlowId, RUN};
use super::request::{Request, RequestId, Waits};
use super::scope::Scope;
use super::settle::{Input, Invocation, State};
use super::timer::NEVER;
use super::{InvocationId, NOBODY, Run, ScopeId, What};
use crate::bits::Bits;
use crate::plan::{Plan, StepId};
use crate::snapshot::Builder;

impl Run {
    pub(super) fn name(&self, flow: FlowId, step: StepId) -> Cow<'_, str> {
        self.flows[flow].plan.steps.get(step as usize).map_or(Cow::Borrowed(""), |step| Cow::Borrowed(step.name.as_str()))
    }

    pub(super) fn save_run(&self, builder: &mut Builder) {
        let run = RunEntry {
            invocations: self.next_seq,
            scopes: self.next_opened,
            arrivals: self.next_arrival,
            queue: (self.queue_head, self.queue_head + self.queue.len() as u64),
        };
        builder.named("run", &run);
    }

    /// What stands `at` places behind the queue's first entry.
    pub(super) fn save_queued(&self, at: usize, builder: &mut Builder) {
        let entry = &self.queue[at];
        let queued = match entry.what {
            What::Nothing => QueueEntry { event: None, from: None, place: None, close: None, withdrawn: true },
            What::Close => QueueEntry { event: None, from: None, place: None, close: Some(entry.place.scope), withdrawn: false },
            What::Event { slot, from, .. } => {
                let from = (from != NOBODY).then(|| self.name(self.flow_at(entry.place), from));
                QueueEntry { event: Some(slot), from, place: place_of(entry.place), close: None, withdrawn: false }
            }
        };
        builder.numbered("queue", self.queue_head + at as u64, &queued);
    }

    pub(super) fn save_invocation(&self, id: InvocationId, invocation: &Invocation, unbegun: &Bits, lines: &[u32], builder: &mut Builder) {
        let unbegun = u32::from(unbegun.contains(id));
        let (event, events) = match &invocation.input {
            Input::One(slot) => (Some(*slot), None),
            Input::Set(_) if invocation.state == State::Withdrawn => (None, None),
            Input::Set(slots) => (None, Some(slots.clone())),
        };
        let waits = invocation.waits.as_deref();
        let entry = InvocationEntry {
            seq: invocation.seq,
            step: self.name(invocation.flow, invocation.step),
            state: invocation.state,
            attempts: if builder.keeps("attempts") { invocation.attempts.saturating_sub(unbegun) } else { 0 },
            event,
            events,
            place: place_of(invocation.place),
            fan: (invocation.fan != NOBODY && builder.keeps("fan")).then_some(invocation.fan),
            yields: if builder.keeps("yields") { invocation.yields } else { 0 },
            failures: if builder.keeps("failures") { invocation.failures } else { 0 },
            until: invocation.again(),
            line: lines.get(id as usize).copied().filter(|line| *line != NOBODY && builder.keeps("line")),
            sleeps: waits.filter(|_| builder.keeps("sleeps")).map_or_else(Vec::new, |Waits { sleeps, .. }| sleeps.clone()),
            requests: waits.map_or_else(Vec::new, |Waits { requests, .. }| requests.clone()),
        };
        builder.numbered("invocation", u64::from(id), &entry);
    }

    pub(super) fn save_scope(&self, id: ScopeId, scope: &Scope, builder: &mut Builder) {
        let collects = &self.flows[scope.flow].plan.steps[scope.opener as usize].collects;
        let name = |step: StepId| self.name(scope.flow, step);
        let done = collects.iter().zip(&scope.gathered).filter(|(_, gathered)| gathered.done).map(|(step, _)| name(*step)).collect();
        let entry = ScopeEntry {
            opened: scope.opened,
            step: name(scope.opener),
            state: scope.state,
            place: place_of(scope.place),
            branches: if builder.keeps("branches") { scope.next_branch } else { 0 },
            done: if builder.keeps("done") { done } else { Vec::new() },
        };
        builder.numbered("scope", u64::from(id), &entry);
    }

    pub(super) fn save_flow(&self, id: FlowId, flow: &Flow, children: &[&Plan], builder: &mut Builder) {
        let scope = self.scopes.get(flow.root).filter(|_| !flow.over);
        let entry = FlowEntry {
            by: flow.by,
            branch: if builder.keeps("branch") { flow.branch } else { 0 },
            workflow: children.iter().position(|plan| plan.same(&flow.plan)).unwrap_or(0) as u32,
            scope: scope.map(|_| flow.root),
            opened: scope.map_or(0, |scope| scope.opened),
        };
        builder.numbered("flow", u64::from(id), &entry);
    }

    /// An event that waits in a join or a collect.
    pub(super) fn save_arrived(&self, arrived: &Arrived, builder: &mut Builder) {
        let &Arrived { flow, step, arrival, slot, key, place, .. } = arrived;
        let (step, described) = (self.name(flow, step), &self.flows[flow].plan.steps[step as usize].described);
        if arrived.joined {
            let key = described.keyed.then_some(key as u32);
            builder.numbered("join", arrival, &JoinEntry { step, key, event: slot, place: place_of(place) });
        } else {
            builder.numbered("collect", arrival, &CollectEntry { step, event: slot, place: place_of(place) });
        }
    }

    pub(super) fn save_given(&self, flow: FlowId, step: StepId, given: &Given, builder: &mut Builder) {
        if given.runs > 0 {
            let entry = GivenEntry { runs: given.runs as u32, events: given.results as u32 };
            builder.named(&given_key(flow, &self.name(flow, step)), &entry);
        }
    }

    /// By invocation: its place in its pool's line, where one that was tried again stands behind others made after it.
    pub(super) fn lines(&self) -> Vec<u32> {
        let mut lines = Vec::new();
        for pool in self.flows.iter().flat_map(|(_, flow)| &flow.pools) {
            let seq = |id: &InvocationId| self.invocations.get(*id).map_or(0, |invocation| invocation.seq);
            if pool.backlog.iter().is_sorted_by_key(seq) {
                continue;
            }
            for (line, id) in (0..).zip(&pool.backlog) {
                if lines.len() <= *id as usize {
                    lines.resize(*id as usize + 1, NOBODY);
                }
                lines[*id as usize] = line;
            }
        }
        lines
    }
}

pub(super) fn save_request(id: RequestId, request: &Request, builder: &mut Builder) {
    let entry = RequestEntry {
        state: request.state,
        event: request.slot,
        place: place_of(request.place),
        until: (request.until != NEVER && builder.keeps("until")).then_some(request.until),
    };
    builder.numbered("request", u64::from(id), &entry);
}

pub(super) fn given_key(flow: FlowId, step: &str) -> String {
    if flow == RUN { format!("given/{step}") } else { format!("flow-given/{flow}/{step}") }
}
