//! Reads vectors and turns their lines into frames and back; test/vectors tells the format.
#![allow(dead_code)] // Each test file uses a part.

use std::collections::HashMap;
use std::path::Path;

use blazen_core::*;
use serde_json::{Value, json};

pub const NONE: i32 = -1;
pub const HEADER: usize = 16;

/// Every vector by its file's name.
pub fn all() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/vectors");
    let mut files: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    files.sort();
    assert!(files.len() > 100, "only {} vectors found", files.len());
    let read = |path: &Path| {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(path))).collect()
}

pub fn lines(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Hands frames over and gives the commands as lines, sets folded into their Invoke.
pub fn exchange(core: &mut Core, handle: &mut i32, frames: &[[i32; 4]], names: &Names) -> Result<Vec<String>, String> {
    let mut buffer = vec![0; BUFFER_WORDS];
    buffer[HEADER..HEADER + 4 * frames.len()].copy_from_slice(frames.as_flattened());
    buffer[1] = frames.len() as i32;
    let (mut got, mut set) = (Vec::new(), Vec::new());
    loop {
        buffer[0] = *handle;
        core.exchange(&mut buffer);
        *handle = buffer[0];
        if buffer[1] < 0 {
            return Err(format!("{} {}", buffer[1], core.last_error()));
        }
        for frame in buffer[HEADER..HEADER + 4 * buffer[1] as usize].chunks(4) {
            let [tag, a, b, c] = *frame else { unreachable!() };
            let slot = |slot: i32| if slot == NONE { "-".to_owned() } else { slot.to_string() };
            got.push(match tag {
                // What it numbers is in tests/snapshots.rs.
                CMD_AGAIN | CMD_YIELDED => continue,
                CMD_ARG => {
                    set.push(a.to_string());
                    continue;
                }
                CMD_INVOKE if c == NONE => format!("Invoke {a} {} [{}]", names.steps[b as usize], std::mem::take(&mut set).join(",")),
                CMD_INVOKE => format!("Invoke {a} {} {c}", names.steps[b as usize]),
                CMD_RELEASE => format!("Release {a}"),
                CMD_PUBLISH => format!("Publish {a}"),
                CMD_ABORT if b == 2 => format!("Abort {a} delayed"),
                CMD_ABORT => format!("Abort {a}"),
                CMD_WAITING => "Waiting".to_owned(),
                CMD_ASKED => format!("Asked {a} {} {c}", slot(b)),
                CMD_ANSWERED => format!("Answered {a} {b} {c}"),
                CMD_EXPIRED => format!("Expired {a} {b} {c}"),
                CMD_WOKEN => format!("Woken {a} {b}"),
                CMD_WITHDRAWN => format!("Withdrawn {a}"),
                CMD_DELAYED => format!("Delayed {a} {} {c}", names.steps[b as usize]),
                CMD_FAILED => format!("Failed {a} {} {c} [{}]", names.steps[b as usize], std::mem::take(&mut set).join(",")),
                CMD_ALARM if a == NONE => "Alarm -".to_owned(),
                CMD_ALARM => format!("Alarm {}", (i64::from(a) << 30) + i64::from(b)),
                CMD_ROUTED => format!("Routed {a}"),
                CMD_FINISH => format!("Finish {a}"),
                CMD_FAIL => format!("Fail {} {} {}", code(a), names.steps.get(b as usize).map_or("-", String::as_str), slot(c)),
                _ => return Err(format!("unknown command {tag}")),
            });
        }
        if buffer[2] == 0 {
            return Ok(got);
        }
        buffer[1] = 0;
    }
}

/// A vector's definition with its types as numbers, as the facade would give it.
pub struct Names {
    pub types: HashMap<String, i32>,
    pub steps: Vec<String>,
    pub definition: Value,
}

impl Names {
    pub fn of(definition: &Value) -> Self {
        let mut types = Types::default();
        types.id("StartEvent");
        types.id("StopEvent");
        types.id("InputRequestEvent");
        let external: Vec<i32> =
            definition["external"].as_array().into_iter().flatten().map(|name| types.id(name.as_str().unwrap())).collect();
        let mut steps = Vec::new();
        for step in definition["steps"].as_array().unwrap() {
            let mut made = step.clone();
            made["accepts"] = accepts(&step["accepts"], &mut types);
            if let Some(emits) = step.get("emits") {
                made["emits"] = types.ids(emits).into();
            }
            steps.push(made);
        }
        let unhandled = definition.get("unhandled").cloned().unwrap_or_else(|| "error".into());
        let names = steps.iter().map(|step| step["name"].as_str().unwrap().to_owned()).collect();
        let definition = json!({ "name": definition["name"], "version": 1, "unhandled": unhandled, "types": types.names, "external": external, "steps": steps });
        Self { types: types.ids, steps: names, definition }
    }

    pub fn encode(&self, line: &str, plan: i32) -> [i32; 4] {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| match words.get(at) {
            None | Some(&"-") => NONE,
            Some(word) => word.parse().unwrap_or_else(|_| panic!("no number in \"{line}\" at {at}")),
        };
        let time = |at: usize| words[at].parse::<i64>().unwrap();
        let (high, low) = (|at| (time(at) >> 30) as i32, |at| (time(at) & 0x3fff_ffff) as i32);
        let ty = |at: usize| self.types.get(&full(words[at])).copied().unwrap_or(self.types.len() as i32);
        let step = |name: &str| self.steps.iter().position(|step| step == name).unwrap() as i32;
        match words[0] {
            "Start" => [IN_START, plan, number(1), NONE],
            "Emit" => [IN_EMIT, number(1), ty(2), number(3)],
            "Send" => [IN_SEND, number(1), ty(2), number(3)],
            "Fan" => [IN_FAN, number(1), NONE, NONE],
            "Yield" => [IN_COMMIT, number(1), 1, NONE],
            "Settle" => [
                IN_SETTLE,
                number(1),
                ["ok", "failed", "bad", "final"].iter().position(|outcome| *outcome == words[2]).unwrap() as i32,
                number(3),
            ],
            "Id" => [IN_ID, number(1), NONE, NONE],
            "External" => [IN_EXTERNAL, ty(1), number(2), NONE],
            "Key" => [IN_KEY, step(words[1]), number(2), number(3)],
            "Pause" => [IN_PAUSE, number(1), NONE, NONE],
            "Keyed" => [IN_KEYED, number(1), NONE, NONE],
            "Tick" => [IN_TICK, high(1), low(1), NONE],
            "Until" => [IN_UNTIL, high(1), low(1), NONE],
            "Sleep" => [IN_SLEEP, number(1), number(2), NONE],
            "Ask" => [IN_ASK, number(1), number(2), number(3)],
            "Respond" => [IN_RESPOND, number(1), ty(2), number(3)],
            "Random" => [IN_RANDOM, number(1), NONE, NONE],
            "Observe" => [IN_OBSERVE, number(1), NONE, NONE],
            "Cancel" => [IN_CANCEL, NONE, NONE, NONE],
            _ => panic!("unknown line \"{line}\""),
        }
    }
}

/// Types in the order of their first appearance.
#[derive(Default)]
struct Types {
    names: Vec<String>,
    ids: HashMap<String, i32>,
}

impl Types {
    fn id(&mut self, name: &str) -> i32 {
        let name = full(name);
        *self.ids.entry(name.clone()).or_insert_with(|| {
            self.names.push(name);
            self.names.len() as i32 - 1
        })
    }

    fn ids(&mut self, names: &Value) -> Vec<i32> {
        names.as_array().unwrap().iter().map(|name| self.id(name.as_str().unwrap())).collect()
    }
}

/// The short names of the engine's own events stand for the full ones; `?` marks a type that no definition has.
pub fn full(name: &str) -> String {
    match name {
        "StartEvent" | "StopEvent" | "InputRequestEvent" | "InputResponseEvent" | "StepFailedEvent" => format!("blazen::{name}"),
        _ => name.trim_start_matches('?').to_owned(),
    }
}

fn accepts(given: &Value, types: &mut Types) -> Value {
    if let Some(name) = given.as_str() {
        return json!({ "kind": "any", "types": [types.id(name)] });
    }
    if given.is_array() {
        return json!({ "kind": "any", "types": types.ids(given) });
    }
    if let Some(all) = given.get("all") {
        return json!({ "kind": "all", "types": types.ids(all), "keyed": given["by"] == true });
    }
    let mut made = given.clone();
    let ids = types.ids(&given["collect"]);
    let fields = made.as_object_mut().unwrap();
    fields.remove("collect");
    fields.insert("kind".to_owned(), "collect".into());
    fields.insert("types".to_owned(), ids.into());
    made
}
