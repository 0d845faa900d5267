//! The queue: which jobs are due, and which worker owns them.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::jobs::{Created, NewJob};
use super::turns::Commit;
use crate::ports::Timestamp;

/// Creates jobs and hands due ones to workers. Every method is one transaction.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Creates a job, unless its idempotency key was used and has not expired. The job is due immediately, or, if it
    /// shares slots with others, once it has a slot: free slots go to waiting jobs by priority, then by age, and no job
    /// overtakes another. Nothing is created if the values of its user's jobs take too many bytes
    /// ([`NewJob::max_bytes_in_flight`]).
    ///
    /// With `start`, a job that is due immediately is claimed for that worker in the same transaction, as by
    /// [`JobQueue::claim_due_jobs`], and its first turn is committed: [`Created::New`] contains the claim. A job that
    /// has to wait for its slot waits as without `start`, and its first turn is not committed.
    async fn create_job(&self, job: NewJob, start: Option<JobStart>) -> Result<Created, StoreError>;

    /// Returns the id of the job that was created with an idempotency key that has not expired, and the fingerprint of
    /// that request.
    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError>;

    /// Claims up to `limit` due jobs that nobody holds a valid lease on, for the duration `lease`; raises their
    /// versions. Jobs with a higher priority come first; among equal ones, those with the oldest wake-up. The cost does
    /// not grow with the number of waiting jobs.
    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError>;

    /// Claims an ended job for the duration `lease`, so that a commit can reopen it; it has its slot again then. Returns its
    /// version, or `None` if it has not ended or another worker has claimed it.
    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError>;

    /// Renews the leases that `worker` still holds among `jobs`; those of jobs missing from the answer are lost.
    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError>;

    /// Records that the owner of a job's lease starts it alone, with no other job; returns how often that has happened
    /// since the job's last commit, including this time.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the job has another version.
    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError>;

    /// Undoes [`JobQueue::record_solo_start`], because the owner of the lease is alive: it could not commit because the
    /// store was unavailable. Has no effect if the job has another version.
    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError>;

    /// Makes a job that waits for its slot due without one; only for a job that is about to end because of a message.
    /// Has no effect if it is not waiting.
    async fn waive_slot(&self, job: &str) -> Result<(), StoreError>;

    /// Returns the earliest time at which a job can be claimed, or a poll or an erasure is due, if any is waiting.
    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError>;
}

/// How a new job starts on the worker that created it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStart {
    /// Id of the worker that claims the job.
    pub worker: String,
    /// Duration of the lease, by the store's clock.
    pub lease: Duration,
    /// The job's first turn, committed together with the job. Its version is ignored, because the claim determines it.
    pub turn: Option<Box<Commit>>,
}

/// A job that a worker claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Id of the job.
    pub job: String,
    /// The version that the next commit must contain.
    pub version: u64,
    /// Number of claims since the job's last commit, including this one: more than 1 if a worker crashed while it had
    /// the job.
    pub tries: u32,
}

/// A renewed lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewedLease {
    /// Id of the job.
    pub job: String,
    /// Whether the job's inbox contains messages.
    pub has_messages: bool,
}
