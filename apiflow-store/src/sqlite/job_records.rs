//! Lists of jobs, their removal, and the state of the file, on SQLite.

use std::collections::BTreeMap;
use std::time::Duration;

use apiflow_core::ports::{
    CallRecord, DueErasure, Erasure, JobFilter, JobRecords, JobRow, JobStatus, StepLog, StepRow, StoreError,
};
use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::artifacts::{drop_outputs, read_outputs};
use super::connection::Connection;
use super::filter_query::FilterQuery;
use crate::job_rows::{self, PROBE_BYTES, from_int, to_int};
use crate::sql;

const BYTES_IN_FLIGHT: &str = "SELECT bytes FROM user_bytes WHERE user_id = $1";
const ADD_PROBE: &str = "INSERT INTO store_probes (filler) VALUES (zeroblob($1))";
const REMOVE_PROBES: &str = "DELETE FROM store_probes WHERE id < last_insert_rowid()";

#[async_trait]
impl JobRecords for SqliteStore {
    async fn list_jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let mut query = FilterQuery::new(sql::JOBS);
        job_rows::push_job_filter!(query, filter, after, limit);
        self.read(move |connection| Ok(job_rows::convert_all(query.fetch_all(connection)?, job_rows::job_row)?)).await
    }

    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        self.read(|connection| Ok(job_rows::status_counts(connection.fetch_all(sql::COUNT_ACTIVE_JOBS, &[])?)?)).await
    }

    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let page = connection.fetch_all(sql::STEPS, params![job, to_int(after), limit])?;
            Ok(job_rows::convert_all(page, job_rows::step_row)?)
        })
        .await
    }

    async fn list_steps_in_progress(&self, job: &str, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let page = connection.fetch_all(sql::STEPS_IN_PROGRESS, params![job, limit])?;
            Ok(job_rows::convert_all(page, job_rows::step_row)?)
        })
        .await
    }

    async fn read_step_log(&self, job: &str, step: u64) -> Result<Option<StepLog>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let found: Option<job_rows::LogColumns> =
                connection.fetch_optional(sql::STEP_LOG, params![job, to_int(step)])?;
            Ok(found.and_then(job_rows::step_log))
        })
        .await
    }

    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let calls = connection.fetch_all(sql::CALLS, params![job, to_int(step)])?;
            Ok(job_rows::convert_all(calls, job_rows::call_record)?)
        })
        .await
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        let job = job.to_owned();
        self.write(move |connection| {
            let found: Option<(String,)> = connection.fetch_optional(sql::JOB_STATUS, params![job])?;
            let (status,) = found.ok_or_else(|| StoreError::NotFound { job: job.clone() })?;
            if !JobStatus::parse(&status).is_some_and(JobStatus::is_final) {
                return Err(StoreError::Active { job: job.clone() }.into());
            }
            let outputs = read_outputs(connection, &job)?;
            connection.execute(sql::DELETE_JOB, params![job])?;
            Ok(drop_outputs(connection, &job, &outputs)?)
        })
        .await
    }

    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        self.take_erasures(limit, lease).await
    }

    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.erase_part(erasure).await
    }

    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        let user = user.to_owned();
        self.read(move |connection| Ok(read_bytes_in_flight(connection, &user)?)).await
    }

    async fn verify_writable(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute(ADD_PROBE, params![PROBE_BYTES])?;
            // Afterwards: the new row needs space before the old one frees any.
            connection.execute(REMOVE_PROBES, &[])?;
            Ok(())
        })
        .await
    }
}

/// Reads the bytes of the values of a user's jobs that have not ended.
pub(super) fn read_bytes_in_flight(connection: &Connection, user: &str) -> rusqlite::Result<u64> {
    let sum: Option<(i64,)> = connection.fetch_optional(BYTES_IN_FLIGHT, params![user])?;
    Ok(sum.map_or(0, |(bytes,)| from_int(bytes)))
}
