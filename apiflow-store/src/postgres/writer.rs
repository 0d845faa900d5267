//! The connection that performs commits.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use super::statements::add_one;
use super::{ACQUIRE_TIMEOUT, MAX_UNCHECKED_IDLE, gave_way};
use crate::fault::may_succeed_alone;

/// Planner settings for commits: planned once, because planning their long statement would cost more than executing it;
/// and row by row through the keys, which suits tables of any size and locks jobs in the order of the request. Reading
/// a table without such a key counts as so expensive then that the plan would be compiled to machine code each time.
const PLAN: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET jit = off";

/// The only user of a connection, which stays open between commits. A pool would test the connection after each use, a
/// round trip that the next commit would wait for.
pub(super) struct Writer {
    options: PgConnectOptions,
    /// The open connection, and when it was used last.
    idle: Option<(PgConnection, Instant)>,
    is_closed: bool,
    count: Arc<AtomicU64>,
}

impl Writer {
    /// Creates a writer that connects for its first commit; its statements are added to a count that others may share.
    pub(super) fn new(options: PgConnectOptions, count: Arc<AtomicU64>) -> Self {
        Self { options, idle: None, is_closed: false, count }
    }

    /// Counts one statement and takes the connection to send it with, for [`Writer::give_back`].
    pub(super) async fn take_connection(&mut self) -> Result<PgConnection, sqlx::Error> {
        add_one(&self.count);
        if self.is_closed {
            return Err(sqlx::Error::PoolClosed);
        }
        tokio::time::timeout(ACQUIRE_TIMEOUT, self.take_or_connect()).await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    async fn take_or_connect(&mut self) -> Result<PgConnection, sqlx::Error> {
        if let Some((mut connection, used_at)) = self.idle.take()
            && (used_at.elapsed() <= MAX_UNCHECKED_IDLE || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        let mut connection = self.options.connect().await?;
        connection.execute(PLAN).await?;
        Ok(connection)
    }

    /// Keeps the connection for the next statement, unless the outcome says that the connection is broken.
    pub(super) fn give_back<T>(
        &mut self,
        connection: PgConnection,
        outcome: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        if outcome.as_ref().err().is_none_or(|error| may_succeed_alone(error) || gave_way(error)) {
            self.idle = Some((connection, Instant::now()));
        }
        outcome
    }

    /// Closes the connection; later commits fail.
    pub(super) async fn close(&mut self) {
        self.is_closed = true;
        if let Some((connection, _)) = self.idle.take() {
            // The server ends the session anyway once the socket is closed.
            drop(connection.close().await);
        }
    }
}
