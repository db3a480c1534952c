//! The records of a run as a snapshot's entries hold them (`docs/format.md`).

use std::borrow::Cow;

use super::request::Asking;
use super::request::RequestId;
use super::scope::State as ScopeState;
use super::settle::State;
use super::timer::Time;
use super::{InvocationId, Place, ROOT, ScopeId, Slot};
use crate::error::CoreError;
use crate::json::{Fields, Object, Wrong};
use crate::snapshot::damaged;

/// A record that an entry holds.
pub trait Entry<'a>: Sized {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong>;
    fn write(&self, object: &mut Object<'_>);

    fn read(key: &str, text: &'a str) -> Result<Self, CoreError> {
        let read = |text| {
            let mut fields = Fields::read(text)?;
            let entry = Self::fields(&mut fields)?;
            fields.end()?;
            Ok(entry)
        };
        read(text).map_err(|wrong: Wrong| damaged(format!("the entry \"{key}\" cannot be read: {wrong}")))
    }
}

/// An event's type; its payload is the host's.
pub struct EventEntry<'a> {
    pub ty: Cow<'a, str>,
    payload: &'a str,
}

impl<'a> Entry<'a> for EventEntry<'a> {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        Ok(Self { ty: fields.text("type")?, payload: fields.required("payload")? })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.text("type", &self.ty);
        object.raw("payload", self.payload);
    }
}

pub struct RunEntry {
    /// Numbers of the next invocation, the latest fan-out and the next arrival; places of the queue's head and end.
    pub invocations: u64,
    pub scopes: u64,
    pub arrivals: u64,
    pub queue: (u64, u64),
}

impl Entry<'_> for RunEntry {
    fn fields(fields: &mut Fields<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            invocations: fields.number("invocations")?,
            scopes: fields.number("scopes")?,
            arrivals: fields.number("arrivals")?,
            queue: fields.pair("queue")?.ok_or("\"queue\" is missing")?,
        })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.number("invocations", self.invocations);
        object.number("scopes", self.scopes);
        object.number("arrivals", self.arrivals);
        object.pair("queue", self.queue);
    }
}

pub struct QueueEntry<'a> {
    pub event: Option<Slot>,
    /// The step that emitted it.
    pub from: Option<Cow<'a, str>>,
    pub place: Option<Place>,
    /// A fan-out whose branches have all ended, or a child run with nothing left to do.
    pub close: Option<ScopeId>,
    /// What stood here has been withdrawn.
    pub withdrawn: bool,
}

impl<'a> Entry<'a> for QueueEntry<'a> {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        Ok(Self {
            event: fields.maybe_small("event")?,
            from: fields.maybe_text("from")?,
            place: place(fields)?,
            close: fields.maybe_small("close")?,
            withdrawn: fields.flag("withdrawn")?,
        })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.maybe("event", self.event);
        if let Some(from) = &self.from {
            object.text("from", from);
        }
        write_place(object, self.place);
        object.maybe("close", self.close);
        if self.withdrawn {
            object.raw("withdrawn", "true");
        }
    }
}

pub struct InvocationEntry<'a> {
    pub seq: u64,
    pub step: Cow<'a, str>,
    pub state: State,
    /// How often it has begun.
    pub attempts: u32,
    pub event: Option<Slot>,
    pub events: Option<Vec<Slot>>,
    pub place: Option<Place>,
    pub fan: Option<ScopeId>,
    pub yields: u32,
    pub failures: u32,
    /// When it is tried again.
    pub until: Option<Time>,
    /// Its place in the line of its pool, where that is not in the order of the numbers.
    pub line: Option<u32>,
    /// Deadlines of its sleeps; 0: over.
    pub sleeps: Vec<Time>,
    /// What it has asked.
    pub requests: Vec<RequestId>,
}

const STATES: [(State, &str); 5] = [
    (State::Running, "running"),
    (State::Waiting, "waiting"),
    (State::Aborted, "aborted"),
    (State::Withdrawn, "withdrawn"),
    (State::Delayed, "delayed"),
];

impl<'a> Entry<'a> for InvocationEntry<'a> {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        Ok(Self {
            seq: fields.number("seq")?,
            step: fields.text("step")?,
            state: named(&STATES, fields.maybe_text("state")?)?,
            attempts: fields.maybe_small("attempts")?.unwrap_or(0),
            event: fields.maybe_small("event")?,
            events: fields.has("events").then(|| fields.smalls("events")).transpose()?,
            place: place(fields)?,
            fan: fields.maybe_small("fan")?,
            yields: fields.maybe_small("yields")?.unwrap_or(0),
            failures: fields.maybe_small("failures")?.unwrap_or(0),
            until: fields.maybe_number("until")?,
            line: fields.maybe_small("line")?,
            sleeps: fields.numbers("sleeps")?,
            requests: fields.smalls("requests")?,
        })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.number("seq", self.seq);
        object.text("step", &self.step);
        write_state(object, &STATES, self.state);
        object.count("attempts", u64::from(self.attempts));
        object.maybe("event", self.event);
        if let Some(events) = &self.events {
            object.numbers("events", events);
        }
        write_place(object, self.place);
        object.maybe("fan", self.fan);
        object.count("yields", u64::from(self.yields));
        object.count("failures", u64::from(self.failures));
        if let Some(until) = self.until {
            object.number("until", until);
        }
        object.maybe("line", self.line);
        if !self.sleeps.is_empty() {
            object.numbers("sleeps", &self.sleeps);
        }
        if !self.requests.is_empty() {
            object.numbers("requests", &self.requests);
        }
    }
}

/// A question: one that no invocation names is an event that waits for its answer.
pub struct RequestEntry {
    pub state: Asking,
    /// The question, or its answer.
    pub event: Slot,
    pub place: Option<Place>,
    pub until: Option<Time>,
}

const REQUEST_STATES: [(Asking, &str); 3] = [(Asking::Pending, "pending"), (Asking::Answered, "answered"), (Asking::Expired, "expired")];

impl Entry<'_> for RequestEntry {
    fn fields(fields: &mut Fields<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            state: named(&REQUEST_STATES, fields.maybe_text("state")?)?,
            event: fields.small("event")?,
            place: place(fields)?,
            until: fields.maybe_number("until")?,
        })
    }
    fn write(&self, object: &mut Object<'_>) {
        write_state(object, &REQUEST_STATES, self.state);
        object.number("event", u64::from(self.event));
        write_place(object, self.place);
        if let Some(until) = self.until {
            object.number("until", until);
        }
    }
}

pub struct ScopeEntry<'a> {
    pub opened: u64,
    /// The step that opened it.
    pub step: Cow<'a, str>,
    pub state: ScopeState,
    pub place: Option<Place>,
    /// How many it has had.
    pub branches: u32,
    /// Collects that had what they wait for.
    pub done: Vec<Cow<'a, str>>,
}

const SCOPE_STATES: [(ScopeState, &str); 3] =
    [(ScopeState::Open, "open"), (ScopeState::Ended, "ended"), (ScopeState::Cancelled, "cancelled")];

impl<'a> Entry<'a> for ScopeEntry<'a> {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        Ok(Self {
            opened: fields.number("opened")?,
            step: fields.text("step")?,
            state: named(&SCOPE_STATES, fields.maybe_text("state")?)?,
            place: place(fields)?,
            branches: fields.small("branches")?,
            done: fields.texts("done")?,
        })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.number("opened", self.opened);
        object.text("step", &self.step);
        write_state(object, &SCOPE_STATES, self.state);
        write_place(object, self.place);
        object.number("branches", u64::from(self.branches));
        if !self.done.is_empty() {
            object.texts("done", &self.done);
        }
    }
}

/// A child run.
pub struct FlowEntry {
    /// The invocation that opened it, and its number among those that the invocation has opened.
    pub by: InvocationId,
    pub branch: u32,
    /// Which of the header's workflows it is of.
    pub workflow: u32,
    /// The scope in which all of it lies, and its number among all that the run has opened; none: it is over.
    pub scope: Option<ScopeId>,
    pub opened: u64,
}

impl Entry<'_> for FlowEntry {
    fn fields(fields: &mut Fields<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            by: fields.small("invocation")?,
            branch: fields.maybe_small("branch")?.unwrap_or(0),
            workflow: fields.maybe_small("workflow")?.unwrap_or(0),
            scope: fields.maybe_small("scope")?,
            opened: fields.maybe_number("opened")?.unwrap_or(0),
        })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.number("invocation", u64::from(self.by));
        object.count("branch", u64::from(self.branch));
        object.count("workflow", u64::from(self.workflow));
        object.maybe("scope", self.scope);
        object.count("opened", self.opened);
    }
}

/// An event in a join.
pub struct JoinEntry<'a> {
    pub step: Cow<'a, str>,
    pub key: Option<u32>,
    pub event: Slot,
    pub place: Option<Place>,
}

impl<'a> Entry<'a> for JoinEntry<'a> {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        Ok(Self { step: fields.text("step")?, key: fields.maybe_small("key")?, event: fields.small("event")?, place: place(fields)? })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.text("step", &self.step);
        object.maybe("key", self.key);
        object.number("event", u64::from(self.event));
        write_place(object, self.place);
    }
}

/// An event in a collect.
pub struct CollectEntry<'a> {
    pub step: Cow<'a, str>,
    pub event: Slot,
    /// The fan-out and branch; none: of the whole run.
    pub place: Option<Place>,
}

impl<'a> Entry<'a> for CollectEntry<'a> {
    fn fields(fields: &mut Fields<'a>) -> Result<Self, Wrong> {
        Ok(Self { step: fields.text("step")?, event: fields.small("event")?, place: place(fields)? })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.text("step", &self.step);
        object.number("event", u64::from(self.event));
        write_place(object, self.place);
    }
}

/// What a collect was given so far.
pub struct GivenEntry {
    pub runs: u32,
    pub events: u32,
}

impl Entry<'_> for GivenEntry {
    fn fields(fields: &mut Fields<'_>) -> Result<Self, Wrong> {
        Ok(Self { runs: fields.small("runs")?, events: fields.small("events")? })
    }
    fn write(&self, object: &mut Object<'_>) {
        object.number("runs", u64::from(self.runs));
        object.number("events", u64::from(self.events));
    }
}

/// Where something belongs; nothing stands for the run itself.
pub fn place_of(place: Place) -> Option<Place> {
    (place.scope != ROOT).then_some(place)
}

pub fn place(fields: &mut Fields<'_>) -> Result<Option<Place>, Wrong> {
    let Some((scope, branch)) = fields.pair("place")? else { return Ok(None) };
    let small = |number| crate::json::small("place", number);
    Ok(Some(Place { scope: small(scope)?, branch: small(branch)? }))
}

fn write_place(object: &mut Object<'_>, place: Option<Place>) {
    if let Some(Place { scope, branch }) = place {
        object.pair("place", (u64::from(scope), u64::from(branch)));
    }
}

/// The first state is the one that is not written.
fn named<S: Copy>(states: &[(S, &str)], name: Option<Cow<'_, str>>) -> Result<S, Wrong> {
    let Some(name) = name else { return Ok(states[0].0) };
    let found = states.iter().skip(1).find(|(_, other)| *other == name);
    found.map(|(state, _)| *state).ok_or_else(|| format!("there is no state \"{name}\""))
}

fn write_state<S: PartialEq>(object: &mut Object<'_>, states: &[(S, &'static str)], state: S) {
    if let Some((_, name)) = states.iter().skip(1).find(|(other, _)| *other == state) {
        object.text("state", name);
    }
}
