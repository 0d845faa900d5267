//! What is followed at providers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::Timestamp;

/// A provider's work that an attempt follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Where the work is: the provider's host.
    pub provider: String,
    /// The provider's own id of it.
    pub provider_id: String,
    /// The job.
    pub job: String,
    /// The attempt.
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
    /// The job.
    pub job: String,
    /// How many polls changed nothing so far.
    pub tries: u32,
    /// The poll itself.
    pub poll: Poll,
}
