//! Reads vectors and turns their lines into frames and back; test/vectors tells the format.
#![allow(dead_code)] // Each test file uses a part.

pub mod names;

use std::path::Path;

use crate::tagged::split;
use blazen_core::*;
pub use names::Names;
use serde_json::Value;

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
pub fn exchange(core: &mut Core, handle: &mut i32, frames: &[[i32; 4]], names: &mut Names) -> Result<Vec<String>, String> {
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
            let (frame, flow) = split([tag, a, b, c]);
            let [tag, a, b, c] = frame;
            if let Some(flow) = flow.filter(|flow| *flow != names.told) {
                names.told = flow;
                got.push(format!("Flow {flow}"));
            }
            names.hear(frame);
            let slot = |slot: i32| if slot == NONE { "-".to_owned() } else { slot.to_string() };
            got.push(match tag {
                // What it numbers is in tests/snapshots.rs.
                CMD_AGAIN | CMD_YIELDED => continue,
                CMD_ARG => {
                    set.push(a.to_string());
                    continue;
                }
                CMD_INVOKE if c == NONE => format!("Invoke {a} {} [{}]", names.step(b), std::mem::take(&mut set).join(",")),
                CMD_INVOKE => format!("Invoke {a} {} {c}", names.step(b)),
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
                CMD_DELAYED => format!("Delayed {a} {} {c}", names.step(b)),
                CMD_FAILED => format!("Failed {a} {} {c} [{}]", names.step(b), std::mem::take(&mut set).join(",")),
                CMD_ALARM if a == NONE => "Alarm -".to_owned(),
                CMD_ALARM => format!("Alarm {}", (i64::from(a) << 30) + i64::from(b)),
                CMD_OPENED => format!("Opened {a}"),
                CMD_ENDED => format!("Ended {a} {b}"),
                CMD_ROUTED => format!("Routed {a}"),
                CMD_FINISH => format!("Finish {a}"),
                CMD_FAIL => format!("Fail {} {} {}", code(a), names.step(b), slot(c)),
                _ => return Err(format!("unknown command {tag}")),
            });
        }
        if buffer[2] == 0 {
            return Ok(got);
        }
        buffer[1] = 0;
    }
}
