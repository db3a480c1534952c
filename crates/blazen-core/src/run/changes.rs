//! What has changed in a run since its last checkpoint, marked where it changes: so that a checkpoint costs what the
//! change does, however long the run has gone on and however much it holds.

use super::collect::Given;
use super::flow::{Flow, FlowId, RUN};
use super::join::Waiting;
use super::save::Document;
use super::{Place, Run, Slot, What};
use crate::bits::{Bits, Marks};
use crate::plan::{STOP, StepId};
use crate::snapshot::Header;

/// Deltas since the last base that are so many times its size make a new one due.
const BASE: usize = 4;

#[derive(Default)]
pub struct Changes {
    pub slots: Marks,
    /// The slots of events that the checkpoints have, and join keys that they have.
    pub stored: Bits,
    pub stored_keys: Bits,
    /// The queue's end at the last checkpoint, and how much of it was taken since, by its head.
    pub queue: (u64, u64),
    /// Places in the queue whose entry was withdrawn since.
    pub withdrawn: Vec<u64>,
    /// What has come to joins and collects since, and what has left them: numbers, and whether it was a join.
    pub arrived: Vec<Arrived>,
    pub left: Vec<(u64, bool)>,
    /// The number of the first arrival since.
    pub arrivals: u64,
    pub keys: Marks,
    pub given: Vec<(FlowId, StepId)>,
    pub sent: Vec<(FlowId, u32)>,
    /// Child runs whose record is gone; another may have the id.
    pub forgotten: Vec<FlowId>,
    /// Invocations that were not called yet by the host at the last checkpoint.
    pub unbegun: Vec<u32>,
    /// Invocations that have waited, as far as the checkpoints know, and how many they are.
    pub waits: Bits,
    pub waiting: u32,
    /// There are answers of requests among the host's entries.
    pub answered: bool,
    /// One that was tried again stands in a line for a place.
    pub retried: bool,
    pub lines: Vec<u32>,
    /// What the header of the snapshot that the checkpoints make has been made of, and which of it changes.
    pub header: String,
    pub features: Vec<String>,
    pub dropped_session: Vec<String>,
    /// Deltas since the last base, and the bytes of both.
    pub number: u32,
    pub bytes: usize,
    pub base: usize,
}

/// An event that has come to a join or a collect.
#[derive(Clone, Copy)]
pub struct Arrived {
    pub flow: FlowId,
    pub step: StepId,
    pub joined: bool,
    pub key: i32,
    pub place: Place,
    pub arrival: u64,
    pub slot: Slot,
}

impl Arrived {
    pub fn collected(flow: FlowId, step: StepId, place: Place, arrival: u64, slot: Slot) -> Self {
        Self { flow, step, joined: false, key: 0, place, arrival, slot }
    }

    pub fn joined(flow: FlowId, step: StepId, key: i32, &Waiting { arrival, slot, place }: &Waiting) -> Self {
        Self { flow, step, joined: true, key, place, arrival, slot }
    }
}

impl Changes {
    /// A new base is due.
    pub fn is_due(&self) -> bool {
        self.bytes > BASE * self.base
    }
}

impl Run {
    /// A base has been written: from here on changes are marked.
    pub(super) fn track(&mut self, document: &Document<'_>, header: &Header, size: usize) {
        self.invocations.track();
        self.requests.track();
        self.scopes.track();
        self.flows.track();
        let mut changes = Changes {
            header: header.write(),
            features: header.features.clone(),
            dropped_session: header.dropped_session.clone(),
            base: size,
            answered: document.has_answers(),
            ..Changes::default()
        };
        for slot in (0..).zip(&self.slots).filter(|(_, count)| **count > 0).map(|(slot, _)| slot) {
            changes.stored.insert(slot);
        }
        for key in self.used_keys() {
            changes.stored_keys.insert(key as u32);
        }
        for (id, _) in self.invocations.iter().filter(|(_, invocation)| invocation.has_waits()) {
            changes.waits.insert(id);
            changes.waiting += 1;
        }
        changes.lines = self.lines();
        changes.retried = !changes.lines.is_empty();
        self.begin_changes(&mut changes, document);
        self.changes = Some(Box::new(changes));
    }

    /// What comes from here on is the next checkpoint's.
    pub(super) fn begin_changes(&self, changes: &mut Changes, document: &Document<'_>) {
        changes.queue = (self.queue_head, self.queue_head + self.queue.len() as u64);
        changes.arrivals = self.next_arrival;
        changes.unbegun.clone_from(&document.unbegun);
    }

    /// Keys by which events wait in joins.
    pub(super) fn used_keys(&self) -> impl Iterator<Item = i32> {
        self.flows.iter().flat_map(|(_, flow)| {
            let keyed = flow.joins.iter().zip(&flow.plan.steps).filter(|(_, step)| step.described.keyed);
            keyed.flat_map(|(state, _)| state.sets.keys().copied())
        })
    }

    pub(super) fn is_used_key(&self, key: i32) -> bool {
        self.flows.iter().any(|(_, flow)| {
            let mut joins = flow.joins.iter().zip(&flow.plan.steps);
            joins.any(|(state, step)| step.described.keyed && state.sets.contains_key(&key))
        })
    }

    #[inline]
    pub(super) fn mark_slot(&mut self, slot: Slot) {
        if let Some(changes) = &mut self.changes {
            changes.slots.insert(slot);
        }
    }

    #[inline]
    pub(super) fn mark_arrived(&mut self, arrived: Arrived) {
        if let Some(changes) = &mut self.changes {
            if arrived.joined {
                changes.keys.insert(arrived.key as u32);
            }
            changes.arrived.push(arrived);
        }
    }

    #[inline]
    pub(super) fn mark_collected(&mut self, arrival: u64) {
        if let Some(changes) = &mut self.changes {
            changes.left.push((arrival, false));
        }
    }

    #[inline]
    pub(super) fn mark_joined(&mut self, arrival: u64, key: i32) {
        if let Some(changes) = &mut self.changes {
            changes.left.push((arrival, true));
            changes.keys.insert(key as u32);
        }
    }

    #[inline]
    pub(super) fn mark_given(&mut self, flow: FlowId, step: StepId) {
        if let Some(changes) = &mut self.changes {
            changes.given.push((flow, step));
        }
    }

    #[inline]
    pub(super) fn mark_sent(&mut self, flow: FlowId, id: u32) {
        if let Some(changes) = &mut self.changes {
            changes.sent.push((flow, id));
        }
    }

    #[inline]
    pub(super) fn mark_forgotten(&mut self, flow: FlowId) {
        if let Some(changes) = &mut self.changes {
            changes.forgotten.push(flow);
        }
    }

    /// What a flow that ends has been given and sent is nothing to the checkpoints any more.
    pub(super) fn mark_ended(&mut self, id: FlowId, given: &[Given]) {
        let Some(changes) = &mut self.changes else { return };
        let used = (0..).zip(given).filter(|(_, given)| given.runs > 0);
        changes.given.extend(used.map(|(step, _)| (id, step)));
        changes.sent.extend(self.flows[id].sent.iter().map(|sent| (id, sent)));
    }

    /// What the host must give for the next checkpoint, in JSON: `{ commit, base?, last?, slots, released, sent, keys }`.
    pub fn changed(&self) -> Option<String> {
        let changes = self.changes.as_ref()?;
        let slots: Vec<u32> = changes.slots.list().iter().filter(|slot| self.is_held(**slot)).copied().collect();
        let gone = |slot: &&u32| changes.stored.contains(**slot) && !self.is_held(**slot);
        let released: Vec<u32> = changes.slots.list().iter().filter(gone).copied().collect();
        let new = |key: &&u32| !changes.stored_keys.contains(**key) && self.is_used_key(**key as i32);
        let keys: Vec<u32> = changes.keys.list().iter().filter(new).copied().collect();
        let knows = |&&(flow, id): &&(FlowId, u32)| self.flows.get(flow).is_some_and(|flow| flow.sent.contains(id));
        let sent: Vec<(FlowId, u32)> = changes.sent.iter().filter(knows).copied().collect();
        let mut text = format!("{{\"commit\":{},\"slots\":{slots:?},\"released\":{released:?},\"keys\":{keys:?}", self.commit);
        let sent: Vec<String> = sent.iter().map(|(flow, id)| format!("[{flow},{id}]")).collect();
        let due = if changes.is_due() { ",\"base\":true" } else { "" };
        let last = if self.ends_next() { ",\"last\":true" } else { "" };
        text.push_str(&format!(",\"sent\":[{}]{due}{last}}}", sent.join(",")));
        Some(text)
    }
}

impl Run {
    /// The run's StopEvent is all that is left to route: nothing comes between it and the end.
    fn ends_next(&self) -> bool {
        match (self.queue.len(), self.queue.front()) {
            (1, Some(entry)) => matches!(entry.what, What::Event { ty: STOP, .. }) && self.flow_at(entry.place) == RUN,
            _ => false,
        }
    }
}

/// A flow's key among those of the host's entries.
pub fn sent_key(flow: FlowId, id: u32) -> String {
    if flow == RUN { format!("sent/{id}") } else { format!("child/{flow}/sent/{id}") }
}

impl Flow {
    /// How often a collect was given something, if it was.
    pub fn given_to(&self, step: StepId) -> Option<&Given> {
        self.given.get(step as usize).filter(|given| given.runs > 0)
    }
}
