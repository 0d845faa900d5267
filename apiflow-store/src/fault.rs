//! What an error of a database means: whether it keeps the store from its work for a while, and why.

use std::borrow::Borrow;

use apiflow_core::ports::{StoreError, StoreFault};
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use crate::RecordError;

/// The primary result code of SQLite is the lowest byte of the extended one.
/// Source: <https://www.sqlite.org/rescode.html>.
const PRIMARY: i32 = 0xff;

/// Extended codes that say more than their primary one.
const IOERR_NOMEM: i32 = 3082;
/// The index of the write-ahead log could not grow: "may indicate that the underlying filesystem volume is out of space".
const IOERR_SHMSIZE: i32 = 4874;

/// What keeps the database from its work, if that is what an error says.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other errors are about one request, not the database")]
pub(crate) fn fault_of(error: &sqlx::Error) -> Option<StoreFault> {
    match error {
        sqlx::Error::Database(error) => fault_of_database(error.as_ref()),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Some(StoreFault::Unreachable),
        sqlx::Error::PoolTimedOut => Some(StoreFault::Busy),
        sqlx::Error::WorkerCrashed => Some(StoreFault::Io),
        sqlx::Error::Migrate(error) => match error.as_ref() {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => fault_of(error),
            _ => None,
        },
        _ => None,
    }
}

fn fault_of_database(error: &(dyn DatabaseError + 'static)) -> Option<StoreFault> {
    let code = error.code()?;
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return fault_of_sqlstate(&code);
    }
    fault_of_sqlite(code.parse().ok()?)
}

fn fault_of_sqlite(code: i32) -> Option<StoreFault> {
    match (code, code & PRIMARY) {
        (IOERR_SHMSIZE, _) | (_, 13) => Some(StoreFault::Full),
        (IOERR_NOMEM, _) | (_, 7) => Some(StoreFault::OutOfMemory),
        // BUSY, LOCKED, PROTOCOL: another process has the file.
        (_, 5 | 6 | 15) => Some(StoreFault::Busy),
        (_, 8) => Some(StoreFault::ReadOnly),
        // IOERR, CANTOPEN.
        (_, 10 | 14) => Some(StoreFault::Io),
        // CORRUPT, NOTADB.
        (_, 11 | 26) => Some(StoreFault::Corrupt),
        _ => None,
    }
}

/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn fault_of_sqlstate(code: &str) -> Option<StoreFault> {
    match code {
        "53100" => Some(StoreFault::Full),
        "53200" => Some(StoreFault::OutOfMemory),
        "25006" => Some(StoreFault::ReadOnly),
        "58030" | "58P01" | "58P02" => Some(StoreFault::Io),
        "XX001" | "XX002" => Some(StoreFault::Corrupt),
        // Deadlocks and failed serializations; statements and locks that took too long.
        "40001" | "40P01" | "55P03" | "57014" => Some(StoreFault::Busy),
        // Too many connections, and other limits of the server.
        "53000" | "53300" | "53400" => Some(StoreFault::Busy),
        // Shut down by an administrator or a crash, starting up, or a session that was ended.
        "57P01" | "57P02" | "57P03" | "57P05" => Some(StoreFault::Unreachable),
        _ if code.starts_with("08") => Some(StoreFault::Unreachable),
        _ => None,
    }
}

/// Whether one of several writes that failed together may succeed alone: it is not known that all fail of the same.
pub(crate) fn may_succeed_alone(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_)) && !fault_of(error).is_some_and(StoreFault::concerns_all)
}

/// A failure of a database as an error of the port for jobs.
pub(crate) fn store_error(error: impl Borrow<sqlx::Error>) -> StoreError {
    let error = error.borrow();
    match fault_of(error) {
        Some(fault) => StoreError::Unavailable { fault, cause: error.to_string() },
        None => StoreError::Backend(error.to_string()),
    }
}

/// A failure of a database as an error of the traits for documents and accounts.
pub(crate) fn record_error(error: impl Borrow<sqlx::Error>) -> RecordError {
    let error = error.borrow();
    match fault_of(error) {
        Some(fault) => RecordError::Unavailable { fault, cause: error.to_string() },
        None => RecordError::Backend(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_sqlite_name_their_cause_also_where_they_are_extended() {
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
            assert_eq!(fault_of_sqlite(code), expected, "{code}");
        }
    }

    #[test]
    fn states_of_postgres_name_their_cause() {
        for (code, expected) in [
            ("53100", Some(StoreFault::Full)),
            ("53300", Some(StoreFault::Busy)),
            ("25006", Some(StoreFault::ReadOnly)),
            ("57P01", Some(StoreFault::Unreachable)),
            ("57P03", Some(StoreFault::Unreachable)),
            ("08006", Some(StoreFault::Unreachable)),
            ("40P01", Some(StoreFault::Busy)),
            ("23505", None),
            ("42P01", None),
        ] {
            assert_eq!(fault_of_sqlstate(code), expected, "{code}");
        }
    }
}
