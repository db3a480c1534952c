//! What the host is told of a snapshot, and a snapshot whose events and names the host has upgraded.

use std::borrow::Cow;

use super::{Builder, Snapshot, Value, damaged};
use crate::error::CoreError;
use crate::json::{Fields, Wrong, shape, string, text, write_text};
use crate::run::{
    CollectEntry, Entry, GivenEntry, HostEntries, InvocationEntry, JoinEntry, Layout, QueueEntry, RUN, ScopeEntry, add_bytes,
};

/// Levels of values that the host accepts.
const DEEPEST: usize = 1000;

/// Sections that are the core's own.
const OWN: &[&str] = &["run", "queue", "invocation", "scope", "join", "collect", "given", "request", "flow", "flow-given"];

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
                list(&mut events, event);
            }
            ("queue", Value::Json(text)) => {
                if let Some(slot) = QueueEntry::read(key, text)?.event {
                    list(&mut queued, &slot.to_string());
                }
            }
            (own, _) if OWN.contains(&own) => {}
            (_, Value::Json(text)) => {
                let plain = shape(text).is_some_and(|shape| !shape.tagged && shape.depth < DEEPEST);
                list(&mut entries, "[");
                entries.push_str(&quoted(key));
                entries.push(',');
                entries.push_str(text);
                entries.push_str(if plain { ",1]" } else { "]" });
            }
        }
    }
    let layout = Layout::read(snapshot)?;
    let children = if layout.flows.is_empty() {
        String::new()
    } else {
        let inner: Vec<String> = layout.inner_events(snapshot)?.iter().map(|(slot, flow)| format!("[{slot},{flow}]")).collect();
        format!(",\"flows\":{},\"inner\":[{}]", layout.json(snapshot)?, inner.join(","))
    };
    Ok(format!(
        "{{\"header\":{},\"slots\":[{slots}],\"events\":[{events}],\"entries\":[{entries}],\"bytes\":[{pieces}],\"queued\":[{queued}]{children}}}",
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
    let mut out = Vec::new();
    write_text(&mut out, text);
    string(out)
}

/// The same snapshot with other events, entries of the host, and names of steps: what a host gives after its `migrate`.
pub fn upgrade(snapshot: Snapshot<'_>, text: &str, blob: &[u8]) -> Result<Vec<u8>, CoreError> {
    let (version, steps, host) =
        read_upgrade(text).map_err(|wrong| CoreError::internal(format!("an upgrade of a snapshot cannot be read: {wrong}")))?;
    let layout = Layout::read(&snapshot)?;
    // Names of steps within child runs are those of other workflows.
    let own = |place| layout.flow_at(place) == RUN;
    let now = |name: &str| {
        let renamed = steps.iter().find(|(step, _)| step == name);
        renamed.map_or_else(|| name.to_owned(), |(_, now)| now.clone().into_owned())
    };
    let mut builder = Builder::default();
    for &(key, value) in &snapshot.entries {
        let Value::Json(text) = value else { continue };
        match section(key) {
            "queue" => {
                let mut read = QueueEntry::read(key, text)?;
                if own(read.place) {
                    read.from = read.from.map(|name| now(&name).into());
                }
                builder.named(key, &read);
            }
            "invocation" => {
                let mut read = InvocationEntry::read(key, text)?;
                if own(read.place) {
                    read.step = now(&read.step).into();
                }
                builder.named(key, &read);
            }
            "scope" => {
                let mut read = ScopeEntry::read(key, text)?;
                if own(read.place) {
                    read.step = now(&read.step).into();
                    read.done = read.done.iter().map(|name| now(name).into()).collect();
                }
                builder.named(key, &read);
            }
            "join" => {
                let mut read = JoinEntry::read(key, text)?;
                if own(read.place) {
                    read.step = now(&read.step).into();
                }
                builder.named(key, &read);
            }
            "collect" => {
                let mut read = CollectEntry::read(key, text)?;
                if own(read.place) {
                    read.step = now(&read.step).into();
                }
                builder.named(key, &read);
            }
            "given" => {
                let read = GivenEntry::read(key, text)?;
                builder.named(&format!("given/{}", now(key.split_once('/').map_or("", |(_, name)| name))), &read);
            }
            "run" | "request" | "flow" | "flow-given" => builder.raw(key, text),
            _ => {}
        }
    }
    for (slot, ty, payload) in host.events() {
        builder.event(slot, ty, payload);
    }
    for (key, value) in &host.entries {
        builder.raw(key, value);
    }
    add_bytes(&host.bytes, blob, &mut builder)?;
    let mut header = snapshot.header;
    header.version = version;
    header.migrated = true;
    for step in &mut header.steps {
        step.name = now(&step.name);
        step.of = step.of.as_deref().map(now);
    }
    Ok(builder.finish(&header))
}

type Names<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The version, the name that each step of the snapshot has now, and the host's entries.
fn read_upgrade(upgrade: &str) -> Result<(u64, Names<'_>, HostEntries<'_>), Wrong> {
    let mut fields = Fields::read(upgrade)?;
    let names = Fields::read(fields.required("steps")?)?
        .into_entries()
        .map(|(step, now)| Ok((step, text("steps", now)?)))
        .collect::<Result<_, Wrong>>()?;
    let read = (fields.number("version")?, names, HostEntries::read(&mut fields)?);
    fields.end()?;
    Ok(read)
}
