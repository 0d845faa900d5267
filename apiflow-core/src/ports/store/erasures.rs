//! What is erased of jobs that have ended.

use serde_json::Value;

use super::jobs::JobBundle;
use super::steps::StepRow;
use crate::ports::Timestamp;

/// A job of which something is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueErasure {
    /// Id of the job to erase from.
    pub job: String,
    /// The moment that came: [`JobState::erase_at`](super::JobState::erase_at).
    pub due_at: Timestamp,
}

/// What is erased of a job that has ended. It is idempotent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Erasure {
    /// Id of the job, which has ended.
    pub job: String,
    /// Events whose values, if they have one, become `{}`.
    pub values: Vec<u64>,
    /// Events that are written again, by position.
    pub events: Vec<(u64, Value)>,
    /// Steps that are written again.
    pub steps: Vec<StepRow>,
    /// Steps whose calls are removed.
    pub calls: Vec<u64>,
    /// What the job is left as, with the last part of an erasure.
    pub rest: Option<ErasedJob>,
}

/// What a job is left as when something of it was erased.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedJob {
    /// Where the output is.
    pub output: Option<Value>,
    /// The error object.
    pub error: Option<Value>,
    /// When more of it is to be erased, if anything is left.
    pub erase_at: Option<Timestamp>,
    /// What it needed, if that changes.
    pub bundle: Option<JobBundle>,
}
