//! Erasure of values that a document says must not be stored, on Postgres.

use std::time::Duration;

use apiflow_core::ports::{DueErasure, ErasedJob, Erasure, StoreError};

use super::statements::CountedTransaction;
use super::{PostgresStore, now};
use crate::fault::store_error;
use crate::job_rows::{self, duration_ms, to_int, to_json_text};
use crate::sql;

const TAKE: &str = concat!(
    "WITH due AS (SELECT id, erase_at FROM jobs WHERE erase_ready_at <= ",
    now!(),
    " ORDER BY erase_ready_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) UPDATE jobs SET erase_ready_at = ",
    now!(),
    " + $2 FROM due WHERE jobs.id = due.id RETURNING jobs.id, due.erase_at"
);
const MESSAGES: &str = "UPDATE job_inbox SET payload = 'null', taken = TRUE WHERE job_id = $1";
const VALUES: &str = "UPDATE job_events SET value = '{}' WHERE job_id = $1 AND value IS NOT NULL AND seq = ANY($2)";
const EVENTS: &str = "UPDATE job_events SET body = asked.body \
     FROM unnest($2::bigint[], $3::text[]) AS asked (seq, body) \
     WHERE job_events.job_id = $1 AND job_events.seq = asked.seq";
const STEPS: &str = "INSERT INTO job_steps (job_id, ordinal, progress, body) SELECT $1, step.* \
     FROM unnest($2::bigint[], $3::double precision[], $4::text[]) AS step (ordinal, progress, body) \
     ON CONFLICT (job_id, ordinal) DO UPDATE SET progress = excluded.progress, body = excluded.body";
const CALLS: &str = "DELETE FROM job_calls WHERE job_id = $1 AND step = ANY($2)";

impl PostgresStore {
    pub(super) async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, sqlx::Error> {
        let taken = sqlx::query_as(TAKE).bind(i64::from(limit)).bind(duration_ms(lease));
        Ok(job_rows::due_erasures(taken.fetch_all(self.pool.count_statement()).await?))
    }

    pub(super) async fn erase_part(&self, erasure: &Erasure) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let found = sqlx::query(sql::ERASE)
            .bind(&erasure.job)
            .execute(transaction.count_statement())
            .await
            .map_err(store_error)?;
        if found.rows_affected() == 0 {
            let job = erasure.job.clone();
            let status = self.read_status(&job).await?;
            return Err(if status.is_some() { StoreError::Active { job } } else { StoreError::NotFound { job } });
        }
        erase_part(&mut transaction, erasure).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }
}

async fn erase_part(connection: &mut CountedTransaction, erasure: &Erasure) -> Result<(), sqlx::Error> {
    let Erasure { job, values, events, steps, calls, rest } = erasure;
    sqlx::query(sql::ERASE_SNAPSHOT).bind(job).execute(connection.count_statement()).await?;
    sqlx::query(MESSAGES).bind(job).execute(connection.count_statement()).await?;
    sqlx::query(VALUES).bind(job).bind(to_ints(values)).execute(connection.count_statement()).await?;
    let seqs: Vec<i64> = events.iter().map(|(seq, _)| to_int(*seq)).collect();
    let bodies: Vec<String> = events.iter().map(|(_, body)| to_json_text(body)).collect();
    sqlx::query(EVENTS).bind(job).bind(seqs).bind(bodies).execute(connection.count_statement()).await?;
    let ordinals: Vec<i64> = steps.iter().map(|step| to_int(step.ordinal)).collect();
    let progress: Vec<Option<f64>> = steps.iter().map(|step| step.progress).collect();
    let bodies: Vec<String> = steps.iter().map(to_json_text).collect();
    sqlx::query(STEPS)
        .bind(job)
        .bind(ordinals)
        .bind(progress)
        .bind(bodies)
        .execute(connection.count_statement())
        .await?;
    sqlx::query(CALLS).bind(job).bind(to_ints(calls)).execute(connection.count_statement()).await?;
    let Some(ErasedJob { output, error, erase_at, bundle }) = rest else { return Ok(()) };
    let row = sqlx::query(sql::ERASE_REST)
        .bind(job)
        .bind(output.as_ref().map(to_json_text))
        .bind(error.as_ref().map(to_json_text));
    row.bind(erase_at.map(|moment| moment.0)).execute(connection.count_statement()).await?;
    if let Some(bundle) = bundle {
        sqlx::query(sql::ERASE_BUNDLE)
            .bind(job)
            .bind(to_json_text(bundle))
            .execute(connection.count_statement())
            .await?;
    }
    Ok(())
}

fn to_ints(numbers: &[u64]) -> Vec<i64> {
    numbers.iter().copied().map(to_int).collect()
}
