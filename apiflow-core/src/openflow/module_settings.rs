//! Settings that any module may have, whatever it does.

use serde::Serialize;
use serde_json::{Map, Value};

use super::is_false;

/// A condition for ending the list that contains the step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StopAfterIf {
    /// Predicate, a JavaScript expression.
    pub expr: String,
    /// Marks the flow as skipped.
    pub skip_if_stopped: bool,
    /// If not null, the list fails with this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Adds the step's result as `error.result`.
    #[serde(skip_serializing_if = "is_false")]
    pub error_include_result: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A condition for replacing a module by an identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkipIf {
    /// Predicate, a JavaScript expression.
    pub expr: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A fixed result that replaces running a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Mock {
    /// Whether the mock is used.
    pub enabled: bool,
    /// The result that the step returns.
    pub return_value: Value,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An approval gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Suspend {
    /// Number of required approvals; 0 or absent: the gate does not wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_events: Option<u32>,
    /// Seconds after which the gate counts as disapproved (default 1800).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Form for the approver: `{"schema": …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_form: Option<Value>,
    /// Continues after disapproval or timeout.
    #[serde(skip_serializing_if = "is_false")]
    pub continue_on_disapprove_timeout: bool,
    /// Fields that this version does not know or that have no effect.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// When and how often a step is retried; `attempts` counts retries, not runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Retry {
    /// The first retries, with a constant delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<ConstantRetry>,
    /// Further retries, with a growing delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponential: Option<ExponentialRetry>,
    /// Retries only if this condition is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_if: Option<SkipIf>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Retries with a constant delay.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConstantRetry {
    /// Number of retries.
    pub attempts: u32,
    /// Delay before each retry, in seconds.
    pub seconds: u64,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Retries with a growing delay: `multiplier × seconds^(p+1)` after `p` earlier failures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExponentialRetry {
    /// Number of retries.
    pub attempts: u32,
    /// Factor of the delay (default 1).
    pub multiplier: u64,
    /// Base of the delay, in seconds.
    pub seconds: u64,
    /// Maximum percentage by which the delay is increased or decreased at random (0 to 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_factor: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
