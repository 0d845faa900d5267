//! Slots of attempts that share a provider's limits.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;

/// Gives attempts that share a provider's limits their slots. Every method is one transaction.
///
/// A slot of a step ends with the commit that ends the step's attempt
/// ([`Commit::ended_attempts`](super::Commit::ended_attempts)) or the job; that of a call without a job with the call
/// ([`ProxiedCalls::end_proxied_call`](super::ProxiedCalls::end_proxied_call)) or its lease: a process that dies keeps
/// none.
#[async_trait]
pub trait SubmitSlots: Send + Sync {
    /// Requests a slot; returns whether it was given. Otherwise the step or call waits. Free slots go to the user with
    /// the fewest slots of the key, then to the one who got none for the longest time; of a user's steps and calls, to
    /// the one that waits longest.
    async fn request_submit_slot(&self, request: SubmitSlotRequest) -> Result<bool, StoreError>;

    /// Returns whether a call without a job has its slot: cheaper than requesting it again.
    async fn holds_submit_slot(&self, call: &str) -> Result<bool, StoreError>;

    /// Gives free slots to what waits for them, and ends those of calls whose lease has ended; returns the jobs that
    /// got a message.
    async fn assign_submit_slots(&self) -> Result<Vec<String>, StoreError>;
}

/// The request for a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitSlotRequest {
    /// What shares the limits: the provider's origin and the credentials.
    pub key: String,
    /// The limits; those of the last request for a key hold for all.
    pub limits: SubmitLimits,
    /// What needs the slot.
    pub waiter: SlotWaiter,
}

/// What needs a slot.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotWaiter {
    /// A step of a job.
    Step {
        /// Id of the job.
        job: String,
        /// Ordinal of the step.
        step: u64,
        /// Delivered to the job when the step gets its slot after waiting.
        message: Value,
    },
    /// A call without a job, which asks until it has its slot.
    Call {
        /// Id of the call.
        id: String,
        /// Id of the user who makes it.
        user: String,
        /// How long its place or slot is kept from now on; zero: it is lost at once.
        lease: Duration,
    },
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
