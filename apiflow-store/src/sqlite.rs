//! The store on SQLite: one process, one writer, write-ahead log.

mod accounts;
mod documents;
mod erasures;
mod inserts;
mod jobs;
mod rounds;
mod secrets;
mod slots;

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, Transaction};

use self::rounds::Write;
use crate::OpenError;
use crate::gather::Gatherer;

/// Commits of one transaction, at most.
const GATHERED: usize = 256;
/// Connections that read at the same time.
const READERS: u32 = 4;
/// How long a statement waits for another process that has the file.
const BUSY: Duration = Duration::from_secs(10);
/// How often a file is tried to be opened while another one opens it; together they last as long as a statement waits.
const OPENINGS: u32 = 40;
/// How long a caller waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(30);
/// Statements that each connection keeps prepared; multi-row inserts are one per number of rows.
const PREPARED: usize = 400;

/// Keeps jobs, documents and accounts in a SQLite file.
///
/// What a method has answered is on disk. Commits, new jobs and messages that are asked at the same time share a
/// transaction.
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    gatherer: Gatherer<Write>,
}

impl SqliteStore {
    /// Opens the file, or makes it, and brings its tables up to date. The folder must exist.
    ///
    /// # Errors
    /// [`OpenError`] names the file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_within(path, None).await
    }

    /// Opens a file that may not grow over `max_page_count` pages (of 4 KiB): what does not fit is refused as on a full
    /// disk. `None` is without a limit.
    ///
    /// # Errors
    /// [`OpenError`] names the file.
    pub async fn open_within(path: impl AsRef<Path>, max_page_count: Option<u32>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let opened = Self::connect(path, max_page_count).await;
        opened.map_err(|reason| OpenError::of_database(format!("sqlite:{}", path.display()), &reason))
    }

    async fn connect(path: &Path, max_page_count: Option<u32>) -> Result<Self, sqlx::Error> {
        let mut options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is erased is overwritten in the file.
            .pragma("secure_delete", "ON")
            .busy_timeout(BUSY)
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        if let Some(pages) = max_page_count {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let writer = writer(&options).await?;
        let reader = pool(READERS).connect_with(options.pragma("query_only", "ON")).await?;
        let pool = writer.clone();
        let gatherer = Gatherer::start(GATHERED, move |writes| rounds::perform(pool.clone(), writes));
        Ok(Self { writer, reader, gatherer })
    }

    /// Makes everything that an earlier process held due at once. Only for whoever knows that the file is theirs
    /// alone: a server that holds the data folder's lock need not wait for the leases of the one before it.
    ///
    /// # Errors
    /// [`OpenError`] where the file cannot be written.
    pub async fn take_over(&self) -> Result<(), OpenError> {
        let freed = async {
            let mut transaction = self.begin().await?;
            sqlx::query("UPDATE jobs SET owner = NULL, due_at = 0 WHERE owner IS NOT NULL")
                .execute(&mut *transaction)
                .await?;
            sqlx::query("UPDATE job_polls SET ready_at = due_at").execute(&mut *transaction).await?;
            sqlx::query("UPDATE jobs SET erase_ready_at = erase_at WHERE erase_ready_at IS NOT NULL")
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        freed.await.map_err(|reason: sqlx::Error| OpenError::of_database("sqlite".to_owned(), &reason))
    }

    /// Closes all connections; whoever still asks gets an error.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
    }

    /// Begins a transaction that may write, so that it never has to give way half-way through.
    async fn begin(&self) -> Result<Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}

/// Opens the file for writing, and tries again while somebody else opens it at this moment: switching to the write-ahead
/// log does not wait for locks, and of two who make the tables one comes too late, and finds them made when it looks
/// again.
async fn writer(options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let mut tries = 0;
    loop {
        match writer_at_once(options.clone()).await {
            Err(error) if tries < OPENINGS && is_contention(&error) => {
                tries += 1;
                tokio::time::sleep(BUSY / OPENINGS).await;
            }
            done => return done,
        }
    }
}

async fn writer_at_once(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let writer = pool(1).connect_with(options).await?;
    migrations().run(&writer).await?;
    Ok(writer)
}

fn is_contention(error: &sqlx::Error) -> bool {
    let text = error.to_string();
    ["database is locked", "already exists", "UNIQUE constraint failed: _sqlx_migrations"]
        .iter()
        .any(|sign| text.contains(sign))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    // Connections to a file neither age nor fall away.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(has_left_transaction(connection)))
}

/// Whether a connection that comes back is in no transaction any more. After a full disk, an I/O error or a lack of
/// memory SQLite rolls back by itself; the ROLLBACK of sqlx fails then, and sqlx goes on counting that transaction, so
/// that no other can begin. A connection that is in such a state is closed, and another one opened in its place.
/// Source: <https://www.sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction".
async fn has_left_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // A rollback may be under way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

fn migrations() -> Migrator {
    let migration = |version, name: &'static str, text: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "foundation", include_str!("../migrations/sqlite/0001_foundation.sql")),
        migration(2, "recovery", include_str!("../migrations/sqlite/0002_recovery.sql")),
        migration(3, "store_faults", include_str!("../migrations/sqlite/0003_store_faults.sql")),
        migration(4, "secret_owners", include_str!("../migrations/sqlite/0004_secret_owners.sql")),
        migration(5, "document_checks", include_str!("../migrations/sqlite/0005_document_checks.sql")),
        migration(6, "submit_pauses", include_str!("../migrations/sqlite/0006_submit_pauses.sql")),
    ])
}

/// The database's clock, in milliseconds.
macro_rules! now {
    () => {
        "CAST(round(unixepoch('now', 'subsec') * 1000) AS INTEGER)"
    };
}
use now;

#[cfg(test)]
mod tests {
    use super::*;

    /// Brings a connection of a pool into the state in which SQLite leaves it after a full disk: it has rolled back by
    /// itself, and sqlx does not know.
    async fn leave_rolled_back(pool: &SqlitePool, begin: &'static str) {
        let mut transaction = pool.begin_with(begin).await.expect("a transaction begins");
        sqlx::query("SELECT COUNT(*) FROM jobs").execute(&mut *transaction).await.expect("rows are counted");
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.expect("SQLite rolls back");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_whose_transaction_is_uncertain_is_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.expect("a file is opened");
        for _ in 0..3 {
            leave_rolled_back(&store.writer, "BEGIN IMMEDIATE").await;
            store.begin().await.expect("another transaction begins").commit().await.expect("it ends");
        }
        for _ in 0..READERS * 2 {
            leave_rolled_back(&store.reader, "BEGIN").await;
        }
        // None of the readers is left in a transaction that would go on showing what was there when it began.
        for _ in 0..READERS {
            let reader = store.reader.acquire().await.expect("a reader is there");
            assert!(!reader.is_in_transaction());
            reader.leak();
        }
    }
}
