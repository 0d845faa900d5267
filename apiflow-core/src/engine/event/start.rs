//! What a step begins with.

use serde::{Deserialize, Serialize};

use crate::ports::Timestamp;

/// What a step begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// One call of a node; the attempt's number as an effect is the event's sequence number.
    Call {
        /// When its submit counts as lost, if not after `timeout_ms`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
        /// Bound on each attempt's submit, in milliseconds.
        timeout_ms: u64,
        /// Bound on each whole attempt, in milliseconds, if the module has a `timeout`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound_ms: Option<u64>,
    },
    /// Its inputs or predicates could not be evaluated: it fails at once.
    Nothing,
    /// Inline code, whose outcome follows at once.
    Code,
    /// One branch of several.
    Branch {
        /// The branch; `None` is the default.
        chosen: Option<u64>,
    },
    /// All branches of a module.
    Branches {
        /// Whether they run one after the other, and share one scope.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sequential: bool,
        /// Maximum number at a time; `None` if all run at once.
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
        /// Whether the iterations run one after the other, and share one scope.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sequential: bool,
        /// Maximum number at a time; `None` if all run at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// A sub-flow; the event's value is its input.
    Flow,
}
