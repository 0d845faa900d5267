//! Work of providers: which attempt it belongs to, when it is polled, and when submits are paused.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use super::step_reports::StepReport;
use crate::ports::Timestamp;

/// Keeps track of long-running work at providers. Every method is one transaction.
#[async_trait]
pub trait ProviderWork: Send + Sync {
    /// Records which attempt a provider's work belongs to, unless that is known; returns whether it belongs to this
    /// attempt. Deleted with the job.
    async fn claim_provider_work(&self, claim: ProviderWorkClaim) -> Result<bool, StoreError>;

    /// Pauses all submits that share a provider's rate limit (`limit`, see [`crate::call`]) for at least `pause` from
    /// now; a longer pause stays in effect.
    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError>;

    /// Returns how long submits that share a rate limit are still paused, by the store's clock; `None` if they may be
    /// sent. A store that several processes share
    /// may miss a pause that another process began less than 50 ms ago.
    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError>;

    /// Returns what a provider returned for an earlier upload of a file; `None` if there is none, or it has expired by the
    /// store's clock. The key identifies the content, the provider and the credentials.
    async fn find_upload(&self, key: &str) -> Result<Option<StoredUpload>, StoreError>;

    /// Records what a provider returned for an upload, until it expires; replaces an earlier one.
    async fn record_upload(&self, upload: StoredUpload) -> Result<(), StoreError>;

    /// Takes up to `limit` due polls, hiding them from others for `lease`.
    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError>;

    /// Reschedules a poll without news; `progress` (the ordinal of a step and a number from 0 to 1) is written to the
    /// step, if given and not less than what is known. Has no effect if the poll has ended.
    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError>;

    /// Records what a provider reports about a step, in place of what was reported before. Ignored if the job does not
    /// exist, or a later attempt of the step has a report; a shorter log does not replace a longer one of the same
    /// attempt. Deleted with the job, erased with the calls of the step.
    async fn record_step_report(&self, job: &str, report: StepReport) -> Result<(), StoreError>;

    /// Replaces what the poller of an attempt needs. Has no effect if the poll has ended.
    async fn replace_poll_ticket(&self, job: &str, effect: u64, ticket: Value) -> Result<(), StoreError>;
}

/// What a provider returned for the upload of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpload {
    /// Identifies the content, the provider and the credentials.
    pub key: String,
    /// What calls send instead of the file, such as a link.
    pub value: String,
    /// Until when the provider keeps the file.
    pub expires_at: Timestamp,
}

/// The claim that a provider's work belongs to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderWorkClaim {
    /// The provider's host.
    pub provider: String,
    /// The provider's id of the work.
    pub provider_id: String,
    /// Id of the job.
    pub job: String,
    /// The attempt, by the sequence number of its event.
    pub effect: u64,
}

/// A scheduled poll of a provider's operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    /// The attempt that the poll belongs to.
    pub effect: u64,
    /// When it is due.
    pub due_at: Timestamp,
    /// What the poller needs in addition to the job's bundle; small.
    pub ticket: Value,
}

/// A due poll that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePoll {
    /// Id of the job.
    pub job: String,
    /// Number of polls without news so far.
    pub tries: u32,
    /// The poll itself.
    pub poll: Poll,
}
