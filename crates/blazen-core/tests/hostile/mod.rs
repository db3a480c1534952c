//! Snapshots as a stranger would write them, by docs/format.md alone, damaged in every way but in their checksum; and a
//! host that goes on with what is restored. The fuzz target and the tests share it.
#![allow(dead_code)] // Each user takes a part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;

use base64::Engine;
use blazen_core::*;
use serde_json::{Value, json};
pub use tape::Tape;

#[path = "../tape/mod.rs"]
mod tape;

pub const NONE: i32 = -1;
const HEADER: usize = 16;

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
const REQUEST: usize = 6;
const FAILED: usize = 7;

/// A host that settles what it is told to call and checks that what it gets makes sense.
pub struct Host {
    pub core: Core,
    pub plan: i32,
    pub run: i32,
    buffer: Vec<i32>,
    running: BTreeSet<i32>,
    aborted: BTreeSet<i32>,
    /// By invocation: how often its attempt has slept and asked.
    waits: BTreeMap<i32, [i32; 2]>,
    /// By request: its slot.
    pending: BTreeMap<i32, i32>,
    now: i32,
    alarm: i32,
    /// By slot: the type's name, and the key of each that the host has told.
    held: BTreeMap<i32, String>,
    next_slot: i32,
    next_id: i32,
    /// Entries of keys and ids.
    known: BTreeSet<String>,
    pub over: bool,
}

impl Host {
    pub fn new(definition: &Value) -> Self {
        let mut core = Core::new();
        let plan = core.compile(&definition.to_string());
        assert!(plan >= 0, "{}", core.last_error());
        Self {
            core,
            plan,
            run: NONE,
            buffer: vec![0; BUFFER_WORDS],
            running: BTreeSet::new(),
            aborted: BTreeSet::new(),
            waits: BTreeMap::new(),
            pending: BTreeMap::new(),
            now: 0,
            alarm: NONE,
            held: BTreeMap::new(),
            next_slot: 0,
            next_id: 0,
            known: (0..8).flat_map(|id| [format!("key/{id}"), format!("sent/{id}")]).collect(),
            over: false,
        }
    }

    pub fn begin(&mut self) {
        let slot = self.event(0);
        self.give(&[[IN_START, self.plan, slot, NONE]]);
    }

    fn event(&mut self, ty: usize) -> i32 {
        self.next_slot += 1;
        self.held.insert(self.next_slot - 1, TYPES[ty].to_owned());
        self.next_slot - 1
    }

    /// A new event and the keys before it.
    fn made(&mut self, ty: usize, tape: &mut Tape, frames: &mut Vec<[i32; 4]>) -> i32 {
        if ty == 2 || ty == 4 {
            frames.push([IN_KEY, 6, tape.below(3) as i32, NONE]);
        }
        self.event(ty)
    }

    pub fn give(&mut self, frames: &[[i32; 4]]) {
        self.buffer[HEADER..HEADER + 4 * frames.len()].copy_from_slice(frames.as_flattened());
        self.buffer[1] = frames.len() as i32;
        loop {
            self.buffer[0] = self.run;
            self.core.exchange(&mut self.buffer);
            self.run = self.buffer[0];
            let count = self.buffer[1];
            assert!(count >= 0, "{frames:?} are refused: {}", self.core.last_error());
            let commands: Vec<[i32; 4]> = self.buffer[HEADER..HEADER + 4 * count as usize].as_chunks().0.to_vec();
            commands.into_iter().for_each(|command| self.take(command));
            if self.buffer[2] == 0 {
                return;
            }
            self.buffer[1] = 0;
        }
    }

    fn take(&mut self, [tag, a, b, c]: [i32; 4]) {
        match tag {
            CMD_ARG => assert!(self.held.contains_key(&a), "the argument {a} was released"),
            CMD_INVOKE => {
                assert!(c == NONE || self.held.contains_key(&c), "the argument {c} was released");
                assert!(self.running.insert(a) && !self.aborted.contains(&a), "{a} is called twice");
                self.waits.insert(a, [0, 0]);
            }
            CMD_RELEASE => assert!(self.held.remove(&a).is_some(), "{a} is released twice"),
            CMD_ABORT if b == 2 => assert!(!self.running.contains(&a), "{a} runs and waits to be tried again"),
            CMD_ABORT => {
                assert_eq!(self.running.remove(&a), b == 0, "{a} is aborted and was not called");
                assert!(self.aborted.insert(a), "{a} is aborted twice");
            }
            CMD_FINISH | CMD_FAIL => {
                assert!(!self.over);
                self.over = true;
            }
            CMD_ASKED => {
                assert!(self.held.contains_key(&c), "the request {c} was released");
                assert!(self.pending.insert(a, c).is_none_or(|slot| slot == c), "two requests have the number {a}");
            }
            CMD_WITHDRAWN => {
                assert!(self.held.contains_key(&a), "the request {a} was released");
                let before = self.pending.len();
                self.pending.retain(|_, slot| *slot != a);
                assert_eq!(self.pending.len() + 1, before, "the request in {a} was not pending");
            }
            CMD_EXPIRED => self.pending.retain(|_, slot| *slot != c),
            CMD_ANSWERED => assert!(self.held.contains_key(&c), "the answer {c} was released"),
            CMD_FAILED => {
                self.held.insert(a, TYPES[FAILED].to_owned());
            }
            CMD_ALARM => self.alarm = if a == NONE { NONE } else { b },
            CMD_AGAIN | CMD_YIELDED | CMD_WAITING | CMD_PUBLISH | CMD_WOKEN | CMD_DELAYED => {}
            _ => panic!("command {tag}"),
        }
    }

    /// An invocation emits, sends or settles; false if there is none.
    pub fn act(&mut self, tape: &mut Tape) -> bool {
        if self.over {
            return false;
        }
        let all: Vec<i32> = self.running.iter().chain(&self.aborted).copied().collect();
        if all.is_empty() {
            return self.wait();
        }
        let id = all[tape.below(all.len())];
        let mut frames = Vec::new();
        let what = if tape.over() { 9 } else { tape.below(16) };
        let ty = |tape: &mut Tape| tape.of(&[2, 3, 3, 4, 4, 4, 5, 5, 5, 5]);
        match what {
            0 => {
                if tape.below(2) == 1 {
                    frames.push([IN_ID, self.next_id, NONE, NONE]);
                    self.next_id += tape.below(2) as i32;
                }
                let ty = ty(tape);
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_SEND, id, ty as i32, slot]);
                return self.done(&frames);
            }
            1 => {
                frames.push([IN_FAN, id, NONE, NONE]);
                let ty = ty(tape);
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_EMIT, id, ty as i32, slot]);
                frames.push([IN_COMMIT, id, 1, NONE]);
                return self.done(&frames);
            }
            2 => {
                let ty = 2;
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_EXTERNAL, ty as i32, slot, NONE]);
                return self.done(&frames);
            }
            3..7 => {
                frames.push([IN_FAN, id, NONE, NONE]);
                for _ in 0..tape.below(5) {
                    let ty = ty(tape);
                    let slot = self.made(ty, tape, &mut frames);
                    frames.push([IN_EMIT, id, ty as i32, slot]);
                }
            }
            7 => {
                let ty = ty(tape);
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_EMIT, id, ty as i32, slot]);
            }
            10 | 11 => {
                let time = self.tick(tape);
                let waits = self.waits.entry(id).or_default();
                let (sleeps, asks) = (waits[0], waits[1]);
                let until = [IN_UNTIL, 0, time[2] + tape.below(20) as i32, NONE];
                frames.push(time);
                if what == 10 {
                    waits[0] += 1;
                    frames.extend([until, [IN_SLEEP, id, sleeps, NONE]]);
                } else {
                    waits[1] += 1;
                    frames.extend((tape.below(2) == 1).then_some(until));
                    let slot = self.event(REQUEST);
                    frames.push([IN_ASK, id, asks, slot]);
                }
                return self.done(&frames);
            }
            12 if !self.pending.is_empty() => {
                let request = *self.pending.keys().nth(tape.below(self.pending.len())).unwrap();
                return self.answer(request, tape);
            }
            12 | 13 => {
                frames.push([IN_FAN, id, NONE, NONE]);
                let slot = self.event(REQUEST);
                frames.push([IN_EMIT, id, REQUEST as i32, slot]);
            }
            14 => {
                let time = self.tick(tape);
                let slot = self.event(FAILED);
                frames.extend([time, [IN_RANDOM, tape.below(1 << 30) as i32, NONE, NONE], [IN_SETTLE, id, 1, slot]]);
                self.running.remove(&id);
                self.aborted.remove(&id);
                return self.done(&frames);
            }
            _ => {}
        }
        frames.push([IN_SETTLE, id, 0, NONE]);
        self.running.remove(&id);
        self.aborted.remove(&id);
        self.done(&frames)
    }

    fn tick(&mut self, tape: &mut Tape) -> [i32; 4] {
        self.now += tape.below(8) as i32;
        [IN_TICK, 0, self.now, NONE]
    }

    /// Nothing runs: time passes, or somebody answers. False if nothing is left to wait for.
    fn wait(&mut self) -> bool {
        if self.alarm != NONE {
            self.now = self.now.max(self.alarm);
            let before = self.alarm;
            self.give(&[[IN_TICK, 0, self.now, NONE]]);
            return before != self.alarm || !self.running.is_empty();
        }
        match self.pending.keys().next().copied() {
            Some(request) => self.answer(request, &mut Tape::new(&[])),
            None => false,
        }
    }

    fn answer(&mut self, request: i32, tape: &mut Tape) -> bool {
        let mut frames = Vec::new();
        let slot = self.made(5, tape, &mut frames);
        frames.push([IN_RESPOND, request, 5, slot]);
        self.pending.remove(&request);
        self.done(&frames)
    }

    fn done(&mut self, frames: &[[i32; 4]]) -> bool {
        self.give(frames);
        true
    }

    /// How many invocations are to settle.
    pub fn called(&self) -> usize {
        self.running.len()
    }

    pub fn save(&mut self) -> Option<Vec<u8>> {
        let slots: Vec<i32> = self.held.keys().copied().collect();
        let types: Vec<&String> = self.held.values().collect();
        let of: Vec<usize> = (0..types.len()).collect();
        let payloads = vec![json!({ "a": 1 }); types.len()];
        let mut keys: Vec<&str> = self.known.iter().map(String::as_str).collect();
        let mut values: Vec<Value> = keys.iter().map(|name| json!(name)).collect();
        keys.extend(["state/a%2Fb", "once/0/charge", "session/user"]);
        values.extend([json!({ "$": "buffer", "bytes": 0 }), json!({ "a": [1, "x"] }), json!("Ada")]);
        let document = json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads, "keys": keys, "values": values, "bytes": [["state/a%2Fb", [3]]] });
        self.core.save(self.run, document.to_string().as_bytes(), &[1, 2, 255])
    }

    /// A run of a snapshot; false: it was refused as it should be.
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        self.run = self.core.parse(bytes).map_or(-ERR_SNAPSHOT, |parsed| self.core.restore(self.plan, &parsed));
        if self.run < 0 {
            assert_eq!(self.run, -ERR_SNAPSHOT, "{}", self.core.last_error());
            assert!(self.core.last_error().starts_with("{\"code\":300,"), "{}", self.core.last_error());
            assert_eq!(self.core.runs(), 0);
            return false;
        }
        let snap = Snap::read(bytes);
        for (key, _) in snap.entries.iter().filter(|(key, _)| key.starts_with("event/")) {
            let slot = key[6..].parse().unwrap();
            self.held.insert(slot, snap.json(key)["type"].as_str().unwrap().to_owned());
            self.next_slot = self.next_slot.max(slot + 1);
        }
        let known = snap.entries.iter().map(|(key, _)| key).filter(|key| key.starts_with("key/") || key.starts_with("sent/"));
        self.known.extend(known.cloned());
        // Tells of the requests that are pending.
        self.give(&[[IN_PAUSE, 1, NONE, NONE]]);
        true
    }
}

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

/// Numbers that are where others should be.
pub const HOSTILE: &[i64] =
    &[-1, i32::MAX as i64 - 1, i32::MAX as i64, u32::MAX as i64 - 1, u32::MAX as i64, 1 << 32, 1 << 53, (1 << 53) + 1, i64::MAX];
const STEPS: &[&str] = &[
    "start",
    "outer",
    "inner",
    "slow",
    "slower",
    "pair",
    "keyed",
    "ends",
    "counts",
    "first",
    "inner first",
    "inner ends",
    "whole",
    "tens",
    "failed",
    "gone",
];
const STATES: &[&str] =
    &["running", "waiting", "aborted", "withdrawn", "delayed", "open", "ended", "cancelled", "pending", "answered", "expired"];

fn number(tape: &mut Tape) -> Value {
    match tape.below(24) {
        0 => tape.of(HOSTILE).into(),
        1 => u64::MAX.into(),
        _ => (tape.below(12) as i64).into(),
    }
}

/// Changes one thing in a value of an entry.
fn mutate_value(value: &mut Value, tape: &mut Tape) {
    match value {
        Value::Number(old) => {
            let moved = old.as_i64().map(|old| old.wrapping_add(tape.below(3) as i64 - 1));
            *value = if tape.below(2) == 0 { moved.map_or(Value::Null, Value::from) } else { number(tape) };
        }
        Value::String(text) => {
            let word = if STATES.contains(&&**text) {
                tape.of(STATES)
            } else if tape.below(4) == 0 {
                tape.of(TYPES)
            } else {
                tape.of(STEPS)
            };
            *value = word.into();
        }
        Value::Array(items) if !items.is_empty() => match tape.below(6) {
            0 => items.clear(),
            1 => items.push(items[0].clone()),
            _ => {
                let at = tape.below(items.len());
                mutate_value(&mut items[at], tape);
            }
        },
        Value::Object(fields) => {
            let name = fields.keys().nth(tape.below(fields.len().max(1))).cloned().unwrap_or_default();
            match tape.below(9) {
                0 => {
                    fields.remove(&name);
                }
                1 => {
                    fields.insert("place".to_owned(), json!([tape.below(5), tape.below(3)]));
                }
                2 => {
                    fields.insert(tape.of(&["state", "kind"]).to_owned(), tape.of(STATES).into());
                }
                3 => {
                    let name = tape.of(&["fan", "event", "close", "key", "yields", "attempts", "branches", "failures", "until", "line"]);
                    fields.insert(name.to_owned(), number(tape));
                }
                4 => {
                    let name = tape.of(&["sleeps", "requests"]);
                    fields.insert(name.to_owned(), json!([number(tape), tape.below(3)]));
                }
                _ => {
                    if let Some(field) = fields.get_mut(&name) {
                        mutate_value(field, tape);
                    }
                }
            }
        }
        _ => *value = tape.below(5).into(),
    }
}

/// Changes one thing in a snapshot and puts the keys in order.
pub fn mutate(snap: &mut Snap, tape: &mut Tape) {
    let at = tape.below(snap.entries.len().max(1));
    let Some((key, value)) = snap.entries.get(at).cloned() else { return };
    let Val::Json(text) = value else { return };
    match tape.below(8) {
        0 => {
            snap.entries.remove(at);
        }
        1 => {
            let section = key.split('/').next().unwrap_or_default();
            let name = format!("{section}/{}", number(tape));
            snap.entries.push((name, Val::Json(text)));
        }
        2 => {
            snap.entries.push(scratch(tape));
        }
        3 => {
            // The counters move so that a new entry has its place.
            let Some((_, Val::Json(run))) = snap.entries.iter_mut().find(|(key, _)| key == "run") else { return };
            let Ok(mut value) = serde_json::from_str::<Value>(run) else { return };
            mutate_value(&mut value, tape);
            *run = value.to_string();
        }
        _ => {
            let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return };
            mutate_value(&mut value, tape);
            snap.entries[at].1 = Val::Json(value.to_string());
        }
    }
    snap.sort();
}

/// An entry of small numbers.
fn scratch(tape: &mut Tape) -> (String, Val) {
    let id = tape.below(6);
    let place = |tape: &mut Tape, value: &mut Value| {
        if tape.below(2) == 1 {
            value["place"] = json!([1 + tape.below(4), tape.below(3)]);
        }
    };
    let section = tape.of(&[
        "scope",
        "scope",
        "invocation",
        "invocation",
        "queue",
        "event",
        "join",
        "collect",
        "given",
        "key",
        "sent",
        "request",
        "request",
    ]);
    let mut value = match section {
        "scope" => json!({ "opened": 1 + tape.below(8), "step": tape.of(&["outer", "inner"]), "branches": tape.below(4) }),
        "invocation" => {
            let mut value = json!({ "seq": tape.below(12), "step": tape.of(STEPS) });
            match tape.below(3) {
                0 => value["events"] = json!([tape.below(6), tape.below(6)]),
                _ => value["event"] = tape.below(6).into(),
            }
            if tape.below(3) == 0 {
                value["fan"] = (1 + tape.below(4)).into();
            }
            if tape.below(3) == 0 {
                value["requests"] = json!([tape.below(6)]);
            }
            value
        }
        "request" => {
            let mut value = json!({ "event": tape.below(6) });
            if tape.below(3) == 0 {
                value["until"] = number(tape);
            }
            value
        }
        "queue" if tape.below(2) == 1 => json!({ "close": tape.below(5) }),
        "queue" => json!({ "event": tape.below(6) }),
        "event" => json!({ "type": tape.of(TYPES), "payload": 0 }),
        "join" => json!({ "step": tape.of(&["pair", "keyed"]), "event": tape.below(6) }),
        "collect" => json!({ "step": tape.of(STEPS), "event": tape.below(6) }),
        "given" => {
            let value = json!({ "runs": number(tape), "events": number(tape) });
            return (format!("given/{}", tape.of(STEPS)), Val::Json(value.to_string()));
        }
        _ => json!(tape.below(4)),
    };
    if ["scope", "invocation", "queue", "join", "collect", "request"].contains(&section) {
        place(tape, &mut value);
        if tape.below(3) == 0 {
            value["state"] = tape.of(STATES).into();
        }
    }
    (format!("{section}/{id}"), Val::Json(value.to_string()))
}

/// A snapshot of the definition without entries but its counters.
fn empty(definition: &Value, tape: &mut Tape) -> Snap {
    let mut host = Host::new(definition);
    host.begin();
    let mut snap = Snap::read(&host.save().unwrap_or_default());
    let run = json!({ "invocations": 12, "scopes": 8, "arrivals": 12, "queue": [0, tape.below(4)] });
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
