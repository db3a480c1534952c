//! Snapshots changed in one thing, and entries of small numbers.

use super::*;

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
                    let name = tape.of(&[
                        "fan",
                        "event",
                        "close",
                        "key",
                        "yields",
                        "attempts",
                        "branches",
                        "failures",
                        "until",
                        "line",
                        "scope",
                        "opened",
                        "invocation",
                        "branch",
                        "workflow",
                    ]);
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
pub fn scratch(tape: &mut Tape) -> (String, Val) {
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
        "flow",
        "flow",
        "flow-given",
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
        "flow" => {
            let mut value = json!({ "invocation": tape.below(6) });
            if tape.below(3) > 0 {
                value["scope"] = (1 + tape.below(5)).into();
                value["opened"] = (1 + tape.below(8)).into();
            }
            if tape.below(3) == 0 {
                value["branch"] = number(tape);
            }
            value
        }
        "flow-given" => {
            let value = json!({ "runs": number(tape), "events": number(tape) });
            return (format!("flow-given/{id}/{}", tape.of(STEPS)), Val::Json(value.to_string()));
        }
        "queue" if tape.below(6) == 5 => json!({ "withdrawn": true }),
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
