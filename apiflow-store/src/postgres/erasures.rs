//! Erasure of values that a document says must not be stored, on Postgres.

use std::time::Duration;

use apiflow_core::ports::{DueErasure, ErasedJob, Erasure, StoreError};

use super::artifacts::{drop_outputs, read_outputs_of_steps};
use super::columns::bind_steps;
use super::statements::CountedTransaction;
use super::{PostgresStore, now};
use crate::commit_rows::Step;
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
const VALUES: &str = "UPDATE job_events SET value = '{}' WHERE job = $1 AND value IS NOT NULL AND seq = ANY($2)";
const EVENTS: &str = "UPDATE job_events SET body = asked.body \
     FROM unnest($2::bigint[], $3::text[]) AS asked (seq, body) \
     WHERE job_events.job = $1 AND job_events.seq = asked.seq";
const STEPS: &str = concat!(
    "INSERT INTO job_steps (job, ",
    sql::step_columns!(),
    ") SELECT $1, step.* FROM unnest($2::bigint[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], \
         $7::double precision[], $8::text[]) AS step ",
    sql::replace_step!()
);
const CALLS: &str = "DELETE FROM job_calls WHERE job = $1 AND step = ANY($2)";
const REPORTS: &str = "DELETE FROM step_reports WHERE job = $1 AND step = ANY($2)";

impl PostgresStore {
    pub(super) async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, sqlx::Error> {
        let taken = sqlx::query_as(TAKE).bind(i64::from(limit)).bind(duration_ms(lease));
        Ok(job_rows::due_erasures(taken.fetch_all(self.pool.count_statement()).await?))
    }

    pub(super) async fn erase_part(&self, erasure: &Erasure) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let ended: Option<(i64,)> = sqlx::query_as(sql::ERASE)
            .bind(&erasure.job)
            .fetch_optional(transaction.count_statement())
            .await
            .map_err(store_error)?;
        let Some((number,)) = ended else {
            let job = erasure.job.clone();
            let status = self.read_status(&job).await?;
            return Err(if status.is_some() { StoreError::Active { job } } else { StoreError::NotFound { job } });
        };
        erase_part(&mut transaction, number, erasure).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }
}

async fn erase_part(connection: &mut CountedTransaction, number: i64, erasure: &Erasure) -> Result<(), sqlx::Error> {
    let Erasure { job, values, events, steps, calls, rest } = erasure;
    let outputs = read_outputs_of_steps(connection, job, steps).await?;
    drop_outputs(connection, job, &outputs).await?;
    sqlx::query(sql::ERASE_SNAPSHOT).bind(number).execute(connection.count_statement()).await?;
    sqlx::query(MESSAGES).bind(job).execute(connection.count_statement()).await?;
    sqlx::query(VALUES).bind(number).bind(to_ints(values)).execute(connection.count_statement()).await?;
    let seqs: Vec<i64> = events.iter().map(|(seq, _)| to_int(*seq)).collect();
    let bodies: Vec<String> = events.iter().map(|(_, body)| to_json_text(body)).collect();
    sqlx::query(EVENTS).bind(number).bind(seqs).bind(bodies).execute(connection.count_statement()).await?;
    let steps: Vec<Step> = steps.iter().map(|step| Step::of_row(1, step)).collect();
    let replaced = bind_steps(sqlx::query_as::<_, ()>(STEPS).bind(number), &steps);
    replaced.fetch_all(connection.count_statement()).await?;
    sqlx::query(CALLS).bind(number).bind(to_ints(calls)).execute(connection.count_statement()).await?;
    sqlx::query(REPORTS).bind(number).bind(to_ints(calls)).execute(connection.count_statement()).await?;
    let Some(ErasedJob { output, error, erase_at, bundle }) = rest else { return Ok(()) };
    let row = sqlx::query(sql::ERASE_REST)
        .bind(job)
        .bind(output.as_ref().map(to_json_text))
        .bind(error.as_ref().map(to_json_text));
    row.bind(erase_at.map(|moment| moment.0)).execute(connection.count_statement()).await?;
    if let Some(bundle) = bundle {
        sqlx::query(sql::ERASE_BUNDLE)
            .bind(number)
            .bind(to_json_text(bundle))
            .execute(connection.count_statement())
            .await?;
    }
    Ok(())
}

fn to_ints(numbers: &[u64]) -> Vec<i64> {
    numbers.iter().copied().map(to_int).collect()
}
