//! Evaluates expressions and transforms with the values that they can read.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Evaluation, EvaluationFault};
use crate::engine::{ExpressionNames, error_names};
use crate::expression::{self, WantedResults};
use crate::openflow::{InputTransform, NumberOrTransform};
use crate::ports::{EvaluationError, Script, ScriptForm, StoreError, ValueRef};

impl Evaluation<'_> {
    pub(super) async fn evaluate_transforms(
        &mut self,
        transforms: &BTreeMap<String, InputTransform>,
        names: &ExpressionNames,
    ) -> Result<Map<String, Value>, EvaluationFault> {
        let mut args = Map::new();
        for (name, transform) in transforms {
            args.insert(name.clone(), self.evaluate_transform(transform, names).await?);
        }
        Ok(args)
    }

    pub(super) async fn evaluate_number(
        &mut self,
        given: &NumberOrTransform,
        names: &ExpressionNames,
        what: &str,
    ) -> Result<f64, EvaluationFault> {
        let value = match given {
            NumberOrTransform::Number(number) => json!(number),
            NumberOrTransform::Transform(transform) => self.evaluate_transform(transform, names).await?,
        };
        value.as_f64().filter(|number| *number >= 0.0).ok_or_else(|| {
            let message = format!("`{what}` must be a non-negative number, found: {}", value_excerpt(&value));
            EvaluationFault::Step(json!({"name": error_names::INVALID_NUMBER, "message": message}))
        })
    }

    pub(super) async fn evaluate_transform(
        &mut self,
        transform: &InputTransform,
        names: &ExpressionNames,
    ) -> Result<Value, EvaluationFault> {
        match transform {
            InputTransform::Static { value, .. } => Ok(value.clone()),
            InputTransform::Javascript { expr, .. } => self.evaluate_expression(expr, false, names).await,
            InputTransform::Ai { .. } => {
                let message = "inputs of type `ai` are supported only in the tools of an agent";
                Err(EvaluationFault::Step(json!({"name": error_names::UNSUPPORTED, "message": message})))
            }
        }
    }

    pub(super) async fn evaluate_predicate(
        &mut self,
        expr: &str,
        names: &ExpressionNames,
    ) -> Result<bool, EvaluationFault> {
        Ok(is_truthy(&self.evaluate_expression(expr, true, names).await?))
    }

    async fn evaluate_expression(
        &mut self,
        expr: &str,
        predicate: bool,
        names: &ExpressionNames,
    ) -> Result<Value, EvaluationFault> {
        let scope = self.build_scope(expr, names).await?;
        if let Some(answer) = expression::look_up_plain_path(expr, &scope) {
            return answer.map_err(|error| expression_fault(expr, &error));
        }
        let form = if predicate { ScriptForm::Predicate } else { ScriptForm::Expression };
        let script = Script { source: expr.to_owned(), names: scope, form };
        self.run_script(script).await.map_err(|error| expression_fault(expr, &error))
    }

    /// Evaluates a script, in the background for a job, or immediately for a caller who waits for a dry run.
    pub(super) async fn run_script(&self, script: Script) -> Result<Value, EvaluationError> {
        if self.values.is_durable() {
            self.evaluator.evaluate_for(self.values.job(), script).await
        } else {
            self.evaluator.evaluate_script(script).await
        }
    }

    /// Builds the object of exactly those values that an expression can read.
    async fn build_scope(&mut self, expr: &str, names: &ExpressionNames) -> Result<Map<String, Value>, StoreError> {
        let wanted = expression::find_free_variables(expr);
        let mut scope = Map::new();
        for name in &wanted.names {
            let value = match name.as_str() {
                "flow_input" => self.values.resolve_reference(&names.args.to_value_ref()).await?,
                "previous_result" => self.values.resolve_reference(&names.previous).await?,
                "result" => match &names.result {
                    Some(result) => self.values.resolve_reference(result).await?,
                    None => continue,
                },
                "results" => self.visible_results(&wanted.results, names.scope).await?,
                "flow_env" => self.run.program().flow_env(names.flow),
                "error" => error_of(&self.values.resolve_reference(&names.previous).await?),
                "all_iters" => match names.all_iters {
                    Some(list) => self.values.resolve_reference(&ValueRef::List(list)).await?,
                    None => continue,
                },
                "params" => json!({}),
                "resume" => match names.resumes.last() {
                    Some(resume) => self.values.resolve_reference(&resume.payload).await?,
                    None => Value::Null,
                },
                "resumes" => {
                    let mut payloads = Vec::with_capacity(names.resumes.len());
                    for resume in &names.resumes {
                        payloads.push(self.values.resolve_reference(&resume.payload).await?);
                    }
                    Value::Array(payloads)
                }
                "flow_job_id" => json!(self.values.job()),
                "started_at" | "WM_SCHEDULED_FOR" => json!(self.run.began_at().to_rfc3339()),
                "approvers" => names.resumes.iter().filter_map(|resume| resume.approver.as_deref()).collect(),
                _ => continue,
            };
            scope.insert(name.clone(), value);
        }
        Ok(scope)
    }

    async fn visible_results(&mut self, wanted: &WantedResults, scope: u64) -> Result<Value, StoreError> {
        let visible: Vec<(String, ValueRef)> = match wanted {
            WantedResults::Some(steps) => steps
                .iter()
                .map(|step| (step.clone(), self.run.visible_result(scope, step).cloned().unwrap_or(ValueRef::Null)))
                .collect(),
            WantedResults::All => {
                let all = self.run.visible_all(scope);
                all.into_iter().map(|(step, result)| (step.to_owned(), result.clone())).collect()
            }
        };
        let mut results = Map::new();
        for (step, reference) in visible {
            results.insert(step, self.values.resolve_reference(&reference).await?);
        }
        Ok(Value::Object(results))
    }
}

/// Returns `Boolean(value)` as JavaScript defines it.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Returns the value of `error`: the error of the previous result, or of its only element with an error.
fn error_of(previous: &Value) -> Value {
    if let Some(error) = previous.get("error") {
        return error.clone();
    }
    let Value::Array(items) = previous else {
        return json!({"name": error_names::UNKNOWN_ERROR, "message": "the previous result contains no error"});
    };
    let errors: Vec<(usize, &Value)> =
        items.iter().enumerate().filter_map(|(index, item)| Some((index, item.get("error")?))).collect();
    if let [(_, error)] = errors[..] {
        return error.clone();
    }
    let text = |(index, error): &(usize, &Value)| {
        let step = error.get("step_id").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned);
        format!("[{step}] {}", error.get("message").and_then(Value::as_str).unwrap_or_default())
    };
    let message: Vec<String> = errors.iter().map(text).collect();
    let errors: Vec<&Value> = errors.iter().map(|(_, error)| *error).collect();
    json!({"name": error_names::MULTIPLE_ERRORS, "message": message.join("; "), "errors": errors})
}

fn expression_fault(expr: &str, error: &EvaluationError) -> EvaluationFault {
    if *error == EvaluationError::Busy {
        return EvaluationFault::Busy;
    }
    let shown: String = expr.trim().chars().take(200).collect();
    let name = error_name(error_names::EXPRESSION_ERROR, error);
    EvaluationFault::Step(json!({"name": name, "message": format!("expression `{shown}` failed: {error}")}))
}

/// Returns the error name of a failed evaluation: `own`, unless the evaluator and not the script is at fault.
pub(super) fn error_name(own: &'static str, error: &EvaluationError) -> &'static str {
    if matches!(error, EvaluationError::Internal(_)) { error_names::INTERNAL_ERROR } else { own }
}

pub(super) fn value_excerpt(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 200 { text } else { text.chars().take(200).chain(['…']).collect() }
}
