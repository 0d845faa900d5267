//! OpenFlow documents: every field and module type, with unknown fields kept.
//!
//! Source of the format: OpenFlow as Windmill publishes it; optional fields may be `null` everywhere.

mod module;

pub use module::{
    AiAgent, BranchAll, BranchAllBranch, BranchOne, BranchOneBranch, ForLoop, Identity, ModuleValue, RawScript,
    Script, SubFlow, WhileLoop,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Reads a missing or `null` field as its default.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A workflow document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenFlow {
    /// Title.
    #[serde(default, deserialize_with = "nullable")]
    pub summary: String,
    /// Text.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The program.
    pub value: FlowValue,
    /// JSON Schema of the inputs; checked by the edge, never by the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The program of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowValue {
    /// The steps, in order.
    #[serde(default, deserialize_with = "nullable")]
    pub modules: Vec<Module>,
    /// Error handler, run when a step fails for good; its id is `failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_module: Option<Box<Module>>,
    /// Runs before step 0 of runs that come from a trigger; its result replaces the flow's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessor_module: Option<Box<Module>>,
    /// All steps on one worker; has no effect on results here.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub same_worker: bool,
    /// At most so many runs at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_limit: Option<u64>,
    /// What the limit is counted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Window of the limit, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_time_window_s: Option<u64>,
    /// JavaScript, evaluated once before step 0: true completes the flow, marked skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_expr: Option<String>,
    /// Seconds for which the whole flow's result is kept by its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u64>,
    /// Erase input, results and logs after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after_use: Option<bool>,
    /// Constants visible as `flow_env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_env: Option<BTreeMap<String, Value>>,
    /// Queue priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Id of the step whose result answers a waiting caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_return: Option<String>,
    /// Fields that this version does not know (notes, groups, chat and debouncing settings among them).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One place in a document; a step is a module being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Key of `results.<id>`; empty where the document leaves it out.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// Label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What it does.
    pub value: ModuleValue,
    /// Checked after the step succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after_if: Option<StopAfterIf>,
    /// For loops and branchall: checked once when the module is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after_all_iters_if: Option<StopAfterIf>,
    /// True: the module is replaced by an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_if: Option<SkipIf>,
    /// Seconds to wait before the next module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleep: Option<InputTransform>,
    /// Seconds for which the step's result is kept by its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u64>,
    /// Seconds for the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<NumberOrTransform>,
    /// Erase input and result after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after_use: Option<bool>,
    /// A fixed result instead of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mock: Option<Mock>,
    /// Approval gate between this module and the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Suspend>,
    /// Queue priority of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// The flow goes on after a failure.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub continue_on_error: bool,
    /// When and how often to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

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
}

/// Retries at a growing distance: `multiplier × seconds^(p+1)` after `p` earlier failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExponentialRetry {
    /// Number of retries.
    #[serde(default, deserialize_with = "nullable")]
    pub attempts: u32,
    /// Factor (default 1).
    #[serde(default = "one")]
    pub multiplier: u64,
    /// Base, in seconds.
    #[serde(default, deserialize_with = "nullable")]
    pub seconds: u64,
    /// Percent by which the delay is raised or lowered at random (0 to 100).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_factor: Option<i64>,
}

/// How a step's input gets its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum InputTransform {
    /// A constant; `$var:` and `$res:` are not supported.
    Static {
        /// The constant (missing is null).
        #[serde(default)]
        value: Value,
    },
    /// A JavaScript expression.
    Javascript {
        /// The expression (missing is empty).
        #[serde(default, deserialize_with = "nullable")]
        expr: String,
    },
    /// Filled by a language model; agent tools only.
    Ai {},
}

/// A number of seconds or of branches, plain or computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NumberOrTransform {
    /// A plain number.
    Number(f64),
    /// A computed one.
    Transform(InputTransform),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `skip_serializing_if` calls")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn one() -> u64 {
    1
}
