//! A run into the entries of a snapshot. What follows from other entries is left out: how often something is held, what
//! lives in a scope, the lists of neighbours.

use std::borrow::Cow;

use super::changes::Arrived;
use super::collect;
use super::flow::{Flow, FlowId, RUN};
use super::settle::Invocation;
use super::write::save_request;
use super::{NOBODY, Place, Run, Slot};
use crate::bits::Bits;
use crate::error::CoreError;
use crate::json::{Fields, Wrong, list, number, small, text};
use crate::plan::Plan;
use crate::snapshot::{Builder, CHILDREN, Child, Header, WAITS};

/// By the key of what holds them: the lengths of pieces of a blob, one after the other.
pub type Bytes<'a> = Vec<(Cow<'a, str>, Vec<u32>)>;

/// What the host adds: names, events, and entries of its own.
pub(super) struct Document<'a> {
    run_id: String,
    pub dropped_session: Vec<String>,
    /// Invocations that have a command and were not called yet.
    pub unbegun: Vec<u32>,
    pub host: HostEntries<'a>,
    /// Of a delta: keys of the host's entries that are no more.
    pub removed: Vec<Cow<'a, str>>,
    /// Deltas are to follow that build on this snapshot.
    base: bool,
    /// A member to leave out, so that a test can show that it would be missed.
    omit: String,
}

/// Entries that the host has written: events by slot, others by key, and raw bytes.
pub struct HostEntries<'a> {
    pub slots: Vec<Slot>,
    /// The types of events, and for each event the place of its own among them.
    types: Vec<&'a str>,
    of: Vec<u32>,
    payloads: Vec<&'a str>,
    pub entries: Vec<(Cow<'a, str>, &'a str)>,
    pub bytes: Bytes<'a>,
}

impl<'a> HostEntries<'a> {
    pub fn read(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        let keys = fields.texts("keys")?;
        let values = fields.list("values")?;
        let lengths =
            |raw| list("bytes", raw)?.into_iter().map(|raw| small("bytes", number("bytes", raw)?)).collect::<Result<Vec<_>, Wrong>>();
        let bytes = |raw| match list("bytes", raw)?[..] {
            [key, raw] => Ok((text("bytes", key)?, lengths(raw)?)),
            _ => Err("\"bytes\" has what is no pair".to_owned()),
        };
        let read = Self {
            slots: fields.smalls("slots")?,
            types: fields.list("types")?,
            of: fields.smalls("of")?,
            payloads: fields.list("payloads")?,
            bytes: fields.list("bytes")?.into_iter().map(bytes).collect::<Result<_, Wrong>>()?,
            entries: keys.into_iter().zip(values.iter().copied()).collect(),
        };
        if read.entries.len() != values.len() {
            return Err("there are more values than keys".to_owned());
        }
        let count = read.slots.len();
        if read.payloads.len() != count || read.of.len() != count || read.of.iter().any(|ty| *ty as usize >= read.types.len()) {
            return Err("there are events without slots or types".to_owned());
        }
        Ok(read)
    }

    /// Each event's slot, type as it is written, and payload.
    pub fn events(&self) -> impl Iterator<Item = (Slot, &'a str, &'a str)> {
        (0..self.slots.len()).map(|at| (self.slots[at], self.types[self.of[at] as usize], self.payloads[at]))
    }
}

impl<'a> Document<'a> {
    pub fn read(text: &'a str) -> Result<Self, CoreError> {
        Self::fields(text).map_err(|wrong| CoreError::internal(format!("the host's part of a snapshot cannot be read: {wrong}")))
    }

    fn fields(text: &'a str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let document = Self {
            run_id: fields.text("runId")?.into_owned(),
            dropped_session: fields.texts("droppedSession")?.into_iter().map(Cow::into_owned).collect(),
            unbegun: fields.smalls("unbegun")?,
            host: HostEntries::read(&mut fields)?,
            removed: fields.texts("removed")?,
            base: fields.flag("base")?,
            omit: fields.maybe_text("omit")?.map_or_else(String::new, Cow::into_owned),
        };
        fields.end()?;
        Ok(document)
    }

    pub fn has_answers(&self) -> bool {
        self.host.entries.iter().any(|(key, _)| key.starts_with("answered/"))
    }
}

impl Invocation {
    /// It sleeps, asks, has failed or waits to be tried again.
    pub(super) fn has_waits(&self) -> bool {
        self.failures > 0 || self.waits.is_some()
    }
}

impl Run {
    /// The run in a snapshot's binary form. It stands between two exchanges, and the host has fetched all commands.
    pub fn save(&mut self, document: &str, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
        self.check_still()?;
        let document = Document::read(document)?;
        let mut builder = Builder::omitting(document.omit.clone());
        let children = self.children();
        let features = self.features(&document);
        let header = self.header(&document, features, &children);
        self.save_own(&document, &children, &mut builder);
        self.save_events(&document, &mut builder)?;
        add_bytes(&document.host.bytes, blob, &mut builder)?;
        let saved = builder.finish(&header);
        if document.base {
            self.track(&document, &header, saved.len());
        }
        Ok(saved)
    }

    /// It can be stored.
    pub(super) fn check_still(&self) -> Result<(), CoreError> {
        let moving = !self.staged.is_empty()
            || !self.spill.is_empty()
            || !self.next_keys.is_empty()
            || self.next_id.is_some()
            || !self.timers.is_settled()
            || self.over;
        if moving { Err(CoreError::internal("a run cannot be stored in the middle of an exchange")) } else { Ok(()) }
    }

    pub(super) fn header(&self, document: &Document<'_>, features: Vec<String>, children: &[&Plan]) -> Header {
        let plan = &self.flows[RUN].plan;
        Header {
            features,
            workflow: plan.name.clone(),
            version: plan.version,
            run_id: document.run_id.clone(),
            steps: plan.described(),
            children: children.iter().map(|plan| Child::of(plan)).collect(),
            dropped_session: document.dropped_session.clone(),
            migrated: false,
        }
    }

    fn features(&self, document: &Document<'_>) -> Vec<String> {
        self.features_with(document.has_answers() || self.invocations.iter().any(|(_, invocation)| invocation.has_waits()))
    }

    /// What a reader must know of beside the format itself. `waits`: there are answers, or invocations that have waited.
    pub(super) fn features_with(&self, waits: bool) -> Vec<String> {
        let mut features = Vec::new();
        if self.flows.len() > 1 {
            features.push(CHILDREN.to_owned());
        }
        if waits || self.requests.len() > 0 {
            features.push(WAITS.to_owned());
        }
        features
    }

    /// The workflows that child runs are of, each once.
    pub(super) fn children(&self) -> Vec<&Plan> {
        let mut plans: Vec<&Plan> = Vec::new();
        for (_, flow) in self.flows.iter().skip(1) {
            if !plans.iter().any(|plan| plan.same(&flow.plan)) {
                plans.push(&flow.plan);
            }
        }
        plans
    }

    fn save_own(&self, document: &Document<'_>, children: &[&Plan], builder: &mut Builder) {
        self.save_run(builder);
        builder.reserve("queue", 0, self.queue.len());
        for at in 0..self.queue.len() {
            self.save_queued(at, builder);
        }
        let (lines, unbegun) = (self.lines(), Bits::of(&document.unbegun));
        for (id, invocation) in self.invocations.iter() {
            self.save_invocation(id, invocation, &unbegun, &lines, builder);
        }
        for (id, request) in self.requests.iter() {
            save_request(id, request, builder);
        }
        for (id, scope) in self.scopes.iter().filter(|(_, scope)| scope.opener != NOBODY) {
            self.save_scope(id, scope, builder);
            let collects = &self.flows[scope.flow].plan.steps[scope.opener as usize].collects;
            for (step, gathered) in collects.iter().zip(&scope.gathered) {
                for &collect::Result { arrival, branch, slot } in &gathered.results {
                    self.save_arrived(&Arrived::collected(scope.flow, *step, Place { scope: id, branch }, arrival, slot), builder);
                }
            }
        }
        for (id, flow) in self.flows.iter() {
            if id != RUN {
                self.save_flow(id, flow, children, builder);
            }
            self.save_gathered(id, flow, builder);
        }
    }

    /// What waits in a flow's joins and collects.
    fn save_gathered(&self, id: FlowId, flow: &Flow, builder: &mut Builder) {
        for (step, gathered) in flow.plan.whole.iter().zip(&flow.whole) {
            for &collect::Result { arrival, slot, .. } in &gathered.results {
                self.save_arrived(&Arrived::collected(id, *step, flow.root(), arrival, slot), builder);
            }
        }
        for (step, state) in (0..).zip(&flow.joins) {
            for (key, lines) in &state.sets {
                for waiting in lines.iter().flatten() {
                    self.save_arrived(&Arrived::joined(id, step, *key, waiting), builder);
                }
            }
        }
        for (step, given) in (0..).zip(&flow.given) {
            self.save_given(id, step, given, builder);
        }
    }

    /// The host's entries: those of events that the run holds, of keys and ids it knows, and the host's own.
    fn save_events(&self, document: &Document<'_>, builder: &mut Builder) -> Result<(), CoreError> {
        builder.reserve("event", document.host.payloads.iter().map(|payload| payload.len()).sum(), document.host.slots.len());
        let mut held = self.slots.iter().filter(|count| **count > 0).count();
        for (slot, ty, payload) in document.host.events() {
            if self.is_held(slot) {
                held -= 1;
                builder.event(slot, ty, payload);
            }
        }
        if held > 0 {
            return Err(CoreError::internal("the host did not give all events"));
        }
        let keys = Bits::of(&self.used_keys().map(|key| key as u32).collect::<Vec<_>>());
        self.save_host(&document.host, &keys, builder);
        Ok(())
    }

    /// The host's entries; of keys and ids those that the core knows.
    pub(super) fn save_host(&self, host: &HostEntries<'_>, keys: &Bits, builder: &mut Builder) {
        for (name, value) in &host.entries {
            let known = match flow_of(name) {
                (RUN, "key", id) => small_id(id).is_some_and(|id| keys.contains(id)),
                (flow, section, id) => {
                    self.flows.get(flow).is_some_and(|flow| section != "sent" || small_id(id).is_some_and(|id| flow.sent.contains(id)))
                }
            };
            if known {
                builder.raw(name, value);
            }
        }
    }
}

/// The flow that an entry of the host's is of, its section and the rest of its key: a child run's are those of a run, under
/// `child/<flow>/`.
pub(super) fn flow_of(name: &str) -> (FlowId, &str, &str) {
    let parts = |name| str::split_once(name, '/').unwrap_or((name, ""));
    let (section, rest) = parts(name);
    if section != "child" {
        return (RUN, section, rest);
    }
    let (flow, rest) = parts(rest);
    let (section, rest) = parts(rest);
    (small_id(flow).unwrap_or(NOBODY), section, rest)
}

pub(super) fn small_id(id: &str) -> Option<u32> {
    id.parse().ok()
}

pub fn add_bytes(pieces: &Bytes<'_>, mut blob: &[u8], builder: &mut Builder) -> Result<(), CoreError> {
    for (key, lengths) in pieces {
        for (at, length) in lengths.iter().enumerate() {
            let (piece, rest) =
                blob.split_at_checked(*length as usize).ok_or_else(|| CoreError::internal("the host gave too few bytes"))?;
            builder.bytes(&format!("bytes/{key}/{at}"), piece);
            blob = rest;
        }
    }
    Ok(())
}
