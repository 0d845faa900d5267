//! JavaScript, as an effect.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::expression::EvaluationError;
use crate::expression::{self, SyntaxFault};

/// A piece of JavaScript to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The text; [`ScriptForm::check_source`] says whether it is one.
    pub source: String,
    /// The names in scope and their values.
    pub names: Map<String, Value>,
    /// What kind of text it is.
    pub form: ScriptForm,
}

/// What kind of text a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScriptForm {
    /// An expression, or statements that return something.
    Expression,
    /// An expression whose value is coerced to true or false.
    Predicate,
    /// Statements that return something, as long as inline code may be ([`crate::code::build_script`]).
    Code,
}

impl ScriptForm {
    /// Refuses a text that is too long or nests too deep for a parser.
    ///
    /// # Errors
    /// The fault with its place.
    pub fn check_source(self, source: &str) -> Result<(), SyntaxFault> {
        match self {
            Self::Expression | Self::Predicate => expression::check_source_nesting(source),
            Self::Code => expression::scan_code(source),
        }
    }
}

/// Evaluates JavaScript with OpenFlow's rules: implicit return, awaited promises, the answer as JSON.
#[async_trait]
pub trait Evaluator: Send + Sync {
    /// The script's value as JSON; `undefined` is null.
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError>;

    /// The same for a job: an evaluator whose places are few shares them fairly among jobs, and may say
    /// [`EvaluationError::Busy`].
    async fn evaluate_for(&self, job: &str, script: Script) -> Result<Value, EvaluationError> {
        let _alike = job;
        self.evaluate_script(script).await
    }
}
