//! Values that a document gives or computes.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// How a step's input gets its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum InputTransform {
    /// A constant; `$var:` and `$res:` are not supported.
    Static {
        /// The constant (missing is null).
        value: Value,
        /// Fields that this version does not know.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A JavaScript expression.
    Javascript {
        /// The expression (missing is empty).
        expr: String,
        /// Fields that this version does not know.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// Filled by a language model; agent tools only.
    Ai {
        /// Fields that this version does not know.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
}

/// A number of seconds or of branches, plain or computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NumberOrTransform {
    /// A plain number.
    #[serde(serialize_with = "plain_number")]
    Number(f64),
    /// A computed one.
    Transform(InputTransform),
}

/// Writes 3 as `3` rather than `3.0`, so that a document comes back as it was.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn plain_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// The greatest number up to which every whole number has an `f64` of its own.
    const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT_INTEGER {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}
