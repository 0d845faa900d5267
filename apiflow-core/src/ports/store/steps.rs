//! Steps of jobs, and their calls, as the store keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// The word in JSON and in the database.
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

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Retrying, Self::Suspended, Self::Completed, Self::Failed, Self::Skipped, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A step of a job as it stands now; written again under its ordinal whenever it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Position of the step's first event in the journal: the step's identity and order.
    pub ordinal: u64,
    /// Id of the module.
    pub step_id: String,
    /// Ids of the modules around it with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Status of the step after the last commit.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 if the module makes none.
    pub attempt: u32,
    /// The moment it began.
    pub started_at: Timestamp,
    /// The moment it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Where the input is: a [`crate::engine::ValueRef`] as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Where the output is: a [`crate::engine::ValueRef`] as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The error object of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// How far the provider says it is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// The provider's own id of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The moment of the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What the gate after it waits for: `{"required", "until"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Value>,
}

impl StepRow {
    /// Whether it has ended for good: a step whose gate is closed has its result, and waits all the same.
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some() && self.status != StepStatus::Suspended
    }
}

/// One request of a step and its reply, secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The step that made it.
    pub step: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// What it was for: submit, poll, result, cancel or recover.
    pub purpose: String,
    /// When it was sent.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    pub request: Value,
    /// The reply: `{status, headers, excerpt, size_bytes}`, or `{error}`; empty while none has come.
    pub reply: Value,
}

impl CallRecord {
    /// What a submit is for.
    pub(crate) const SUBMIT: &str = "submit";

    /// Whether this is the submit of an attempt that no reply has come to.
    pub fn is_unanswered_submit(&self, attempt: u32) -> bool {
        self.purpose == Self::SUBMIT && self.attempt == attempt && self.reply == json!({})
    }

    /// Whether this is the reply to a submit that is recorded without it.
    pub fn is_reply_to_submit(&self) -> bool {
        self.purpose == Self::SUBMIT && self.request.is_null()
    }

    /// Joins submits with their replies: the request is recorded with the attempt, before it is sent, and the reply
    /// after it, each without the other. A submit without a reply is under way, or nobody knows what became of it.
    pub fn join_records(records: Vec<Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::with_capacity(records.len());
        for record in records {
            let sent = |known: &&mut Self| {
                known.purpose == Self::SUBMIT && known.attempt == record.attempt && known.reply == json!({})
            };
            match joined.iter_mut().find(sent).filter(|_| record.is_reply_to_submit()) {
                Some(known) => *known = Self { request: std::mem::take(&mut known.request), ..record },
                None => joined.push(record),
            }
        }
        joined
    }
}
