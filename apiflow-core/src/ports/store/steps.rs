//! Steps of jobs, as the store keeps them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::value_ref::ValueRef;
use crate::money::Cost;
use crate::ports::Timestamp;

/// Status of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// Running, or waiting for its provider.
    Running,
    /// Waiting for its next attempt.
    Retrying,
    /// Waiting for an approval or a time.
    Suspended,
    /// Completed with a result.
    Completed,
    /// Failed with an error.
    Failed,
    /// Skipped; its input was passed through as the result.
    Skipped,
    /// Cancelled by a user, or because its job ended.
    Cancelled,
}

impl StepStatus {
    /// Returns the status as written in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Parses a status.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Retrying, Self::Suspended, Self::Completed, Self::Failed, Self::Skipped, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// The current state of a step; replaced under its ordinal whenever it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Sequence number of the step's first event: identifies the step and determines its order.
    pub ordinal: u64,
    /// Id of the module.
    pub step_id: String,
    /// Ids of the enclosing modules, with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Status of the step after the last commit.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 if the module makes no attempts.
    pub attempt: u32,
    /// When the step started.
    pub started_at: Timestamp,
    /// When the step ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Reference to the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<ValueRef>,
    /// Reference to the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ValueRef>,
    /// Error object of the last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Progress according to the provider, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// Position in the provider's queue, while the step waits there; not written by commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<u64>,
    /// Link or data URI of the provider's preview of the result, while the step runs; not written by commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// Size of the provider's log, in bytes; not written by commits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_bytes: u64,
    /// The provider's id of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// When the next attempt starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What the gate after the step waits for: `{"required", "until"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Value>,
    /// What its attempts have cost so far; `None` if none has ended that could have cost anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Path of the node that is called instead of the module's own, whose call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

impl StepRow {
    /// Returns whether the step has ended: a step whose gate is closed has its result, but still waits.
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some() && self.status != StepStatus::Suspended
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
