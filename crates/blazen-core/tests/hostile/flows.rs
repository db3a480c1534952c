//! What a host knows of the flows of a run.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[derive(Default)]
pub struct Flows {
    /// The flow that commands are about.
    pub told: i32,
    /// By invocation: its flow.
    of: BTreeMap<i32, i32>,
    /// By child run: the invocation that has opened it.
    by: BTreeMap<i32, i32>,
    over: BTreeSet<i32>,
}

impl Flows {
    /// Of a snapshot that was read.
    pub fn read(snap: &Snap) -> Self {
        let entries = |section: &str| {
            let keys = snap.entries.iter().map(|(key, _)| key.clone()).filter(|key| key.split('/').next() == Some(section));
            let id = |key: &str| key.split('/').nth(1).unwrap().parse::<i32>().unwrap();
            keys.map(|key| (id(&key), snap.json(&key))).collect::<Vec<_>>()
        };
        let mut flows = Self::default();
        let mut roots = BTreeMap::new();
        for (id, flow) in entries("flow") {
            flows.by.insert(id, flow["invocation"].as_i64().unwrap() as i32);
            match flow.get("scope") {
                Some(scope) => {
                    roots.insert(scope.as_i64().unwrap(), id);
                }
                None => {
                    flows.over.insert(id);
                }
            }
        }
        // Aborted ones, of which nothing more is told, are in no fan-out.
        for (id, invocation) in entries("invocation") {
            let root = invocation["place"][0].as_i64().and_then(|scope| roots.get(&scope));
            flows.of.insert(id, root.copied().unwrap_or(0));
        }
        flows
    }

    pub fn is_over(&self, flow: i32) -> bool {
        self.over.contains(&flow)
    }

    pub fn is_child(&self, invocation: i32) -> bool {
        self.of.get(&invocation).is_some_and(|flow| *flow != 0)
    }

    pub fn opened(&mut self, flow: i32, by: i32) {
        assert!(self.by.insert(flow, by).is_none(), "two flows have the number {flow}");
    }

    pub fn called(&mut self, invocation: i32) {
        assert!(!self.is_over(self.told), "a call of a flow that has ended");
        assert!(self.told == 0 || self.by.contains_key(&self.told), "there is no flow {}", self.told);
        self.of.insert(invocation, self.told);
    }

    /// Its invocations are given; they are nobody's any more.
    pub fn end(&mut self, flow: i32, all: impl Iterator<Item = i32>) -> Vec<i32> {
        assert!(self.over.insert(flow), "{flow} ends twice");
        all.filter(|id| self.of.get(id) == Some(&flow)).collect()
    }

    /// The child runs that an invocation has opened, and that go on; the host forgets them all.
    pub fn forget(&mut self, by: i32) -> Vec<i32> {
        let opened: Vec<i32> = self.by.iter().filter(|(_, other)| **other == by).map(|(flow, _)| *flow).collect();
        opened.iter().for_each(|flow| {
            self.by.remove(flow);
        });
        opened.into_iter().filter(|flow| !self.over.remove(flow)).collect()
    }

    /// A child run that goes on.
    pub fn some(&self, tape: &mut Tape) -> Option<i32> {
        let live: Vec<i32> = self.by.keys().copied().filter(|flow| !self.is_over(*flow)).collect();
        if live.is_empty() { None } else { Some(tape.of(&live)) }
    }
}

impl Host {
    /// An invocation is over, or is tried again: so are its child runs.
    pub(super) fn end_children(&mut self, by: i32) {
        for flow in self.flows.forget(by) {
            self.end(flow);
            self.flows.over.remove(&flow);
        }
    }

    /// Nothing of a child run goes on, nor of those within it.
    pub(super) fn end(&mut self, flow: i32) {
        let ended = self.flows.end(flow, self.running.iter().chain(&self.aborted).copied());
        for id in ended {
            self.running.remove(&id);
            self.aborted.remove(&id);
            self.end_children(id);
        }
    }
}

/// Each child run of a snapshot is of the same plan; None: the snapshot is refused.
pub fn children(core: &mut Core, plan: i32, bytes: &[u8]) -> Option<Vec<u32>> {
    core.document(bytes)?;
    let flows = Snap::read(bytes).entries.into_iter().filter(|(key, _)| key.starts_with("flow/"));
    Some(flows.map(|_| plan as u32).collect())
}
