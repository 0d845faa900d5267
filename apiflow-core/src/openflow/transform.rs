//! Transforms: values that are constant or computed.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// How an input of a step gets its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum InputTransform {
    /// A constant; `$var:` and `$res:` are not supported.
    Static {
        /// The constant; null if missing.
        value: Value,
        /// Fields that this version does not know.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A JavaScript expression.
    Javascript {
        /// The expression; empty if missing.
        expr: String,
        /// Fields that this version does not know.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A value that a language model provides; only for tools of agents.
    Ai {
        /// Fields that this version does not know.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
}

/// A number of seconds or branches, constant or computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NumberOrTransform {
    /// A constant number.
    #[serde(serialize_with = "plain_number")]
    Number(f64),
    /// A computed number.
    Transform(InputTransform),
}

/// Serializes 3 as `3` rather than `3.0`, so that a document is preserved.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn plain_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// The maximum integer up to which every integer is exactly representable as `f64`.
    const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT_INTEGER {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}
