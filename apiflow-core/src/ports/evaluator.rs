//! JavaScript, as an effect.

use async_trait::async_trait;
use serde_json::{Map, Value};

/// A piece of JavaScript to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The text, at most [`crate::expression::MAX_SOURCE_BYTES`] and already scanned by
    /// [`crate::expression::scan`].
    pub source: String,
    /// The names in scope and their values.
    pub names: Map<String, Value>,
    /// Whether the answer is coerced to true or false; the text must be an expression then, no statements.
    pub predicate: bool,
}

/// Why an evaluation gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The text does not parse, or is over a cap.
    #[error("{0}")]
    Syntax(String),
    /// The script threw; the message is the exception's.
    #[error("{0}")]
    Thrown(String),
    /// A limit of time, memory or size was hit.
    #[error("{0}")]
    Limit(String),
    /// The evaluator itself broke down.
    #[error("{0}")]
    Internal(String),
}

/// Evaluates JavaScript with OpenFlow's rules: implicit return, awaited promises, the answer as JSON.
#[async_trait]
pub trait Evaluator: Send + Sync {
    /// The script's value as JSON; `undefined` is null.
    async fn evaluate(&self, script: Script) -> Result<Value, EvaluationError>;
}
