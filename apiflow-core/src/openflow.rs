//! OpenFlow documents: every field and module type, with unknown fields preserved.
//!
//! Source of the format: OpenFlow as Windmill publishes it; optional fields may be `null` everywhere.
//!
//! Parsing and serializing preserves a document's meaning: an optional field that is absent, `null` or at its default
//! may come back in any of these forms, `input_transform` comes back as `input_transforms`, and everything else is
//! unchanged.

mod child_lists;
mod groups;
mod module;
mod module_settings;
mod parse;
mod references;
mod selection;
mod transform;

pub(crate) use crate::json::Place;
pub(crate) use child_lists::Nesting;
pub(crate) use child_lists::each_list;
pub(crate) use groups::{GroupFault, StepGroup, find_groups};
pub use module::*;
pub use module_settings::{ConstantRetry, ExponentialRetry, Mock, Retry, SkipIf, StopAfterIf, Suspend};
pub(crate) use parse::{Findings, parse_module};
pub use parse::{MAX_FINDINGS, MAX_NESTING, parse};
pub use parse::{ParsedDocument, parse_leniently};
pub use references::{DocumentReference, list_references};
pub use selection::{Selection, find_module, find_module_by};
pub use transform::{InputTransform, NumberOrTransform};

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;

/// A workflow document.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OpenFlow {
    /// Title of the workflow.
    pub summary: String,
    /// Description of the workflow.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The modules and settings of the workflow.
    pub value: FlowValue,
    /// JSON Schema of the inputs; checked by the server, not by the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The program of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FlowValue {
    /// The steps, in order.
    pub modules: Vec<Module>,
    /// Error handler, run when a step has failed finally; its id is `failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_module: Option<Box<Module>>,
    /// Runs before the first step of runs that a trigger starts; its result replaces the flow's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preprocessor_module: Option<Box<Module>>,
    /// Runs all steps on one worker; has no effect on results here.
    #[serde(skip_serializing_if = "is_false")]
    pub same_worker: bool,
    /// Maximum number of concurrent runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_limit: Option<u64>,
    /// Key by which concurrent runs are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Window in which the limit applies, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_time_window_s: Option<u64>,
    /// JavaScript expression, evaluated once before the first step: if true, the flow completes, marked as skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_expr: Option<String>,
    /// Seconds for which the flow's result is cached, by its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u64>,
    /// Erases input, results and logs at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after_use: Option<bool>,
    /// Seconds after the end at which they are erased; takes precedence over the older field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after_secs: Option<u64>,
    /// Constants visible as `flow_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_env: Option<BTreeMap<String, Value>>,
    /// Priority of the flow's jobs in the queue; higher ones run first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Id of the step whose result is returned early to waiting callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_return: Option<String>,
    /// Fields that this version does not know (for example notes, groups, chat and debouncing settings).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A position in a document; a module that runs is a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Module {
    /// Key of `results.<id>`; empty if the document omits it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Label of the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What the module does.
    pub value: ModuleValue,
    /// Condition that is checked after the step succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after_if: Option<StopAfterIf>,
    /// For loops and `branchall`: condition that is checked once after the last iteration or branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after_all_iters_if: Option<StopAfterIf>,
    /// If true, the module is replaced by an identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_if: Option<SkipIf>,
    /// Seconds to wait before the next module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep: Option<InputTransform>,
    /// Seconds for which the step's result is cached, by its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u64>,
    /// Timeout of the step, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<NumberOrTransform>,
    /// Erases input, result and log at the end of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after_use: Option<bool>,
    /// Seconds after the end at which they are erased; takes precedence over the older field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after_secs: Option<u64>,
    /// A fixed result that replaces running the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mock: Option<Mock>,
    /// Approval gate between this module and the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Suspend>,
    /// Priority of the step in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Continues the flow if the step fails.
    #[serde(skip_serializing_if = "is_false")]
    pub continue_on_error: bool,
    /// When and how often the step is retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl OpenFlow {
    /// Returns the lists that no module contains: the program, the error handler and the preprocessor.
    pub(crate) fn root_lists(&self) -> impl Iterator<Item = &[Module]> {
        let value = &self.value;
        let single = value.failure_module.iter().chain(&value.preprocessor_module);
        std::iter::once(value.modules.as_slice()).chain(single.map(|module| std::slice::from_ref(&**module)))
    }

    /// Parses a document that is to be run or changed. Unlike [`parse()`], treats a missing list of modules as an empty
    /// one, as other programs that run OpenFlow do.
    ///
    /// # Errors
    /// The first fault.
    pub fn from_json(document: &Value) -> Result<Self, Box<Diagnostic>> {
        parse::parse_strictly(document)
    }
}

impl<'de> Deserialize<'de> for OpenFlow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        Self::from_json(&document).map_err(|fault| serde::de::Error::custom(describe_fault(&fault)))
    }
}

/// Formats a fault and its location in one line.
pub(crate) fn describe_fault(fault: &Diagnostic) -> String {
    if fault.pointer.is_empty() { fault.message.clone() } else { format!("{} (at `{}`)", fault.message, fault.pointer) }
}

impl FlowValue {
    /// Returns after how many seconds from the job's end everything that it computed is erased, if at all.
    pub(crate) fn erase_after_s(&self) -> Option<u64> {
        erase_after_s(self.delete_after_use, self.delete_after_secs)
    }
}

impl Module {
    /// Returns after how many seconds from the job's end the module's input, result and log are erased, if at all.
    pub(crate) fn erase_after_s(&self) -> Option<u64> {
        erase_after_s(self.delete_after_use, self.delete_after_secs)
    }
}

fn erase_after_s(at_once: Option<bool>, seconds: Option<u64>) -> Option<u64> {
    seconds.or_else(|| at_once.filter(|at_once| *at_once).map(|_| 0))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `skip_serializing_if` calls")]
fn is_false(flag: &bool) -> bool {
    !flag
}
