//! Child runs of a snapshot that cannot be, whatever its checksum says; and many at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod hostile;

use blazen_core::*;
use hostile::{Host, NONE, Snap, Tape, children, definition, go_on};
use serde_json::{Value, json};

/// A child run of invocation 0, in which one of invocation 1 lies; both have an event in the queue.
fn entries() -> Value {
    let event = |ty: &str| json!({ "type": ty, "payload": {} });
    json!({
        "run": { "invocations": 9, "scopes": 9, "arrivals": 9, "queue": [0, 2] },
        "invocation/0": { "seq": 0, "step": "outer", "attempts": 2, "event": 0 },
        "flow/1": { "invocation": 0, "scope": 1, "opened": 3 },
        "invocation/1": { "seq": 1, "step": "outer", "attempts": 1, "event": 1, "place": [1, 0] },
        "flow/2": { "invocation": 1, "scope": 2, "opened": 4 },
        "flow/3": { "invocation": 1, "branch": 1 },
        "queue/0": { "event": 2, "place": [1, 0] },
        "queue/1": { "event": 3, "place": [2, 0] },
        "event/0": event("A"), "event/1": event("A"), "event/2": event("B"), "event/3": event("C"),
    })
}

fn snap(changes: &Value) -> Snap {
    let mut host = Host::new(&definition());
    host.begin();
    let mut snap = Snap::read(&host.save().unwrap());
    let steps = serde_json::from_str::<Value>(&snap.header).unwrap()["steps"].take();
    snap = snap.with_header(&json!({ "features": ["children"], "children": [{ "workflow": "all", "version": 1, "steps": steps }] }));
    snap.entries.clear();
    for (key, value) in entries().as_object().unwrap().iter().chain(changes.as_object().unwrap()) {
        snap = snap.with(key, value);
    }
    snap
}

fn refused(changes: &Value, expected: &str) {
    let snap = snap(changes);
    assert!(!go_on(&definition(), &snap.binary(), &mut Tape::new(&[])), "not refused: {changes}");
    let mut core = Core::new();
    let plan = core.compile(&definition().to_string());
    let bytes = core.parse(&snap.binary()).unwrap();
    if let Some(children) = children(&mut core, plan, &bytes) {
        assert_eq!(core.restore(plan, &bytes, &children), -ERR_SNAPSHOT, "{changes}");
    }
    let error: Value = serde_json::from_str(core.last_error()).unwrap();
    assert!(error["message"].as_str().unwrap().contains(expected), "{changes}: {error}");
}

#[test]
fn what_can_be_goes_on() {
    assert!(go_on(&definition(), &snap(&json!({})).binary(), &mut Tape::new(&[])));
    // Nothing is left in it: it has its turn to end.
    let closing = json!({ "queue/1": { "close": 2 }, "event/3": null });
    assert!(go_on(&definition(), &snap(&closing).binary(), &mut Tape::new(&[])));
    let waiting = json!({ "queue/1": { "withdrawn": true }, "event/3": null });
    assert!(go_on(&definition(), &snap(&waiting).binary(), &mut Tape::new(&[])));
}

#[test]
fn child_runs_that_cannot_be() {
    let deep = |fields: Value| {
        let mut flow = json!({ "invocation": 1, "scope": 2, "opened": 4 });
        for (name, value) in fields.as_object().unwrap() {
            flow[name] = value.clone();
        }
        json!({ "flow/2": flow })
    };
    let number = "has a number that cannot be";
    let nowhere = "is where no child run can be";
    for (changes, expected) in [
        // A child run within itself, and two within each other.
        (json!({ "invocation/0": { "seq": 0, "step": "outer", "attempts": 2, "event": 0, "place": [1, 0] } }), nowhere),
        (json!({ "invocation/0": { "seq": 0, "step": "outer", "attempts": 2, "event": 0, "place": [2, 0] } }), nowhere),
        // One that was there before the flow around it.
        (deep(json!({ "opened": 2 })), nowhere),
        (deep(json!({ "opened": 3 })), nowhere),
        (deep(json!({ "opened": 0 })), number),
        (deep(json!({ "opened": 10 })), number),
        (deep(json!({ "scope": 0 })), number),
        (deep(json!({ "scope": 1 << 22 })), number),
        (deep(json!({ "scope": (1u64 << 32) - 1 })), "it is damaged"),
        (deep(json!({ "scope": 1 })), "names the scope 1 that is another's"),
        (json!({ "scope/2": { "opened": 5, "step": "outer", "branches": 1 } }), "two entries are of the scope 2"),
        // In which its event is not.
        (deep(json!({ "scope": 3 })), "is in the scope 2 that there is not"),
        (deep(json!({ "invocation": 7 })), "the entry \"invocation/7\" is missing"),
        (deep(json!({ "invocation": (1u64 << 32) - 1 })), "it is damaged"),
        (deep(json!({ "branch": 1 })), "has a branch that cannot be"),
        (deep(json!({ "branch": 2 })), "has a branch that cannot be"),
        (json!({ "flow/3": { "invocation": 1, "branch": 2 } }), "has a branch that cannot be"),
        (deep(json!({ "workflow": 1 })), "is of a workflow that the header does not tell of"),
        (deep(json!({ "workflow": (1u64 << 32) - 1 })), "it is damaged"),
        (json!({ "flow/0": { "invocation": 1, "branch": 2 } }), number),
        (json!({ "flow/4194304": { "invocation": 1, "branch": 2 } }), number),
        (json!({ "flow/18446744073709551615": { "invocation": 1, "branch": 2 } }), number),
        // Of one that does not run.
        (json!({ "invocation/0": { "seq": 0, "step": "inner", "state": "waiting", "attempts": 2, "event": 2 }, "event/0": null }), nowhere),
        (json!({ "invocation/0": { "seq": 0, "step": "outer", "state": "aborted", "attempts": 2, "event": 0 } }), nowhere),
        (json!({ "invocation/0": { "seq": 0, "step": "outer", "state": "delayed", "until": 5, "attempts": 2, "event": 0 } }), nowhere),
        // Its end has its turn while something goes on, twice, or is another's.
        (json!({ "queue/0": { "close": 7 }, "event/2": null }), "closes a fan-out that cannot be closed"),
        (json!({ "queue/0": { "close": 0 }, "event/2": null }), "closes a fan-out that cannot be closed"),
        (json!({ "queue/0": { "close": 2 }, "queue/1": { "close": 2 }, "event/2": null, "event/3": null }), "cannot be closed"),
        (json!({ "queue/0": { "close": 2, "withdrawn": true }, "event/2": null }), "is neither an event nor an end"),
        (json!({ "queue/0": { "event": 2, "place": [0, 0] } }), "it is damaged"),
        (json!({ "collect/3": { "step": "tens", "event": 3, "place": [2, 1] } }), "is where nothing is collected"),
        (json!({ "flow-given/4/whole": { "runs": 1, "events": 1 } }), "is of a child run that there is not"),
        (json!({ "flow-given/0/whole": { "runs": 1, "events": 1 } }), "is of a child run that there is not"),
        (json!({ "flow-given/01/whole": { "runs": 1, "events": 1 } }), "is of a child run that there is not"),
        (json!({ "flow-given/whole": { "runs": 1, "events": 1 } }), "is of a child run that there is not"),
        (json!({ "flow-given/1/whole": { "runs": 1u64 << 31, "events": 1 } }), number),
        (json!({ "child/7/sent/0": "id" }), "is of a child run that there is not"),
        (json!({ "child/1/sent/67108864": "id" }), number),
    ] {
        refused(&changes, expected);
    }
}

/// A child run in a child run, a thousand deep, opened and ended.
#[test]
fn a_thousand_deep() {
    const DEEP: i32 = 1000;
    let any = |name: &str, ty: i32| json!({ "name": name, "accepts": { "kind": "any", "types": [ty] } });
    let steps = [any("down", 0), any("up", 2)];
    let plan = json!({ "name": "deep", "version": 1, "unhandled": "error", "types": ["blazen::StartEvent", "blazen::StopEvent", "A"], "steps": steps });
    for ends in ["innermost", "outermost", "stored"] {
        let mut core = Core::new();
        let plan = core.compile(&plan.to_string());
        let mut run = NONE;
        let mut buffer = vec![0; BUFFER_WORDS];
        let mut give = |core: &mut Core, run: &mut i32, frames: &[[i32; 4]]| -> Vec<[i32; 4]> {
            buffer[16..16 + 4 * frames.len()].copy_from_slice(frames.as_flattened());
            (buffer[0], buffer[1]) = (*run, frames.len() as i32);
            let mut commands = Vec::new();
            loop {
                core.exchange(&mut buffer);
                assert!(buffer[1] >= 0, "{}", core.last_error());
                *run = buffer[0];
                commands.extend(buffer[16..16 + 4 * buffer[1] as usize].as_chunks().0);
                if buffer[2] == 0 {
                    return commands;
                }
                buffer[1] = 0;
            }
        };
        give(&mut core, &mut run, &[[IN_START, plan, 0, NONE]]);
        for level in 0..DEEP {
            let told = give(&mut core, &mut run, &[[IN_CHILD, level, plan, level + 1]]);
            assert_eq!(told, [[CMD_OPENED, level + 1, NONE, NONE], [CMD_INVOKE | ((level + 1) << 8), level + 1, 0, level + 1]]);
        }
        match ends {
            "innermost" => {
                for level in (1..=DEEP).rev() {
                    let told = give(&mut core, &mut run, &[[IN_EMIT, level, 1, DEEP + 1], [IN_SETTLE, level, 0, NONE]]);
                    assert!(told.contains(&[CMD_ENDED, level, DEEP + 1, NONE]), "{told:?}");
                }
            }
            "outermost" => {
                let told = give(&mut core, &mut run, &[[IN_CANCEL, 1, NONE, NONE]]);
                assert_eq!(told.len() as i32, DEEP, "each payload is released");
            }
            _ => {
                let slots: Vec<i32> = (0..=DEEP).collect();
                let document = json!({
                    "runId": "r", "slots": slots, "types": ["blazen::StartEvent"], "of": vec![0; slots.len()], "payloads": vec![json!({}); slots.len()],
                    "keys": [], "values": [], "bytes": [],
                });
                let bytes = core.save(run, document.to_string().as_bytes(), &[]).unwrap();
                let children = children(&mut core, plan, &bytes).unwrap();
                assert_eq!(core.verify(plan, run, &bytes, &[]).as_deref(), Some(""));
                run = core.restore(plan, &bytes, &children);
                let told = give(&mut core, &mut run, &[[IN_PAUSE, 0, NONE, NONE]]);
                let called = told.iter().filter(|[tag, ..]| *tag & 0xff == CMD_INVOKE).count() as i32;
                assert_eq!(called, DEEP + 1, "all are called again, from the outermost on");
            }
        }
        let told = give(&mut core, &mut run, &[[IN_EMIT, 0, 1, DEEP + 2], [IN_SETTLE, 0, 0, NONE]]);
        assert_eq!(told.last(), Some(&[CMD_FINISH, DEEP + 2, NONE, NONE]));
    }
}
