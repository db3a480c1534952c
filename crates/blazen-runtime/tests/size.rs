//! Many runs that wait: what they take on disk, and how long it takes to find those that are to go on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use blazen_runtime::{Settings, Store};
use serde_json::json;
use support::*;

const RUNS: usize = 100_000;
const BASE: usize = 600;

/// As long as the engine's ids, and as random: neighbours in one table are none in an index.
fn id(number: usize) -> String {
    format!("{:016x}-{number:019x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[test]
fn a_waiting_run_takes_less_than_a_kilobyte() {
    let folder = Folder::new();
    // The disk itself is not what is measured.
    let store = Store::with(&folder.file(), Settings { prepare: "PRAGMA synchronous = off", ..Settings::default() });
    let created: Vec<_> = (0..RUNS)
        .map(|number| {
            let mut create = create(&id(number), if number % 10 == 0 { "running" } else { "waiting" });
            create["run"]["head"]["requests"] = json!([format!("question-{number}")]);
            create["run"]["owner"] = json!({ "name": id(0), "leaseMs": 0 });
            send(&store, &create, &[7; BASE])
        })
        .collect();
    assert!(created.iter().all(|asked| answer(asked).unwrap() == true));

    // One that waits and was told something is found among them, at once.
    assert_eq!(ask(&store, &push(&id(77_777), "m"), &[]).unwrap(), "stored");
    let begun = Instant::now();
    let claimed = ask(&store, &claim(20_000.0), &[]).unwrap();
    let took = begun.elapsed();
    assert_eq!(claimed.as_array().unwrap().len(), RUNS / 10 + 1);
    assert!(took < Duration::from_secs(2), "a claim of {} runs took {took:?}", RUNS / 10);

    close(store);
    let bytes = std::fs::metadata(folder.file()).unwrap().len() as usize / RUNS;
    assert!(bytes <= 1024, "{bytes} bytes a run, of which {BASE} are its own");
}
