//! A store in a folder of its own, asked in JSON.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};

use blazen_runtime::{Answer, Failure, Store};
use serde_json::{Value, json};

/// Removed when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    #[allow(clippy::new_without_default, reason = "for tests")]
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("blazen-runtime-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("runs.db")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Asks, and waits for nothing.
pub fn send(store: &Store, request: &Value, blob: &[u8]) -> Receiver<Answer> {
    let (sender, answer) = channel();
    let reply = move |answer| drop(sender.send(answer));
    store.request(request.to_string(), blob.to_vec(), Box::new(reply));
    answer
}

pub fn answer(asked: &Receiver<Answer>) -> Result<Value, Failure> {
    asked.recv().unwrap().map(|(json, _)| serde_json::from_str(&json).unwrap())
}

pub fn ask(store: &Store, request: &Value, blob: &[u8]) -> Result<Value, Failure> {
    answer(&send(store, request, blob))
}

pub fn close(store: Store) {
    ask(&store, &json!({ "op": "close" }), &[]).unwrap();
}

pub fn head(status: &str) -> Value {
    json!({ "status": status, "requests": [], "inbox": 0, "stream": 0, "at": 1_700_000_000_000_u64 })
}

pub fn create(run_id: &str, status: &str) -> Value {
    json!({ "op": "create", "run": { "runId": run_id, "workflow": "flow", "version": 1, "head": head(status) } })
}

pub fn commit(run_id: &str, sequence: i64, kind: &str, length: usize, status: &str) -> Value {
    json!({ "runId": run_id, "epoch": 1, "sequence": sequence, "kind": kind, "length": length, "head": head(status) })
}

pub fn claim(limit: f64) -> Value {
    json!({ "op": "claim", "claim": { "workflow": "flow", "owner": "a", "leaseMs": 60_000, "limit": limit } })
}

pub fn push(run_id: &str, id: &str) -> Value {
    json!({ "op": "push", "runId": run_id, "message": { "id": id, "body": "hi" } })
}

pub fn read(run_id: &str) -> Value {
    json!({ "op": "read", "runId": run_id })
}
