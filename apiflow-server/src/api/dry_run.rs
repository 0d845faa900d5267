//! Dry runs: a workflow run with simulated replies.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::{JobStatus, StepStatus};

/// A workflow, or a part of one, to run without sending anything.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// The OpenFlow document of the workflow.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub document: Value,
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
    /// Runs the document's `preprocessor_module` on `input`, which is then not validated against the schema (default:
    /// false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub preprocess: bool,
    /// Runs up to and including this step.
    #[serde(default)]
    pub until: Option<String>,
    /// Runs only this step; results that it refers to come from `mocks`.
    #[serde(default)]
    pub only: Option<String>,
    /// Simulated replies by step id, or by path and id for a single place (`loop[2]/draw`): the step's result,
    /// `{"error": {"name", "message"}}` to make it fail, or `{"attempts": [answer, …]}` with one answer per attempt.
    /// Calls without a mock return sample values derived from the node's outputs.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub mocks: Map<String, Value>,
    /// Answers to approval gates by step id or place: `{"action": "resume" | "cancel", "payload", "approver"}`,
    /// repeated for as many approvals as the gate requires, or a list of them. A gate without an answer is approved at
    /// once; one with an empty list times out.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub approvals: Map<String, Value>,
}

/// The outcome of a dry run. Times are milliseconds of virtual time since its start: calls take none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunReport {
    /// The final status of the workflow.
    pub status: JobStatus,
    /// Whether it was stopped as skipped.
    pub skipped: bool,
    /// Its output; if it failed, `{"error": …}` unless a failure handler returned another value.
    pub output: Value,
    /// What a waiting caller is sent before the end, if the document has an `early_return` step.
    pub early_return: Option<Value>,
    /// The error of a failed dry run: `{"name", "message", "step_id", …}`; `dry_run_limit` if it was stopped because it
    /// would not end.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// How long it would have waited for sleeps and retries, in milliseconds.
    pub duration_ms: u64,
    /// Total number of retries of its steps.
    pub retry_count: u64,
    /// The steps that ran, in the order in which they started.
    pub steps: Vec<DryRunStep>,
    /// The events of the dry run, in the order in which they were recorded.
    pub events: Vec<DryRunEvent>,
}

/// A module of the document that ran.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunStep {
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
    pub branch: Option<String>,
    /// When the step started.
    pub started_ms: u64,
    /// When the step ended.
    #[schema(required)]
    pub finished_ms: Option<u64>,
    /// The input of the step.
    pub input: Value,
    /// The result of the step.
    pub output: Value,
    /// The error of its last failure.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// The requests that it would send, one per attempt.
    pub requests: Vec<DryRunCall>,
}

/// A request that would be sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunCall {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When it would be sent.
    pub at_ms: u64,
    /// The request: `{method, url, headers, body}`, with the names of secrets in place of their values.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub request: Value,
    /// Where its answer comes from; null if its step ended before there was one.
    #[schema(required)]
    pub answered_by: Option<AnswerSource>,
}

/// Where the answer to a call of a dry run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerSource {
    /// The caller's function.
    Function,
    /// A mock in the request's `mocks`.
    Mock,
    /// A sample derived from the outputs that the node declares.
    Sample,
}

/// An event of a dry run, with the value that it carries.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunEvent {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was recorded.
    pub at_ms: u64,
    /// The event: `{"type", …}`, as in a job's event stream.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub body: Value,
    /// The value that the event carries, if any.
    pub value: Option<Value>,
}
