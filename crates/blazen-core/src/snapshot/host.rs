//! What the host is told of a snapshot, and a snapshot whose events and names the host has upgraded.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Builder, Snapshot, Value, damaged, fingerprint};
use crate::error::CoreError;
use crate::run::{Bytes, CollectEntry, GivenEntry, InvocationEntry, JoinEntry, QueueEntry, ScopeEntry, add_bytes, entry};

/// Sections that are the core's own.
const OWN: &[&str] = &["run", "queue", "invocation", "scope", "join", "collect", "given"];

fn section(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

/// JSON: the header, the events by slot, the host's entries, where bytes stand, and the slots of queued events.
pub fn document(snapshot: &Snapshot<'_>, bytes: &[u8]) -> Result<String, CoreError> {
    let mut slots = String::new();
    let mut events = String::new();
    let mut entries = String::new();
    let mut pieces = String::new();
    let mut queued = String::new();
    for &(key, value) in &snapshot.entries {
        match (section(key), value) {
            ("bytes", Value::Bytes(piece)) => {
                let offset = piece.as_ptr() as usize - bytes.as_ptr() as usize;
                list(&mut pieces, &format!("[{},{offset},{}]", quoted(key), piece.len()));
            }
            (_, Value::Bytes(_)) | ("bytes", _) => {
                return Err(damaged(format!("the entry \"{key}\" is of another kind than its name says")));
            }
            ("event", Value::Json(event)) => {
                let slot = key.split('/').nth(1).and_then(super::number);
                list(&mut slots, &slot.ok_or_else(|| damaged(format!("the entry \"{key}\" has no number")))?.to_string());
                list(&mut events, checked(key, event)?);
            }
            ("queue", Value::Json(text)) => {
                if let Some(slot) = entry::<QueueEntry<'_>>(key, text)?.event {
                    list(&mut queued, &slot.to_string());
                }
            }
            (own, _) if OWN.contains(&own) => {}
            (_, Value::Json(text)) => list(&mut entries, &format!("[{},{}]", quoted(key), checked(key, text)?)),
        }
    }
    Ok(format!(
        "{{\"header\":{},\"slots\":[{slots}],\"events\":[{events}],\"entries\":[{entries}],\"bytes\":[{pieces}],\"queued\":[{queued}]}}",
        snapshot.header_text
    ))
}

fn list(list: &mut String, item: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(item);
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn checked<'a>(key: &str, json: &'a str) -> Result<&'a str, CoreError> {
    let raw: &RawValue = serde_json::from_str(json).map_err(|error| damaged(format!("the entry \"{key}\" is no JSON: {error}")))?;
    Ok(raw.get())
}

/// What a host gives after its `migrate` has run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upgrade<'a> {
    version: u64,
    /// The name that a step of the snapshot has now.
    steps: BTreeMap<String, String>,
    slots: Vec<u32>,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(borrow)]
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
    #[serde(borrow)]
    bytes: Bytes<'a>,
}

/// The same snapshot with other events, entries of the host, and names of steps.
pub fn upgrade(snapshot: Snapshot<'_>, text: &str, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
    let upgrade: Upgrade<'_> =
        serde_json::from_str(text).map_err(|error| CoreError::internal(format!("an upgrade of a snapshot cannot be read: {error}")))?;
    let now = |name: &str| upgrade.steps.get(name).map_or_else(|| name.to_owned(), String::clone);
    let mut builder = Builder::default();
    for &(key, value) in &snapshot.entries {
        let Value::Json(text) = value else { continue };
        match section(key) {
            "queue" => {
                let mut read: QueueEntry<'_> = entry(key, text)?;
                read.from = read.from.map(|name| now(&name).into());
                builder.named(key, &read);
            }
            "invocation" => {
                let mut read: InvocationEntry<'_> = entry(key, text)?;
                read.step = now(&read.step).into();
                builder.named(key, &read);
            }
            "scope" => {
                let mut read: ScopeEntry<'_> = entry(key, text)?;
                read.step = now(&read.step).into();
                read.done = read.done.iter().map(|name| now(name).into()).collect();
                builder.named(key, &read);
            }
            "join" => {
                let mut read: JoinEntry<'_> = entry(key, text)?;
                read.step = now(&read.step).into();
                builder.named(key, &read);
            }
            "collect" => {
                let mut read: CollectEntry<'_> = entry(key, text)?;
                read.step = now(&read.step).into();
                builder.named(key, &read);
            }
            "given" => {
                let read: GivenEntry = entry(key, text)?;
                builder.named(&format!("given/{}", now(key.split_once('/').map_or("", |(_, name)| name))), &read);
            }
            "run" => builder.raw(key, text),
            _ => {}
        }
    }
    for (slot, event) in upgrade.slots.iter().zip(&upgrade.events) {
        builder.raw_numbered("event", u64::from(*slot), event.get());
    }
    for (key, value) in &upgrade.entries {
        builder.raw(key, value.get());
    }
    add_bytes(&upgrade.bytes, blob, &mut builder)?;
    let mut header = snapshot.header;
    header.version = upgrade.version;
    header.migrated = true;
    for step in &mut header.steps {
        step.name = now(&step.name);
        step.of = step.of.as_deref().map(now);
    }
    header.fingerprint = fingerprint(&header.steps);
    Ok(builder.finish(&header))
}
