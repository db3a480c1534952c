//! A run into the entries of a snapshot. What follows from other entries is left out: how often something is held, what
//! lives in a scope, the lists of neighbours.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::scope::State as ScopeState;
use super::settle::{Input, State};
use super::{NOBODY, Place, ROOT, Run, ScopeId, Slot, What};
use crate::error::CoreError;
use crate::plan::{Described, StepId};
use crate::snapshot::{Builder, FORMAT, Header, fingerprint};

/// By the key of what holds them: the lengths of pieces of a blob, one after the other.
pub type Bytes<'a> = Vec<(Cow<'a, str>, Vec<usize>)>;

/// What the host adds: names, events, and entries of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document<'a> {
    run_id: String,
    #[serde(default)]
    dropped_session: Vec<String>,
    /// Invocations that have a command and were not called yet.
    #[serde(default)]
    unbegun: Vec<u32>,
    /// The slots of `events`.
    #[serde(default)]
    slots: Vec<Slot>,
    #[serde(borrow, default)]
    events: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
    #[serde(borrow, default)]
    bytes: Bytes<'a>,
    /// A member to leave out, so that a test can show that it would be missed.
    #[serde(default)]
    omit: String,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct RunEntry {
    /// Numbers of the next invocation, the latest fan-out and the next arrival; places of the queue's head and end.
    pub invocations: u64,
    pub scopes: u64,
    pub arrivals: u64,
    pub queue: (u64, u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueEntry<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Slot>,
    /// The step that emitted it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(ScopeId, u32)>,
    /// A fan-out whose branches have all ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<ScopeId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvocationEntry<'a> {
    pub seq: u64,
    #[serde(borrow)]
    pub step: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_running")]
    pub state: State,
    /// How often it has begun.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Slot>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(ScopeId, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan: Option<ScopeId>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yields: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeEntry<'a> {
    pub opened: u64,
    /// The step that opened it.
    #[serde(borrow)]
    pub step: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_open")]
    pub state: ScopeState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(ScopeId, u32)>,
    /// How many it has had.
    pub branches: u32,
    /// Collects that had what they wait for.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Cow<'a, str>>,
}

/// An event in a join.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinEntry<'a> {
    #[serde(borrow)]
    pub step: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<i32>,
    pub event: Slot,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(ScopeId, u32)>,
}

/// An event in a collect.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectEntry<'a> {
    #[serde(borrow)]
    pub step: Cow<'a, str>,
    pub event: Slot,
    /// The fan-out and branch; none: of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(ScopeId, u32)>,
}

/// What a collect was given so far.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenEntry {
    pub runs: usize,
    pub events: usize,
}

fn is_running(state: &State) -> bool {
    *state == State::Running
}
fn is_open(state: &ScopeState) -> bool {
    *state == ScopeState::Open
}
fn is_zero(number: &u32) -> bool {
    *number == 0
}
fn place_of(place: Place) -> Option<(ScopeId, u32)> {
    (place.scope != ROOT).then_some((place.scope, place.branch))
}

impl Run {
    /// The run in a snapshot's binary form. It stands between two exchanges, and the host has fetched all commands.
    pub fn save(&self, document: &str, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
        if !self.staged.is_empty() || !self.spill.is_empty() || !self.next_keys.is_empty() || self.next_id.is_some() || self.over {
            return Err(CoreError::internal("a run cannot be stored in the middle of an exchange"));
        }
        let document: Document<'_> = read_document(document)?;
        let mut builder = Builder::omitting(document.omit.clone());
        let plan = &self.flows[0].plan;
        let steps: Vec<Described> = plan.steps.iter().map(|step| step.described.clone()).collect();
        let header = Header {
            format: FORMAT,
            features: Vec::new(),
            workflow: plan.name.clone(),
            version: plan.version,
            run_id: document.run_id.clone(),
            fingerprint: fingerprint(&steps),
            steps,
            dropped_session: document.dropped_session.clone(),
            migrated: false,
        };
        self.save_own(&document, &mut builder);
        self.save_events(&document, &mut builder)?;
        add_bytes(&document.bytes, blob, &mut builder)?;
        Ok(builder.finish(&header))
    }

    fn name(&self, step: StepId) -> Cow<'_, str> {
        self.flows[0].plan.steps.get(step as usize).map_or(Cow::Borrowed(""), |step| Cow::Borrowed(step.name.as_str()))
    }

    fn save_own(&self, document: &Document<'_>, builder: &mut Builder) {
        let flow = &self.flows[0];
        let run = RunEntry {
            invocations: self.next_seq,
            scopes: self.next_opened,
            arrivals: self.next_arrival,
            queue: (self.queue_head, self.queue_head + self.queue.len() as u64),
        };
        builder.named("run", &run);
        let unbegun: HashSet<u32> = document.unbegun.iter().copied().collect();
        for (at, entry) in self.queue.iter().enumerate() {
            let queued = match entry.what {
                What::Close => QueueEntry { event: None, from: None, place: None, close: Some(entry.place.scope) },
                What::Event { slot, from, .. } => {
                    let from = (from != NOBODY).then(|| self.name(from));
                    QueueEntry { event: Some(slot), from, place: place_of(entry.place), close: None }
                }
            };
            builder.numbered("queue", self.queue_head + at as u64, &queued);
        }
        for (id, invocation) in self.invocations.iter() {
            let unbegun = u32::from(unbegun.contains(&id));
            let (event, events) = match &invocation.input {
                Input::One(slot) => (Some(*slot), None),
                Input::Set(_) if invocation.state == State::Withdrawn => (None, None),
                Input::Set(slots) => (None, Some(slots.clone())),
            };
            let entry = InvocationEntry {
                seq: invocation.seq,
                step: self.name(invocation.step),
                state: invocation.state,
                attempts: if builder.keeps("attempts") { invocation.attempts.saturating_sub(unbegun) } else { 0 },
                event,
                events,
                place: place_of(invocation.place),
                fan: (invocation.fan != NOBODY && builder.keeps("fan")).then_some(invocation.fan),
                yields: if builder.keeps("yields") { invocation.yields } else { 0 },
            };
            builder.numbered("invocation", u64::from(id), &entry);
        }
        for (id, scope) in self.scopes.iter().filter(|(_, scope)| scope.opener != NOBODY) {
            let collects = &flow.plan.steps[scope.opener as usize].collects;
            let done =
                collects.iter().zip(&scope.gathered).filter(|(_, gathered)| gathered.done).map(|(step, _)| self.name(*step)).collect();
            let entry = ScopeEntry {
                opened: scope.opened,
                step: self.name(scope.opener),
                state: scope.state,
                place: place_of(scope.place),
                branches: if builder.keeps("branches") { scope.next_branch } else { 0 },
                done: if builder.keeps("done") { done } else { Vec::new() },
            };
            builder.numbered("scope", u64::from(id), &entry);
            for (step, gathered) in collects.iter().zip(&scope.gathered) {
                for result in &gathered.results {
                    let entry = CollectEntry { step: self.name(*step), event: result.slot, place: Some((id, result.branch)) };
                    builder.numbered("collect", result.arrival, &entry);
                }
            }
        }
        for (step, gathered) in flow.plan.whole.iter().zip(&flow.whole) {
            for result in &gathered.results {
                builder.numbered("collect", result.arrival, &CollectEntry { step: self.name(*step), event: result.slot, place: None });
            }
        }
        for (step, state) in &flow.joins {
            let keyed = flow.plan.steps[*step as usize].described.keyed;
            for (key, lines) in &state.sets {
                for waiting in lines.iter().flatten() {
                    let key = keyed.then_some(*key);
                    let entry = JoinEntry { step: self.name(*step), key, event: waiting.slot, place: place_of(waiting.place) };
                    builder.numbered("join", waiting.arrival, &entry);
                }
            }
        }
        for (step, given) in &flow.given {
            builder.named(&format!("given/{}", self.name(*step)), &GivenEntry { runs: given.runs, events: given.results });
        }
    }

    /// The host's entries: those of events that the run holds, of keys and ids it knows, and the host's own.
    fn save_events(&self, document: &Document<'_>, builder: &mut Builder) -> Result<(), CoreError> {
        if document.slots.len() != document.events.len() {
            return Err(CoreError::internal("the host gave events without slots"));
        }
        let mut held = self.slots.iter().filter(|count| **count > 0).count();
        for (slot, event) in document.slots.iter().zip(&document.events) {
            if self.slots.get(*slot as usize).is_some_and(|count| *count > 0) {
                held -= 1;
                builder.raw_numbered("event", u64::from(*slot), event.get());
            }
        }
        if held > 0 {
            return Err(CoreError::internal("the host did not give all events"));
        }
        let flow = &self.flows[0];
        let keyed = flow.joins.iter().filter(|(step, _)| flow.plan.steps[**step as usize].described.keyed);
        let keys: HashSet<i32> = keyed.flat_map(|(_, state)| state.sets.keys().copied()).collect();
        for (name, value) in &document.entries {
            let known = match name.split_once('/') {
                Some(("key", id)) => id.parse().is_ok_and(|id: i32| keys.contains(&id)),
                Some(("sent", id)) => id.parse().is_ok_and(|id: u32| self.sent.contains(&id)),
                _ => true,
            };
            if known {
                builder.raw(name, value.get());
            }
        }
        Ok(())
    }
}

fn read_document(text: &str) -> Result<Document<'_>, CoreError> {
    serde_json::from_str(text).map_err(|error| CoreError::internal(format!("the host's part of a snapshot cannot be read: {error}")))
}

pub fn add_bytes(pieces: &Bytes<'_>, mut blob: &[u8], builder: &mut Builder) -> Result<(), CoreError> {
    for (key, lengths) in pieces {
        for (at, length) in lengths.iter().enumerate() {
            let (piece, rest) = blob.split_at_checked(*length).ok_or_else(|| CoreError::internal("the host gave too few bytes"))?;
            builder.bytes(&format!("bytes/{key}/{at}"), piece);
            blob = rest;
        }
    }
    Ok(())
}
