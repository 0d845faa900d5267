//! The report of a dry run.

use serde::Serialize;
use serde_json::Value;

use crate::engine::Event;
use crate::ports::{JobStatus, StepStatus};

/// What happened in a dry run. Times are milliseconds of virtual time since its start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How the run ended.
    pub status: JobStatus,
    /// Whether a step stopped the run as skipped.
    pub skipped: bool,
    /// Output of the run; if it failed, `{"error": …}` unless a failure handler returned another value.
    pub output: Value,
    /// The early response to waiting callers, if the document names a step for it (`early_return`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_return: Option<Value>,
    /// Error object of a failed run: `{"name", "message", "step_id", …}`.
    pub error: Option<Value>,
    /// Time that the run would have waited for sleeps and retries.
    pub duration_ms: u64,
    /// Number of retries of all steps.
    pub retry_count: u64,
    /// The steps that ran, in the order in which they started.
    pub steps: Vec<ReportStep>,
    /// The events of the journal, in order.
    pub events: Vec<ReportEvent>,
}

/// A module of the document that was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportStep {
    /// Id of the module.
    pub id: String,
    /// Number of the step, in the order in which steps started.
    pub ordinal: u64,
    /// Ids of the enclosing modules, with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// Progress of the step, or how it ended.
    pub status: StepStatus,
    /// Number of the last attempt, from 1; 0 if the module makes no attempts.
    pub attempt: u32,
    /// The branch that a `branchone` took: its number from 0, or `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When the step started.
    pub started_ms: u64,
    /// When the step ended.
    pub finished_ms: Option<u64>,
    /// Input of the step.
    pub input: Value,
    /// Output of the step.
    pub output: Value,
    /// Error of the last failed attempt.
    pub error: Option<Value>,
    /// The requests that would be sent, one for each attempt.
    pub requests: Vec<ReportRequest>,
}

/// A request that would be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportRequest {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When the request would be sent.
    pub at_ms: u64,
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    pub request: Value,
    /// Source of the reply; `None` if the step ended before there was one.
    pub answered_by: Option<ResultSource>,
}

/// Source of the reply to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultSource {
    /// The caller's function.
    Function,
    /// A mock of the request.
    Mock,
    /// A sample of the outputs that the node declares.
    Sample,
}

/// An event of the journal, with its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportEvent {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When the event was decided.
    pub at_ms: u64,
    /// The event, as in the journal of a job.
    pub body: Event,
    /// Value of the event, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}
