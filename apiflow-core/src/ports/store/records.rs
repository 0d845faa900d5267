//! Lists of jobs and their steps, and how long they are retained.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::erasures::{DueErasure, Erasure};
use super::jobs::{JobFilter, JobRow, JobStatus};
use super::steps::{CallRecord, StepRow};

/// Lists jobs and what they did, erases and deletes them. Every method is one transaction.
#[async_trait]
pub trait JobRecords: Send + Sync {
    /// Lists up to `limit` jobs, newest first, older than `before` if given.
    async fn list_jobs(&self, filter: &JobFilter, before: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError>;

    /// Counts the jobs that have not ended, by status; a status that no job has is absent. The cost does not grow with
    /// the number of jobs that have ended.
    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError>;

    /// Lists up to `limit` steps with an ordinal above `after`, in order.
    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError>;

    /// Lists the calls of one step, in order, as [`CallRecord::join_records`] joins them.
    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError>;

    /// Removes a job that has ended, with all that belongs to it.
    ///
    /// # Errors
    /// [`StoreError::Active`] if it has not ended.
    async fn delete_job(&self, job: &str) -> Result<(), StoreError>;

    /// Takes up to `limit` jobs that have ended and of which something is to be erased by now, earliest first, hiding
    /// them from others for `lease`. They are returned again until [`JobRecords::erase_job_data`] sets another moment,
    /// or none.
    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError>;

    /// Erases a part of a job that has ended; its snapshot and the payloads of its messages go with any part.
    ///
    /// # Errors
    /// [`StoreError::Active`] if it has not ended; nothing is changed then.
    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError>;

    /// Returns how many bytes of JSON the values of a user's jobs take that have not ended; kept up to date with each
    /// commit.
    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError>;

    /// Writes something small and commits it: succeeds if the store can do its work.
    async fn verify_writable(&self) -> Result<(), StoreError>;
}
