//! Lists of jobs and steps, and their deletion.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::call_records::CallRecord;
use super::erasures::{DueErasure, Erasure};
use super::jobs::{JobRow, JobStatus};
use super::step_reports::StepLog;
use super::steps::StepRow;
use crate::ports::Timestamp;

/// Lists, erases and deletes jobs and what they did. Every method is one transaction.
#[async_trait]
pub trait JobRecords: Send + Sync {
    /// Lists up to `limit` jobs in the filter's order, from the one that follows the job `after` on.
    async fn list_jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError>;

    /// Counts the jobs that have not ended, by status; statuses without jobs are absent. The cost does not grow with
    /// the number of ended jobs.
    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError>;

    /// Lists up to `limit` steps with an ordinal above `after`, in order.
    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError>;

    /// Lists up to `limit` running steps whose provider states a progress or reported something else, in order.
    async fn list_steps_in_progress(&self, job: &str, limit: u32) -> Result<Vec<StepRow>, StoreError>;

    /// Reads the log of the last attempt of a step that its provider reported about; `None` if there is none.
    async fn read_step_log(&self, job: &str, step: u64) -> Result<Option<StepLog>, StoreError>;

    /// Lists the calls of one step, in order, as joined by [`CallRecord::join_records`].
    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError>;

    /// Deletes an ended job with everything that belongs to it.
    ///
    /// # Errors
    /// [`StoreError::Active`] if it has not ended.
    async fn delete_job(&self, job: &str) -> Result<(), StoreError>;

    /// Takes up to `limit` ended jobs with data that is due for erasure, earliest first, hiding them from others for
    /// `lease`. They are returned again until [`JobRecords::erase_job_data`] sets another time, or none.
    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError>;

    /// Erases a part of an ended job; its snapshot and the payloads of its messages are erased with any part.
    ///
    /// # Errors
    /// [`StoreError::Active`] if the job has not ended; nothing is changed then.
    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError>;

    /// Returns the size of the values of a user's active jobs, in bytes of JSON; kept up to date with each commit.
    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError>;

    /// Commits a small write; succeeds if the store can do its work.
    async fn verify_writable(&self) -> Result<(), StoreError>;
}

/// The jobs that a list contains, and their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only jobs with this status.
    pub status: Option<JobStatus>,
    /// Only jobs of this workflow.
    pub workflow_id: Option<String>,
    /// Only jobs of this node.
    pub node_id: Option<String>,
    /// Only jobs of this user.
    pub created_by: Option<String>,
    /// Only jobs whose name contains this text, or whose id is this text; upper and lower case of ASCII letters are equal.
    pub search: Option<String>,
    /// Only jobs created at or after this time.
    pub created_after: Option<Timestamp>,
    /// Only jobs created before this time.
    pub created_before: Option<Timestamp>,
    /// The order of the list.
    pub order: JobOrder,
}

/// The order of a list of jobs: that of their ids, which is that of their creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JobOrder {
    /// The newest job first.
    #[default]
    Newest,
    /// The oldest job first.
    Oldest,
}
