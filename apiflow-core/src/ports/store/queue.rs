//! Which jobs are due, and which worker holds them.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::jobs::{Created, NewJob};
use crate::ports::Timestamp;

/// Creates jobs and hands those that are due to workers. Every method is one transaction.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Adds a job, unless its idempotency key was used and has not expired. It is due at once, or with its slot if it
    /// shares slots with others: the first of those that wait (by priority, then by age) gets the first that is free,
    /// and none overtakes it.
    ///
    /// With `claim`, a job that is due at once is claimed for that worker in the same step, as
    /// [`JobQueue::claim_due_jobs`] would: [`Created::New`] carries the claim. One that has to wait for its slot waits
    /// as it does without.
    async fn create_job(&self, job: NewJob, claim: Option<ClaimRequest>) -> Result<Created, StoreError>;

    /// Returns the job that was made with an idempotency key that has not expired, and the fingerprint of that request.
    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError>;

    /// Takes up to `limit` jobs that are due and that no living lease holds, for `lease`; raises their versions. Jobs
    /// of higher priority come first, and of one priority those with the oldest wake-up. The cost does not grow with
    /// the number of jobs that wait.
    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError>;

    /// Takes a job that has ended, for `lease`, so that a commit can put it back to work; it has its slot again then.
    /// Returns its version, or `None` if it has not ended or another worker has taken it.
    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError>;

    /// Prolongs the leases that `worker` still holds among `jobs`; the jobs missing from the answer are lost.
    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError>;

    /// Records that the owner of a job's lease starts it while it starts no other; returns how often that was so since
    /// the job's last commit, this time included.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the version is not the job's.
    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError>;

    /// Takes back what [`JobQueue::record_solo_start`] recorded, since the owner of the lease is alive: it could not
    /// commit because the store was unavailable. Nothing happens if the version is not the job's.
    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError>;

    /// Lets a job that waits for its slot go without one, due at once: only for one that is about to end, by a message
    /// that it has. Nothing happens if it does not wait.
    async fn waive_slot(&self, job: &str) -> Result<(), StoreError>;

    /// Returns the earliest moment at which a claim may find a job, or a poll or an erasure is due, if any waits.
    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError>;
}

/// The worker that wants to claim a job, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The worker's id.
    pub worker: String,
    /// How long the lease lasts, by the store's clock.
    pub lease: Duration,
}

/// A job that a worker claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Id of the claimed job.
    pub job: String,
    /// The version that the next commit must name.
    pub version: u64,
    /// How often it was claimed since its last commit, this time included: over 1 if a worker crashed on it, or beside
    /// it.
    pub tries: u32,
}

/// A renewed lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewedLease {
    /// Id of the job whose lease was renewed.
    pub job: String,
    /// Whether messages wait in its inbox.
    pub has_messages: bool,
}
