//! Jobs, their steps and calls, and the requests that start them.

use std::collections::BTreeMap;

use apiflow_core::artifact::Artifact;
use apiflow_core::money::Cost;
use apiflow_core::ports::{JobStatus, StepStatus, WebhookEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The inputs of a node run.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
    /// URL that the job is announced to when it ends or needs approval: https, or http to a host in `APIFLOW_ALLOW_HOSTS`.
    #[serde(default)]
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    #[serde(default)]
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
}

/// The inputs of a workflow run.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunWorkflowRequest {
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
    /// Runs the workflow's `preprocessor_module` on `input`, which is then not validated against the schema (default:
    /// false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub preprocess: bool,
    /// Runs all steps anew: results that earlier runs have cached (`cache_ttl`) are not used, but replaced (default:
    /// false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub fresh: bool,
    /// Runs this version of the workflow (default: the newest one).
    #[serde(default)]
    pub version: Option<u64>,
    /// URL that the job is announced to when it ends or needs approval: https, or http to a host in `APIFLOW_ALLOW_HOSTS`; replaces
    /// that of the workflow.
    #[serde(default)]
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    #[serde(default)]
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
}

/// A workflow, or a part of one, to run without saving it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunDocumentRequest {
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
    /// Runs all steps anew: results that earlier runs have cached (`cache_ttl`) are not used, but replaced (default:
    /// false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub fresh: bool,
    /// Runs up to and including this step.
    #[serde(default)]
    pub until: Option<String>,
    /// Runs only this step; results that it refers to come from `mocks`.
    #[serde(default)]
    pub only: Option<String>,
    /// Results by step id; these steps are not run.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub mocks: Map<String, Value>,
    /// Id of the saved workflow of which the document is an unsaved version: the job is listed among its jobs, and counts
    /// for its budgets and its limit on concurrent jobs (default: none).
    #[serde(default)]
    pub workflow_id: Option<String>,
    /// URL that the job is announced to when it ends or needs approval: https, or http to a host in `APIFLOW_ALLOW_HOSTS`.
    #[serde(default)]
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    #[serde(default)]
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
}

/// An answer to a step that waits for approval.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The step, by its `ordinal` or its `id` (default: the one that waits; required if several or none wait).
    #[serde(default)]
    pub step: Option<String>,
    /// Whether to resume or cancel the job.
    pub action: ResumeAction,
    /// Payload of the approval, available as `resume` in the module after the step (default: null).
    #[serde(default)]
    pub payload: Value,
}

/// An approver's decision about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResumeAction {
    /// Approves: the job continues.
    Resume,
    /// Disapproves: the job ends, or continues if the document says so.
    Cancel,
}

/// The documents that a rerun runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RerunVersion {
    /// Those of the original job.
    #[default]
    Job,
    /// The workflow or node as it is saved now.
    Saved,
}

/// How to rerun a job.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    /// The first step to rerun, by its `ordinal` or its `id`; results of earlier steps are reused (default: rerun all).
    #[serde(default)]
    pub from: Option<String>,
    /// The documents to run (default: those of the original job). With `saved`, the results of steps before `from` are reused
    /// for the steps that have the same ids now; steps that are new are run.
    #[serde(default)]
    pub version: Option<RerunVersion>,
    /// The inputs by name (default: those of the original job).
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Option<Map<String, Value>>,
    /// Allows resending a call of unknown outcome, which may be paid twice (default: false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub confirm_unknown: bool,
    /// Runs all steps anew: results that earlier runs have cached (`cache_ttl`) are not used, but replaced (default:
    /// false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub fresh: bool,
    /// URL that the job is announced to when it ends or needs approval: https, or http to a host in `APIFLOW_ALLOW_HOSTS`; default:
    /// that of the original job.
    #[serde(default)]
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    #[serde(default)]
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
}

/// The approvals that a step waits for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Approval {
    /// Number of approvals required.
    pub required: u32,
    /// Number of approvals received.
    pub given: u32,
    /// Number of approvals still missing.
    pub remaining: u32,
    /// When the approval times out and counts as disapproved.
    #[schema(format = DateTime)]
    pub until: String,
    /// Signed links, one per required approval, that need no token: anyone who has a link can approve or disapprove.
    /// Shown to the user who created the job and to admins; empty for others.
    pub urls: Vec<String>,
}

/// The summary of a job in lists.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobSummary {
    /// Unique identifier; newer jobs sort after older ones.
    pub id: String,
    /// Name of the workflow or node.
    pub name: String,
    /// Id of the workflow, if the job runs a saved one or an unsaved version of it.
    #[schema(required)]
    pub workflow_id: Option<String>,
    /// Version of the saved workflow that the job runs; null if it runs an unsaved version, and for jobs of earlier servers.
    #[schema(required)]
    pub workflow_version: Option<u64>,
    /// Id of the node, if the job runs a single node.
    #[schema(required)]
    pub node_id: Option<String>,
    /// Id of the job that it reruns, even if that was deleted.
    #[schema(required)]
    pub rerun_of: Option<String>,
    /// Current status of the job.
    pub status: JobStatus,
    /// Total number of retries of its steps.
    pub retry_count: u64,
    /// What its calls have cost so far.
    pub cost: Cost,
    /// The error of a failed job: `{"name", "message", "step_id", …}`.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// Id of the user who created it.
    #[schema(required)]
    pub created_by: Option<String>,
    /// When the job was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the job last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When its first step started.
    #[schema(required, format = DateTime)]
    pub started_at: Option<String>,
    /// When the job ended.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
}

/// One run of a workflow or node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Job {
    /// The fields that lists show.
    #[serde(flatten)]
    pub summary: JobSummary,
    /// Input of the job, including defaults.
    pub input: Value,
    /// Output of the job; null until it ended. If the workflow has an `early_return` and the caller waited for it, the
    /// reply has that step's result here.
    pub output: Value,
    /// Its first steps, at most 200, in the order in which they started.
    pub steps: Vec<Step>,
    /// Pass it as `cursor` to `/jobs/{id}/steps` to get the remaining steps; null if there are no more.
    #[schema(required)]
    pub steps_next: Option<String>,
    /// Which values are previews, because they are larger than `max_value_bytes`; absent if none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<TruncatedField>,
}

/// A value that may be too large for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TruncatedField {
    /// The input.
    Input,
    /// The output.
    Output,
}

/// A module of the document that is running or has run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Step {
    /// Id of the module.
    pub id: String,
    /// Number of the step within the job, in the order in which steps started.
    pub ordinal: u64,
    /// Ids of the enclosing modules with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// Current status of the step.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 if the module makes none.
    pub attempt: u32,
    /// When the step started.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When the step ended.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
    /// When its next attempt is due.
    #[schema(required, format = DateTime)]
    pub retry_at: Option<String>,
    /// Input of the step.
    pub input: Value,
    /// Result of the step; null until it completed.
    pub output: Value,
    /// The error of its last failure.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// Progress that the provider reports, from 0 to 1.
    #[schema(required)]
    pub progress: Option<f64>,
    /// Position in the provider's queue; null unless the step waits there and the provider says so.
    #[schema(required)]
    pub queue_position: Option<u64>,
    /// Link or data URI of the provider's preview of the result; null unless the step is running.
    #[schema(required)]
    pub preview: Option<String>,
    /// Size of the provider's log, in bytes; 0 if there is none.
    pub log_bytes: u64,
    /// The provider's id of the operation.
    #[schema(required)]
    pub provider_id: Option<String>,
    /// Outputs of the step that are kept.
    pub artifacts: Vec<Artifact>,
    /// The approvals that it waits for while it is suspended.
    #[schema(required)]
    pub approval: Option<Approval>,
    /// Path of the fallback node that is called, because the calls of the nodes before it failed.
    #[schema(required)]
    pub fallback: Option<String>,
    /// What its calls have cost so far; null if none has ended that could have cost anything.
    #[schema(required)]
    pub cost: Option<Cost>,
    /// Which values are previews, because they are larger than `max_value_bytes`; absent if none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<TruncatedField>,
}

/// The provider's log of a step; secrets are masked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepLog {
    /// The step's `ordinal`.
    pub step: u64,
    /// Number of the attempt that the log belongs to, from 1, and 0 without a log: another attempt begins a new log.
    pub attempt: u32,
    /// Position of `text` in the whole log, in bytes: later than asked for if the part before is not kept.
    pub offset: u64,
    /// Size of the whole log, in bytes: the `offset` that returns what is added later.
    pub total_bytes: u64,
    /// The log from `offset` to its end.
    pub text: String,
}

/// The workflow that a job runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobDocument {
    /// The OpenFlow document as it was when the job was created; for a job of a node, a document of one step.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub document: Value,
    /// The OpenFlow documents of the workflows that it runs as sub-flows, by id, as they were then.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub workflows: BTreeMap<String, Value>,
}

/// One request of a step and its reply; secrets are masked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Call {
    /// The step's `ordinal`.
    pub step: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Purpose of the request.
    #[schema(value_type = CallPurpose)]
    pub purpose: String,
    /// When the request was sent.
    #[schema(format = DateTime)]
    pub at: String,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// The request: `{method, url, headers, body}`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub request: Value,
    /// The reply: `{status, headers, excerpt, size_bytes}`, or `{error}`; empty until one arrived.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub reply: Value,
}

/// Purpose of a request.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallPurpose {
    /// Starts the work.
    Submit,
    /// Asks for its state.
    Poll,
    /// Fetches its result.
    Result,
    /// Cancels it.
    Cancel,
    /// Looks for an attempt of unknown outcome in the provider's list.
    Recover,
    /// Sends a file to the provider before the submit.
    Upload,
    /// Fetches a file of the result.
    Download,
}
