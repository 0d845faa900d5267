//! Work that providers do for jobs: whose it is, when it is polled, and how fast more may be submitted.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use crate::ports::Timestamp;

/// Keeps track of long-running work at providers. Every method is one transaction.
#[async_trait]
pub trait ProviderWork: Send + Sync {
    /// Records which attempt a provider's work belongs to, unless that is known; returns whether it is this attempt's
    /// now. Removing the job forgets it.
    async fn claim_provider_work(&self, claim: ProviderWorkClaim) -> Result<bool, StoreError>;

    /// Pauses all submits that a provider's rate limit (`limit`, see [`crate::call`]) holds for, for at least `pause`
    /// from now; a longer pause that holds already stays.
    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError>;

    /// Returns how long the submits that a rate limit holds for are still paused, by the store's clock; `None` if they
    /// may be sent.
    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError>;

    /// Takes up to `limit` polls that are due, hiding them from others for `lease`.
    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError>;

    /// Sets the next time of a poll that changed nothing; `progress` is written to the step of that attempt, if given
    /// (its ordinal and a number from 0 to 1). Nothing happens if the poll is over.
    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError>;
}

/// The claim of an attempt that a provider's work is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderWorkClaim {
    /// Where the work is: the provider's host.
    pub provider: String,
    /// The provider's own id of it.
    pub provider_id: String,
    /// Id of the job that claims the work.
    pub job: String,
    /// The attempt that claims the work, by the position of its event in the journal.
    pub effect: u64,
}

/// A poll of a provider's operation that is due at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    /// The attempt that it belongs to.
    pub effect: u64,
    /// When it is due.
    pub due_at: Timestamp,
    /// What the poller needs beside the job's bundle; small, immutable.
    pub ticket: Value,
}

/// A poll that was taken because it is due.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePoll {
    /// Id of the job that the poll belongs to.
    pub job: String,
    /// How many polls changed nothing so far.
    pub tries: u32,
    /// The poll itself.
    pub poll: Poll,
}
