//! Erasing what a document says is not to be kept, on SQLite.

use std::time::Duration;

use apiflow_core::ports::{DueErasure, ErasedJob, Erasure, StoreError};
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, inserts, now};
use crate::batch::Step;
use crate::fault::store_error;
use crate::rows::{self, milliseconds, text};
use crate::sql;

const DUE: &str = concat!("SELECT EXISTS (SELECT 1 FROM jobs WHERE erase_ready_at <= ", now!(), ")");
const TAKE: &str = concat!(
    "UPDATE jobs SET erase_ready_at = ",
    now!(),
    " + $2 WHERE id IN (SELECT id FROM jobs WHERE erase_ready_at <= ",
    now!(),
    " ORDER BY erase_ready_at, id LIMIT $1) RETURNING id, erase_at"
);
const MESSAGES: &str = "UPDATE job_inbox SET payload = 'null', taken = 1 WHERE job_id = $1";
const VALUES: &str = "UPDATE job_events SET value = '{}' WHERE job_id = $1 AND value IS NOT NULL \
     AND seq IN (SELECT value FROM json_each($2))";
const EVENTS: &str = "UPDATE job_events SET body = asked.value ->> 1 FROM json_each($2) AS asked \
     WHERE job_events.job_id = $1 AND job_events.seq = asked.value ->> 0";
const CALLS: &str = "DELETE FROM job_calls WHERE job_id = $1 AND step IN (SELECT value FROM json_each($2))";

impl SqliteStore {
    pub(super) async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, sqlx::Error> {
        // Read first: an idle worker does not write.
        let (due,): (bool,) = sqlx::query_as(DUE).fetch_one(&self.reader).await?;
        if !due {
            return Ok(Vec::new());
        }
        let taken = sqlx::query_as(TAKE).bind(i64::from(limit)).bind(milliseconds(lease));
        Ok(rows::due_erasures(taken.fetch_all(&self.writer).await?))
    }

    pub(super) async fn erase_part(&self, erasure: &Erasure) -> Result<(), StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let found = sqlx::query(sql::ERASE).bind(&erasure.job).execute(&mut *transaction).await.map_err(store_error)?;
        if found.rows_affected() == 0 {
            let job = erasure.job.clone();
            let status: Option<(String,)> = sqlx::query_as(sql::JOB_STATUS)
                .bind(&job)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(store_error)?;
            return Err(if status.is_some() { StoreError::Active { job } } else { StoreError::NotFound { job } });
        }
        erase(&mut transaction, erasure).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }
}

async fn erase(connection: &mut SqliteConnection, erasure: &Erasure) -> Result<(), sqlx::Error> {
    let Erasure { job, values, events, steps, calls, rest } = erasure;
    sqlx::query(sql::ERASE_SNAPSHOT).bind(job).execute(&mut *connection).await?;
    sqlx::query(MESSAGES).bind(job).execute(&mut *connection).await?;
    sqlx::query(VALUES).bind(job).bind(text(values)).execute(&mut *connection).await?;
    let events: Vec<(u64, String)> = events.iter().map(|(seq, body)| (*seq, text(body))).collect();
    sqlx::query(EVENTS).bind(job).bind(text(&events)).execute(&mut *connection).await?;
    let steps: Vec<Step<'_>> = steps.iter().map(|step| Step::of(job, step)).collect();
    inserts::steps(connection, &steps).await?;
    sqlx::query(CALLS).bind(job).bind(text(calls)).execute(&mut *connection).await?;
    let Some(ErasedJob { output, error, erase_at, bundle }) = rest else { return Ok(()) };
    let row = sqlx::query(sql::ERASE_REST).bind(job).bind(output.as_ref().map(text)).bind(error.as_ref().map(text));
    row.bind(erase_at.map(|moment| moment.0)).execute(&mut *connection).await?;
    if let Some(bundle) = bundle {
        sqlx::query(sql::ERASE_BUNDLE).bind(job).bind(text(bundle)).execute(connection).await?;
    }
    Ok(())
}
