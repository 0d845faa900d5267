//! Migrates the tables of the file when it is opened.
//!
//! Applied migrations are recorded in the table of sqlx, which created the first files.

use std::time::Instant;

use rusqlite::params;
use sha2::{Digest, Sha384};

use super::connection::Connection;

/// Version, description and script of each migration, in order.
const MIGRATIONS: [(i64, &str, &str); 17] = [
    (1, "foundation", include_str!("../../migrations/sqlite/0001_foundation.sql")),
    (2, "recovery", include_str!("../../migrations/sqlite/0002_recovery.sql")),
    (3, "store_faults", include_str!("../../migrations/sqlite/0003_store_faults.sql")),
    (4, "secret_owners", include_str!("../../migrations/sqlite/0004_secret_owners.sql")),
    (5, "document_checks", include_str!("../../migrations/sqlite/0005_document_checks.sql")),
    (6, "submit_pauses", include_str!("../../migrations/sqlite/0006_submit_pauses.sql")),
    (7, "job_numbers", include_str!("../../migrations/sqlite/0007_job_numbers.sql")),
    (8, "artifacts", include_str!("../../migrations/sqlite/0008_artifacts.sql")),
    (9, "spending", include_str!("../../migrations/sqlite/0009_spending.sql")),
    (11, "provider_uploads", include_str!("../../migrations/sqlite/0011_provider_uploads.sql")),
    (12, "proxied_calls", include_str!("../../migrations/sqlite/0012_proxied_calls.sql")),
    (13, "webhook_deliveries", include_str!("../../migrations/sqlite/0013_webhook_deliveries.sql")),
    (14, "step_reports", include_str!("../../migrations/sqlite/0014_step_reports.sql")),
    (15, "workflow_retention", include_str!("../../migrations/sqlite/0015_workflow_retention.sql")),
    (16, "token_scopes", include_str!("../../migrations/sqlite/0016_token_scopes.sql")),
    (17, "workflow_versions", include_str!("../../migrations/sqlite/0017_workflow_versions.sql")),
    (18, "reruns", include_str!("../../migrations/sqlite/0018_reruns.sql")),
];

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";
const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
const ADD_APPLIED: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
     VALUES ($1, $2, TRUE, $3, $4)";

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrationError {
    /// A statement failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The file has a migration that this version does not know.
    #[error("migration {0} of the database is unknown: a newer version of apiflow has used it; use that version")]
    Unknown(i64),
    /// The file was made by another script of the same number.
    #[error(
        "migration {0} of the database differs from this version's; use the version of apiflow that made the database"
    )]
    Changed(i64),
}

/// Applies the missing migrations, all in one transaction: another process that opens the file at the same time waits
/// for it, and finds them applied.
pub(super) fn apply_migrations(connection: &Connection) -> Result<(), MigrationError> {
    connection.execute("BEGIN IMMEDIATE", &[])?;
    let applied = apply_missing(connection).and_then(|()| Ok(connection.execute("COMMIT", &[])?));
    if !connection.is_autocommit() {
        connection.execute("ROLLBACK", &[])?;
    }
    applied.map(drop)
}

fn apply_missing(connection: &Connection) -> Result<(), MigrationError> {
    connection.execute(CREATE_TABLE, &[])?;
    let applied: Vec<(i64, Vec<u8>)> = connection.fetch_all(APPLIED, &[])?;
    let is_unknown = |version: i64| MIGRATIONS.iter().all(|(known, ..)| *known != version);
    if let Some((version, _)) = applied.iter().find(|(version, _)| is_unknown(*version)) {
        return Err(MigrationError::Unknown(*version));
    }
    for (version, description, script) in MIGRATIONS {
        let checksum = Sha384::digest(script).to_vec();
        match applied.iter().find(|(applied, _)| *applied == version) {
            Some((_, found)) if *found == checksum => {}
            Some(_) => return Err(MigrationError::Changed(version)),
            None => {
                let begun = Instant::now();
                connection.execute_script(script)?;
                let took_ns = i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
                connection.execute(ADD_APPLIED, params![version, description, checksum, took_ns])?;
            }
        }
    }
    Ok(())
}
