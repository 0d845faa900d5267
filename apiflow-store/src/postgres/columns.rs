//! Binds rows as parameters, one array per column, for `unnest`.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;

use crate::commit_rows::{Call, Event, Step};

/// A query that reads rows of the type `O`.
pub(super) type Query<'q, O> = QueryAs<'q, Postgres, O, PgArguments>;

/// Binds the columns of [`crate::sql::event_columns`].
pub(super) fn bind_events<'q, O>(query: Query<'q, O>, events: &'q [Event]) -> Query<'q, O> {
    query
        .bind(column_values(events, |row| row.seq))
        .bind(column_values(events, |row| row.at))
        .bind(column_values(events, |row| row.list))
        .bind(column_values(events, |row| row.index))
        .bind(column_values(events, |row| row.body.as_str()))
        .bind(column_values(events, |row| row.value.as_deref()))
}

/// Binds the columns of [`crate::sql::step_columns`].
pub(super) fn bind_steps<'q, O>(query: Query<'q, O>, steps: &'q [Step]) -> Query<'q, O> {
    query
        .bind(column_values(steps, |row| row.ordinal))
        .bind(column_values(steps, |row| row.status))
        .bind(column_values(steps, |row| row.attempt))
        .bind(column_values(steps, |row| row.started_at))
        .bind(column_values(steps, |row| row.finished_at))
        .bind(column_values(steps, |row| row.progress))
        .bind(column_values(steps, |row| row.body.as_str()))
}

/// Binds the columns of [`crate::sql::call_columns`].
pub(super) fn bind_calls<'q, O>(query: Query<'q, O>, calls: &'q [Call<'q>]) -> Query<'q, O> {
    query
        .bind(column_values(calls, |row| row.step))
        .bind(column_values(calls, |row| row.attempt))
        .bind(column_values(calls, |row| row.purpose))
        .bind(column_values(calls, |row| row.at))
        .bind(column_values(calls, |row| row.duration_ms))
        .bind(column_values(calls, |row| row.request.as_deref()))
        .bind(column_values(calls, |row| row.reply.as_deref()))
}

/// Collects one column of rows.
pub(super) fn column_values<'a, R, T>(rows: &'a [R], cell: fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(cell).collect()
}
