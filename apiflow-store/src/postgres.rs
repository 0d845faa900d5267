//! The store on Postgres: any number of equal processes.
//!
//! Locks are always taken in the same order, so that statements may wait for each other but never deadlock: the lock of
//! a concurrency key first, then a job's row, then everything that belongs to the job.

mod accounts;
mod artifacts;
mod columns;
mod commits;
mod documents;
mod erasures;
mod housekeeping;
mod job_journal;
mod job_queue;
mod job_records;
mod provider_work;
mod proxied_calls;
mod secrets;
mod slots;
mod spending;
mod statements;
mod submit_slots;
mod webhook_deliveries;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apiflow_core::ports::{StoreError, StoreFault};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, Postgres};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use tokio::sync::Mutex;

use self::commits::{QueuedCommit, perform_commits};
use self::statements::CountedPool;
use self::writer::Writer;
use crate::fault::store_error;
use crate::open::without_password;
use crate::pause_check::PauseCheck;
use crate::write_queue::WriteQueue;
use crate::{OpenError, StatementCounter};

/// Maximum number of commits per statement.
const MAX_GROUPED_COMMITS: usize = 256;
/// Connections in addition to the writer's.
const MAX_CONNECTIONS: u32 = 10;
/// How long a caller waits for a connection. Callers that must not lose anything retry.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a probe waits for a connection of the pool, and then for one of its own.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection may be idle before it is tested when it is used again; connections in constant use skip that
/// round trip. Kept short, because a statement fails if the database closed its connection meanwhile.
const MAX_UNCHECKED_IDLE: Duration = Duration::from_millis(25);

/// Isolation level in which all statements see the same snapshot.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Stores jobs, documents and accounts in a Postgres database, in the first schema of the connection's search path.
///
/// Everything that a method has confirmed is durable. Concurrent commits share a statement.
pub struct PostgresStore {
    options: PgConnectOptions,
    pool: CountedPool,
    writer: Arc<Mutex<Writer>>,
    pauses: Arc<PauseCheck>,
    statements: Arc<AtomicU64>,
    commit_queue: WriteQueue<QueuedCommit>,
}

impl PostgresStore {
    /// Connects to the database of a URL (`postgres://user:password@host:port/database`, parameters as in libpq) and
    /// migrates its tables.
    ///
    /// # Errors
    /// [`OpenError`] with the URL without its password.
    pub async fn connect_to(url: &str) -> Result<Self, OpenError> {
        Self::open(url).await.map_err(|reason| OpenError::of_database(without_password(url), &reason))
    }

    async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_url(&url.parse().map_err(sqlx::Error::config)?)?;
        let options = options.disable_statement_logging();
        // One connection first: a pool would keep trying if the server is unreachable.
        options.connect().await?.close().await?;
        let statements = Arc::new(AtomicU64::new(0));
        let pool = pool_of(MAX_CONNECTIONS).connect_lazy_with(options.clone());
        migrations().run(&pool).await?;
        let writer = Arc::new(Mutex::new(Writer::new(options.clone(), statements.clone())));
        let pauses = Arc::new(PauseCheck::default());
        let shared = (writer.clone(), pauses.clone());
        let commit_queue = WriteQueue::start_task(MAX_GROUPED_COMMITS, move |queued| {
            let (writer, pauses) = shared.clone();
            async move { perform_commits(&mut *writer.lock().await, &pauses, queued).await }
        });
        let pool = CountedPool::new(pool, statements.clone());
        Ok(Self { options, pool, writer, pauses, statements, commit_queue })
    }

    /// Returns a connection to test the database with. If the pool has none, a separate connection finds out the cause:
    /// all may be in use, or none can be opened.
    async fn connect_to_probe(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        if let Ok(acquired) = tokio::time::timeout(PROBE_TIMEOUT, self.pool.count_statement().acquire()).await {
            return acquired.map_err(store_error);
        }
        let unreachable =
            |cause: &str| StoreError::Unavailable { fault: StoreFault::Unreachable, cause: cause.to_owned() };
        match tokio::time::timeout(PROBE_TIMEOUT, self.options.connect()).await {
            Ok(Ok(_)) => Err(store_error(sqlx::Error::PoolTimedOut)),
            Ok(Err(error)) => Err(store_error(error)),
            Err(_) => Err(unreachable("the connection timed out")),
        }
    }

    /// Closes all connections; later calls return an error.
    pub async fn close(&self) {
        self.writer.lock().await.close().await;
        self.pool.close().await;
    }
}

/// Each statement is a round trip.
impl StatementCounter for PostgresStore {
    fn statements_executed(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

fn pool_of(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > MAX_UNCHECKED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

fn migrations() -> Migrator {
    let migration = |version, name: &'static str, text: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "foundation", include_str!("../migrations/postgres/0001_foundation.sql")),
        migration(2, "recovery", include_str!("../migrations/postgres/0002_recovery.sql")),
        migration(3, "store_faults", include_str!("../migrations/postgres/0003_store_faults.sql")),
        migration(4, "secret_owners", include_str!("../migrations/postgres/0004_secret_owners.sql")),
        migration(5, "document_checks", include_str!("../migrations/postgres/0005_document_checks.sql")),
        migration(6, "submit_pauses", include_str!("../migrations/postgres/0006_submit_pauses.sql")),
        migration(7, "job_numbers", include_str!("../migrations/postgres/0007_job_numbers.sql")),
        migration(8, "journal_deletion", include_str!("../migrations/postgres/0008_journal_deletion.sql")),
        migration(9, "artifacts", include_str!("../migrations/postgres/0009_artifacts.sql")),
        migration(10, "spending", include_str!("../migrations/postgres/0010_spending.sql")),
        migration(12, "provider_uploads", include_str!("../migrations/postgres/0012_provider_uploads.sql")),
        migration(13, "proxied_calls", include_str!("../migrations/postgres/0013_proxied_calls.sql")),
        migration(14, "webhook_deliveries", include_str!("../migrations/postgres/0014_webhook_deliveries.sql")),
        migration(15, "step_reports", include_str!("../migrations/postgres/0015_step_reports.sql")),
        migration(16, "workflow_retention", include_str!("../migrations/postgres/0016_workflow_retention.sql")),
        migration(17, "token_scopes", include_str!("../migrations/postgres/0017_token_scopes.sql")),
        migration(18, "workflow_versions", include_str!("../migrations/postgres/0018_workflow_versions.sql")),
        migration(19, "reruns", include_str!("../migrations/postgres/0019_reruns.sql")),
    ])
}

/// Whether the database aborted a transaction in favour of another one, so that it may be retried: a deadlock, or a
/// serialization failure.
fn gave_way(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "40P01" || code == "40001")
}

/// The database's clock, in milliseconds; read once per statement, so that an index can be used.
macro_rules! now {
    () => {
        "(SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
    };
}
use now;
