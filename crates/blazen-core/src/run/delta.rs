//! What has changed since the last checkpoint, as entries to set and keys to remove.

use super::changes::{Changes, sent_key};
use super::flow::RUN;
use super::save::{Document, add_bytes};
use super::write::{given_key, save_request};
use super::{NOBODY, Run};
use crate::bits::Bits;
use crate::error::CoreError;
use crate::snapshot::{Builder, DELTA, DeltaHeader};

impl Run {
    /// The next delta: with the base and those before it, it makes the snapshot that `save` would give. `document` has what the host
    /// has of what `changed` names, and what it has changed itself.
    pub fn delta(&mut self, document: &str, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
        self.check_still()?;
        let document = Document::read(document)?;
        let Some(mut changes) = self.changes.take() else {
            return Err(CoreError::internal("a delta without a base before it"));
        };
        let delta = self.write_delta(&mut changes, &document, blob);
        self.changes = Some(changes);
        delta
    }

    fn write_delta(&mut self, changes: &mut Changes, document: &Document<'_>, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
        let mut builder = Builder::default();
        let mut removed: Vec<String> = document.removed.iter().map(|key| key.clone().into_owned()).collect();
        // Before anything is taken out of the marks: a host that gave too little may try again.
        self.check_given(changes, document)?;
        add_bytes(&document.host.bytes, blob, &mut builder)?;
        self.delta_host(changes, document, &mut builder, &mut removed);
        self.save_run(&mut builder);
        self.delta_queue(changes, &mut builder, &mut removed);
        self.delta_gathered(changes, &mut builder, &mut removed);
        self.delta_invocations(changes, document, &mut builder, &mut removed);
        for id in self.requests.take_touched() {
            match self.requests.get(id) {
                Some(request) => save_request(id, request, &mut builder),
                None => removed.push(format!("request/{id}")),
            }
        }
        for id in self.scopes.take_touched() {
            match self.scopes.get(id) {
                Some(scope) if scope.opener != NOBODY => self.save_scope(id, scope, &mut builder),
                // Perhaps another has the id by now, whose root has no entry.
                _ => removed.push(format!("scope/{id}")),
            }
        }
        let header = self.delta_flows(changes, document, &mut builder, &mut removed);
        changes.number += 1;
        let delta = builder.finish_with(&DeltaHeader { number: changes.number, removed, header }.write(), DELTA);
        changes.bytes += delta.len();
        self.begin_changes(changes, document);
        Ok(delta)
    }

    fn check_given(&self, changes: &Changes, document: &Document<'_>) -> Result<(), CoreError> {
        let mut given = Bits::default();
        for (slot, ..) in document.host.events() {
            given.insert(slot);
        }
        let missing = |slot: &u32| self.is_held(*slot) && !given.contains(*slot);
        if changes.slots.list().iter().any(missing) {
            return Err(CoreError::internal("the host did not give all events"));
        }
        Ok(())
    }

    /// What the host has: events that came or went, keys and ids, and its own entries.
    fn delta_host(&self, changes: &mut Changes, document: &Document<'_>, builder: &mut Builder, removed: &mut Vec<String>) {
        for slot in changes.slots.take() {
            if self.is_held(slot) {
                changes.stored.insert(slot);
            } else if changes.stored.contains(slot) {
                changes.stored.remove(slot);
                removed.push(format!("event/{slot}"));
            }
        }
        for (slot, ty, payload) in document.host.events().filter(|(slot, ..)| self.is_held(*slot)) {
            builder.event(slot, ty, payload);
        }
        for key in changes.keys.take() {
            match (self.is_used_key(key as i32), changes.stored_keys.contains(key)) {
                (true, false) => {
                    changes.stored_keys.insert(key);
                }
                (false, true) => {
                    changes.stored_keys.remove(key);
                    removed.push(format!("key/{key}"));
                }
                _ => {}
            }
        }
        for (flow, id) in std::mem::take(&mut changes.sent) {
            if self.flows.get(flow).is_some_and(|flow| !flow.sent.contains(id)) {
                removed.push(sent_key(flow, id));
            }
        }
        for flow in std::mem::take(&mut changes.forgotten) {
            removed.extend([format!("child/{flow}/"), format!("flow-given/{flow}/")]);
        }
        changes.answered |= document.has_answers();
        self.save_host(&document.host, &changes.stored_keys, builder);
    }

    fn delta_queue(&self, changes: &mut Changes, builder: &mut Builder, removed: &mut Vec<String>) {
        let (head, end) = changes.queue;
        for place in head..self.queue_head.min(end) {
            removed.push(format!("queue/{place}"));
        }
        let withdrawn = std::mem::take(&mut changes.withdrawn);
        for place in withdrawn.into_iter().filter(|place| (self.queue_head..end).contains(place)) {
            self.save_queued((place - self.queue_head) as usize, builder);
        }
        let new = end.saturating_sub(self.queue_head) as usize;
        for at in new..self.queue.len() {
            self.save_queued(at, builder);
        }
    }

    fn delta_gathered(&self, changes: &mut Changes, builder: &mut Builder, removed: &mut Vec<String>) {
        let mut gone = std::mem::take(&mut changes.left);
        gone.sort_unstable();
        for arrived in std::mem::take(&mut changes.arrived) {
            if gone.binary_search(&(arrived.arrival, arrived.joined)).is_err() {
                self.save_arrived(&arrived, builder);
            }
        }
        for (arrival, joined) in gone.into_iter().filter(|(arrival, _)| *arrival < changes.arrivals) {
            removed.push(format!("{}/{arrival}", if joined { "join" } else { "collect" }));
        }
        let mut given = std::mem::take(&mut changes.given);
        given.sort_unstable();
        given.dedup();
        for (flow, step) in given {
            let Some(its) = self.flows.get(flow) else { continue };
            match its.given_to(step) {
                Some(given) => self.save_given(flow, step, given, builder),
                None => removed.push(given_key(flow, &self.name(flow, step))),
            }
        }
    }

    fn delta_invocations(&mut self, changes: &mut Changes, document: &Document<'_>, builder: &mut Builder, removed: &mut Vec<String>) {
        let mut touched = self.invocations.take_touched();
        let mut known = Bits::of(&touched);
        // Those that the host has called since have an attempt more, and so have those not that it has not.
        touched.extend(changes.unbegun.iter().chain(&document.unbegun).filter(|id| known.insert(**id)));
        if changes.retried {
            let lines = self.lines();
            for id in 0..lines.len().max(changes.lines.len()) {
                let of = |lines: &[u32]| lines.get(id).copied().unwrap_or(NOBODY);
                if of(&lines) != of(&changes.lines) && known.insert(id as u32) {
                    touched.push(id as u32);
                }
            }
            changes.retried = !lines.is_empty();
            changes.lines = lines;
        }
        let unbegun = Bits::of(&document.unbegun);
        for id in touched {
            let waits = self.invocations.get(id).is_some_and(|invocation| invocation.has_waits());
            if waits != changes.waits.contains(id) {
                if waits {
                    changes.waits.insert(id);
                    changes.waiting += 1;
                } else {
                    changes.waits.remove(id);
                    changes.waiting -= 1;
                }
            }
            match self.invocations.get(id) {
                Some(invocation) => self.save_invocation(id, invocation, &unbegun, &changes.lines, builder),
                None => removed.push(format!("invocation/{id}")),
            }
        }
    }

    /// Child runs that came, changed or went; and the header, if it is another by that.
    fn delta_flows(
        &mut self,
        changes: &mut Changes,
        document: &Document<'_>,
        builder: &mut Builder,
        removed: &mut Vec<String>,
    ) -> Option<String> {
        let mut touched = self.flows.take_touched();
        let children = self.children();
        let features = self.features_with(changes.answered || changes.waiting > 0);
        let same =
            features == changes.features && document.dropped_session == changes.dropped_session && touched.iter().all(|id| *id == RUN);
        let header = if same { None } else { Some(self.header(document, features, &children)) };
        let header = header.and_then(|header| {
            let text = header.write();
            changes.features = header.features;
            changes.dropped_session = header.dropped_session;
            (text != changes.header).then_some(text)
        });
        if let Some(header) = &header {
            changes.header.clone_from(header);
            // The places of the workflows in it may be others.
            let mut known = Bits::of(&touched);
            touched.extend(self.flows.iter().map(|(id, _)| id).filter(|id| known.insert(*id)));
        }
        for id in touched.into_iter().filter(|id| *id != RUN) {
            match self.flows.get(id) {
                Some(flow) => self.save_flow(id, flow, &children, builder),
                None => removed.push(format!("flow/{id}")),
            }
        }
        header
    }
}
