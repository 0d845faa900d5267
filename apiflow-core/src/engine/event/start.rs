//! The kinds of steps, as the journal records their start.

use serde::{Deserialize, Serialize};

use crate::ports::Timestamp;

/// What a step starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// A call of a node; the attempt's id is the event's sequence number.
    Call {
        /// When its submit counts as lost, if that differs from `timeout_ms`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
        /// Time limit of each attempt's submit, in milliseconds.
        timeout_ms: u64,
        /// Time limit of each whole attempt, in milliseconds, if the module has a `timeout`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound_ms: Option<u64>,
    },
    /// Nothing: its inputs or predicates could not be evaluated, so it fails immediately.
    Nothing,
    /// Inline code, whose outcome is recorded by the next event.
    Code,
    /// One branch of several.
    Branch {
        /// Index of the branch; `None` is the default.
        chosen: Option<u64>,
    },
    /// All branches of a module.
    Branches {
        /// Whether they run one after the other and share one scope.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sequential: bool,
        /// Maximum number of branches at a time; `None`: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        /// Whether the first one that succeeds ends the module.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        race: bool,
    },
    /// A loop over the items in the event's value.
    Loop {
        /// Number of items; `None` for a while loop.
        length: Option<u64>,
        /// Whether the iterations run one after the other and share one scope.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sequential: bool,
        /// Maximum number of iterations at a time; `None`: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// A sub-flow; the event's value is its input.
    Flow,
}
