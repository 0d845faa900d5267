//! Slots of attempts that share a provider's limits.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;

/// Gives attempts that share a provider's limits their slots. Every method is one transaction.
///
/// A slot belongs to a step of a job, and ends with the commit that ends the step's attempt
/// ([`Commit::ended_attempts`](super::Commit::ended_attempts)) or the job: a process that dies keeps none.
#[async_trait]
pub trait SubmitSlots: Send + Sync {
    /// Requests a slot; returns whether the step has it. Otherwise it waits: once it has its slot, the message is
    /// delivered to its job. Free slots go to the user with the fewest slots of the key, then to the one who got none
    /// for the longest time; of a user's steps, to the one that waits longest.
    async fn request_submit_slot(&self, request: SubmitSlotRequest) -> Result<bool, StoreError>;

    /// Gives free slots to waiting steps; returns the jobs that got a message.
    async fn assign_submit_slots(&self) -> Result<Vec<String>, StoreError>;
}

/// The request for a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitSlotRequest {
    /// What shares the limits: the provider's origin and the credentials.
    pub key: String,
    /// The limits; those of the last request for a key hold for all.
    pub limits: SubmitLimits,
    /// Id of the job.
    pub job: String,
    /// Ordinal of the step.
    pub step: u64,
    /// Delivered to the job when the step gets its slot after waiting.
    pub message: Value,
}

/// Limits on the submits of all nodes of a connector with the same credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitLimits {
    /// Maximum number of attempts that are at work, from the submit to the end of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Maximum number of submits per window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestWindow>,
}

/// A number of submits within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestWindow {
    /// Maximum number of submits, at least 1.
    pub count: u64,
    /// Length of the window, in seconds, from 1.
    pub window_s: u64,
}

impl SubmitLimits {
    /// Returns the length of the window, in milliseconds.
    pub fn window_ms(&self) -> Option<u64> {
        self.requests.map(|requests| requests.window_s.saturating_mul(1_000))
    }

    /// Returns how many more steps may get a slot if `held` have one and `recent` got one within the window.
    pub fn free_slots(&self, held: u64, recent: u64) -> u64 {
        let in_flight = self.in_flight.map_or(u64::MAX, |limit| limit.saturating_sub(held));
        let requests = self.requests.map_or(u64::MAX, |requests| requests.count.saturating_sub(recent));
        in_flight.min(requests)
    }
}
