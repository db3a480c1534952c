//! The tables, and how a database is opened. The statuses are numbers: see `STATUSES`.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::failure::Failure;

/// "blzn": tells other programs whose file it is.
const APPLICATION: i32 = 0x626c_7a6e;
const VERSION: i32 = 1;
/// How long another process may hold the database.
const BUSY: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
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
    CREATE TABLE pieces (
        run INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (run, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE messages (
        run INTEGER NOT NULL,
        number INTEGER NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;
";

/// Opens a database, and makes the tables in a new one.
pub fn open(path: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open_with_flags(path, OpenFlags::default())?;
    connection.busy_timeout(BUSY)?;
    // Before anything is written to a file of somebody else's.
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION {
        return Err(Failure::new("unopened", "the file is a database of another program: choose another"));
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit is on the disk when it has returned.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.set_prepared_statement_cache_capacity(64);
    check(&connection)?;
    if tables == 0 {
        create(&connection)?;
    }
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(Failure::new("newer", format!("the database has version {version}, this build reads up to {VERSION}: update blazen")));
    }
    Ok(connection)
}

fn create(connection: &Connection) -> Result<(), Failure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Another process may have made them meanwhile.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch(SCHEMA)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

fn check(connection: &Connection) -> Result<(), Failure> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Failure::new("corrupt", format!("the database is damaged: {found}. Restore it from a backup"))) }
}
