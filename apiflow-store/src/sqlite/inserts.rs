//! The rows of turns, many to a statement.

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::now;
use crate::batch::{Batch, Event, Step};
use crate::rows::text;

/// Rows of one statement: far below the database's limit of variables.
const ROWS: usize = 64;

const TAKE: &str = "UPDATE job_inbox SET taken = 1, payload = 'null' FROM json_each($1) AS asked \
     WHERE job_inbox.id = asked.value ->> 1 AND job_inbox.job_id = asked.value ->> 0";
const CLEAR: &str = "DELETE FROM job_polls \
     WHERE (job_id, effect) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
/// More rows than the statement before it adds, so that none pile up.
const REMOVE_EXPIRED: &str = concat!(
    "DELETE FROM cached_results WHERE key IN (SELECT key FROM cached_results WHERE expires_at <= ",
    now!(),
    " ORDER BY expires_at LIMIT 128)"
);

/// Writes all rows of a batch.
pub(super) async fn batch(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    events(connection, &batch.events).await?;
    steps(connection, &batch.steps).await?;
    calls(connection, batch).await?;
    if !batch.cleared.is_empty() {
        sqlx::query(CLEAR).bind(text(&batch.cleared)).execute(&mut *connection).await?;
    }
    polls(connection, batch).await?;
    if !batch.taken.is_empty() {
        sqlx::query(TAKE).bind(text(&batch.taken)).execute(&mut *connection).await?;
    }
    cached(connection, batch).await?;
    snapshots(connection, batch).await
}

pub(super) async fn events(connection: &mut SqliteConnection, events: &[Event<'_>]) -> Result<(), sqlx::Error> {
    for rows in events.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO job_events (job_id, seq, at, list_id, list_index, body, value) ");
        query.push_values(rows, |mut row, event| {
            row.push_bind(event.job).push_bind(event.seq).push_bind(event.at).push_bind(event.list);
            row.push_bind(event.index).push_bind(&event.body).push_bind(&event.value);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn steps(connection: &mut SqliteConnection, steps: &[Step<'_>]) -> Result<(), sqlx::Error> {
    for rows in steps.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT OR REPLACE INTO job_steps (job_id, ordinal, progress, body) ");
        query.push_values(rows, |mut row, step| {
            row.push_bind(step.job).push_bind(step.ordinal).push_bind(step.progress).push_bind(&step.body);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn calls(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    for rows in batch.calls.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("INSERT INTO job_calls (job_id, step, body) ");
        query.push_values(rows, |mut row, call| {
            row.push_bind(call.job).push_bind(call.step).push_bind(&call.body);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn polls(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    for rows in batch.polls.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT OR REPLACE INTO job_polls (job_id, effect, due_at, ready_at, ticket) ");
        query.push_values(rows, |mut row, poll| {
            row.push_bind(poll.job).push_bind(poll.effect).push_bind(poll.due_at).push_bind(poll.due_at);
            row.push_bind(&poll.ticket);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Keeps results, and removes some that have expired.
async fn cached(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    for rows in batch.cached.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT OR REPLACE INTO cached_results (key, value, expires_at) ");
        query.push_values(rows, |mut row, kept| {
            row.push_bind(kept.key).push_bind(&kept.value);
            row.push(now!()).push_unseparated(" + ").push_bind_unseparated(kept.ttl);
        });
        query.build().execute(&mut *connection).await?;
        sqlx::query(REMOVE_EXPIRED).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn snapshots(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    for rows in batch.snapshots.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT OR REPLACE INTO job_snapshots (job_id, seq, state) ");
        query.push_values(rows, |mut row, snapshot| {
            row.push_bind(snapshot.job).push_bind(snapshot.seq).push_bind(&snapshot.state);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
