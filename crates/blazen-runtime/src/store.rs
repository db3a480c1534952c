//! A thread that owns the database: what is asked while it writes goes in one transaction, with one fsync, when it is done.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde_json::Value;

use crate::failure::Failure;
use crate::request::Request;
use crate::schema;
use crate::sqlite::{self, perform};

/// JSON, and bytes that belong to it.
pub type Answer = Result<(String, Vec<u8>), Failure>;
type Reply = Box<dyn FnOnce(Answer) + Send>;

/// Requests that go in one transaction at most.
const BATCH: usize = 10_000;

struct Job {
    request: Result<Request, Failure>,
    blob: Vec<u8>,
    reply: Reply,
}

/// Runs in a SQLite database, which several processes may share. Dropped, it does what it was asked before, then closes.
pub struct Store {
    jobs: Sender<Job>,
}

impl Store {
    /// Opens the file with the first request; that and each later one tells why it cannot be opened.
    pub fn new(path: &Path) -> Self {
        let (jobs, received) = channel();
        let path = path.to_owned();
        let spawned = thread::Builder::new().name("blazen-store".to_owned()).spawn(move || serve(&path, &received));
        // Without a thread every request is answered by its being dropped: see `request`.
        drop(spawned);
        Self { jobs }
    }

    /// Asks in JSON (`request.rs`); the answer is durable when `reply` is called, by the store's thread.
    pub fn request(&self, request: &str, blob: Vec<u8>, reply: Reply) {
        let request = serde_json::from_str(request).map_err(|error| Failure::request(&error));
        if let Err(unsent) = self.jobs.send(Job { request, blob, reply }) {
            (unsent.0.reply)(Err(Failure::new("other", "the store's thread is gone")));
        }
    }
}

fn serve(path: &Path, jobs: &Receiver<Job>) {
    let mut connection = None;
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        if connection.is_none() {
            match schema::open(path) {
                Ok(opened) => connection = Some(opened),
                Err(failure) => {
                    batch.into_iter().for_each(|job| (job.reply)(Err(failure.clone())));
                    continue;
                }
            }
        }
        if let Some(opened) = &connection {
            let (answers, broken) = answer(opened, &batch);
            if broken {
                // It may be well when it is opened anew.
                connection = None;
            }
            for (job, answer) in batch.into_iter().zip(answers) {
                (job.reply)(answer.map(|(json, bytes)| (json.to_string(), bytes)));
            }
        }
    }
}

/// The answers in their order; whether the connection is not to be used any more.
fn answer(connection: &Connection, batch: &[Job]) -> (Vec<Result<sqlite::Answer, Failure>>, bool) {
    let writes = batch.iter().any(|job| job.request.as_ref().is_ok_and(|request| !request.reads()));
    let performed = begin(connection, writes).and_then(|()| {
        let now = now();
        let mut answers = Vec::with_capacity(batch.len());
        for job in batch {
            answers.push(match &job.request {
                Ok(request) => perform(connection, request, &job.blob, now)?,
                Err(_) => (Value::Null, Vec::new()),
            });
        }
        connection.execute_batch("COMMIT")?;
        Ok(answers)
    });
    let of = |job: &Job, answer| job.request.as_ref().map_or_else(|failure| Err(failure.clone()), |_| answer);
    match performed {
        Ok(answers) => (batch.iter().zip(answers).map(|(job, answer)| of(job, Ok(answer))).collect(), false),
        Err(failure) => {
            let undone = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
            let broken = !undone || !matches!(failure.kind, "locked" | "request");
            (batch.iter().map(|job| of(job, Err(failure.clone()))).collect(), broken)
        }
    }
}

fn begin(connection: &Connection, writes: bool) -> Result<(), Failure> {
    connection.execute_batch(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
    Ok(())
}

/// Ms since 1970. Leases end by it; what a wrong clock takes over too early is fenced by its epoch.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
