//! Snapshots that are damaged or of something else are refused, whatever their checksum says, and leave nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod hostile;

use std::sync::OnceLock;

use blazen_core::*;
use hostile::mutate::HOSTILE;
use hostile::{Host, Snap, Tape, Val, children, definition, go_on, stored};
use serde_json::{Value, json};

const SECTIONS: &[&str] =
    &["bytes", "collect", "event", "given", "invocation", "join", "key", "once", "queue", "run", "scope", "sent", "session", "state"];
/// Those that the core reads.
const OWN: &[&str] = &["collect", "event", "flow", "flow-given", "given", "invocation", "join", "queue", "run", "scope"];

fn section(key: &str) -> &str {
    key.split('/').next().unwrap()
}

fn tape(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..300).map(next).collect()
}

/// The smallest of many that has entries of every section.
fn rich() -> Snap {
    all()[0].clone()
}

/// Those with child runs: one in another, and one that has ended beside one that collects.
fn nested(many: &[Snap]) -> [Snap; 2] {
    let flows = |snap: &Snap| -> Vec<Value> {
        snap.entries.iter().filter(|(key, _)| section(key) == "flow").map(|(key, _)| snap.json(key)).collect()
    };
    let around = |snap: &Snap, flow: &Value| snap.json(&format!("invocation/{}", flow["invocation"]))["place"][0].clone();
    let inner =
        |snap: &Snap, flow: &Value| flows(snap).iter().any(|other| other["scope"] == around(snap, flow) && !other["scope"].is_null());
    let deep = smallest(many, |snap| has(snap, &["collect", "queue"]) && flows(snap).iter().any(|flow| inner(snap, flow)));
    let ended = smallest(many, |snap| has(snap, &["flow-given", "join"]) && flows(snap).iter().any(|flow| flow["scope"].is_null()));
    [deep, ended]
}

static ALL: OnceLock<Vec<Snap>> = OnceLock::new();

/// One with everything but child runs, and those with.
fn all() -> &'static [Snap] {
    ALL.get_or_init(|| {
        let many: Vec<Snap> = (0..1000).filter_map(|seed| stored(&definition(), &mut Tape::new(&tape(seed)))).collect();
        let rich = smallest(&many, |snap| has(snap, SECTIONS) && !has(snap, &["flow"]));
        [rich].into_iter().chain(nested(&many)).collect()
    })
}

fn has(snap: &Snap, sections: &[&str]) -> bool {
    sections.iter().all(|of| snap.entries.iter().any(|(key, _)| section(key) == *of))
}

fn smallest(many: &[Snap], wanted: impl Fn(&Snap) -> bool) -> Snap {
    many.iter().filter(|snap| wanted(snap)).min_by_key(|snap| snap.entries.len()).expect("a run with everything in it").clone()
}

/// What a core says that must refuse.
fn refused(source: &[u8], definition: &Value) -> String {
    let mut core = Core::new();
    let plan = core.compile(&definition.to_string());
    assert!(plan >= 0, "{}", core.last_error());
    let parsed = core.parse(source);
    let read = parsed.and_then(|parsed| Some((children(&mut core, plan, &parsed)?, parsed)));
    let run = read.map_or(-ERR_SNAPSHOT, |(children, parsed)| core.restore(plan, &parsed, &children));
    assert_eq!(run, -ERR_SNAPSHOT, "{}", core.last_error());
    assert_eq!(core.runs(), 0);
    let error: Value = serde_json::from_str(core.last_error()).unwrap();
    assert_eq!(error["code"], ERR_SNAPSHOT);
    error["message"].as_str().unwrap().to_owned()
}

fn refused_as(source: &[u8], expected: &str) {
    let told = refused(source, &definition());
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_stranger_reads_and_writes_both_forms() {
    let snap = rich();
    let mut core = Core::new();
    let bytes = snap.binary();
    assert_eq!(core.parse(&bytes), Some(bytes.clone()), "{}", core.last_error());
    assert_eq!(core.parse(snap.text().as_bytes()), Some(bytes.clone()), "{}", core.last_error());
    assert_eq!(core.text(&bytes).unwrap().replace('\n', ""), snap.text());
    assert!(go_on(&definition(), &bytes, &mut Tape::new(&tape(1))));
}

#[test]
fn every_byte_changed() {
    let snap = rich();
    for source in [snap.binary(), snap.text().into_bytes()] {
        let mut core = Core::new();
        for at in 0..source.len() {
            for change in [1, 0x20, 0x80, 0xff] {
                let mut bytes = source.clone();
                bytes[at] ^= change;
                match core.parse(&bytes) {
                    // The checksum of a text is a number, whose digits may be large letters.
                    Some(parsed) => assert_eq!((parsed, change), (snap.binary(), 0x20), "byte {at}"),
                    None => assert!(core.last_error().starts_with("{\"code\":300,"), "{}", core.last_error()),
                }
            }
        }
        assert_eq!(core.runs(), 0);
    }
}

#[test]
fn cut_at_every_length() {
    let snap = rich();
    for source in [snap.binary(), snap.text().into_bytes()] {
        let mut core = Core::new();
        for length in 0..source.len() {
            assert!(core.parse(&source[..length]).is_none(), "{length}");
            assert!(core.last_error().starts_with("{\"code\":300,"), "{}", core.last_error());
        }
        let longer = [&source[..], b"x"].concat();
        assert!(core.parse(&longer).is_none());
    }
}

/// A false count or length reserves no memory and reads nothing beyond the end.
#[test]
fn false_lengths() {
    let snap = rich();
    let bytes = snap.binary();
    let first = 24 + snap.header.len();
    for at in [16, 20, first, first + 4] {
        for length in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(length));
            refused_as(&bytes, "it is damaged");
        }
    }
}

/// White space on both sides of every token.
fn spread(text: &str) -> String {
    let mut out = String::new();
    let (mut quoted, mut escaped, mut word) = (false, false, false);
    for letter in text.chars() {
        let plain = !quoted && !"{}[]:,\"".contains(letter);
        if !(quoted || plain && word) {
            out.push_str(" \t\r\n");
        }
        word = plain;
        out.push(letter);
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    out + "\n"
}

#[test]
fn white_space_between_tokens_does_not_count() {
    let mut snap = rich();
    let value = json!({ "a \" { b": ["\\", " \\\"  x", -1.5e300, true, null], "é\u{1f600}": "\n\t" });
    snap = snap.with("state/spaces", &value);
    let text = spread(&snap.text());
    assert!(text.len() > 2 * snap.text().len());
    let mut core = Core::new();
    assert_eq!(core.parse(text.as_bytes()), Some(snap.binary()), "{}", core.last_error());
}

#[test]
fn white_space_and_escapes_within_strings_count() {
    let text = rich().with("state/word", &json!("one two")).text();
    let changed = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to).into_bytes()
    };
    refused_as(&changed("\"one two\"", "\"one  two\""), "checksum");
    refused_as(&changed("\"one two\"", "\"one\\u0020two\""), "checksum");
    refused_as(&changed("\"runId\":\"r\"", "\"runId\":\"\\u0072\""), "checksum");
    refused_as(&changed("\"AQL/\"", "\"AQL\\/\""), "it is not written as it was");
    refused_as(&changed("\"state/word\"", "\"st\\u0061te\\/word\""), "it is not written as it was");
}

#[test]
fn texts_that_are_none() {
    let text = rich().text();
    for source in ["", " ", "{}", "null", "[]", "\"", "{\"snapshot\":{}}", &text[1..], &"[".repeat(100_000), &"{\"a\":".repeat(100_000)] {
        refused_as(source.as_bytes(), "it is damaged");
    }
    refused_as(&[0xff; 40], "neither the binary form nor UTF-8");
    refused_as(b"BLAZEN\0\x02", "its binary form is newer");
    let twice = |field: &str| text.replacen('{', &format!("{{{field},"), 1);
    refused_as(twice("\"checksum\":\"0\"").as_bytes(), "it is damaged");
    refused_as(twice("\"more\":1").as_bytes(), "it is damaged");
    for checksum in ["", "g", "00000000000000000", "-1"] {
        let at = text.find("\"checksum\":\"").unwrap() + 12;
        let damaged = format!("{}{checksum}{}", &text[..at], &text[at + 16..]);
        refused_as(damaged.as_bytes(), "its checksum is");
    }
    // Values nested as deeply as a host may like pass through.
    let deep = Val::Json("[".repeat(50_000) + &"]".repeat(50_000));
    let mut snap = rich();
    snap.entries.push(("state/deep".to_owned(), deep));
    snap.sort();
    assert!(go_on(&definition(), &snap.binary(), &mut Tape::new(&[])));
}

#[test]
fn entries_in_another_order_or_twice() {
    let snap = rich();
    for at in 1..snap.entries.len() {
        let mut other = snap.clone();
        other.entries.swap(at - 1, at);
        refused_as(&other.binary(), "is not in its place");
        refused_as(other.text().as_bytes(), "is not in its place");
        let mut other = snap.clone();
        other.entries.insert(at, snap.entries[at].clone());
        refused_as(&other.binary(), "there twice");
        refused_as(other.text().as_bytes(), "there twice");
    }
}

#[test]
fn entries_of_another_kind() {
    let mut snap = rich();
    for at in 0..snap.entries.len() {
        let before = snap.entries[at].clone();
        snap.entries[at].1 = match &before.1 {
            Val::Json(text) => Val::Bytes(text.clone().into_bytes()),
            Val::Bytes(_) => Val::Json("\"\"".to_owned()),
        };
        refused_as(&snap.binary(), "is of another kind than its name says");
        snap.entries[at] = before;
    }
}

#[test]
fn headers() {
    let snap = rich();
    let with = |fields: Value| snap.with_header(&fields).binary();
    refused_as(
        &with(json!({ "format": 2, "what": "is not known yet" })),
        "format 2 is newer than this version of blazen, which reads format 1",
    );
    refused_as(&with(json!({ "format": u64::MAX })), "is newer");
    refused_as(&with(json!({ "format": 0 })), "format 0 is not one");
    refused_as(&with(json!({ "features": ["timers"], "timers": 1 })), "it needs the feature \"timers\", which is newer");
    refused_as(&with(json!({ "workflow": "other" })), "it is of the workflow \"other\", and this one is \"all\"");
    refused_as(&with(json!({ "version": 2 })), "has version 2, which is newer than 1");
    refused_as(&with(json!({ "version": 0 })), "give \"migrate\" an entry");
    refused_as(&with(json!({ "more": 1 })), "its header cannot be read");
    for field in ["format", "workflow", "version", "runId", "fingerprint", "steps"] {
        refused_as(&with(json!({ field: null })), "its header cannot be read");
        refused_as(&with(json!({ field: {} })), "its header cannot be read");
    }
    for field in ["features", "droppedSession", "migrated"] {
        refused_as(&with(json!({ field: 1 })), "its header cannot be read");
    }
    for step in [json!({}), json!({ "name": "a", "kind": "other", "types": [] }), json!({ "name": "a", "kind": "any", "types": [1] })] {
        refused_as(&with(json!({ "steps": [step] })), "its header cannot be read");
    }
    refused_as(&Snap { header: "[".repeat(100_000), ..snap.clone() }.binary(), "its header cannot be read");
    assert!(go_on(&definition(), &with(json!({ "features": [], "droppedSession": ["a"] })), &mut Tape::new(&[])));
}

/// Every field of every entry that the core reads: left out, of another type, and one more.
#[test]
fn fields() {
    let seen: usize = all().iter().map(fields_of).sum();
    assert!(seen > 120, "{seen} fields");
}

fn fields_of(snap: &Snap) -> usize {
    let required = [
        "opened",
        "step",
        "invocation",
        "branches",
        "seq",
        "type",
        "payload",
        "runs",
        "events",
        "invocations",
        "scopes",
        "arrivals",
        "queue",
    ];
    let mut seen = 0;
    for (key, _) in snap.entries.iter().filter(|(key, _)| OWN.contains(&section(key))) {
        let value = snap.json(key);
        let mut more = value.clone();
        more["more"] = json!(1);
        refused_as(&snap.with(key, &more).binary(), "cannot be read");
        for other in [json!(1), json!("text"), json!([]), json!({})] {
            refused_as(&snap.with(key, &other).binary(), "it is damaged");
        }
        if section(key) != "given" {
            refused_as(&snap.with(key, &Value::Null).with(&format!("{}/x", section(key)), &value).binary(), "it is damaged");
        }
        for (name, field) in value.as_object().unwrap() {
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(name);
            let bytes = snap.with(key, &less).binary();
            if required.contains(&name.as_str()) {
                refused_as(&bytes, "it is damaged");
            } else {
                go_on(&definition(), &bytes, &mut Tape::new(&[]));
            }
            for other in [json!({ "a": 1 }), json!("text"), json!([[]]), json!(1.5), json!(true), json!(-1)] {
                let mut changed = value.clone();
                changed[name] = other.clone();
                let bytes = snap.with(key, &changed).binary();
                // A payload is the host's to read, and a name of a step nobody has is only told.
                let any = name == "payload" || ((name == "from" || name == "type") && other.is_string());
                if !any {
                    assert!(!go_on(&definition(), &bytes, &mut Tape::new(&[])), "{key}: {changed}");
                }
                go_on(&definition(), &bytes, &mut Tape::new(&[]));
            }
            seen += usize::from(field != &Value::Null);
        }
    }
    seen
}

/// The paths of all numbers in a value.
fn numbers(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Number(_) => paths.push(path.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| numbers(item, &format!("{path}/{at}"), paths)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| numbers(field, &format!("{path}/{name}"), paths)),
        _ => {}
    }
}

#[test]
fn numbers_that_cannot_be() {
    all().iter().for_each(numbers_of);
}

fn numbers_of(snap: &Snap) {
    for (key, _) in snap.entries.iter().filter(|(key, _)| OWN.contains(&section(key))) {
        let value = snap.json(key);
        let mut paths = Vec::new();
        numbers(&value, "", &mut paths);
        for path in paths {
            let small = [0, 1, 2, 3, 7, (1 << 30) - 1, 1 << 30, (1 << 30) + 1];
            for number in HOSTILE.iter().chain(&small).map(|number| json!(number)).chain([json!(u64::MAX), json!(1e300), json!(0.5)]) {
                let mut changed = value.clone();
                *changed.pointer_mut(&path).unwrap() = number;
                go_on(&definition(), &snap.with(key, &changed).binary(), &mut Tape::new(&tape(7)));
            }
        }
        let (section, _) = key.split_once('/').unwrap_or((key, ""));
        let odd = ["01", "+1", "1.0", "", " 1", "4294967296", "18446744073709551615", "18446744073709551616", "4194304", "1/2", "a"];
        for number in odd.iter().filter(|_| !["run", "given", "flow-given"].contains(&section)) {
            let moved = snap.with(key, &Value::Null).with(&format!("{section}/{number}"), &value);
            let told = refused(&moved.binary(), &definition());
            assert!(told.contains("it is damaged"), "{section}/{number}: {told}");
        }
    }
}

/// Each entry alone is missed, or is one that nothing needs.
#[test]
fn an_entry_left_out() {
    for snap in all() {
        for (key, _) in &snap.entries {
            let bytes = snap.with(key, &Value::Null).binary();
            let restored = go_on(&definition(), &bytes, &mut Tape::new(&tape(3)));
            let missed = ["run", "event", "queue", "key"].contains(&section(key));
            assert!(!(missed && restored), "{key} is not missed");
        }
    }
}

/// A run with one thing in it.
fn with(entries: Value) -> Snap {
    let mut host = Host::new(&definition());
    host.begin();
    let mut snap = Snap::read(&host.save().unwrap());
    snap.entries.clear();
    let run = json!({ "invocations": 9, "scopes": 9, "arrivals": 9, "queue": [0, 0] });
    let mut snap = snap.with("run", &run);
    for (key, value) in entries.as_object().unwrap() {
        snap = snap.with(key, value);
    }
    assert!(go_on(&definition(), &snap.binary(), &mut Tape::new(&[])), "{}", refused(&snap.binary(), &definition()));
    snap
}

/// The definition with another name for a step.
fn renamed(name: &str) -> Value {
    serde_json::from_str(&definition().to_string().replace(&format!("\"{name}\""), "\"other\"")).unwrap()
}

/// The definition in which a step accepts something else.
fn accepting(name: &str, accepts: Value) -> Value {
    let mut definition = definition();
    definition["steps"].as_array_mut().unwrap().iter_mut().find(|step| step["name"] == name).unwrap()["accepts"] = accepts;
    definition
}

fn event(ty: &str) -> Value {
    json!({ "type": ty, "payload": {} })
}

/// What each section waits for has gone or accepts something else: the message names the step. The sections `run`, `event`,
/// `given`, `key` and `sent` wait for none.
#[test]
fn plans_that_do_not_fit() {
    let queue = with(
        json!({ "run": { "invocations": 9, "scopes": 9, "arrivals": 9, "queue": [4, 5] }, "queue/4": { "event": 0 }, "event/0": event("B") }),
    );
    let invocation = with(json!({ "invocation/0": { "seq": 3, "step": "slow", "attempts": 1, "event": 0 }, "event/0": event("C") }));
    let join = with(json!({ "join/3": { "step": "pair", "event": 0 }, "event/0": event("C") }));
    let keyed = with(json!({ "join/3": { "step": "keyed", "key": 5, "event": 0 }, "event/0": event("C"), "key/5": "k" }));
    let collect = with(json!({ "collect/3": { "step": "tens", "event": 0 }, "event/0": event("C") }));
    let scope = with(json!({
        "scope/1": { "opened": 1, "step": "outer", "branches": 1 },
        "invocation/0": { "seq": 3, "step": "slow", "attempts": 1, "event": 0, "place": [1, 0] },
        "event/0": event("C"),
    }));
    let any = |ty: i32| json!({ "kind": "any", "types": [ty] });
    let all = |types: Value, keyed: bool| json!({ "kind": "all", "types": types, "keyed": keyed });
    let collects = |of: Value| json!({ "kind": "collect", "types": [4], "of": of });
    let gone = "which the workflow no longer has";
    let other = "which accepts something else now";
    let type_gone = "which does not accept that type any more";
    for (snap, name, plan, expected) in [
        (&queue, "inner", renamed("inner"), gone),
        (&queue, "inner", accepting("inner", any(4)), type_gone),
        (&invocation, "slow", renamed("slow"), gone),
        (&invocation, "slow", accepting("slow", any(5)), type_gone),
        (&invocation, "slow", accepting("slow", all(json!([4]), false)), other),
        (&join, "pair", renamed("pair"), gone),
        (&join, "pair", accepting("pair", all(json!([4, 5]), false)), other),
        (&join, "pair", accepting("pair", any(4)), other),
        (&keyed, "keyed", renamed("keyed"), gone),
        (&keyed, "keyed", accepting("keyed", all(json!([2, 4]), false)), other),
        (&collect, "tens", renamed("tens"), gone),
        (&collect, "tens", accepting("tens", collects(json!("inner"))), other),
        (&scope, "outer", renamed("outer"), gone),
        (&scope, "ends", renamed("ends"), gone),
        (&scope, "ends", accepting("ends", collects(json!("inner"))), other),
    ] {
        let told = refused(&snap.binary(), &plan);
        assert!(told.contains(&format!("\"{name}\"")) && told.contains(expected), "{told}");
    }
    // What nothing waits for may change.
    assert!(go_on(&renamed("pair"), &queue.binary(), &mut Tape::new(&[])));
    assert!(go_on(&accepting("slow", json!({ "kind": "any", "types": [4, 5] })), &queue.binary(), &mut Tape::new(&[])));
}

/// An upgrade gives steps their new names wherever something waits.
#[test]
fn an_upgrade_renames() {
    let snap = rich();
    let mut names = serde_json::Map::new();
    let mut plan = definition();
    plan["version"] = 2.into();
    for step in plan["steps"].as_array_mut().unwrap() {
        let name = step["name"].as_str().unwrap().to_owned();
        let now = format!("new {name}");
        step["name"] = now.clone().into();
        if let Some(of) = step["accepts"]["of"].as_str() {
            step["accepts"]["of"] = format!("new {of}").into();
        }
        names.insert(name, now.into());
    }
    let mut core = Core::new();
    let document: Value = serde_json::from_str(&core.document(&snap.binary()).unwrap()).unwrap();
    let entries = document["entries"].as_array().unwrap();
    let keys: Vec<&Value> = entries.iter().map(|pair| &pair[0]).collect();
    let values: Vec<&Value> = entries.iter().map(|pair| &pair[1]).collect();
    let events = document["events"].as_array().unwrap();
    let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    let payloads: Vec<&Value> = events.iter().map(|event| &event["payload"]).collect();
    let of: Vec<usize> = (0..types.len()).collect();
    let upgrade = json!({
        "version": 2, "steps": names, "slots": document["slots"], "types": types, "of": of, "payloads": payloads, "keys": keys, "values": values,
        "bytes": [["state/a%2Fb", [3]]],
    });
    let upgraded = core.upgrade(&snap.binary(), upgrade.to_string().as_bytes(), &[1, 2, 255]).unwrap();
    assert!(go_on(&plan, &upgraded, &mut Tape::new(&tape(5))));
    refused_as(&upgraded, "has version 2");
    let back = Snap::read(&upgraded).with_header(&json!({ "version": 1, "migrated": null }));
    let (mine, its) = (&snap.entries, &back.entries);
    assert_eq!(
        mine.iter().map(|(key, _)| key.replace("new ", "")).collect::<Vec<_>>(),
        its.iter().map(|(key, _)| key.replace("new ", "")).collect::<Vec<_>>()
    );
    assert!(!back.entries.iter().any(|(_, value)| matches!(value, Val::Json(text) if text.contains("\"step\":\"outer\""))));
    for bad in ["", "{}", "[]", &upgrade.to_string().replace("[3]", "[4]")] {
        assert!(core.upgrade(&snap.binary(), bad.as_bytes(), &[1, 2, 255]).is_none());
        assert!(core.last_error().starts_with("{\"code\":900,"), "the host is at fault: {}", core.last_error());
    }
}

/// The example of a whole snapshot in docs/format.md is one.
#[test]
fn the_documented_example() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, chapter) = page.split_once("## Snapshots").unwrap();
    let example = chapter.split("```").nth(1).unwrap().trim_start_matches("json");
    let any = |name: &str, ty: i32| json!({ "name": name, "accepts": { "kind": "any", "types": [ty] } });
    let plan = json!({
        "name": "orders", "version": 1, "unhandled": "error", "types": ["blazen::StartEvent", "blazen::StopEvent", "Order"],
        "steps": [any("check", 0), any("pay", 2)],
    });
    let mut host = Host::new(&plan);
    let parsed = host.core.parse(example.as_bytes()).unwrap_or_else(|| panic!("{}", host.core.last_error()));
    assert!(host.restore(&parsed), "{}", host.core.last_error());
    let header = |bytes: &[u8]| serde_json::from_str::<Value>(&Snap::read(bytes).header).unwrap();
    let stored = host.save().unwrap();
    assert_eq!(header(&parsed)["fingerprint"], header(&stored)["fingerprint"]);
}

/// Nothing is dispatched after a resume until the host says so: it may need several exchanges to tell all keys.
#[test]
fn a_restored_run_waits_for_its_keys() {
    let run = json!({ "invocations": 9, "scopes": 9, "arrivals": 9, "queue": [4, 6] });
    let mut host = Host::new(&definition());
    let mut fresh = Host::new(&definition());
    fresh.begin();
    let mut snap = Snap::read(&fresh.save().unwrap());
    snap.entries.clear();
    for (key, value) in [("run", run), ("queue/4", json!({ "event": 0 })), ("queue/5", json!({ "event": 1 }))] {
        snap = snap.with(key, &value);
    }
    let snap = snap.with("event/0", &event("A")).with("event/1", &event("C"));
    assert!(host.restore(&snap.binary()));
    for slot in 0..2 {
        host.give(&[[IN_KEY, 6, 0, -1], [IN_KEYED, slot, -1, -1]]);
        assert_eq!(host.called(), 0);
    }
    host.give(&[[IN_PAUSE, 0, -1, -1]]);
    assert_eq!(host.called(), 3, "outer, slow and the join of both");
}
