//! What may be set on any module besides what it does.

use serde::Serialize;
use serde_json::{Map, Value};

use super::is_false;

/// When a step ends the list that it is in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StopAfterIf {
    /// Predicate, a JavaScript expression.
    pub expr: String,
    /// Mark the flow skipped.
    pub skip_if_stopped: bool,
    /// Not null: end as a failure with this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Put the step's result at `error.result`.
    #[serde(skip_serializing_if = "is_false")]
    pub error_include_result: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// When a module is replaced by an identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkipIf {
    /// Predicate, a JavaScript expression.
    pub expr: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A fixed result instead of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Mock {
    /// Whether the mock is in force.
    pub enabled: bool,
    /// The result that replaces a run.
    pub return_value: Value,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An approval gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Suspend {
    /// Approvals wanted; 0 or absent: no waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_events: Option<u32>,
    /// Seconds until the gate counts as disapproved (default 1800).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Form for the approver: `{"schema": …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_form: Option<Value>,
    /// Go on after disapproval or timeout.
    #[serde(skip_serializing_if = "is_false")]
    pub continue_on_disapprove_timeout: bool,
    /// Fields that this version does not know or does not act on.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// When and how often to try again; `attempts` counts retries, not runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Retry {
    /// The first retries, at a fixed distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<ConstantRetry>,
    /// The next ones, at a growing distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponential: Option<ExponentialRetry>,
    /// Retried only when true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_if: Option<SkipIf>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Retries at a fixed distance.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConstantRetry {
    /// Number of retries.
    pub attempts: u32,
    /// Seconds before each.
    pub seconds: u64,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Retries at a growing distance: `multiplier × seconds^(p+1)` after `p` earlier failures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExponentialRetry {
    /// Number of retries.
    pub attempts: u32,
    /// Factor (default 1).
    pub multiplier: u64,
    /// Base, in seconds.
    pub seconds: u64,
    /// Percent by which the delay is raised or lowered at random (0 to 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_factor: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
