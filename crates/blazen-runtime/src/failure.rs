//! Why a store could not do what it was asked, in words that say what to do.

use rusqlite::ErrorCode;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable: "full", "readonly", "locked", "corrupt", "unopened", "newer", "request" or "other".
    pub kind: &'static str,
    pub message: String,
}

impl Failure {
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What was asked is no request.
    pub fn request(error: &serde_json::Error) -> Self {
        Self::new("request", format!("the request cannot be read: {error}"))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, InvalidPath, NulError, Utf8Error};
        let code = match error {
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => {
                Some(ErrorCode::DatabaseCorrupt)
            }
            InvalidPath(_) | NulError(_) => Some(ErrorCode::CannotOpen),
            _ => error.sqlite_error_code(),
        };
        let (kind, what) = match code {
            Some(ErrorCode::DiskFull) => ("full", "the disk is full: make room, then recover the run"),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                ("readonly", "the file may not be written: check its permissions, and those of its folder")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                ("locked", "another process holds the database for too long: only blazen may write to it")
            }
            Some(ErrorCode::DatabaseCorrupt) => ("corrupt", "the database is damaged: restore it from a backup"),
            Some(ErrorCode::NotADatabase) => ("corrupt", "the file is no SQLite database: choose another"),
            Some(ErrorCode::CannotOpen) => ("unopened", "the file cannot be opened: its folder must exist and may be written to"),
            Some(ErrorCode::SystemIoFailure) => ("other", "the disk failed"),
            Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
                ("request", "what is asked cannot be stored")
            }
            _ => ("other", "SQLite failed"),
        };
        Self::new(kind, format!("{what} ({error})"))
    }
}
