//! The outcome of a dry run.

use serde::Serialize;
use serde_json::Value;

use crate::engine::Event;
use crate::ports::{JobStatus, StepStatus};

/// The outcome of a dry run. Times are milliseconds of virtual time since its start: calls take none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(as = DryRunReport))]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The final status of the workflow.
    pub status: JobStatus,
    /// Whether it was stopped as skipped.
    pub skipped: bool,
    /// Its output; if it failed, `{"error": …}` unless a failure handler returned another value.
    pub output: Value,
    /// What a waiting caller is sent before the end, if the document has an `early_return` step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_return: Option<Value>,
    /// The error of a failed dry run: `{"name", "message", "step_id", …}`; `dry_run_limit` if it was stopped because it
    /// would not end.
    #[cfg_attr(feature = "utoipa", schema(required, value_type = Option<BTreeMap<String, Value>>))]
    pub error: Option<Value>,
    /// How long it would have waited for sleeps and retries, in milliseconds.
    pub duration_ms: u64,
    /// Total number of retries of its steps.
    pub retry_count: u64,
    /// The steps that ran, in the order in which they started.
    pub steps: Vec<ReportStep>,
    /// The events of the dry run, in the order in which they were recorded.
    pub events: Vec<ReportEvent>,
}

/// A module of the document that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(as = DryRunStep))]
#[serde(deny_unknown_fields)]
pub struct ReportStep {
    /// Id of the module.
    pub id: String,
    /// Number of the step, in the order in which steps started.
    pub ordinal: u64,
    /// Ids of the enclosing modules with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// The status of the step at the end of the dry run.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 if the module makes none.
    pub attempt: u32,
    /// The branch that a `branchone` took: its number from 0, or `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When the step started.
    pub started_ms: u64,
    /// When the step ended.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub finished_ms: Option<u64>,
    /// The input of the step.
    pub input: Value,
    /// The result of the step.
    pub output: Value,
    /// The error of its last failure.
    #[cfg_attr(feature = "utoipa", schema(required, value_type = Option<BTreeMap<String, Value>>))]
    pub error: Option<Value>,
    /// The requests that it would send, one per attempt.
    pub requests: Vec<ReportRequest>,
}

/// A request that would be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(as = DryRunCall))]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When it would be sent.
    pub at_ms: u64,
    /// The request: `{method, url, headers, body}`, with the names of secrets in place of their values.
    #[cfg_attr(feature = "utoipa", schema(value_type = BTreeMap<String, Value>))]
    pub request: Value,
    /// Where its answer comes from; null if its step ended before there was one.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub answered_by: Option<ResultSource>,
}

/// Where the answer to a call of a dry run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(as = AnswerSource))]
#[serde(rename_all = "lowercase")]
pub enum ResultSource {
    /// The caller's function.
    Function,
    /// A mock in the request's `mocks`.
    Mock,
    /// A sample derived from the outputs that the node declares.
    Sample,
}

/// An event of a dry run, with the value that it carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(as = DryRunEvent))]
#[serde(deny_unknown_fields)]
pub struct ReportEvent {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was recorded.
    pub at_ms: u64,
    /// The event: `{"type", …}`, as in a job's event stream.
    #[cfg_attr(feature = "utoipa", schema(value_type = BTreeMap<String, Value>))]
    pub body: Event,
    /// The value that the event carries, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}
