//! An open database, and what is asked of it at once: one transaction.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::failure::Failure;
use crate::request::Request;
use crate::schema::{self, Settings};
use crate::sqlite::perform;
use crate::store::Answer;

/// A request with the bytes beside it.
pub struct Asked {
    request: Result<Request, Failure>,
    blob: Vec<u8>,
}

impl Asked {
    pub fn new(request: &str, blob: Vec<u8>) -> Self {
        Self { request: serde_json::from_str(request).map_err(|error| Failure::request(&error)), blob }
    }

    fn closes(&self) -> bool {
        matches!(self.request, Ok(Request::Close))
    }
}

pub struct Database {
    path: PathBuf,
    settings: Settings,
    /// What could not be opened, or is not to be used any more, is opened with the next request.
    connection: Option<Connection>,
}

impl Database {
    pub fn new(path: PathBuf, settings: Settings) -> Self {
        Self { path, settings, connection: None }
    }

    /// The answers in their order, durable.
    pub fn answer(&mut self, batch: &[Asked]) -> Vec<Answer> {
        if self.connection.is_none() && batch.iter().all(Asked::closes) {
            return batch.iter().map(|_| Ok(("null".to_owned(), Vec::new()))).collect();
        }
        // A panic drops it, which undoes its transaction.
        let opened = self.connection.take().map_or_else(|| schema::open(&self.path, &self.settings), Ok);
        let performed = opened.and_then(|connection| {
            let performed = together(&connection, batch);
            let well = performed.as_ref().is_ok_and(|_| !batch.iter().any(Asked::closes));
            if well || performed.as_ref().is_err_and(|failure| undone(&connection, failure)) {
                self.connection = Some(connection);
            }
            performed
        });
        let failed = |failure: Failure| batch.iter().map(|asked| Err(asked.request.as_ref().err().unwrap_or(&failure).clone())).collect();
        performed.unwrap_or_else(failed)
    }
}

/// Undoes what a failed transaction has done. False: the connection may be well when it is opened anew.
fn undone(connection: &Connection, failure: &Failure) -> bool {
    let undone = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
    undone && matches!(failure.kind, "locked" | "full" | "readonly")
}

fn together(connection: &Connection, batch: &[Asked]) -> Result<Vec<Answer>, Failure> {
    let writes = batch.iter().any(|asked| asked.request.as_ref().is_ok_and(|request| !request.reads()));
    connection.execute_batch(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
    let now = now();
    let mut answers = Vec::with_capacity(batch.len());
    for Asked { request, blob } in batch {
        answers.push(match request {
            Ok(request) => apart(connection, request, blob, now)?,
            Err(failure) => Err(failure.clone()),
        });
    }
    connection.execute_batch("COMMIT")?;
    Ok(answers)
}

/// What fails for a reason of its own leaves nothing, and the rest of the transaction as it is.
fn apart(connection: &Connection, request: &Request, blob: &[u8], now: i64) -> Result<Answer, Failure> {
    let run = |sql| -> Result<(), Failure> { Ok(connection.prepare_cached(sql)?.execute([]).map(drop)?) };
    let reads = request.reads();
    if !reads {
        run("SAVEPOINT request")?;
    }
    let answer = match perform(connection, request, blob, now) {
        Ok((json, bytes)) => Ok((json.to_string(), bytes)),
        Err(failure) if failure.kind == "request" => Err(failure),
        Err(failure) => return Err(failure),
    };
    if !reads {
        if answer.is_err() {
            run("ROLLBACK TO request")?;
        }
        run("RELEASE request")?;
    }
    Ok(answer)
}

/// Ms since 1970. Leases end by it; what a wrong clock takes over too early is fenced by its epoch.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
