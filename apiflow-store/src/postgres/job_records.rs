//! Lists and retention of jobs on Postgres.

use std::collections::BTreeMap;
use std::time::Duration;

use apiflow_core::ports::{
    CallRecord, DueErasure, Erasure, JobFilter, JobRecords, JobRow, JobStatus, StepLog, StepRow, StoreError,
};
use async_trait::async_trait;
use sqlx::QueryBuilder;

use super::PostgresStore;
use super::artifacts::{drop_outputs, read_outputs};
use crate::fault::store_error;
use crate::job_rows::{self, PROBE_BYTES, from_int, to_int};
use crate::sql;

const BYTES_IN_FLIGHT: &str = "SELECT SUM(bytes)::bigint FROM user_bytes WHERE user_id = $1 GROUP BY user_id";

/// The new row needs space before the old one frees any.
const PROBE: &str = "WITH added AS (INSERT INTO store_probes (filler) VALUES ($1) RETURNING id) \
     DELETE FROM store_probes USING added WHERE store_probes.id < added.id";

#[async_trait]
impl JobRecords for PostgresStore {
    async fn list_jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let mut query = QueryBuilder::new(sql::JOBS);
        job_rows::push_job_filter!(query, filter, after, limit);
        let found = query.build_query_as().fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        job_rows::convert_all(found, job_rows::job_row)
    }

    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        let counts =
            sqlx::query_as(sql::COUNT_ACTIVE_JOBS).fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        job_rows::status_counts(counts)
    }

    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        let page = sqlx::query_as(sql::STEPS).bind(job).bind(to_int(after)).bind(i64::from(limit));
        job_rows::convert_all(
            page.fetch_all(self.pool.count_statement()).await.map_err(store_error)?,
            job_rows::step_row,
        )
    }

    async fn list_steps_in_progress(&self, job: &str, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        let page = sqlx::query_as(sql::STEPS_IN_PROGRESS).bind(job).bind(i64::from(limit));
        job_rows::convert_all(
            page.fetch_all(self.pool.count_statement()).await.map_err(store_error)?,
            job_rows::step_row,
        )
    }

    async fn read_step_log(&self, job: &str, step: u64) -> Result<Option<StepLog>, StoreError> {
        let found: Option<job_rows::LogColumns> = sqlx::query_as(sql::STEP_LOG)
            .bind(job)
            .bind(to_int(step))
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        Ok(found.and_then(job_rows::step_log))
    }

    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        let calls =
            sqlx::query_as(sql::CALLS).bind(job).bind(to_int(step)).fetch_all(self.pool.count_statement()).await;
        job_rows::convert_all(calls.map_err(store_error)?, job_rows::call_record)
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let outputs = read_outputs(&mut transaction, job).await.map_err(store_error)?;
        // An ended job stays ended, and a missing one stays missing: no lock is needed before.
        let gone = sqlx::query(sql::DELETE_JOB).bind(job).execute(transaction.count_statement()).await;
        let gone = gone.map_err(store_error)?;
        if gone.rows_affected() > 0 {
            drop_outputs(&mut transaction, job, &outputs).await.map_err(store_error)?;
            return transaction.commit().await.map_err(store_error);
        }
        let job = job.to_owned();
        Err(if self.read_status(&job).await?.is_some() {
            StoreError::Active { job }
        } else {
            StoreError::NotFound { job }
        })
    }

    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        self.take_erasures(limit, lease).await.map_err(store_error)
    }

    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.erase_part(&erasure).await
    }

    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        let sum: Option<(i64,)> = sqlx::query_as(BYTES_IN_FLIGHT)
            .bind(user)
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        Ok(sum.map_or(0, |(bytes,)| from_int(bytes)))
    }

    async fn verify_writable(&self) -> Result<(), StoreError> {
        let filler = vec![0_u8; usize::try_from(PROBE_BYTES).unwrap_or_default()];
        let mut connection = self.connect_to_probe().await?;
        sqlx::query(PROBE).bind(filler).execute(&mut *connection).await.map(drop).map_err(store_error)
    }
}

impl PostgresStore {
    pub(super) async fn read_status(&self, job: &str) -> Result<Option<(String,)>, StoreError> {
        sqlx::query_as(sql::JOB_STATUS).bind(job).fetch_optional(self.pool.count_statement()).await.map_err(store_error)
    }
}
