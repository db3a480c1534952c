//! Snapshots as a stranger would write them, by docs/format.md alone, damaged in every way but in their checksum; and a
//! host that goes on with what is restored. The fuzz target and the tests share it.
#![allow(dead_code)] // Each user takes a part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod flows;
mod host;
pub mod mutate;

use std::cmp::Ordering;
use std::hash::Hasher;

use base64::Engine;
use blazen_core::*;
use flows::Flows;
pub use flows::children;
pub use host::Host;
use mutate::{mutate, scratch};
use serde_json::{Value, json};
pub use tape::Tape;

#[path = "../tagged/mod.rs"]
mod tagged;
#[path = "../tape/mod.rs"]
mod tape;

pub const NONE: i32 = -1;

#[derive(Clone, PartialEq, Debug)]
pub enum Val {
    Json(String),
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Snap {
    pub header: String,
    pub entries: Vec<(String, Val)>,
}

/// The order of keys: part by part, numbers by size and before names.
pub fn order(a: &str, b: &str) -> Ordering {
    let number = |part: &str| part == "0" || (!part.is_empty() && !part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = |key: &str| -> Vec<(bool, usize, String)> {
        key.split('/').map(|part| (!number(part), if number(part) { part.len() } else { 0 }, part.to_owned())).collect()
    };
    parts(a).cmp(&parts(b))
}

fn hash(key: &str, value: &Val) -> u64 {
    let mut hasher = twox_hash::XxHash64::with_seed(0);
    hasher.write(key.as_bytes());
    match value {
        Val::Json(text) => {
            hasher.write(&[0]);
            hasher.write(text.as_bytes());
        }
        Val::Bytes(bytes) => {
            hasher.write(&[1]);
            hasher.write(bytes);
        }
    }
    hasher.finish()
}

impl Snap {
    /// Of the binary form.
    pub fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let text = |from: usize, to: usize| String::from_utf8(bytes[from..to].to_vec()).unwrap();
        assert_eq!(&bytes[..8], b"BLAZEN\0\x01");
        let header = text(24, 24 + word(16));
        let mut at = 24 + word(16);
        let mut entries = Vec::new();
        for _ in 0..word(20) {
            let (key, value) = (word(at) & 0x7fff_ffff, word(at + 4));
            let raw = word(at) >> 31 == 1;
            let from = at + 8 + key;
            let value = if raw { Val::Bytes(bytes[from..from + value].to_vec()) } else { Val::Json(text(from, from + value)) };
            entries.push((text(at + 8, from), value));
            at = from + word(at + 4);
        }
        assert_eq!(at, bytes.len());
        let snap = Self { header, entries };
        assert_eq!(bytes[8..16], snap.checksum().to_le_bytes());
        snap
    }

    pub fn checksum(&self) -> u64 {
        let of_entries = self.entries.iter().map(|(key, value)| hash(key, value));
        of_entries.fold(hash("", &Val::Json(self.header.clone())), u64::wrapping_add)
    }

    /// The binary form, its checksum right.
    pub fn binary(&self) -> Vec<u8> {
        let mut out = b"BLAZEN\0\x01".to_vec();
        out.extend(self.checksum().to_le_bytes());
        out.extend((self.header.len() as u32).to_le_bytes());
        out.extend((self.entries.len() as u32).to_le_bytes());
        out.extend(self.header.as_bytes());
        for (key, value) in &self.entries {
            let (raw, value) = match value {
                Val::Json(text) => (0, text.as_bytes()),
                Val::Bytes(bytes) => (1 << 31, &bytes[..]),
            };
            out.extend((key.len() as u32 | raw).to_le_bytes());
            out.extend((value.len() as u32).to_le_bytes());
            out.extend(key.as_bytes());
            out.extend(value);
        }
        out
    }

    /// The text form, its checksum right, without any white space.
    pub fn text(&self) -> String {
        let value = |value: &Val| match value {
            Val::Json(text) => text.clone(),
            Val::Bytes(bytes) => format!("\"{}\"", base64::engine::general_purpose::STANDARD.encode(bytes)),
        };
        let entries: Vec<String> = self.entries.iter().map(|(key, of)| format!("{}:{}", json!(key), value(of))).collect();
        format!("{{\"snapshot\":{},\"checksum\":\"{:016x}\",\"entries\":{{{}}}}}", self.header, self.checksum(), entries.join(","))
    }

    pub fn sort(&mut self) {
        self.entries.sort_by(|(a, _), (b, _)| order(a, b));
        self.entries.dedup_by(|(a, _), (b, _)| a == b);
    }

    pub fn json(&self, key: &str) -> Value {
        match &self.entries.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no \"{key}\" in {self:?}")).1 {
            Val::Json(text) => serde_json::from_str(text).unwrap(),
            Val::Bytes(_) => panic!("bytes"),
        }
    }

    /// With an entry set or, for null, removed; keys stay in order.
    pub fn with(&self, key: &str, value: &Value) -> Self {
        let mut snap = self.clone();
        snap.entries.retain(|(name, _)| name != key);
        if !value.is_null() {
            snap.entries.push((key.to_owned(), Val::Json(value.to_string())));
        }
        snap.sort();
        snap
    }

    /// With fields of the header set or, for null, removed.
    pub fn with_header(&self, fields: &Value) -> Self {
        let mut header: Value = serde_json::from_str(&self.header).unwrap();
        set(&mut header, fields);
        Self { header: header.to_string(), entries: self.entries.clone() }
    }
}

fn set(value: &mut Value, fields: &Value) {
    let object = value.as_object_mut().unwrap();
    for (name, field) in fields.as_object().unwrap() {
        if field.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), field.clone());
        }
    }
}

/// One step of each kind, more than one where they differ; fan-outs within fan-outs.
pub fn definition() -> Value {
    let any = |name: &str, types: Value| json!({ "name": name, "accepts": { "kind": "any", "types": types } });
    let collect = |name: &str, ty: i32, rest: Value| {
        let mut accepts = json!({ "kind": "collect", "types": [ty] });
        set(&mut accepts, &rest);
        json!({ "name": name, "accepts": accepts })
    };
    let mut slow = any("slow", json!([4]));
    slow["limit"] = 1.into();
    let mut slower = any("slower", json!([5]));
    set(&mut slower, &json!({ "limit": 2, "pool": "shared" }));
    let mut inner = any("inner", json!([3]));
    set(
        &mut inner,
        &json!({ "limit": 2, "pool": "shared", "retry": { "attempts": 3, "exponential": true, "initial": 4, "max": 6, "jitter": 500_000 } }),
    );
    json!({
        "name": "all", "version": 1, "unhandled": "ignore", "external": [2],
        "types": TYPES,
        "steps": [
            any("start", json!([0])), any("outer", json!([2])), inner, slow, slower,
            { "name": "pair", "accepts": { "kind": "all", "types": [4, 5, 5], "keyed": false } },
            { "name": "keyed", "accepts": { "kind": "all", "types": [2, 4], "keyed": true } },
            collect("ends", 4, json!({ "of": "outer" })), collect("counts", 5, json!({ "of": "outer", "count": 2 })),
            collect("first", 5, json!({ "of": "outer", "first": 3 })),
            collect("inner first", 4, json!({ "of": "inner", "first": 2, "rest": "ignore" })),
            collect("inner ends", 5, json!({ "of": "inner" })),
            collect("whole", 5, json!({})), collect("tens", 4, json!({ "count": 10 })),
            any("failed", json!([FAILED])),
        ]
    })
}

const TYPES: &[&str] =
    &["blazen::StartEvent", "blazen::StopEvent", "A", "B", "C", "D", "blazen::InputRequestEvent", "blazen::StepFailedEvent"];
const STOP: usize = 1;
const REQUEST: usize = 6;
const FAILED: usize = 7;

/// What must hold for a snapshot whose checksum is right, whatever else is not.
pub fn go_on(definition: &Value, bytes: &[u8], tape: &mut Tape) -> bool {
    let mut host = Host::new(definition);
    if let Some(text) = host.core.parse(bytes).and_then(|parsed| host.core.text(&parsed)) {
        let _ = host.core.parse(text.as_bytes());
        let _ = host.core.document(bytes);
        let upgrade = json!({ "version": 2, "steps": { "outer": "renamed" }, "slots": [], "types": [], "of": [], "payloads": [], "keys": [], "values": [], "bytes": [] });
        let _ = host.core.upgrade(bytes, upgrade.to_string().as_bytes(), &[]);
    }
    if !host.restore(bytes) {
        return false;
    }
    if let Some(saved) = host.save() {
        let difference = host.core.verify(host.plan, host.run, &saved, &[]);
        let (before, after) = (Snap::read(bytes).entries, Snap::read(&saved).entries);
        let lost: Vec<_> = before.iter().filter(|entry| !after.contains(entry)).collect();
        let new: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).collect();
        assert_eq!(difference.as_deref(), Some(""), "{}, stored again without {lost:?} and with {new:?}", host.core.last_error());
    }
    host.give(&[[IN_PAUSE, 0, NONE, NONE]]);
    for _ in 0..60 {
        if host.over || !host.act(tape) {
            break;
        }
    }
    while !host.over && host.act(&mut Tape::new(&[])) {}
    true
}

/// A run of the definition stored somewhere on its way; None: it ended before.
pub fn stored(definition: &Value, tape: &mut Tape) -> Option<Snap> {
    let mut host = Host::new(definition);
    host.begin();
    for _ in 0..tape.below(40) {
        host.act(tape);
    }
    if tape.below(2) == 1 && !host.over {
        host.give(&[[IN_PAUSE, 1, NONE, NONE]]);
        for _ in 0..tape.below(4) {
            host.act(tape);
        }
    }
    if host.over {
        return None;
    }
    let bytes = host.save().unwrap_or_else(|| panic!("{}", host.core.last_error()));
    Some(Snap::read(&bytes))
}

/// A snapshot of the definition without entries but its counters.
fn empty(definition: &Value, tape: &mut Tape) -> Snap {
    let mut host = Host::new(definition);
    host.begin();
    let mut snap = Snap::read(&host.save().unwrap_or_default());
    let run = json!({ "invocations": 12, "scopes": 8, "arrivals": 12, "queue": [0, tape.below(4)] });
    let steps = serde_json::from_str::<Value>(&snap.header).unwrap()["steps"].take();
    snap = snap.with_header(&json!({ "features": ["children"], "children": [{ "workflow": "all", "version": 1, "steps": steps }] }));
    snap.entries = vec![("run".to_owned(), Val::Json(run.to_string()))];
    snap.entries.extend((0..6).map(|id| (format!("event/{id}"), Val::Json(json!({ "type": tape.of(TYPES), "payload": 0 }).to_string()))));
    snap
}

/// What the fuzz target does with its bytes. True if a run was restored and went on.
pub fn fuzz(bytes: &[u8]) -> bool {
    let Some((&mode, rest)) = bytes.split_first() else { return false };
    let definition = definition();
    let mut tape = Tape::new(rest);
    match mode % 4 {
        0 => {
            let mut core = Core::new();
            let Some(parsed) = core.parse(rest) else {
                assert!(core.last_error().starts_with("{\"code\":300,"), "{}", core.last_error());
                return false;
            };
            go_on(&definition, &parsed, &mut tape)
        }
        1 => {
            let mut snap = empty(&definition, &mut tape);
            for _ in 0..tape.below(16) {
                snap.entries.push(scratch(&mut tape));
            }
            snap.sort();
            go_on(&definition, &snap.binary(), &mut tape)
        }
        _ => {
            let Some(mut snap) = stored(&definition, &mut tape) else { return false };
            for _ in 0..tape.below(5) {
                mutate(&mut snap, &mut tape);
            }
            go_on(&definition, &snap.binary(), &mut tape)
        }
    }
}
