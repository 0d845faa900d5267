//! The expressions of random documents behind the evaluator's port.

use apiflow_core::ports::{EvaluationError, Evaluator, Script, ScriptForm};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::super::expression;
use super::super::fate::run_code;

/// Evaluates what random documents hold, and nothing else.
pub(super) struct Naive;

#[async_trait]
impl Evaluator for Naive {
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError> {
        let thrown = EvaluationError::Thrown;
        match script.form {
            ScriptForm::Expression => expression::evaluate(&script.source, &script.names).map_err(thrown),
            ScriptForm::Predicate => expression::holds(&script.source, &script.names).map(Value::Bool).map_err(thrown),
            ScriptForm::Code => {
                let given = |(name, place): (&str, usize)| {
                    let value = script.names.get(&format!("apiflow_argument_{place}"))?;
                    Some((name.to_owned(), value.clone()))
                };
                let args: Map<String, Value> = [("x", 0), ("y", 1)].into_iter().filter_map(given).collect();
                run_code(&script.source, &json!(args)).map_err(|error| thrown(error.to_string()))
            }
        }
    }
}
