//! Erasure of data of ended jobs.

use serde_json::Value;

use super::jobs::JobBundle;
use super::steps::StepRow;
use super::value_ref::ValueRef;
use crate::ports::Timestamp;

/// A job of which data is due for erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueErasure {
    /// Id of the job.
    pub job: String,
    /// The time that has come: [`JobState::erase_at`](super::JobState::erase_at).
    pub due_at: Timestamp,
}

/// The data of an ended job to erase. Applying it again has no effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Erasure {
    /// Id of the job, which has ended.
    pub job: String,
    /// Events whose values, if they have one, are replaced by `{}`.
    pub values: Vec<u64>,
    /// Events that are replaced, by position.
    pub events: Vec<(u64, Value)>,
    /// Steps that are replaced.
    pub steps: Vec<StepRow>,
    /// Steps whose calls are removed.
    pub calls: Vec<u64>,
    /// New fields of the job's row, with the last part of an erasure.
    pub rest: Option<ErasedJob>,
}

/// The fields of a job's row after an erasure.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedJob {
    /// Reference to the output.
    pub output: Option<ValueRef>,
    /// The error object.
    pub error: Option<Value>,
    /// When the next erasure is due, if any data is left.
    pub erase_at: Option<Timestamp>,
    /// The job's bundle, if it changes.
    pub bundle: Option<JobBundle>,
}
