//! What may be set on any module besides what it does.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{is_false, nullable};

/// When a step ends the list that it is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopAfterIf {
    /// JavaScript predicate.
    pub expr: String,
    /// Mark the flow skipped.
    #[serde(default, deserialize_with = "nullable")]
    pub skip_if_stopped: bool,
    /// Not null: end as a failure with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Put the step's result at `error.result`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub error_include_result: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// When a module is replaced by an identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkipIf {
    /// JavaScript predicate.
    pub expr: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A fixed result instead of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mock {
    /// Whether the mock is in force.
    #[serde(default, deserialize_with = "nullable")]
    pub enabled: bool,
    /// The result.
    #[serde(default)]
    pub return_value: Value,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An approval gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspend {
    /// Approvals wanted; 0 or absent: no waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_events: Option<u32>,
    /// Seconds until the gate counts as disapproved (default 1800).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Form for the approver: `{"schema": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_form: Option<Value>,
    /// Go on after disapproval or timeout.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub continue_on_disapprove_timeout: bool,
    /// Fields that this version does not know or does not act on.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// When and how often to try again; `attempts` counts retries, not runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The first retries, at a fixed distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<ConstantRetry>,
    /// The next ones, at a growing distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponential: Option<ExponentialRetry>,
    /// Retried only when true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_if: Option<SkipIf>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Retries at a fixed distance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConstantRetry {
    /// Number of retries.
    #[serde(default, deserialize_with = "nullable")]
    pub attempts: u32,
    /// Seconds before each.
    #[serde(default, deserialize_with = "nullable")]
    pub seconds: u64,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Retries at a growing distance: `multiplier × seconds^(p+1)` after `p` earlier failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExponentialRetry {
    /// Number of retries.
    #[serde(default, deserialize_with = "nullable")]
    pub attempts: u32,
    /// Factor (default 1).
    #[serde(default = "one", deserialize_with = "one_if_null")]
    pub multiplier: u64,
    /// Base, in seconds.
    #[serde(default, deserialize_with = "nullable")]
    pub seconds: u64,
    /// Percent by which the delay is raised or lowered at random (0 to 100).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_factor: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn one() -> u64 {
    1
}

fn one_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.unwrap_or(1))
}
