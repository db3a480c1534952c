//! Plays every vector in test/vectors on the core itself; the format is described there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod tagged;
mod vector;

use blazen_core::*;
use serde_json::Value;
use vector::{NONE, Names, all, exchange, lines};

#[test]
fn every_vector() {
    let vectors = all();
    let failures: Vec<String> =
        vectors.iter().filter_map(|(name, vector)| play(vector).err().map(|why| format!("{name}: {why}"))).collect();
    assert!(failures.is_empty(), "{} of {} vectors\n{}", failures.len(), vectors.len(), failures.join("\n"));
}

fn play(vector: &Value) -> Result<(), String> {
    let mut names = Names::of(&vector["definition"]);
    let mut core = Core::new();
    let plan = names.compile(&mut core);
    if let Some(error) = vector.get("error") {
        let told: Value = serde_json::from_str(core.last_error()).unwrap_or_default();
        let message = told["message"].as_str().unwrap_or_default();
        let right = plan < 0 && Some(code(-plan)) == error["code"].as_str() && message.contains(error["message"].as_str().unwrap());
        return if right { Ok(()) } else { Err(format!("{error} expected, got {plan}: {message}")) };
    }
    if plan < 0 {
        return Err(format!("the definition was refused: {}", core.last_error()));
    }
    let mut handle = NONE;
    for (at, turn) in vector["play"].as_array().unwrap().iter().enumerate() {
        let frames = names.encode(&lines(&turn["in"]));
        let got = exchange(&mut core, &mut handle, &frames, &mut names).map_err(|error| format!("play[{at}]: {error}"))?;
        let expected = lines(&turn["out"]);
        if got != expected {
            return Err(format!("play[{at}] {:?}\n  expected {expected:?}\n  got      {got:?}", turn["in"]));
        }
        if !got.iter().any(|line| line.starts_with("Fail STALLED")) {
            continue;
        }
        for what in vector.get("lacking").map(lines).unwrap_or_default() {
            let told: Value = serde_json::from_str(core.last_error()).unwrap();
            let lacking = lines(&told["lacking"]).join("; ");
            if !lacking.contains(&what) {
                return Err(format!("\"{what}\" expected in what is lacking: {lacking}"));
            }
        }
    }
    if core.runs() == 0 { Ok(()) } else { Err("the run is not freed at the end of the vector".to_owned()) }
}
