//! Questions of a run, and their answers.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::{Error, StepFailure};
use super::event::{Event, REQUEST, RESPONSE, full_name};
use super::random;

/// A question to a person. Returned or sent by a step it is an InputRequestEvent, whose answer is routed; given to `Context::ask` the
/// step waits for the answer.
///
/// ```
/// use blazen_runtime::host::{Event, Question};
///
/// let event: Event = Question::new("Pay 12?").id("approve").answer("Decided").into();
/// assert_eq!((event["id"].as_str(), event["answer"].as_str()), (Some("approve"), Some("Decided")));
/// ```
#[derive(Clone, Debug)]
pub struct Question {
    prompt: String,
    id: Option<String>,
    metadata: Option<Value>,
    answer: Option<String>,
    timeout: Option<Duration>,
}

impl Question {
    /// What is asked.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), id: None, metadata: None, answer: None, timeout: None }
    }
    /// Of one that is returned or sent: its name in the run, a random one unless it is given.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
    /// What belongs to the question.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }
    /// Of one that is returned or sent: the type of the event that the answer becomes, an InputResponseEvent unless it is given.
    #[must_use]
    pub fn answer(mut self, kind: &str) -> Self {
        self.answer = Some(full_name(kind).to_owned());
        self
    }
    /// Of one that a step waits for: how long it waits, in whole milliseconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// As a step asks it that waits for the answer.
    pub(super) fn asked(self, id: String) -> Result<(Event, Option<Duration>), Error> {
        if self.id.is_some() || self.answer.is_some() {
            return Err(Error::definition("Context::ask: \"id\" and \"answer\" are of questions that a step returns or sends"));
        }
        let timeout = self.timeout;
        Ok((self.id(id).into(), timeout))
    }
}

impl From<Question> for Event {
    fn from(Question { prompt, id, metadata, answer, .. }: Question) -> Self {
        let mut payload = json!({ "id": id.unwrap_or_else(random::id), "prompt": prompt });
        if let Some(metadata) = metadata {
            payload["metadata"] = metadata;
        }
        if let Some(answer) = answer.filter(|answer| answer != RESPONSE) {
            payload["answer"] = answer.into();
        }
        Self::new(REQUEST, payload)
    }
}

/// A request as the format has it, however the step has written it.
pub fn checked(event: Event) -> Result<Event, StepFailure> {
    let fields = event.payload().as_object().cloned().unwrap_or_else(Map::new);
    let wrong = |why: &str| StepFailure::new(format!("an InputRequestEvent is made from a Question: {why}"));
    if let Some(name) = fields.keys().find(|name| !["id", "prompt", "metadata", "answer"].contains(&name.as_str())) {
        return Err(wrong(&format!("there is no field \"{name}\"")));
    }
    let Some(prompt) = fields.get("prompt").and_then(Value::as_str) else { return Err(wrong("\"prompt\" is a text")) };
    let mut question = Question { metadata: fields.get("metadata").cloned(), ..Question::new(prompt) };
    match fields.get("id") {
        None => {}
        Some(Value::String(id)) if !id.is_empty() => question = question.id(id),
        Some(_) => return Err(wrong("\"id\" is a text that is not empty")),
    }
    match fields.get("answer") {
        None => {}
        Some(Value::String(kind)) => question = question.answer(kind),
        Some(_) => return Err(wrong("\"answer\" is the name of a type")),
    }
    Ok(question.into())
}

/// A question that waits for its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingInput {
    /// For `Handler::respond`.
    pub id: String,
    /// What is asked.
    pub prompt: String,
    /// What belongs to the question.
    pub metadata: Option<Value>,
}

/// One that waits for its answer.
pub struct Pending {
    pub id: String,
    /// The core's.
    pub number: i32,
    /// A step waits for it.
    pub awaited: bool,
    pub event: Event,
}

enum Past {
    /// Part of the run, and not asked yet or waiting.
    Open,
    Withdrawn,
    Answered,
}

/// What became of an answer.
pub enum Known {
    Same,
    Other,
    Unknown,
}

#[derive(Default)]
pub struct Requests {
    known: HashMap<String, Past>,
    pending: Vec<Pending>,
    /// Ids, and hashes of what was answered.
    answers: Vec<(String, Option<String>)>,
}

impl Requests {
    pub fn has(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }
    pub fn emitted(&mut self, event: &Event) {
        self.known.insert(id_of(event), Past::Open);
    }
    /// False for one that is pending already: a step asks it again.
    pub fn asked(&mut self, number: i32, awaited: bool, event: &Event) -> bool {
        let id = id_of(event);
        if self.pending(&id).is_some() {
            return false;
        }
        self.known.insert(id.clone(), Past::Open);
        self.pending.push(Pending { id, number, awaited, event: event.clone() });
        true
    }
    pub fn pending(&self, id: &str) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.id == id)
    }
    pub fn all(&self) -> &[Pending] {
        &self.pending
    }
    pub fn withdrawn(&mut self, event: &Event) {
        self.end(&id_of(event), Past::Withdrawn);
    }
    pub fn answered(&mut self, id: &str, digest: Option<String>) {
        self.end(id, Past::Answered);
        self.answers.push((id.to_owned(), digest));
    }
    fn end(&mut self, id: &str, past: Past) {
        self.pending.retain(|pending| pending.id != id);
        self.known.insert(id.to_owned(), past);
    }
    /// Whether an answer has been given before.
    pub fn known(&self, id: &str, digest: &str) -> Known {
        match self.known.get(id) {
            Some(Past::Answered) => {
                let same = self.answers.iter().any(|(before, hash)| before == id && hash.as_deref() == Some(digest));
                if same { Known::Same } else { Known::Other }
            }
            _ => Known::Unknown,
        }
    }
    /// In the order in which they were given.
    pub fn answers(&self) -> &[(String, Option<String>)] {
        &self.answers
    }
}

pub fn id_of(event: &Event) -> String {
    event["id"].as_str().unwrap_or_default().to_owned()
}

/// The event that a response becomes.
pub fn answer(pending: &Pending, response: Value) -> Event {
    let kind = pending.event["answer"].as_str().filter(|_| !pending.awaited).unwrap_or(RESPONSE);
    if kind == RESPONSE {
        Event::new(RESPONSE, json!({ "requestId": pending.id, "response": response, "request": pending.event.payload() }))
    } else {
        Event::new(kind, response)
    }
}
