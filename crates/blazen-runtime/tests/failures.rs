//! What goes wrong is told by its kind, harms nobody else, and is over when its cause is.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::time::Duration;

use blazen_runtime::{Failure, Settings, Store};
use rusqlite::Connection;
use serde_json::{Value, json};
use support::*;

fn hasty(prepare: &'static str) -> Settings {
    Settings { busy: Duration::from_millis(50), prepare }
}

/// Runs in a file that is closed.
fn filled(folder: &Folder, runs: usize) {
    let store = Store::new(&folder.file());
    let created: Vec<_> = (0..runs).map(|n| send(&store, &create(&format!("r{n}"), "running"), &[7; 600])).collect();
    assert!(created.iter().all(|asked| answer(asked).unwrap() == true));
    close(store);
}

fn failure(store: &Store) -> Failure {
    ask(store, &read("r0"), &[]).unwrap_err()
}

fn is_well(store: &Store) {
    assert_eq!(ask(store, &create("after", "running"), &[1]).unwrap(), true);
    assert_eq!(ask(store, &read("after"), &[]).unwrap()["lengths"], json!([1]));
}

#[test]
fn a_folder_that_is_made_meanwhile() {
    let folder = Folder::new();
    let path = folder.path().join("later/runs.db");
    let store = Store::new(&path);
    let told = failure(&store);
    assert_eq!(told.kind, "unopened");
    assert!(told.message.contains("its folder must exist"), "{}", told.message);
    assert_eq!(failure(&store), told);
    fs::create_dir(path.parent().unwrap()).unwrap();
    is_well(&store);
}

#[test]
fn a_file_that_is_no_database() {
    let folder = Folder::new();
    fs::write(
        folder.file(),
        "This is a letter to a friend, and it is longer than the header of a database would be, so that it is read as one.",
    )
    .unwrap();
    let store = Store::new(&folder.file());
    let told = failure(&store);
    assert_eq!(told.kind, "corrupt");
    assert!(told.message.contains("no SQLite database"), "{}", told.message);
    fs::remove_file(folder.file()).unwrap();
    is_well(&store);
}

#[test]
fn a_database_of_another_program_stays_as_it_is() {
    let folder = Folder::new();
    Connection::open(folder.file()).unwrap().execute_batch("CREATE TABLE friends (name TEXT)").unwrap();
    let before = fs::read(folder.file()).unwrap();
    let told = failure(&Store::new(&folder.file()));
    assert_eq!(told.kind, "unopened");
    assert!(told.message.contains("another program"), "{}", told.message);
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_newer_version_stays_as_it_is() {
    let folder = Folder::new();
    filled(&folder, 1);
    Connection::open(folder.file()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let told = failure(&Store::new(&folder.file()));
    assert_eq!(told.kind, "newer");
    assert!(told.message.contains("version 99") && told.message.contains("update blazen"), "{}", told.message);
}

#[test]
fn damaged_pages_are_found_when_it_is_opened() {
    let folder = Folder::new();
    filled(&folder, 200);
    let whole = fs::read(folder.file()).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2..][..8192].fill(0xff);
    fs::write(folder.file(), damaged).unwrap();
    let store = Store::new(&folder.file());
    let told = failure(&store);
    assert_eq!(told.kind, "corrupt");
    assert!(told.message.contains("damaged") && told.message.to_lowercase().contains("restore it from a backup"), "{}", told.message);
    fs::write(folder.file(), whole).unwrap();
    is_well(&store);
}

#[test]
fn a_database_that_is_held_for_too_long() {
    let folder = Folder::new();
    filled(&folder, 1);
    let other = Connection::open(folder.file()).unwrap();
    let store = Store::with(&folder.file(), hasty(""));
    ask(&store, &read("r0"), &[]).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let told = ask(&store, &create("r1", "running"), &[]).unwrap_err();
    assert_eq!(told.kind, "locked");
    assert!(told.message.contains("another process"), "{}", told.message);
    assert_eq!(ask(&store, &read("r0"), &[]).unwrap()["runId"], "r0");
    other.execute_batch("ROLLBACK").unwrap();
    is_well(&store);
}

#[test]
fn a_full_disk_leaves_what_was_committed() {
    let folder = Folder::new();
    filled(&folder, 1);
    let store = Store::with(&folder.file(), hasty("PRAGMA max_page_count = 40"));
    let asked = json!({ "op": "append", "commits": [commit("r0", 1, "base", 1_000_000, "running")] });
    let told = ask(&store, &asked, &[1; 1_000_000]).unwrap_err();
    assert_eq!(told.kind, "full");
    assert!(told.message.contains("make room"), "{}", told.message);
    let run = ask(&store, &read("r0"), &[]).unwrap();
    assert_eq!((&run["sequence"], &run["lengths"]), (&json!(0), &json!([600])));
    let asked = json!({ "op": "append", "commits": [commit("r0", 1, "delta", 10, "running")] });
    assert_eq!(ask(&store, &asked, &[1; 10]).unwrap(), json!(["stored"]));
    is_well(&store);
}

#[test]
fn a_file_that_may_not_be_written() {
    let folder = Folder::new();
    filled(&folder, 1);
    let store = Store::with(&folder.file(), hasty("PRAGMA query_only = true"));
    assert_eq!(ask(&store, &read("r0"), &[]).unwrap()["runId"], "r0");
    let told = ask(&store, &create("r1", "running"), &[]).unwrap_err();
    assert_eq!(told.kind, "readonly");
    assert!(told.message.contains("permissions"), "{}", told.message);
}

#[test]
fn a_path_is_a_path() {
    // As a URI it could take the locks away.
    assert_eq!(failure(&Store::new("file:/no/folder/runs.db?mode=memory".as_ref())).kind, "unopened");
    assert_eq!(failure(&Store::new("nul\0".as_ref())).kind, "unopened");
}

#[test]
fn a_bad_request_fails_alone() {
    let folder = Folder::new();
    let store = Store::new(&folder.file());
    is_well(&store);
    // They wait until this is over, and go together.
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = send(&store, &create("first", "running"), &[]);
    let bad = [
        json!("what?"),
        json!({ "op": "dance" }),
        json!({ "op": "renew", "runs": [], "leaseMs": null }),
        json!({ "op": "append", "commits": [commit("first", 1, "delta", 0, "running"), commit("first", 2, "delta", 9, "running")] }),
        json!({ "op": "renew", "runs": [{ "runId": "first", "epoch": 1.5 }], "leaseMs": 1 }),
    ];
    let asked: Vec<_> = bad.iter().map(|request| send(&store, request, &[1, 2])).collect();
    let last = send(&store, &push("first", "m"), &[]);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(answer(&first).unwrap(), true);
    for asked in asked {
        assert_eq!(answer(&asked).unwrap_err().kind, "request");
    }
    assert_eq!(answer(&last).unwrap(), "stored");
    let run = ask(&store, &read("first"), &[]).unwrap();
    assert_eq!((&run["sequence"], &run["messages"][0]["id"]), (&json!(0), &json!("m")), "a request that failed half-way left nothing");
}

#[test]
fn numbers_of_any_size() {
    let folder = Folder::new();
    let store = Store::new(&folder.file());
    let ask = |request: Value| ask(&store, &request, &[]);
    let owned = |lease: f64, n: f64| {
        let mut create = create(&format!("r{n}"), "waiting");
        create["run"]["owner"] = json!({ "name": "a", "leaseMs": lease });
        create["run"]["head"]["deadline"] = json!(n);
        create["run"]["head"]["at"] = json!(-n);
        create
    };
    for n in [1e300, -1e300, f64::MAX, 0.5, i64::MAX as f64] {
        assert_eq!(ask(owned(n, n)).unwrap(), true);
        let runs = json!([{ "runId": format!("r{n}"), "epoch": 1 }]);
        assert_eq!(ask(json!({ "op": "renew", "runs": runs, "leaseMs": -n })).unwrap(), json!([true]));
        assert_eq!(ask(json!({ "op": "renew", "runs": runs, "leaseMs": n })).unwrap(), json!([true]));
        assert!(ask(json!({ "op": "list", "filter": { "dueBy": n, "unchangedSince": n }, "limit": u32::MAX })).is_ok());
    }
    assert_eq!(ask(claim(-1e300)).unwrap(), json!([]));
    assert_eq!(ask(claim(0.0)).unwrap(), json!([]));
    let mut all = claim(1e300);
    all["claim"]["leaseMs"] = json!(1e300);
    // One is owned for ever, and one is never due.
    assert_eq!(ask(all).unwrap().as_array().unwrap().len(), 2);
    for epoch in [i64::MIN, i64::MAX] {
        let mut commit = commit("r0.5", i64::MAX, "head", 0, "running");
        commit["epoch"] = json!(epoch);
        commit["head"]["inbox"] = json!(i64::MAX);
        assert_eq!(ask(json!({ "op": "append", "commits": [commit] })).unwrap(), json!(["fenced"]));
    }
}
