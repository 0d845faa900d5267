//! Maps errors of Postgres: whether the database is unavailable, and why.

use std::borrow::Borrow;

use apiflow_core::ports::{ArtifactError, StoreError, StoreFault};
use sqlx::migrate::MigrateError;

use crate::RecordError;

/// Returns why the database is unavailable, if the error says so.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other errors are about one request, not the database")]
pub(crate) fn fault_of(error: &sqlx::Error) -> Option<StoreFault> {
    match error {
        sqlx::Error::Database(error) => fault_of_sqlstate(&error.code()?),
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

/// Maps an SQLSTATE to the cause of unavailability. Source:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
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

/// Whether one of several writes that failed together may succeed alone, because the failure need not affect all of
/// them.
pub(crate) fn may_succeed_alone(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_)) && !fault_of(error).is_some_and(StoreFault::concerns_all)
}

/// Converts a database error to an error of the port for jobs.
pub(crate) fn store_error(error: impl Borrow<sqlx::Error>) -> StoreError {
    let error = error.borrow();
    match fault_of(error) {
        Some(fault) => StoreError::Unavailable { fault, cause: error.to_string() },
        None => StoreError::Backend(error.to_string()),
    }
}

/// Converts a database error to an error of the traits for documents and accounts.
pub(crate) fn record_error(error: impl Borrow<sqlx::Error>) -> RecordError {
    let error = error.borrow();
    match fault_of(error) {
        Some(fault) => RecordError::Unavailable { fault, cause: error.to_string() },
        None => RecordError::Backend(error.to_string()),
    }
}

/// Converts a database error to an error of the port for artifacts.
pub(crate) fn artifact_error(error: impl Borrow<sqlx::Error>) -> ArtifactError {
    let error = error.borrow();
    match fault_of(error) {
        Some(fault) => ArtifactError::Unavailable(format!("{fault} ({error})")),
        None => ArtifactError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
