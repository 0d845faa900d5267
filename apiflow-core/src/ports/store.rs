//! The store: the durable state of jobs, their journals, leases, inboxes and polls.
//!
//! Rules for every store, which the exported conformance suite checks:
//! - a commit is one transaction, guarded by the job's version; a commit with an old version changes nothing;
//! - a claim raises the version, so that the previous owner cannot commit anything any more;
//! - a message is delivered to the inbox without a lease, stored once per key, and wakes the job;
//! - of the jobs that share a key of [`Concurrency`], at most as many run at the same time as each of them allows, and
//!   they start in the order of priority, then age;
//! - what a commit announces is queued for the job's webhook by the same transaction;
//! - budgets and the limits of providers hold for all processes that share the store, and for jobs whose worker is gone;
//! - leases, wake-ups, polls, pauses, erasures and the expiry of cached results follow the store's own clock (the
//!   database's).

pub use self::call_records::CallRecord;
pub use self::erasures::{DueErasure, ErasedJob, Erasure};
pub use self::faults::StoreFault;
pub use self::job_journal::JobJournal;
pub use self::job_queue::{Claim, JobQueue, JobStart, RenewedLease};
pub use self::job_records::{JobFilter, JobOrder, JobRecords};
pub use self::jobs::{Concurrency, Created, Idempotency, JobBundle, JobRow, JobState, JobStatus, NewJob, ReusedResult};
pub use self::provider_work::{DuePoll, Poll, ProviderWork, ProviderWorkClaim, StoredUpload};
pub use self::proxied_calls::{ProxiedCall, ProxiedCallFilter, ProxiedCalls};
pub use self::shared_bundle::SharedBundle;
pub use self::spending::{
    AttemptCharge, AttemptOwner, Budget, BudgetDecision, BudgetPeriod, BudgetScope, BudgetState, OpenReservation,
    Reservation, Spending, UnknownPrice, UsageFilter, UsageGroup, UsageRow, day_of,
};
pub use self::step_reports::{LogTail, MAX_LOG_TAIL_BYTES, StepLog, StepReport};
pub use self::steps::{StepRow, StepStatus};
pub use self::submit_slots::{RequestWindow, SlotWaiter, SubmitLimits, SubmitSlotRequest, SubmitSlots};
pub use self::turns::{CachedResult, Commit, EventRow, InboxMessage, LeaseChange, LoadedJob, SnapshotRow};
pub use self::value_ref::{Args, Iter, ValueRef};
pub use self::webhook_deliveries::{
    AfterTry, Announcement, DeliveryState, DeliveryTry, DueDeliveries, JobWebhook, WebhookDeliveries, WebhookDelivery,
    WebhookEvent, webhook_message_id,
};

mod call_records;
mod erasures;
mod faults;
mod job_journal;
mod job_queue;
mod job_records;
mod jobs;
mod provider_work;
mod proxied_calls;
mod shared_bundle;
pub(crate) mod size;
mod spending;
mod step_reports;
mod steps;
mod submit_slots;
mod turns;
mod value_ref;
mod webhook_deliveries;

/// Why a store could not perform an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The job has another version than the one given: the caller has lost the lease.
    #[error("job `{job}` was taken over by another worker")]
    Fenced {
        /// Id of the job, which the caller must no longer write.
        job: String,
    },
    /// The job does not exist.
    #[error("there is no job `{job}`")]
    NotFound {
        /// The unknown id.
        job: String,
    },
    /// The job has not ended.
    #[error("job `{job}` has not ended")]
    Active {
        /// Id of the job.
        job: String,
    },
    /// The database is unavailable at the moment. Unless the connection was lost, nothing was changed.
    #[error("{fault} ({cause})")]
    Unavailable {
        /// Why the database is unavailable.
        fault: StoreFault,
        /// The database's own message, for the log.
        cause: String,
    },
    /// The database failed; the message is for the log.
    #[error("the store failed: {0}")]
    Backend(String),
}

impl StoreError {
    /// Returns why the store is unavailable, if it is.
    pub fn fault(&self) -> Option<StoreFault> {
        match self {
            Self::Unavailable { fault, .. } => Some(*fault),
            Self::Fenced { .. } | Self::NotFound { .. } | Self::Active { .. } | Self::Backend(_) => None,
        }
    }
}

/// Stores jobs durably: the combination of eight traits, implemented for every type that implements them.
pub trait Store:
    JobQueue + JobJournal + ProviderWork + JobRecords + Spending + SubmitSlots + ProxiedCalls + WebhookDeliveries
{
}

impl<S> Store for S where
    S: JobQueue
        + JobJournal
        + ProviderWork
        + JobRecords
        + Spending
        + SubmitSlots
        + ProxiedCalls
        + WebhookDeliveries
        + ?Sized
{
}
