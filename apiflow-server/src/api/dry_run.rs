//! Dry runs: a workflow tried out with made-up answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::{JobStatus, StepStatus};

/// A workflow, or a part of one, to try out.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// The OpenFlow document.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub document: Value,
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
    /// Lets the document's `preprocessor_module` make its inputs of `input`, which is then not checked against the
    /// schema (default: false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub preprocess: bool,
    /// Runs up to and including this step.
    #[serde(default)]
    pub until: Option<String>,
    /// Runs this step alone; results that it names come from `mocks`.
    #[serde(default)]
    pub only: Option<String>,
    /// Answers by step id, or for one place only by path and id (`loop[2]/draw`): the step's result,
    /// `{"error": {"name", "message"}}` to let it fail, or `{"attempts": [answer, …]}` for one attempt after the other.
    /// Calls without one are answered with values made from the node's outputs.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub mocks: Map<String, Value>,
    /// Answers to approval gates by step id or place: `{"action": "resume" | "cancel", "payload", "approver"}`, given as
    /// often as the gate wants, or a list of them. Without one a gate is approved at once; with an empty list it times
    /// out.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub approvals: Map<String, Value>,
}

/// What happened in a dry run. Times are milliseconds of virtual time since its start: calls take none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunReport {
    /// How it ended.
    pub status: JobStatus,
    /// Whether it was stopped as skipped.
    pub skipped: bool,
    /// Its output; of a failed one `{"error": …}` unless a failure handler gave another.
    pub output: Value,
    /// What a caller that waits is answered before the end, where the document names a step for it (`early_return`).
    pub early_return: Option<Value>,
    /// The error of a failed one: `{"name", "message", "step_id", …}`. `dry_run_limit` where it was ended because it had
    /// no end.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// How long it would have waited for sleeps and retries.
    pub duration_ms: u64,
    /// Sum of the retries of its steps.
    pub retry_count: u64,
    /// The steps that ran, in the order in which they began.
    pub steps: Vec<DryRunStep>,
    /// The journal.
    pub events: Vec<DryRunEvent>,
}

/// A module of the document that was run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunStep {
    /// Id of the module.
    pub id: String,
    /// The step's own number, in the order in which steps began.
    pub ordinal: u64,
    /// Ids of the modules around it with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// Status.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 where the module makes none.
    pub attempt: u32,
    /// The branch that a `branchone` took: its number from 0, or `default`.
    pub branch: Option<String>,
    /// When it began.
    pub started_ms: u64,
    /// When it ended.
    #[schema(required)]
    pub finished_ms: Option<u64>,
    /// What it was given.
    pub input: Value,
    /// What it gave.
    pub output: Value,
    /// The error of its last failure.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// The requests that it would send, one for each attempt.
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
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub request: Value,
    /// Where its answer comes from; null where its step ended before there was one.
    #[schema(required)]
    pub answered_by: Option<AnswerSource>,
}

/// Where the answer to a call of a dry run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerSource {
    /// The caller's function.
    Function,
    /// A mock.
    Mock,
    /// The outputs that the node declares.
    Sample,
}

/// An event of a dry run, with the value that it brought.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunEvent {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at_ms: u64,
    /// The event: `{"type", …}`, as a job's stream has it.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub body: Value,
    /// The value that it brought, if any.
    pub value: Option<Value>,
}
