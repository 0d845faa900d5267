//! Maps errors of SQLite: whether the store is unavailable, and why.

use apiflow_core::ports::{ArtifactError, StoreError, StoreFault};
use rusqlite::ffi;

use crate::RecordError;

/// The primary result code is the lowest byte of the extended one.
/// Source: <https://www.sqlite.org/rescode.html>.
const PRIMARY_CODE_MASK: i32 = 0xff;

/// Why a read or write did not succeed: a failure of SQLite, or a refusal for its caller.
#[derive(Debug)]
pub(super) enum QueryError<E> {
    /// A statement failed.
    Sqlite(rusqlite::Error),
    /// The request is refused.
    Refused(E),
}

impl<E> From<rusqlite::Error> for QueryError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for QueryError<StoreError> {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<RecordError> for QueryError<RecordError> {
    fn from(error: RecordError) -> Self {
        Self::Refused(error)
    }
}

impl From<ArtifactError> for QueryError<ArtifactError> {
    fn from(error: ArtifactError) -> Self {
        Self::Refused(error)
    }
}

impl<E: PortError> QueryError<E> {
    /// Returns the error for the caller.
    pub(super) fn into_port_error(self) -> E {
        match self {
            Self::Sqlite(error) => E::of_sqlite(&error),
            Self::Refused(error) => error,
        }
    }
}

/// An error of one of the ports.
pub(super) trait PortError: Send + 'static {
    /// The failure of a statement.
    fn of_sqlite(error: &rusqlite::Error) -> Self;
    /// The store was closed.
    fn closed_error() -> Self;
}

const CLOSED: &str = "the store is closed";

impl PortError for StoreError {
    fn of_sqlite(error: &rusqlite::Error) -> Self {
        match find_fault(error) {
            Some(fault) => Self::Unavailable { fault, cause: error.to_string() },
            None => Self::Backend(error.to_string()),
        }
    }

    fn closed_error() -> Self {
        Self::Backend(CLOSED.to_owned())
    }
}

impl PortError for RecordError {
    fn of_sqlite(error: &rusqlite::Error) -> Self {
        match find_fault(error) {
            Some(fault) => Self::Unavailable { fault, cause: error.to_string() },
            None => Self::Backend(error.to_string()),
        }
    }

    fn closed_error() -> Self {
        Self::Backend(CLOSED.to_owned())
    }
}

impl PortError for ArtifactError {
    fn of_sqlite(error: &rusqlite::Error) -> Self {
        match find_fault(error) {
            Some(fault) => Self::Unavailable(format!("{fault} ({error})")),
            None => Self::Unavailable(error.to_string()),
        }
    }

    fn closed_error() -> Self {
        Self::Unavailable(CLOSED.to_owned())
    }
}

/// Returns why SQLite is unavailable, if the error says so.
pub(super) fn find_fault(error: &rusqlite::Error) -> Option<StoreFault> {
    fault_of_code(extended_code(error)?)
}

/// Whether one of several writes that failed together may succeed alone, because the failure need not affect all of
/// them.
pub(super) fn may_succeed_alone(error: &rusqlite::Error) -> bool {
    !find_fault(error).is_some_and(StoreFault::concerns_all)
}

/// Whether another row has the same unique key.
pub(super) fn is_unique_violation(error: &rusqlite::Error) -> bool {
    matches!(extended_code(error), Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE))
}

/// Whether a row refers to one that does not exist.
pub(super) fn is_foreign_key_violation(error: &rusqlite::Error) -> bool {
    extended_code(error) == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

/// Whether another connection holds the file's lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    find_fault(error) == Some(StoreFault::Busy)
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

fn fault_of_code(code: i32) -> Option<StoreFault> {
    match code {
        // The index of the write-ahead log could not grow: "may indicate that the underlying filesystem volume is out of
        // space".
        ffi::SQLITE_IOERR_SHMSIZE => return Some(StoreFault::Full),
        ffi::SQLITE_IOERR_NOMEM => return Some(StoreFault::OutOfMemory),
        _ => {}
    }
    match code & PRIMARY_CODE_MASK {
        ffi::SQLITE_FULL => Some(StoreFault::Full),
        ffi::SQLITE_NOMEM => Some(StoreFault::OutOfMemory),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Some(StoreFault::Busy),
        ffi::SQLITE_READONLY => Some(StoreFault::ReadOnly),
        ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => Some(StoreFault::Io),
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Some(StoreFault::Corrupt),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_their_cause_also_where_they_are_extended() {
        for (code, expected) in [
            (13, Some(StoreFault::Full)),
            (4874, Some(StoreFault::Full)),
            (7, Some(StoreFault::OutOfMemory)),
            (3082, Some(StoreFault::OutOfMemory)),
            // BUSY_SNAPSHOT, READONLY_DBMOVED, IOERR_WRITE, CORRUPT_INDEX
            (517, Some(StoreFault::Busy)),
            (1032, Some(StoreFault::ReadOnly)),
            (778, Some(StoreFault::Io)),
            (779, Some(StoreFault::Corrupt)),
            (26, Some(StoreFault::Corrupt)),
            // CONSTRAINT_UNIQUE, TOOBIG: the request is at fault.
            (2067, None),
            (18, None),
        ] {
            assert_eq!(fault_of_code(code), expected, "{code}");
        }
    }
}
