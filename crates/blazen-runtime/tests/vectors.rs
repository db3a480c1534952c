//! Plays the vectors of test/vectors through the host: its steps are closures that the lines settle. What the host leaves out, or no Rust
//! step can do, is found by the lines.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod player;

use std::path::Path;

use blazen_runtime::host::RunStore;
use player::{Mode, lines, play};
use serde_json::Value;

/// Of each vector that is not played there is a reason; so many are at least.
const PLAYED: usize = 143;

/// Why the host cannot play a vector: it has something that the module's docs say is left out.
fn left_out(vector: &Value) -> Option<&'static str> {
    let definition = &vector["definition"];
    if definition.get("children").is_some() {
        return Some("child runs");
    }
    if definition["unhandled"] == "stream" {
        return Some("streams");
    }
    let turns = vector["play"].as_array().into_iter().flatten();
    let said: Vec<Vec<String>> = turns
        .flat_map(|turn| lines(&turn["in"]).into_iter().chain(lines(&turn["out"])))
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect();
    let has = |verb: &str| said.iter().any(|words| words[0] == verb);
    let settles = |outcome: &str| said.iter().any(|words| words[0] == "Settle" && words[2] == outcome);
    let limited = definition["steps"].as_array().unwrap().iter().any(|step| step.get("limit").is_some());
    [
        (has("Yield"), "generators"),
        (has("Observe"), "observers"),
        (has("Random"), "random numbers are the host's own"),
        (settles("bad"), "a Rust step gives nothing but events"),
        (has("Abort") && limited, "a step that is withdrawn gives up its place at its next await, and not when a line settles it"),
    ]
    .into_iter()
    .find_map(|(is, why)| is.then_some(why))
}

#[test]
fn every_vector_that_the_host_can_play() {
    play_all(Mode::Plain);
}

#[test]
fn every_vector_paused_and_resumed_after_each_turn() {
    play_all(Mode::Paused);
}

#[test]
fn every_vector_in_a_store() {
    play_all(Mode::Stored);
}

#[test]
fn every_vector_let_go_and_recovered_after_each_turn() {
    play_all(Mode::Left);
}

fn play_all(mode: Mode) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/vectors");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let store = std::env::temp_dir().join(format!("blazen-vectors-{}-{}.db", std::process::id(), mode as u8));
    let stores = [RunStore::open(&store), RunStore::open(&store)];
    let (mut failures, mut played, mut reasons) = (Vec::new(), 0, std::collections::BTreeMap::new());
    for path in &files {
        let vector: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        if let Some(why) = left_out(&vector) {
            *reasons.entry(why).or_insert(0) += 1;
            continue;
        }
        played += 1;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        if let Err(why) = runtime.block_on(play(&vector, mode, &stores)) {
            failures.push(format!("{}: {why}", path.file_name().unwrap().to_string_lossy()));
        }
    }
    drop(stores);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", store.display()));
    }
    println!("{played} of {} vectors played; left out: {reasons:?}", files.len());
    assert!(failures.is_empty(), "{} of {played}\n{}", failures.len(), failures.join("\n"));
    assert!(played >= PLAYED, "{played} of {}: {reasons:?}", files.len());
}
