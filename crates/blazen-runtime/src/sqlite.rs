//! What each request does to the database.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

use crate::claim;
use crate::failure::Failure;
use crate::request::*;

pub const COLUMNS: &str =
    "id, run_id, workflow, version, epoch, sequence, lease_end, status, deadline, requests, inbox, stream, at, outcome";

/// Items of a run's stream that are kept.
const ITEMS: i64 = 10_000;

/// A request's answer in JSON, and bytes that belong to it.
pub type Answer = (Value, Vec<u8>);

/// Does what is asked, within the transaction of the caller; `now` in ms since 1970.
pub fn perform(connection: &Connection, request: &Request, blob: &[u8], now: i64) -> Result<Answer, Failure> {
    match request {
        Request::Create { run } => Ok((json!(create(connection, run, blob, now)?), Vec::new())),
        Request::Claim { claim } => claim::claim(connection, claim, now),
        Request::Append { commits } => append(connection, commits, blob),
        Request::Renew { runs, lease_ms } => {
            let mut statement =
                connection.prepare_cached("UPDATE runs SET lease_end = ?3 WHERE run_id = ?1 AND epoch = ?2 AND lease_end > 0")?;
            let mut kept = Vec::with_capacity(runs.len());
            for run in runs {
                kept.push(statement.execute(params![run.run_id, run.epoch, lease_end(now, *lease_ms)])? == 1);
            }
            Ok((json!(kept), Vec::new()))
        }
        Request::Release { runs } => {
            let mut statement = connection.prepare_cached("UPDATE runs SET lease_end = 0 WHERE run_id = ?1 AND epoch = ?2")?;
            for run in runs {
                statement.execute(params![run.run_id, run.epoch])?;
            }
            Ok((Value::Null, Vec::new()))
        }
        Request::Push { run_id, message } => Ok((json!(push(connection, run_id, message)?), Vec::new())),
        Request::Read { run_id } => {
            let mut bytes = Vec::new();
            let run = find(connection, run_id)?.map(|found| stored(connection, found, &mut bytes)).transpose()?;
            Ok((json!(run), bytes))
        }
        Request::Info { run_id } => Ok((json!(find(connection, run_id)?.map(|found| found.info)), Vec::new())),
        Request::Told { owner } => {
            let mut statement = connection.prepare_cached(claim::TOLD)?;
            let told = statement.query_map([owner], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            Ok((json!(told), Vec::new()))
        }
        Request::Messages { run_id } => match find(connection, run_id)? {
            Some(found) => Ok((json!(messages(connection, &found)?), Vec::new())),
            None => Ok((json!([]), Vec::new())),
        },
        Request::Items { run_id, from, limit } => {
            let sql = "SELECT offset, text FROM items WHERE run = (SELECT id FROM runs WHERE run_id = ?1) AND offset >= ?2 ORDER BY offset LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![run_id, from, limit], |row| Ok(Item { offset: row.get(0)?, text: row.get(1)? }))?;
            Ok((json!(rows.collect::<Result<Vec<_>, _>>()?), Vec::new()))
        }
        Request::List { filter, after, limit } => list(connection, filter, after.as_deref(), *limit),
        Request::Delete { run_id } => {
            let over = find(connection, run_id)?.filter(|found| found.info.head.status.is_over());
            if let Some(Found { id, .. }) = &over {
                // One that was over from the first has pieces.
                for sql in ["DELETE FROM pieces WHERE run = ?1", "DELETE FROM items WHERE run = ?1", "DELETE FROM runs WHERE id = ?1"] {
                    connection.prepare_cached(sql)?.execute([id])?;
                }
            }
            Ok((json!(over.is_some()), Vec::new()))
        }
        Request::Close => Ok((Value::Null, Vec::new())),
    }
}

/// When a lease is over: after now, since 0 says that there is none.
pub fn lease_end(now: i64, lease_ms: f64) -> i64 {
    now.saturating_add(lease_ms as i64).max(1)
}

/// A row of `runs`.
pub struct Found {
    pub id: i64,
    pub epoch: i64,
    pub sequence: i64,
    pub info: RunInfo,
}

pub fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let status: usize = row.get::<_, i64>("status")?.try_into().unwrap_or(usize::MAX);
    let requests: String = row.get("requests")?;
    Ok(Found {
        id: row.get("id")?,
        epoch: row.get("epoch")?,
        sequence: row.get("sequence")?,
        info: RunInfo {
            run_id: row.get("run_id")?,
            workflow: row.get("workflow")?,
            version: row.get("version")?,
            lease_end: row.get("lease_end")?,
            head: Head {
                status: STATUSES.get(status).copied().unwrap_or(Status::Failed),
                deadline: row.get::<_, Option<i64>>("deadline")?.map(|deadline| deadline as f64),
                requests: serde_json::from_str(&requests).unwrap_or_default(),
                inbox: row.get("inbox")?,
                stream: row.get("stream")?,
                at: row.get::<_, i64>("at")? as f64,
                outcome: row.get("outcome")?,
            },
        },
    })
}

fn find(connection: &Connection, run_id: &str) -> Result<Option<Found>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE run_id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([run_id], found).optional()?)
}

fn list(connection: &Connection, filter: &Filter, after: Option<&str>, limit: u32) -> Result<Answer, Failure> {
    let sql = format!(
        "SELECT {COLUMNS}, (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR workflow = ?3) AND (?4 IS NULL OR coalesce(deadline <= ?4, 0))
            AND (?5 IS NULL OR at <= ?5) AS wanted FROM runs WHERE run_id > ?1 ORDER BY run_id LIMIT ?6"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let Filter { status, workflow, due_by, unchanged_since } = filter;
    let mut rows = statement.query(params![
        after.unwrap_or(""),
        status.map(Status::number),
        workflow,
        due_by.map(|due| due as i64),
        unchanged_since.map(|since| since as i64),
        limit
    ])?;
    let mut page = Page { runs: Vec::new(), after: None };
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        if seen == limit {
            page.after = Some(row.get("run_id")?);
        }
        if row.get("wanted")? {
            page.runs.push(found(row)?.info);
        }
    }
    Ok((json!(page), Vec::new()))
}

fn create(connection: &Connection, run: &NewRun, base: &[u8], now: i64) -> Result<bool, Failure> {
    let Head { status, deadline, requests, inbox, stream, at, outcome } = &run.head;
    let lease_end = run.owner.as_ref().map_or(0, |owner| lease_end(now, owner.lease_ms));
    let sql = "INSERT INTO runs (run_id, workflow, version, epoch, sequence, owner, lease_end, status, deadline, requests, inbox, stream, at, said, outcome)
        VALUES (?1, ?2, ?3, 1, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12) ON CONFLICT (run_id) DO NOTHING";
    let inserted = connection.prepare_cached(sql)?.execute(params![
        run.run_id,
        run.workflow,
        run.version,
        run.owner.as_ref().map(|owner| &owner.name),
        lease_end,
        status.number(),
        deadline.map(|deadline| deadline as i64),
        json!(requests).to_string(),
        inbox,
        stream,
        *at as i64,
        outcome
    ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let id = connection.last_insert_rowid();
    connection.prepare_cached("INSERT INTO pieces (run, sequence, bytes) VALUES (?1, 0, ?2)")?.execute(params![id, base])?;
    Ok(true)
}

fn append(connection: &Connection, commits: &[Commit], blob: &[u8]) -> Result<Answer, Failure> {
    let mut find = connection.prepare_cached("SELECT id, epoch, sequence, inbox, status, deadline FROM runs WHERE run_id = ?1")?;
    let mut rest = blob;
    let mut results = Vec::with_capacity(commits.len());
    for commit in commits {
        let Some((bytes, after)) = rest.split_at_checked(commit.length) else {
            return Err(Failure::new("request", "a commit has fewer bytes than it says"));
        };
        rest = after;
        let row = find
            .query_row([&commit.run_id], |row| {
                let before = Before { id: row.get(0)?, inbox: row.get(3)?, status: row.get(4)?, deadline: row.get(5)? };
                Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, before))
            })
            .optional()?;
        results.push(match row {
            None => "unknown",
            Some((epoch, sequence, _)) if epoch != commit.epoch || sequence.checked_add(1) != Some(commit.sequence) => "fenced",
            Some((_, _, before)) => {
                write(connection, &before, commit, bytes)?;
                "stored"
            }
        });
    }
    Ok((json!(results), Vec::new()))
}

/// A run as it was before a commit.
struct Before {
    id: i64,
    inbox: i64,
    status: i64,
    deadline: Option<i64>,
}

fn write(connection: &Connection, before: &Before, commit: &Commit, bytes: &[u8]) -> Result<(), Failure> {
    let &Before { id, inbox, .. } = before;
    let Head { status, deadline, requests, inbox: taken, stream, at, outcome } = &commit.head;
    let over = status.is_over();
    if commit.kind == Kind::Base || over {
        connection.prepare_cached("DELETE FROM pieces WHERE run = ?1")?.execute([id])?;
    }
    if commit.kind != Kind::Head && !over {
        let sql = "INSERT INTO pieces (run, sequence, bytes) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute(params![id, commit.sequence, bytes])?;
    }
    for Item { offset, text } in &commit.items {
        let sql = "INSERT OR REPLACE INTO items (run, offset, text) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute(params![id, offset, text])?;
    }
    if let Some(last) = commit.items.last() {
        let sql = "DELETE FROM items WHERE run = ?1 AND offset <= ?2";
        connection.prepare_cached(sql)?.execute(params![id, last.offset.saturating_sub(ITEMS)])?;
    }
    let gone = if over {
        connection.prepare_cached("DELETE FROM messages WHERE run = ?1")?.execute([id])?
    } else if *taken > inbox {
        connection.prepare_cached("DELETE FROM messages WHERE run = ?1 AND number < ?2")?.execute(params![id, taken])?
    } else {
        0
    };
    let due = deadline.map(|deadline| deadline as i64);
    if gone == 0 && status.number() == before.status && due == before.deadline && !over {
        // Most commits: what no index has, so that none of their pages is written.
        let sql = "UPDATE runs SET sequence = ?2, requests = ?3, inbox = ?4, stream = ?5, at = ?6, outcome = ?7 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![
            id,
            commit.sequence,
            json!(requests).to_string(),
            taken,
            stream,
            *at as i64,
            outcome
        ])?;
        return Ok(());
    }
    let owner = if over { "NULL, lease_end = 0" } else { "owner" };
    let sql = format!(
        "UPDATE runs SET sequence = ?2, status = ?3, deadline = ?4, requests = ?5, inbox = ?6, stream = ?7, at = ?8, outcome = ?9, said = said - ?10, owner = {owner} WHERE id = ?1"
    );
    connection.prepare_cached(&sql)?.execute(params![
        id,
        commit.sequence,
        status.number(),
        due,
        json!(requests).to_string(),
        taken,
        stream,
        *at as i64,
        outcome,
        gone as i64
    ])?;
    Ok(())
}

fn push(connection: &Connection, run_id: &str, message: &Message) -> Result<&'static str, Failure> {
    let Some(found) = find(connection, run_id)? else { return Ok("unknown") };
    if found.info.head.status.is_over() {
        return Ok("over");
    }
    let known = connection
        .prepare_cached("SELECT 1 FROM messages WHERE run = ?1 AND id = ?2")?
        .query_row(params![found.id, message.id], |_| Ok(()))
        .optional()?;
    if known.is_some() {
        return Ok("known");
    }
    let sql = "INSERT INTO messages (run, number, id, body)
        VALUES (?1, max(?2, (SELECT coalesce(max(number) + 1, 0) FROM messages WHERE run = ?1)), ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![found.id, found.info.head.inbox, message.id, message.body])?;
    connection.prepare_cached("UPDATE runs SET said = said + 1 WHERE id = ?1")?.execute([found.id])?;
    Ok("stored")
}

fn messages(connection: &Connection, found: &Found) -> Result<Vec<StoredMessage>, Failure> {
    let sql = "SELECT number, id, body FROM messages WHERE run = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([found.id], |row| Ok(StoredMessage { number: row.get(0)?, id: row.get(1)?, body: row.get(2)? }))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

/// A run with its base and deltas, which are added to `bytes`.
pub fn stored(connection: &Connection, found: Found, bytes: &mut Vec<u8>) -> Result<StoredRun, Failure> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM pieces WHERE run = ?1 ORDER BY sequence")?;
    let mut lengths = Vec::new();
    let mut rows = statement.query([found.id])?;
    while let Some(row) = rows.next()? {
        let piece = row.get_ref(0)?.as_blob().map_err(|_| Failure::new("corrupt", "a piece of a run is no blob"))?;
        lengths.push(piece.len());
        bytes.extend_from_slice(piece);
    }
    let messages = messages(connection, &found)?;
    let Found { epoch, sequence, info, .. } = found;
    Ok(StoredRun { info, epoch, sequence, lengths, messages })
}
