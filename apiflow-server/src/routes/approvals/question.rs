//! The question that an approval gate asks, and its answer by link.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::{Approval, ResumeAction};

/// The approval gate after a step.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Question {
    /// Id of the job.
    pub(super) job: String,
    /// Name of the job.
    pub(super) name: String,
    /// Id of the step.
    pub(super) step: String,
    /// Whether the gate still waits for an answer.
    pub(super) open: bool,
    /// The approvals that the step waits for.
    #[schema(required)]
    pub(super) approval: Option<Approval>,
    /// JSON Schema of an approval's payload, if the document has a form.
    pub(super) form: Value,
    /// What is to be approved: the result of the step, or if it has none, that of the step before it. Behind a link, the
    /// `url` of each artifact is signed.
    pub(super) output: Value,
}

/// An answer to an approval gate by link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkAnswer {
    /// Whether to resume or cancel the job.
    pub(super) action: ResumeAction,
    /// Payload of the approval (default: null).
    #[serde(default)]
    pub(super) payload: Value,
    /// The name to show (default: none); it is marked as unverified, since anyone may enter it.
    #[serde(default)]
    pub(super) approver: Option<String>,
}
