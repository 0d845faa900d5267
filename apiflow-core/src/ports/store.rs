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

pub use self::erasures::{DueErasure, ErasedJob, Erasure};
pub use self::faults::StoreFault;
pub use self::jobs::{
    Concurrency, Created, Idempotency, JobBundle, JobFilter, JobRow, JobState, JobStatus, NewJob, ReusedResult,
};
pub use self::journal::JobJournal;
pub use self::provider_work::{DuePoll, Poll, ProviderWork, ProviderWorkClaim};
pub use self::queue::{Claim, ClaimRequest, JobQueue, RenewedLease};
pub use self::records::JobRecords;
pub use self::shared_bundle::SharedBundle;
pub use self::steps::{CallRecord, StepRow, StepStatus};
pub use self::turns::{CachedResult, Commit, EventRow, InboxMessage, LeaseChange, LoadedJob, SnapshotRow};

mod erasures;
mod faults;
mod jobs;
mod journal;
mod provider_work;
mod queue;
mod records;
mod shared_bundle;
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
        /// Id of the job that the caller may no longer write.
        job: String,
    },
    /// There is no such job.
    #[error("there is no job `{job}`")]
    NotFound {
        /// Id that no job has.
        job: String,
    },
    /// The job has not ended.
    #[error("job `{job}` has not ended")]
    Active {
        /// Id of the job that is still running.
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

/// Keeps jobs durably: the sum of its four parts, implemented by whatever implements them.
pub trait Store: JobQueue + JobJournal + ProviderWork + JobRecords {}

impl<S: JobQueue + JobJournal + ProviderWork + JobRecords + ?Sized> Store for S {}
