//! Jobs, their steps and calls, and what starts them.

use apiflow_core::ports;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What to run a node or workflow with.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
}

/// What to run a workflow with.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunWorkflowRequest {
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
    /// Lets the workflow's `preprocessor_module` make its inputs of `input`, which is then not checked against the
    /// schema (default: false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub preprocess: bool,
}

/// A workflow, or a part of one, to run without saving it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunDocumentRequest {
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
    /// Results by step id: these steps are not run.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub mocks: Map<String, Value>,
}

/// An answer to a step that waits for approval.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The step, by its `ordinal` or its `id` (default: the one that waits; with several, or none, it has to be named).
    #[serde(default)]
    pub step: Option<String>,
    /// Whether to go on or to end.
    pub action: ResumeAction,
    /// What comes with it: `resume` in the module after the step (default: null).
    #[serde(default)]
    pub payload: Value,
}

/// Whether an approver lets a job go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResumeAction {
    /// Go on.
    Resume,
    /// Disapprove.
    Cancel,
}

/// How to run a job again.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    /// The step to begin with, by its `ordinal` or its `id`: what comes before it is taken over and not run again
    /// (default: run all).
    #[serde(default)]
    pub from: Option<String>,
    /// The inputs by name (default: those of the job).
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Option<Map<String, Value>>,
    /// Allows to send a call again whose fate is unknown: it may be paid twice (default: false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub confirm_unknown: bool,
}

/// What a step waits for before the next one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Approval {
    /// Approvals wanted.
    pub required: u32,
    /// Approvals given so far.
    pub given: u32,
    /// Approvals still needed.
    pub remaining: u32,
    /// When it counts as disapproved.
    #[schema(format = DateTime)]
    pub until: String,
    /// Signed links, one per approval wanted, that work without a token: whoever has one can approve or disapprove. Shown
    /// to the user who made the job and to admins; empty for others.
    pub urls: Vec<String>,
}

/// What a job's status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Created, not yet begun.
    Pending,
    /// Being run, or waiting for a provider or a time.
    Running,
    /// Waiting for an approval.
    Suspended,
    /// Ended with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended by a user.
    Cancelled,
}

impl From<ports::JobStatus> for JobStatus {
    fn from(status: ports::JobStatus) -> Self {
        match status {
            ports::JobStatus::Pending => Self::Pending,
            ports::JobStatus::Running => Self::Running,
            ports::JobStatus::Suspended => Self::Suspended,
            ports::JobStatus::Completed => Self::Completed,
            ports::JobStatus::Failed => Self::Failed,
            ports::JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<JobStatus> for ports::JobStatus {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Pending => Self::Pending,
            JobStatus::Running => Self::Running,
            JobStatus::Suspended => Self::Suspended,
            JobStatus::Completed => Self::Completed,
            JobStatus::Failed => Self::Failed,
            JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// A job as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobSummary {
    /// Identifier; newer jobs sort after older ones.
    pub id: String,
    /// The workflow's or node's name.
    pub name: String,
    /// The workflow that it runs, if a saved one.
    #[schema(required)]
    pub workflow_id: Option<String>,
    /// The node that it runs, if a single one.
    #[schema(required)]
    pub node_id: Option<String>,
    /// Status.
    pub status: JobStatus,
    /// Sum of the retries of its steps.
    pub retry_count: u64,
    /// The error of a failed job: `{"name", "message", "step_id", …}`.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// The user who made it.
    #[schema(required)]
    pub created_by: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When its first step began.
    #[schema(required, format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
}

/// One run of a workflow or node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Job {
    /// All that lists show.
    #[serde(flatten)]
    pub summary: JobSummary,
    /// Its input, with defaults filled in.
    pub input: Value,
    /// Its output; null until it ended. The reply to a caller who waited, and whose answer the workflow's `early_return`
    /// gave, has that answer here.
    pub output: Value,
    /// Its first steps, at most 200, in the order in which they began.
    pub steps: Vec<Step>,
    /// Give it as `cursor` to `/jobs/{id}/steps` to get the rest; null where these are all.
    #[schema(required)]
    pub steps_next: Option<String>,
}

/// What a step's status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// At work, or waiting for its provider.
    Running,
    /// Waiting for its next attempt.
    Retrying,
    /// Waiting for an approval or a time.
    Suspended,
    /// Ended with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Replaced by an identity.
    Skipped,
    /// Ended by a user, or by the end of its job.
    Cancelled,
}

impl From<ports::StepStatus> for StepStatus {
    fn from(status: ports::StepStatus) -> Self {
        match status {
            ports::StepStatus::Running => Self::Running,
            ports::StepStatus::Retrying => Self::Retrying,
            ports::StepStatus::Suspended => Self::Suspended,
            ports::StepStatus::Completed => Self::Completed,
            ports::StepStatus::Failed => Self::Failed,
            ports::StepStatus::Skipped => Self::Skipped,
            ports::StepStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// A module of the document while or after it was run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Step {
    /// Id of the module.
    pub id: String,
    /// The step's own number within the job, in the order in which steps began.
    pub ordinal: u64,
    /// Ids of the modules around it with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// Status.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 where the module makes none.
    pub attempt: u32,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it ended.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
    /// When its next attempt is due.
    #[schema(required, format = DateTime)]
    pub retry_at: Option<String>,
    /// What it was given.
    pub input: Value,
    /// What it gave; null until then.
    pub output: Value,
    /// The error of its last failure.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub error: Option<Value>,
    /// How far the provider says it is, from 0 to 1.
    #[schema(required)]
    pub progress: Option<f64>,
    /// The provider's own id of the work.
    #[schema(required)]
    pub provider_id: Option<String>,
    /// What it waits for before the next step, while it is suspended.
    #[schema(required)]
    pub approval: Option<Approval>,
}

/// One request of a step and its reply; secrets are masked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Call {
    /// The step's `ordinal`.
    pub step: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// What it was for: submit, poll, result, cancel or recover.
    pub purpose: String,
    /// When it was sent.
    #[schema(format = DateTime)]
    pub at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The request: `{method, url, headers, body}`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub request: Value,
    /// The reply: `{status, headers, excerpt, size_bytes}`, or `{error}`; empty while none has come.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub reply: Value,
}
