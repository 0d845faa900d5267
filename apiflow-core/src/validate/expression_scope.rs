//! The names that are in scope in an expression, depending on where it is used.
//!
//! Source: OpenFlow, names in scope.

use super::visibility::When;

/// Where an expression is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// An input of a step, its timeout or its parallelism.
    Transform,
    /// An input of the failure handler.
    Failure,
    /// `skip_if`, or a branch's predicate.
    Predicate,
    /// A loop's iterator.
    Iterator,
    /// The condition of `stop_after_if`.
    Stop,
    /// The condition of `stop_after_all_iters_if`.
    StopAll,
    /// The condition of `retry_if`.
    RetryIf,
    /// The seconds of `sleep`.
    Sleep,
    /// The condition `skip_expr` of the workflow.
    SkipWorkflow,
}

impl Site {
    /// Returns the names in scope besides `flow_input` and `flow_env`.
    fn extra_names(self) -> &'static [&'static str] {
        match self {
            Site::Transform => &["results", "previous_result", "resume", "resumes", "approvers", "params", "error"],
            Site::Failure => &[
                "results",
                "previous_result",
                "resume",
                "resumes",
                "approvers",
                "params",
                "error",
                "started_at",
                "flow_job_id",
            ],
            Site::Predicate | Site::Iterator => {
                &["results", "result", "previous_result", "resume", "resumes", "approvers"]
            }
            Site::Stop => &["results", "result", "previous_result", "all_iters"],
            Site::StopAll => &["results", "result", "previous_result"],
            Site::RetryIf => &["result", "previous_result", "error"],
            Site::Sleep => &["result", "previous_result"],
            Site::SkipWorkflow => &["WM_SCHEDULED_FOR"],
        }
    }

    /// Returns whether a name is in scope.
    pub(super) fn knows_name(self, name: &str) -> bool {
        self.all_names().any(|known| known == name) || GLOBALS.contains(&name)
    }

    /// Returns all names in scope except JavaScript's own.
    pub(super) fn all_names(self) -> impl Iterator<Item = &'static str> {
        ["flow_input", "flow_env"].into_iter().chain(self.extra_names().iter().copied())
    }

    /// Returns whether the source is wrapped in `Boolean(…)`.
    pub(super) fn is_predicate(self) -> bool {
        match self {
            Site::Predicate | Site::Stop | Site::StopAll | Site::RetryIf | Site::SkipWorkflow => true,
            Site::Transform | Site::Failure | Site::Iterator | Site::Sleep => false,
        }
    }

    /// Returns whether the module's own result is available.
    pub(super) fn result_time(self) -> When {
        match self {
            Site::Stop | Site::StopAll | Site::RetryIf | Site::Sleep => When::After,
            Site::Transform | Site::Failure | Site::Predicate | Site::Iterator | Site::SkipWorkflow => When::Before,
        }
    }

    /// Describes the value of an empty expression.
    pub(super) fn when_empty(self) -> &'static str {
        match self {
            Site::Transform | Site::Failure | Site::Sleep => "the expression is empty: it evaluates to null",
            Site::Iterator => "the expression is empty: a loop needs an array",
            Site::Predicate | Site::Stop | Site::StopAll | Site::RetryIf | Site::SkipWorkflow => {
                "the expression is empty: it is never true"
            }
        }
    }
}

/// Global names of JavaScript.
const GLOBALS: [&str; 62] = [
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "DataView",
    "Date",
    "Error",
    "EvalError",
    "Float32Array",
    "Float64Array",
    "Function",
    "Infinity",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Intl",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakRef",
    "WeakSet",
    "arguments",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "eval",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
    "SharedArrayBuffer",
    "Atomics",
    "FinalizationRegistry",
];
