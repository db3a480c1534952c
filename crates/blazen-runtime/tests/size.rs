//! Many runs that wait: what they take on disk, and that those which are to go on are found among them. How long it takes is a benchmark's.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use blazen_runtime::{Settings, Store};
use serde_json::json;
use support::*;

const RUNS: usize = 30_000;
const BASE: usize = 600;

/// As long as the engine's ids, and as random: neighbours in one table are none in an index.
fn id(number: usize) -> String {
    format!("{:016x}-{number:019x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[test]
fn a_waiting_run_takes_less_than_a_kilobyte() {
    let folder = Folder::new();
    // Nothing of it is to outlive the machine.
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

    // One that waits was told something.
    assert_eq!(ask(&store, &push(&id(7777), "m"), &[]).unwrap(), "stored");
    assert_eq!(ask(&store, &claim(20_000.0), &[]).unwrap().as_array().unwrap().len(), RUNS / 10 + 1);

    close(store);
    let bytes = std::fs::metadata(folder.file()).unwrap().len() as usize / RUNS;
    assert!(bytes <= 1024, "{bytes} bytes a run, of which {BASE} are its own");
}
