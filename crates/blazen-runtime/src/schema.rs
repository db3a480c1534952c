//! The tables, and how a database is opened. The statuses are numbers: see `STATUSES`.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::failure::Failure;

/// "blzn": tells other programs whose file it is.
const APPLICATION: i32 = 0x626c_7a6e;
const VERSION: i32 = 1;

/// Pages of the log that are brought into the database at a time: what a run's next base replaces in the meantime never gets there.
const LOG: i32 = 8000;

/// What tests have otherwise.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long another process may hold the database.
    pub busy: Duration,
    /// SQL for each connection that is opened.
    pub prepare: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self { busy: Duration::from_secs(10), prepare: "" }
    }
}

pub const TABLES: &str = "
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        workflow TEXT NOT NULL,
        version INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        owner TEXT,
        lease_end INTEGER NOT NULL,
        status INTEGER NOT NULL,
        deadline INTEGER,
        requests TEXT NOT NULL,
        inbox INTEGER NOT NULL,
        stream INTEGER NOT NULL,
        at INTEGER NOT NULL,
        said INTEGER NOT NULL,
        outcome TEXT
    ) STRICT;
    -- What may be claimed: runs that are to go on, runs that wait for a time, runs that were told something.
    CREATE INDEX going ON runs (workflow, lease_end) WHERE status < 2;
    CREATE INDEX due ON runs (workflow, deadline) WHERE deadline IS NOT NULL AND status IN (2, 3);
    CREATE INDEX told ON runs (workflow) WHERE said > 0;
    CREATE INDEX heard ON runs (owner) WHERE said > 0;
    -- Not clustered by run: what is written at once stands in few pages, and a piece of a page's size wastes none.
    CREATE TABLE pieces (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX piece ON pieces (run, sequence);
    CREATE TABLE messages (
        run INTEGER NOT NULL,
        number INTEGER NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;
    -- Of the streams that somebody reads elsewhere.
    CREATE TABLE items (
        run INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (run, offset)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX message ON messages (run, id);
";

/// Opens a database, and makes the tables in a new one.
pub fn open(path: &Path, settings: &Settings) -> Result<Connection, Failure> {
    let begun = Instant::now();
    loop {
        match prepared(path, settings) {
            // Of several that make a file at once SQLite turns some away, and lets them not wait.
            Err(failure) if failure.kind == "locked" && begun.elapsed() < settings.busy => thread::sleep(Duration::from_millis(1)),
            opened => return opened,
        }
    }
}

fn prepared(path: &Path, settings: &Settings) -> Result<Connection, Failure> {
    let connection = Connection::open_with_flags(path, OpenFlags::default())?;
    connection.busy_timeout(settings.busy)?;
    // Before anything is written to a file of somebody else's.
    let fresh = tables(&connection)? == 0;
    if !fresh {
        whose(&connection)?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit is on the disk when it has returned.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG)?;
    // On macOS a plain sync leaves it in the drive's cache, which a power cut empties; elsewhere this says nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(settings.prepare)?;
    if fresh {
        create(&connection)?;
    } else {
        check(&connection)?;
    }
    Ok(connection)
}

fn tables(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?)
}

fn whose(connection: &Connection) -> Result<(), Failure> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION {
        return Err(Failure::new("unopened", "the file is a database of another program: choose another"));
    }
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(Failure::new("newer", format!("the database has version {version}, this build reads up to {VERSION}: update blazen")));
    }
    Ok(())
}

fn create(connection: &Connection) -> Result<(), Failure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Another process may have made them meanwhile.
    if tables(connection)? == 0 {
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch(TABLES)?;
    }
    connection.execute_batch("COMMIT")?;
    whose(connection)
}

fn check(connection: &Connection) -> Result<(), Failure> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found.lines().last() {
        Some("ok") => Ok(()),
        why => Err(Failure::new("corrupt", format!("the database is damaged: restore it from a backup ({})", why.unwrap_or_default()))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// No test can look whether the system was asked to sync: these settings make SQLite do it at each commit.
    #[test]
    fn a_commit_survives_a_power_cut() {
        let path = std::env::temp_dir().join(format!("blazen-schema-{}.db", std::process::id()));
        let connection = open(&path, &Settings::default()).unwrap();
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!((journal.as_str(), pragma("synchronous")), ("wal", 2));
        assert_eq!(pragma("fullfsync"), 1, "macOS");
        drop(connection);
        std::fs::remove_file(&path).unwrap();
    }
}
