//! Evaluation of JavaScript.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::expression::EvaluationError;
use crate::expression::{self, SyntaxFault};

/// JavaScript to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The source; [`ScriptForm::check_source`] checks its syntax.
    pub source: String,
    /// The names in scope and their values.
    pub names: Map<String, Value>,
    /// How the source is interpreted.
    pub form: ScriptForm,
}

/// How the source of a script is interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScriptForm {
    /// As an expression, or statements that return a value.
    Expression,
    /// As an expression whose value is converted to true or false.
    Predicate,
    /// As statements that return a value, with the maximum length of inline code.
    Code,
}

impl ScriptForm {
    /// Refuses a source that is too long, nests too deeply for a parser, or has a syntax error.
    ///
    /// # Errors
    /// The fault with its position.
    pub fn check_source(self, source: &str) -> Result<(), SyntaxFault> {
        match self {
            Self::Expression | Self::Predicate => expression::check_source_nesting(source),
            Self::Code => expression::scan_code(source),
        }
    }
}

/// Evaluates JavaScript by OpenFlow's rules: implicit return, awaited promises, the value as JSON.
#[async_trait]
pub trait Evaluator: Send + Sync {
    /// Evaluates a script and returns its value as JSON; `undefined` is null.
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError>;

    /// Evaluates a script for a job: an evaluator with limited capacity shares it fairly among jobs, and may return
    /// [`EvaluationError::Busy`].
    async fn evaluate_for(&self, job: &str, script: Script) -> Result<Value, EvaluationError> {
        let _alike = job;
        self.evaluate_script(script).await
    }
}
