//! What a dry run tells.

use serde::Serialize;
use serde_json::Value;

use crate::engine::Event;
use crate::ports::{JobStatus, StepStatus};

/// What happened in a dry run. Times are milliseconds of virtual time since its start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How it ended.
    pub status: JobStatus,
    /// Whether it was stopped as skipped.
    pub skipped: bool,
    /// Its output; of a failed one `{"error": …}` unless a failure handler gave another.
    pub output: Value,
    /// What a caller that waits is answered before the end, if the document names a step for it (`early_return`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_return: Option<Value>,
    /// The error object of a failed one: `{"name", "message", "step_id", …}`.
    pub error: Option<Value>,
    /// How long it would have waited for sleeps and retries.
    pub duration_ms: u64,
    /// Sum of the retries of its steps.
    pub retry_count: u64,
    /// The steps that ran, in the order in which they began.
    pub steps: Vec<ReportStep>,
    /// The events of the journal, in order.
    pub events: Vec<ReportEvent>,
}

/// A module of the document that was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportStep {
    /// Id of the module.
    pub id: String,
    /// The step's own number, in the order in which steps began.
    pub ordinal: u64,
    /// Ids of the modules around it with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// How far the step is, or how it ended.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 if the module makes none.
    pub attempt: u32,
    /// The branch that a `branchone` took: its number from 0, or `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When it began.
    pub started_ms: u64,
    /// When it ended.
    pub finished_ms: Option<u64>,
    /// What it was given.
    pub input: Value,
    /// What it gave.
    pub output: Value,
    /// The error of its last failure.
    pub error: Option<Value>,
    /// The requests that it would send, one for each attempt.
    pub requests: Vec<ReportRequest>,
}

/// A request that would be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportRequest {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When it would be sent.
    pub at_ms: u64,
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    pub request: Value,
    /// Where its answer comes from; `None` where its step ended before there was one.
    pub answered_by: Option<ResultSource>,
}

/// Where the answer to a call comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultSource {
    /// The caller's function.
    Function,
    /// A mock of the request.
    Mock,
    /// The outputs that the node declares.
    Sample,
}

/// An event, with the value that it brought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportEvent {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at_ms: u64,
    /// The event, as in the journal of a job.
    pub body: Event,
    /// The value that it brought, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}
