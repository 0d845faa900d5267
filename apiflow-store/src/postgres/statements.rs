//! Counts the statements that are sent to the database: each is a round trip.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apiflow_core::ports::StoreError;
use sqlx::{PgConnection, PgPool, Postgres, SqlSafeStr, Transaction};

use crate::job_rows::backend_error;

/// A pool of connections that counts its statements.
#[derive(Clone)]
pub(super) struct CountedPool {
    pool: PgPool,
    count: Arc<AtomicU64>,
}

impl CountedPool {
    /// Creates a pool whose statements are added to a count that others may share.
    pub(super) fn new(pool: PgPool, count: Arc<AtomicU64>) -> Self {
        Self { pool, count }
    }

    /// Counts one statement and returns the pool to send it with.
    pub(super) fn count_statement(&self) -> &PgPool {
        add_one(&self.count);
        &self.pool
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<CountedTransaction, sqlx::Error> {
        let transaction = self.count_statement().begin().await?;
        Ok(CountedTransaction { transaction, count: self.count.clone() })
    }

    /// Begins a transaction with a statement of its own.
    pub(super) async fn begin_with(&self, statement: impl SqlSafeStr) -> Result<CountedTransaction, sqlx::Error> {
        let transaction = self.count_statement().begin_with(statement).await?;
        Ok(CountedTransaction { transaction, count: self.count.clone() })
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction that counts its statements.
pub(super) struct CountedTransaction {
    transaction: Transaction<'static, Postgres>,
    count: Arc<AtomicU64>,
}

impl CountedTransaction {
    /// Counts one statement and returns the connection to send it with.
    pub(super) fn count_statement(&mut self) -> &mut PgConnection {
        add_one(&self.count);
        &mut self.transaction
    }

    /// Commits the transaction; one that is dropped instead is rolled back.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        add_one(&self.count);
        self.transaction.commit().await
    }
}

/// Runs a transaction to its end, even if its caller is cancelled: a connection whose `BEGIN` was cancelled would go back
/// to the pool inside of a transaction, and keep its locks.
///
/// Source: `PgTransactionManager::begin` of sqlx 0.9 rolls back only what it has counted, which it does at its end.
pub(super) async fn run_to_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(backend_error(error)))
}

/// Counts one statement.
pub(super) fn add_one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
