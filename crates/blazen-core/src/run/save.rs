//! A run into the entries of a snapshot. What follows from other entries is left out: how often something is held, what
//! lives in a scope, the lists of neighbours.

use std::borrow::Cow;

use super::entries::{
    CollectEntry, FlowEntry, GivenEntry, InvocationEntry, JoinEntry, QueueEntry, RequestEntry, RunEntry, ScopeEntry, place_of,
};
use super::flow::{Flow, FlowId, RUN};
use super::request::Waits;
use super::settle::{Input, Invocation, State};
use super::timer::NEVER;
use super::{InvocationId, NOBODY, Place, Run, Slot, What};
use crate::bits::Bits;
use crate::error::CoreError;
use crate::json::{Fields, Wrong, list, number, small, text};
use crate::plan::{Plan, StepId};
use crate::snapshot::{Builder, CHILDREN, Child, Header, WAITS};

/// By the key of what holds them: the lengths of pieces of a blob, one after the other.
pub type Bytes<'a> = Vec<(Cow<'a, str>, Vec<u32>)>;

/// What the host adds: names, events, and entries of its own.
struct Document<'a> {
    run_id: String,
    dropped_session: Vec<String>,
    /// Invocations that have a command and were not called yet, in order.
    unbegun: Bits,
    host: HostEntries<'a>,
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
    fn read(text: &'a str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let document = Self {
            run_id: fields.text("runId")?.into_owned(),
            dropped_session: fields.texts("droppedSession")?.into_iter().map(Cow::into_owned).collect(),
            unbegun: Bits::of(&fields.smalls("unbegun")?),
            host: HostEntries::read(&mut fields)?,
            omit: fields.maybe_text("omit")?.map_or_else(String::new, Cow::into_owned),
        };
        fields.end()?;
        Ok(document)
    }
}

impl Run {
    /// The run in a snapshot's binary form. It stands between two exchanges, and the host has fetched all commands.
    pub fn save(&self, document: &str, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
        if !self.staged.is_empty()
            || !self.spill.is_empty()
            || !self.next_keys.is_empty()
            || self.next_id.is_some()
            || !self.timers.is_settled()
            || self.over
        {
            return Err(CoreError::internal("a run cannot be stored in the middle of an exchange"));
        }
        let document = Document::read(document)
            .map_err(|wrong| CoreError::internal(format!("the host's part of a snapshot cannot be read: {wrong}")))?;
        let mut builder = Builder::omitting(document.omit.clone());
        let plan = &self.flows[RUN].plan;
        let children = self.children();
        let header = Header {
            features: self.features(&document),
            workflow: plan.name.clone(),
            version: plan.version,
            run_id: document.run_id.clone(),
            steps: plan.described(),
            children: children.iter().map(|plan| Child::of(plan)).collect(),
            dropped_session: document.dropped_session.clone(),
            migrated: false,
        };
        self.save_own(&document, &children, &mut builder);
        self.save_events(&document, &mut builder)?;
        add_bytes(&document.host.bytes, blob, &mut builder)?;
        Ok(builder.finish(&header))
    }

    /// What a reader must know of beside the format itself.
    fn features(&self, document: &Document<'_>) -> Vec<String> {
        let waits = |invocation: &Invocation| invocation.failures > 0 || invocation.waits.is_some();
        let answered = document.host.entries.iter().any(|(key, _)| key.starts_with("answered/"));
        let any = answered || self.requests.len() > 0 || self.invocations.iter().any(|(_, invocation)| waits(invocation));
        let mut features = Vec::new();
        if self.flows.len() > 1 {
            features.push(CHILDREN.to_owned());
        }
        if any {
            features.push(WAITS.to_owned());
        }
        features
    }

    /// The workflows that child runs are of, each once.
    fn children(&self) -> Vec<&Plan> {
        let mut plans: Vec<&Plan> = Vec::new();
        for (_, flow) in self.flows.iter().skip(1) {
            if !plans.iter().any(|plan| plan.same(&flow.plan)) {
                plans.push(&flow.plan);
            }
        }
        plans
    }

    fn name(&self, flow: FlowId, step: StepId) -> Cow<'_, str> {
        self.flows[flow].plan.steps.get(step as usize).map_or(Cow::Borrowed(""), |step| Cow::Borrowed(step.name.as_str()))
    }

    fn save_own(&self, document: &Document<'_>, children: &[&Plan], builder: &mut Builder) {
        let run = RunEntry {
            invocations: self.next_seq,
            scopes: self.next_opened,
            arrivals: self.next_arrival,
            queue: (self.queue_head, self.queue_head + self.queue.len() as u64),
        };
        builder.named("run", &run);
        builder.reserve("queue", 0, self.queue.len());
        for (at, entry) in self.queue.iter().enumerate() {
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
        let lines = self.lines();
        for (id, invocation) in self.invocations.iter() {
            let unbegun = u32::from(document.unbegun.contains(id));
            let (event, events) = match &invocation.input {
                Input::One(slot) => (Some(*slot), None),
                Input::Set(_) if invocation.state == State::Withdrawn => (None, None),
                Input::Set(slots) => (None, Some(slots.clone())),
            };
            let until = invocation.again();
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
                until,
                line: lines.get(id as usize).copied().filter(|line| *line != NOBODY && builder.keeps("line")),
                sleeps: waits.filter(|_| builder.keeps("sleeps")).map_or_else(Vec::new, |Waits { sleeps, .. }| sleeps.clone()),
                requests: waits.map_or_else(Vec::new, |Waits { requests, .. }| requests.clone()),
            };
            builder.numbered("invocation", u64::from(id), &entry);
        }
        for (id, request) in self.requests.iter() {
            let entry = RequestEntry {
                state: request.state,
                event: request.slot,
                place: place_of(request.place),
                until: (request.until != NEVER && builder.keeps("until")).then_some(request.until),
            };
            builder.numbered("request", u64::from(id), &entry);
        }
        for (id, scope) in self.scopes.iter().filter(|(_, scope)| scope.opener != NOBODY) {
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
            for (step, gathered) in collects.iter().zip(&scope.gathered) {
                for result in &gathered.results {
                    let entry =
                        CollectEntry { step: name(*step), event: result.slot, place: Some(Place { scope: id, branch: result.branch }) };
                    builder.numbered("collect", result.arrival, &entry);
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

    fn save_flow(&self, id: FlowId, flow: &Flow, children: &[&Plan], builder: &mut Builder) {
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

    /// What waits in a flow's joins and collects.
    fn save_gathered(&self, id: FlowId, flow: &Flow, builder: &mut Builder) {
        for (step, gathered) in flow.plan.whole.iter().zip(&flow.whole) {
            for result in &gathered.results {
                let entry = CollectEntry { step: self.name(id, *step), event: result.slot, place: place_of(flow.root()) };
                builder.numbered("collect", result.arrival, &entry);
            }
        }
        for (step, state) in (0..).zip(&flow.joins) {
            let keyed = flow.plan.steps[step as usize].described.keyed;
            for (key, lines) in &state.sets {
                for waiting in lines.iter().flatten() {
                    let key = keyed.then_some(*key as u32);
                    let entry = JoinEntry { step: self.name(id, step), key, event: waiting.slot, place: place_of(waiting.place) };
                    builder.numbered("join", waiting.arrival, &entry);
                }
            }
        }
        for (step, given) in (0..).zip(&flow.given).filter(|(_, given)| given.runs > 0) {
            let name = self.name(id, step);
            let key = if id == RUN { format!("given/{name}") } else { format!("flow-given/{id}/{name}") };
            builder.named(&key, &GivenEntry { runs: given.runs as u32, events: given.results as u32 });
        }
    }

    /// By invocation: its place in its pool's line, where one that was tried again stands behind others made after it.
    fn lines(&self) -> Vec<u32> {
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

    /// The host's entries: those of events that the run holds, of keys and ids it knows, and the host's own.
    fn save_events(&self, document: &Document<'_>, builder: &mut Builder) -> Result<(), CoreError> {
        builder.reserve("event", document.host.payloads.iter().map(|payload| payload.len()).sum(), document.host.slots.len());
        let mut held = self.slots.iter().filter(|count| **count > 0).count();
        for (slot, ty, payload) in document.host.events() {
            if self.slots.get(slot as usize).is_some_and(|count| *count > 0) {
                held -= 1;
                builder.event(slot, ty, payload);
            }
        }
        if held > 0 {
            return Err(CoreError::internal("the host did not give all events"));
        }
        let mut keys = Bits::default();
        for (_, flow) in self.flows.iter() {
            let keyed = flow.joins.iter().zip(&flow.plan.steps).filter(|(_, step)| step.described.keyed);
            keyed.flat_map(|(state, _)| state.sets.keys()).for_each(|key| {
                keys.insert(*key as u32);
            });
        }
        for (name, value) in &document.host.entries {
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
        Ok(())
    }
}

/// The flow that an entry of the host's is of, its section and the rest of its key: a child run's are those of a run, under
/// `child/<flow>/`.
fn flow_of(name: &str) -> (FlowId, &str, &str) {
    let parts = |name| str::split_once(name, '/').unwrap_or((name, ""));
    let (section, rest) = parts(name);
    if section != "child" {
        return (RUN, section, rest);
    }
    let (flow, rest) = parts(rest);
    let (section, rest) = parts(rest);
    (small_id(flow).unwrap_or(NOBODY), section, rest)
}

fn small_id(id: &str) -> Option<u32> {
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
