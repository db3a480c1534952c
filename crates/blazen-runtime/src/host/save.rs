//! The host's part of a snapshot, as the core wants it: `docs/internal/boundary.md`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::event::{Event, STEP_FAILED};
use super::run::{Bytes, Run, State};
use super::tree;

/// Entries of a snapshot, and the bytes in them one after the other.
#[derive(Default)]
pub struct Entries {
    keys: Vec<String>,
    values: Vec<Value>,
    bytes: Vec<Value>,
    blob: Vec<u8>,
}

/// The value of an entry.
pub enum Entry {
    Json(Value),
    Bytes(Bytes),
}

impl Entries {
    pub fn add(&mut self, key: String, entry: &Entry) {
        match entry {
            Entry::Json(value) => self.json(key, value.clone()),
            Entry::Bytes(bytes) => {
                self.bytes.push(json!([key, [bytes.len()]]));
                self.blob.extend_from_slice(bytes);
                self.json(key, json!({ "$": "view", "type": "Uint8Array", "bytes": 0, "offset": 0, "length": bytes.len() }));
            }
        }
    }
    pub fn json(&mut self, key: String, value: Value) {
        self.keys.push(key);
        self.values.push(value);
    }
}

/// A document for `save` or `delta`, and its blob.
pub struct Part {
    pub document: Vec<u8>,
    pub blob: Vec<u8>,
}

impl Part {
    pub fn new<'a>(run: &Run, state: &State, events: impl Iterator<Item = (usize, &'a Event)>, entries: Entries, more: Value) -> Self {
        let mut names: HashMap<&str, usize> = HashMap::new();
        let (mut slots, mut types, mut of, mut payloads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (slot, event) in events {
            let at = *names.entry(event.kind()).or_insert_with(|| {
                types.push(event.kind());
                types.len() - 1
            });
            slots.push(slot);
            of.push(at);
            payloads.push(payload_tree(event));
        }
        let unbegun: Vec<i32> = state.calls.iter().filter(|(_, call)| !call.begun).map(|(invocation, _)| *invocation).collect();
        let Entries { keys, values, bytes, blob } = entries;
        let mut document = json!({
            "runId": run.id, "droppedSession": state.dropped_session, "unbegun": unbegun, "slots": slots, "types": types, "of": of,
            "payloads": payloads, "keys": keys, "values": values, "bytes": bytes,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            document[name] = value.clone();
        }
        Self { document: document.to_string().into_bytes(), blob }
    }
}

/// The run as it stands. `base`: deltas are to follow.
pub fn whole(run: &Run, state: &State, base: bool) -> Result<Vec<u8>, String> {
    let mut entries = Entries::default();
    for (number, key) in state.keys.all() {
        entries.json(format!("key/{number}"), key_value(key));
    }
    for (number, id) in state.ids.all() {
        entries.json(format!("sent/{number}"), id.into());
    }
    for (number, (id, digest)) in state.requests.answers().iter().enumerate() {
        entries.json(format!("answered/{number}"), answered(id, digest.as_deref()));
    }
    for (key, bytes) in &state.memory {
        entries.add(state_key(key), &Entry::Bytes(bytes.clone()));
    }
    for (key, value) in &state.carried {
        entries.json(key.clone(), value.clone());
    }
    let more = if base { json!({ "base": true }) } else { json!({}) };
    let Part { document, blob } = Part::new(run, state, state.slots.events(), entries, more);
    let handle = state.handle;
    run.plan.machine.call(move |core| core.save(handle, &document, &blob))
}

pub fn state_key(key: &str) -> String {
    format!("state/{}", tree::encode_key(key))
}
pub fn answered(id: &str, digest: Option<&str>) -> Value {
    digest.map_or_else(|| json!({ "id": id }), |digest| json!({ "id": id, "digest": digest }))
}
/// A join's key from its JSON.
pub fn key_value(key: &str) -> Value {
    serde_json::from_str(key).unwrap_or_default()
}

fn payload_tree(event: &Event) -> Value {
    let mut tree = tree::encode(event.payload());
    if event.kind() == STEP_FAILED {
        tree["error"] = tree::encode_error(&event["error"]);
    }
    tree
}
