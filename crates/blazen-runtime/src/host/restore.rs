//! A run from a snapshot: read, and refused where it has what this host does not do.

use std::sync::Arc;

use blazen_core::{IN_DURABLE, IN_KEYED, IN_PAUSE};
use serde_json::Value;

use super::checkpoints::Checkpoints;
use super::error::Error;
use super::event::{Event, REQUEST, STEP_FAILED};
use super::machine::{Frame, NONE};
use super::outputs;
use super::plan::Plan;
use super::requests::id_of;
use super::run::{Bytes, Run, State};
use super::tree;

/// What the core tells of a snapshot.
struct Read {
    handle: i32,
    /// `docs/internal/boundary.md`.
    document: Value,
    /// The binary form, in which bytes lie raw.
    bytes: Vec<u8>,
}

/// What a snapshot may have that is no plain run of events.
const REFUSED: [(&str, &str); 4] = [
    ("child", "a child run"),
    ("once", "a result of ctx.once"),
    ("session", "an entry of the session"),
    ("progress", "a stage of a pipeline"),
];
/// Sections of other hosts that mean nothing here, and are left as they are.
const CARRIED: [&str; 4] = ["elapsed", "policy", "stream", "commits"];

pub fn resume(plan: &Arc<Plan>, source: &[u8], checkpoints: Option<Checkpoints>) -> Result<Arc<Run>, Error> {
    let Read { handle, document, bytes } = read(plan, source)?;
    let id = document["header"]["runId"].as_str().map(str::to_owned);
    let run = Run::new(plan, id)?;
    let mut state = run.lock();
    // From here on the run lets the core's go when it is dropped.
    state.handle = handle;
    let events = fill(&mut state, &document, &bytes).map_err(Error::snapshot)?;
    state.checkpoints = checkpoints;
    let queued: Vec<i32> = numbers(&document["queued"]).collect();
    for (_, event) in events.iter().filter(|(_, event)| event.kind() == REQUEST) {
        if state.requests.has(&id_of(event)) {
            return Err(Error::snapshot(format!("it is damaged: two requests have the id \"{}\"", id_of(event))));
        }
        state.requests.emitted(event);
    }
    state.slots.fill(events);
    let keys: Vec<(i32, Event)> = queued.iter().filter_map(|slot| Some((*slot, state.slots.event(*slot)?.clone()))).collect();
    let durable = state.checkpoints.as_ref().map(|_| [IN_DURABLE, 0, NONE, NONE]);
    let mut frames: Vec<Frame> = durable.into_iter().chain([[IN_PAUSE, 1, NONE, NONE]]).collect();
    // Keys are code, and not stored: `by` is asked again.
    drop(state);
    let mut asked = Vec::new();
    for (slot, event) in keys.into_iter().filter(|(_, event)| !plan.joined_by_key(event.kind()).is_empty()) {
        asked.push((slot, outputs::of(plan, event).map_err(|failure| Error::snapshot(failure.message()))?));
    }
    let mut state = run.lock();
    for (slot, output) in asked {
        frames.extend(output.write_keys(&mut state));
        frames.push([IN_KEYED, slot, NONE, NONE]);
    }
    frames.push(run.now(&mut state));
    frames.push([IN_PAUSE, 0, NONE, NONE]);
    run.exchange(&mut state, frames);
    drop(state);
    Ok(run)
}

fn read(plan: &Plan, source: &[u8]) -> Result<Read, Error> {
    let source = source.to_vec();
    let parsed = plan.machine.call(move |core| {
        let bytes = core.parse(&source)?;
        Some((core.document(&bytes)?, core.text(&bytes)?, bytes))
    });
    let (document, text, bytes) = parsed.map_err(Error::snapshot)?;
    let json =
        |text: &str| serde_json::from_str::<Value>(text).map_err(|error| Error::snapshot(format!("this host cannot read it: {error}")));
    let document = json(&document)?;
    supported(&document, &json(&text)?).map_err(Error::snapshot)?;
    let id = plan.id;
    let restored = plan.machine.call(move |core| {
        let handle = core.restore(id, &bytes, &[]);
        (handle >= 0).then_some((handle, bytes))
    });
    let (handle, bytes) = restored.map_err(Error::snapshot)?;
    Ok(Read { handle, document, bytes })
}

/// Whether this host does all that the snapshot has.
fn supported(document: &Value, text: &Value) -> Result<(), String> {
    if document.get("flows").is_some() {
        return Err("it has child runs, which this host does not do".to_owned());
    }
    for (key, ..) in entries(document) {
        if let Some((_, what)) = REFUSED.iter().find(|(section, _)| key.split('/').next() == Some(section)) {
            return Err(format!("the entry \"{key}\" is {what}, which this host does not do"));
        }
    }
    for (key, entry) in text["entries"].as_object().into_iter().flatten() {
        if key.starts_with("invocation/") && entry.get("yields").is_some() {
            return Err(format!("the step {} is a generator, which this host does not do", entry["step"]));
        }
    }
    Ok(())
}

/// The entries of the host: keys and trees.
fn entries(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    document["entries"].as_array().into_iter().flatten().filter_map(|entry| Some((entry[0].as_str()?, &entry[1])))
}

fn numbers(list: &Value) -> impl Iterator<Item = i32> {
    list.as_array().into_iter().flatten().filter_map(|number| i32::try_from(number.as_i64()?).ok())
}

/// Everything but the events, which are given back by slot.
fn fill(state: &mut State, document: &Value, bytes: &[u8]) -> Result<Vec<(usize, Event)>, String> {
    state.dropped_session = document["header"].get("droppedSession").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    for (key, tree) in entries(document) {
        let (section, rest) = key.split_once('/').unwrap_or((key, ""));
        let damaged = || format!("it is damaged: the entry \"{key}\" cannot be read");
        match section {
            "state" => {
                let name = tree::decode_key(rest).filter(|_| !rest.contains('/')).ok_or_else(damaged);
                let value = state_bytes(key, tree, document, bytes);
                let value = value.ok_or_else(|| {
                    format!("the entry \"{key}\" of the state is no Uint8Array, and this host has a state of bytes alone")
                })?;
                state.memory.insert(name?, value);
            }
            "key" => {
                let key = match tree {
                    Value::String(_) => tree.to_string(),
                    Value::Number(number) => tree::number_text(number),
                    _ => return Err(damaged()),
                };
                state.keys.set(key, rest.parse().map_err(|_| damaged())?);
            }
            "sent" => state.ids.set(tree.as_str().ok_or_else(damaged)?.to_owned(), rest.parse().map_err(|_| damaged())?),
            "answered" => {
                let id = tree["id"].as_str().ok_or_else(damaged)?;
                state.requests.answered(id, tree["digest"].as_str().map(str::to_owned));
            }
            _ if CARRIED.contains(&section) => state.carried.push((key.to_owned(), tree.clone())),
            _ => {}
        }
    }
    events(document)
}

/// The bytes of a value that is a Uint8Array over all of one byte array.
fn state_bytes(key: &str, tree: &Value, document: &Value, bytes: &[u8]) -> Option<Bytes> {
    let piece = format!("bytes/{key}/0");
    let place = document["bytes"].as_array()?.iter().find(|entry| entry[0] == piece.as_str())?;
    let (offset, length) = (usize::try_from(place[1].as_u64()?).ok()?, usize::try_from(place[2].as_u64()?).ok()?);
    let whole =
        tree["$"] == "view" && tree["type"] == "Uint8Array" && tree["bytes"] == 0 && tree["offset"] == 0 && tree["length"] == length;
    whole.then(|| bytes.get(offset..offset + length).map(Bytes::from)).flatten()
}

fn events(document: &Value) -> Result<Vec<(usize, Event)>, String> {
    let slots = numbers(&document["slots"]).map(|slot| slot as usize);
    let stored: Vec<(usize, &Value)> = slots.zip(document["events"].as_array().into_iter().flatten()).collect();
    let mut events = Vec::with_capacity(stored.len());
    for (slot, event) in &stored {
        // One that was emitted twice is stored once.
        let payload = &event["payload"];
        let same = payload["slot"].as_u64().filter(|_| payload["$"] == "event");
        let first =
            same.and_then(|same| stored.iter().find(|(slot, _)| *slot as u64 == same)).map_or(payload, |(_, first)| &first["payload"]);
        let kind = event["type"].as_str().unwrap_or_default();
        let decoded = decode_payload(kind, first).map_err(|why| format!("the event \"{kind}\" has {why}"))?;
        if !decoded.is_object() {
            return Err(format!("it is damaged: the payload of an event \"{kind}\" is no object"));
        }
        events.push((*slot, Event::new(kind, decoded)));
    }
    Ok(events)
}

fn decode_payload(kind: &str, tree: &Value) -> Result<Value, String> {
    let Some(fields) = tree.as_object().filter(|fields| kind == STEP_FAILED && !fields.contains_key("$")) else {
        return tree::decode(tree);
    };
    let field = |(name, field): (&String, &Value)| {
        let decoded = if name == "error" { tree::decode_error(field) } else { tree::decode(field) };
        decoded.map(|decoded| (name.clone(), decoded))
    };
    fields.iter().map(field).collect::<Result<serde_json::Map<_, _>, _>>().map(Value::Object)
}
