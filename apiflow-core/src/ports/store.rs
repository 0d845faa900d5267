//! The durable part of a run: jobs, their journal, leases, inbox and polls.
//!
//! Rules that every store keeps, and that the exported conformance suite proves:
//! - a commit is one transaction, guarded by the job's version; a commit with an old version changes nothing;
//! - a claim raises the version, so the owner before it can commit nothing more;
//! - what is delivered to the inbox needs no lease, is kept once per key, and wakes the job;
//! - of jobs that share a key of [`Concurrency`] no more have begun and not ended than each of them allows, and they
//!   begin in the order of priority, then age;
//! - leases, wake-ups, polls, pauses, erasures and the expiry of kept results are by the store's own clock (the
//!   database's).

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

pub use self::erasures::{DueErasure, ErasedJob, Erasure};
pub use self::faults::StoreFault;
pub use self::jobs::{
    Concurrency, Created, Idempotency, JobBundle, JobFilter, JobPatch, JobRow, JobStatus, Kept, NewJob,
};
pub use self::providers::{DuePoll, Following, Poll};
pub use self::steps::{CallRecord, StepRow, StepStatus};
pub use self::turns::{CachedRow, Claim, Commit, EventRow, InboxMessage, LeaseChange, Loaded, Renewed, SnapshotRow};
use super::Timestamp;

mod erasures;
mod faults;
mod jobs;
mod providers;
pub(crate) mod size;
mod steps;
mod turns;

/// Why a store could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The job has another version than the commit names: the lease is lost.
    #[error("job `{job}` was taken over by another worker")]
    Fenced {
        /// The job.
        job: String,
    },
    /// There is no such job.
    #[error("there is no job `{job}`")]
    NotFound {
        /// The job.
        job: String,
    },
    /// The job has not ended.
    #[error("job `{job}` has not ended")]
    Active {
        /// The job.
        job: String,
    },
    /// The database cannot do it at the moment. Unless the connection was lost meanwhile, nothing was changed.
    #[error("{fault} ({cause})")]
    Unavailable {
        /// What keeps it from its work.
        fault: StoreFault,
        /// The database's own words, for the log.
        cause: String,
    },
    /// The database failed; the text is for the log.
    #[error("the store failed: {0}")]
    Backend(String),
}

impl StoreError {
    /// What keeps the store from its work at the moment, if it is that.
    pub fn fault(&self) -> Option<StoreFault> {
        match self {
            Self::Unavailable { fault, .. } => Some(*fault),
            Self::Fenced { .. } | Self::NotFound { .. } | Self::Active { .. } | Self::Backend(_) => None,
        }
    }
}

/// Keeps jobs durably. Every method is one transaction.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds a job, unless its idempotency key was used and has not expired. It is due at once, or with its slot where
    /// it shares slots with others: the first of those that wait (by priority, then by age) gets the first that is
    /// free, and none overtakes it.
    async fn create_job(&self, job: NewJob) -> Result<Created, StoreError>;

    /// The job that was made with an idempotency key that has not expired, and the fingerprint of that request.
    async fn job_of_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError>;

    /// Takes up to `limit` jobs that are due and that no living lease holds, for `lease`; raises their versions. Jobs
    /// of higher priority come first, and of one priority those with the oldest wake-up. The cost does not grow with
    /// the number of jobs that wait.
    async fn claim(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError>;

    /// Notes that the owner of a job's lease begins it while it begins no other; returns how often that was so since the
    /// job's last commit, this time included.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the version is not the job's.
    async fn begin_alone(&self, job: &str, version: u64) -> Result<u32, StoreError>;

    /// Takes back what [`Store::begin_alone`] noted, since the owner of the lease is alive: it could not commit because the
    /// store was unavailable. Nothing happens if the version is not the job's.
    async fn end_alone(&self, job: &str, version: u64) -> Result<(), StoreError>;

    /// Takes a job that has ended, for `lease`, so that a commit can put it back to work; it has its slot again then.
    /// `None` if it has not ended, or another one has taken it.
    async fn claim_ended(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError>;

    /// Prolongs the leases that `worker` still holds among `jobs`; the jobs missing from the answer are lost.
    async fn renew(&self, worker: &str, jobs: &[String], lease: Duration) -> Result<Vec<Renewed>, StoreError>;

    /// Reads all that is needed to go on with a job.
    async fn load(&self, job: &str) -> Result<Loaded, StoreError>;

    /// Records one turn and gives the job's new version.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] where the version is not the job's; nothing is changed then.
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError>;

    /// Puts a message into a job's inbox, once per key, and makes the job due; says whether it is new. A job that
    /// waits for its slot goes on waiting, and one that has ended takes none. `poll_over` names an attempt whose poll
    /// ends with this message.
    async fn deliver(&self, job: &str, key: &str, payload: Value, poll_over: Option<u64>) -> Result<bool, StoreError>;

    /// Lets a job that waits for its slot go without one, due at once: only for one that is about to end, by a message
    /// that it has. Nothing happens where it does not wait.
    async fn let_through(&self, job: &str) -> Result<(), StoreError>;

    /// The messages not yet consumed, in order of arrival.
    async fn inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError>;

    /// Notes whose a provider's work is, unless that is known; says whether it is this attempt's now. Removing the job
    /// forgets it.
    async fn follow(&self, following: Following) -> Result<bool, StoreError>;

    /// Pauses all submits that a provider's rate limit (`limit`, see [`crate::call`]) holds for, for at least `pause`
    /// from now; a longer pause that holds already stays.
    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError>;

    /// How long the submits that a rate limit holds for are still paused, by the store's clock; `None` where they may be
    /// sent.
    async fn submits_paused(&self, limit: &str) -> Result<Option<Duration>, StoreError>;

    /// Takes up to `limit` polls that are due, hiding them from others for `lease`.
    async fn take_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError>;

    /// Puts a poll that changed nothing back with its next time; `progress` is written to the step of that attempt
    /// where given. Nothing happens where the poll is over.
    async fn put_back(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError>;

    /// Takes up to `limit` jobs that have ended and of which something is to be erased by now, earliest first, hiding
    /// them from others for `lease`. They are given again until [`Store::erase`] sets another moment, or none.
    async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError>;

    /// Erases a part of a job that has ended; its snapshot and the payloads of its messages go with any part.
    ///
    /// # Errors
    /// [`StoreError::Active`] where it has not ended; nothing is changed then.
    async fn erase(&self, erasure: Erasure) -> Result<(), StoreError>;

    /// The earliest moment at which a claim may find a job, or a poll or an erasure is due, if any waits.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// The values of some events, in the order asked; `None` for an event without a value.
    async fn values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError>;

    /// The result kept under a key by any job, unless it has expired.
    async fn cached(&self, key: &str) -> Result<Option<Value>, StoreError>;

    /// The bodies of the events that extend a list, in order of their index: of several with one index the last.
    async fn list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError>;

    /// A job's row.
    async fn job(&self, job: &str) -> Result<Option<JobRow>, StoreError>;

    /// Up to `limit` jobs, newest first, older than `before` where given.
    async fn jobs(&self, filter: &JobFilter, before: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError>;

    /// Up to `limit` events after `after`, in order, without their values.
    async fn events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError>;

    /// Up to `limit` steps with an ordinal above `after`, in order.
    async fn steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError>;

    /// The calls of one step, in order, as [`CallRecord::joined`] joins them.
    async fn calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError>;

    /// Removes a job that has ended, with all that belongs to it.
    async fn delete_job(&self, job: &str) -> Result<(), StoreError>;

    /// How many bytes of JSON the values of a user's jobs take that have not ended; kept up to date with each commit.
    async fn bytes_in_flight(&self, user: &str) -> Result<u64, StoreError>;

    /// Writes something small and commits it: succeeds if the store can do its work.
    async fn probe(&self) -> Result<(), StoreError>;
}
