//! What goes together, and what several processes do to one file.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use blazen_runtime::Store;
use rusqlite::Connection;
use serde_json::json;
use support::*;

/// Transactions in a write-ahead log: frames that say how large the database is.
fn transactions(log: &[u8]) -> usize {
    const HEADER: usize = 32;
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    log[HEADER..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[test]
fn what_waits_goes_in_one_transaction() {
    let folder = Folder::new();
    let store = Store::new(&folder.file());
    ask(&store, &create("r", "running"), &[]).unwrap();
    let log = folder.path().join("runs.db-wal");
    let before = transactions(&std::fs::read(&log).unwrap());
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked: Vec<_> = (0..500).map(|n| send(&store, &create(&format!("r{n}"), "running"), &[1; 100])).collect();
    other.execute_batch("ROLLBACK").unwrap();
    assert!(asked.iter().all(|asked| answer(asked).unwrap() == true));
    // Those that came before the store's thread had begun to wait, and the rest.
    let made = transactions(&std::fs::read(&log).unwrap()) - before;
    assert!(made <= 2, "{made} transactions");
}

#[test]
fn a_new_file_that_many_open_at_once() {
    for _ in 0..30 {
        let folder = Folder::new();
        let stores: Vec<_> = (0..8).map(|_| Store::new(&folder.file())).collect();
        let asked: Vec<_> = stores.iter().map(|store| send(store, &create("r", "queued"), &[])).collect();
        let made: Vec<_> = asked.iter().map(|asked| answer(asked).unwrap()).collect();
        assert_eq!(made.iter().filter(|made| **made == true).count(), 1);
    }
}

#[test]
fn no_run_is_claimed_twice() {
    let folder = Folder::new();
    let stores: Vec<_> = (0..4).map(|_| Store::new(&folder.file())).collect();
    let created: Vec<_> = (0..400).map(|n| send(&stores[0], &create(&format!("r{n:03}"), "queued"), &[])).collect();
    assert!(created.iter().all(|asked| answer(asked).unwrap() == true));
    let claims: Vec<_> = (0..80).map(|n| send(&stores[n % 4], &claim(7.0), &[])).collect();
    let claimed: Vec<_> = claims.iter().flat_map(|asked| answer(asked).unwrap().as_array().unwrap().clone()).collect();
    let ids: BTreeSet<_> = claimed.iter().map(|run| run["runId"].as_str().unwrap()).collect();
    assert_eq!((claimed.len(), ids.len()), (400, 400));
    assert!(claimed.iter().all(|run| run["epoch"] == 2));
}

#[test]
fn what_was_asked_before_the_store_is_dropped_is_done() {
    let folder = Folder::new();
    let store = Store::new(&folder.file());
    let asked: Vec<_> = (0..100).map(|n| send(&store, &create(&format!("r{n}"), "queued"), &[])).collect();
    drop(store);
    assert!(asked.iter().all(|asked| answer(asked).unwrap() == true));
    assert_eq!(ask(&Store::new(&folder.file()), &read("r99"), &[]).unwrap()["runId"], "r99");
}

#[test]
fn closing_leaves_one_file_and_no_thread_that_holds_it() {
    let folder = Folder::new();
    let store = Store::new(&folder.file());
    let close = json!({ "op": "close" });
    assert_eq!(ask(&store, &close, &[]).unwrap(), json!(null));
    assert!(!folder.file().exists(), "what was never used is not made");
    ask(&store, &create("r", "queued"), &[]).unwrap();
    assert_eq!(ask(&store, &close, &[]).unwrap(), json!(null));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["runs.db"]);
    assert_eq!(ask(&store, &read("r"), &[]).unwrap()["runId"], "r");
}
