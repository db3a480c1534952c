//! Events, and what a step gives of them.

use std::ops::Index;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub(super) const START: &str = "blazen::StartEvent";
pub(super) const STOP: &str = "blazen::StopEvent";
pub(super) const REQUEST: &str = "blazen::InputRequestEvent";
pub(super) const RESPONSE: &str = "blazen::InputResponseEvent";
pub(super) const STEP_FAILED: &str = "blazen::StepFailedEvent";

/// The name of a type as it is stored: the engine's own may be written short.
pub(super) fn full_name(kind: &str) -> &str {
    match kind {
        "StartEvent" => START,
        "StopEvent" => STOP,
        "InputRequestEvent" => REQUEST,
        "InputResponseEvent" => RESPONSE,
        "StepFailedEvent" => STEP_FAILED,
        other => other,
    }
}

/// Typed data: the durable name of its type, and a payload in JSON. Copies share the payload.
///
/// ```
/// use blazen_runtime::host::Event;
/// use serde_json::json;
///
/// let event = Event::new("Greet", json!({ "name": "Ada" }));
/// assert_eq!((event.kind(), event["name"].as_str()), ("Greet", Some("Ada")));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    kind: Arc<str>,
    payload: Arc<Value>,
}

impl Event {
    /// An event's fields are those of the payload, which is an object without a field `type`; nothing (null) has no fields, and any
    /// other payload is found in the field `data`, as in TypeScript. The engine's own types may be named short: `StopEvent`.
    pub fn new(kind: &str, payload: Value) -> Self {
        let payload = match payload {
            Value::Object(_) => payload,
            Value::Null => Value::Object(Map::new()),
            other => json!({ "data": other }),
        };
        Self { kind: full_name(kind).into(), payload: Arc::new(payload) }
    }

    /// The StopEvent that ends a run with a result.
    pub fn stop(result: impl Into<Value>) -> Self {
        Self::new(STOP, json!({ "result": result.into() }))
    }

    /// The name of its type; of the engine's own in full: `blazen::StopEvent`.
    pub fn kind(&self) -> &str {
        &self.kind
    }
    /// Whether it is of a type, whose name may be short.
    pub fn is(&self, kind: &str) -> bool {
        *self.kind == *full_name(kind)
    }
    /// Its fields: always an object.
    pub fn payload(&self) -> &Value {
        &self.payload
    }
    /// The payload as a value of a type of its own.
    ///
    /// # Errors
    /// When the payload is not of that type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&*self.payload)
    }
}

/// A field of the payload; null where there is none.
impl Index<&str> for Event {
    type Output = Value;
    fn index(&self, field: &str) -> &Value {
        &self.payload[field]
    }
}

/// What a step gives: nothing, one event, or several, which open a fan-out with a branch each.
///
/// ```
/// use blazen_runtime::host::{Event, Outputs};
/// use serde_json::json;
///
/// let one: Outputs = Event::stop("done").into();
/// let pages: Outputs = (0..3).map(|n| Event::new("Page", json!({ "n": n }))).collect();
/// assert_ne!(one, pages);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outputs {
    /// The step was called for its side effects.
    #[default]
    None,
    /// The event stays in the branch of the step.
    One(Event),
    /// A fan-out, whatever its length.
    Many(Vec<Event>),
}

impl Outputs {
    pub(super) fn into_list(self) -> (Vec<Event>, bool) {
        match self {
            Self::None => (Vec::new(), false),
            Self::One(event) => (vec![event], false),
            Self::Many(events) => (events, true),
        }
    }
}

impl From<()> for Outputs {
    fn from((): ()) -> Self {
        Self::None
    }
}
impl From<Event> for Outputs {
    fn from(event: Event) -> Self {
        Self::One(event)
    }
}
impl From<Option<Event>> for Outputs {
    fn from(event: Option<Event>) -> Self {
        event.map_or(Self::None, Self::One)
    }
}
impl From<Vec<Event>> for Outputs {
    fn from(events: Vec<Event>) -> Self {
        Self::Many(events)
    }
}
impl FromIterator<Event> for Outputs {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self::Many(events.into_iter().collect())
    }
}
