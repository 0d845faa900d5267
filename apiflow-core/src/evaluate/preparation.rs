//! Evaluates what a module needs before it starts.

use serde_json::{Map, Value, json};

use super::expressions::{error_name, value_excerpt};
use super::{Evaluation, EvaluationFault};
use crate::code;
use crate::digest::hash_value;
use crate::engine::{CacheKey, ExpressionNames, PreparationKind, PreparedStep, StepPreparation, error_names};
use crate::openflow::{InputTransform, NumberOrTransform};
use crate::ports::{EvaluationError, StoreError};

/// The outcome of looking for a cached result.
enum Lookup {
    /// The result of an earlier run.
    Found(Value),
    /// There is none; the result will be cached under this key, if any.
    Wanted(Option<CacheKey>),
}

impl Evaluation<'_> {
    pub(super) async fn evaluate_preparation(
        &mut self,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, EvaluationFault> {
        let names = &effect.names;
        if let Some(expr) = &effect.skip_if
            && self.evaluate_predicate(expr, names).await?
        {
            return Ok(PreparedStep::Skip);
        }
        match &effect.ask {
            PreparationKind::Nothing => Ok(PreparedStep::Ready),
            PreparationKind::Enter { skip_expr, flow } => {
                self.evaluate_flow_entry(skip_expr.as_deref(), *flow, effect).await
            }
            PreparationKind::Code { language: _, content, transforms } => {
                let args = self.evaluate_transforms(transforms, names).await?;
                self.run_inline_code(content, args, effect).await
            }
            PreparationKind::Inputs { path, transforms } => {
                let args = match transforms {
                    Some(transforms) => self.evaluate_transforms(transforms, names).await?,
                    None => {
                        let args = self.values.resolve_reference(&names.args.to_value_ref()).await?;
                        args.as_object().cloned().unwrap_or_default()
                    }
                };
                self.evaluate_call_inputs(path, args, effect).await
            }
            PreparationKind::Items { iterator, parallelism } => {
                self.evaluate_items(iterator, parallelism.as_ref(), names).await
            }
            PreparationKind::Predicates(predicates) => {
                for (index, expr) in predicates.iter().enumerate() {
                    if self.evaluate_predicate(expr, names).await? {
                        return Ok(PreparedStep::Branch(Some(index as u64)));
                    }
                }
                Ok(PreparedStep::Branch(None))
            }
            PreparationKind::Parallelism(limit) => {
                Ok(PreparedStep::Limit(self.evaluate_number(limit, names, "parallelism").await? as u64))
            }
        }
    }

    /// Evaluates the module's `timeout`, in milliseconds.
    pub(super) async fn evaluate_timeout_ms(
        &mut self,
        effect: &StepPreparation,
    ) -> Result<Option<u64>, EvaluationFault> {
        match &effect.timeout {
            Some(timeout) => {
                let seconds = self.evaluate_number(timeout, &effect.names, "timeout").await?;
                Ok(Some((seconds * 1000.0) as u64))
            }
            None => Ok(None),
        }
    }

    async fn evaluate_call_inputs(
        &mut self,
        path: &str,
        args: Map<String, Value>,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, EvaluationFault> {
        if path.starts_with("workflow/") {
            let args = Value::Object(args);
            return self
                .reuse_or_prepare(effect, json!(["flow", path, self.plans.catalog_digest(), args]), |cache| {
                    PreparedStep::Inputs { args, cache, timeout_ms: 0, bound_ms: None }
                })
                .await;
        }
        let plan = self.plans.plan_at(path).map_err(EvaluationFault::Step)?;
        let args = plan.fill_arguments(&args).map_err(|error| EvaluationFault::Step(error.to_object()))?;
        let bound_ms = self.evaluate_timeout_ms(effect).await?;
        let timeout_ms = plan.attempt_timeout_ms().min(bound_ms.unwrap_or(u64::MAX));
        let args = Value::Object(args);
        self.reuse_or_prepare(effect, json!(["call", self.plans.declarations_at(path), args]), |cache| {
            PreparedStep::Inputs { args, cache, timeout_ms, bound_ms }
        })
        .await
    }

    /// Evaluates the expressions of a flow that precede its first module.
    async fn evaluate_flow_entry(
        &mut self,
        skip_expr: Option<&str>,
        flow: usize,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, EvaluationFault> {
        if let Some(expr) = skip_expr
            && self.evaluate_predicate(expr, &effect.names).await?
        {
            return Ok(PreparedStep::Skip);
        }
        if effect.cache_ttl_s.is_none() {
            return Ok(PreparedStep::Entered { cache: None });
        }
        let args = self.values.resolve_reference(&effect.names.args.to_value_ref()).await?;
        let document = self.run.program().flow_digest(flow);
        self.reuse_or_prepare(effect, json!(["flow", document, self.plans.catalog_digest(), args]), |cache| {
            PreparedStep::Entered { cache }
        })
        .await
    }

    /// Runs inline code.
    async fn run_inline_code(
        &mut self,
        content: &str,
        args: Map<String, Value>,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, EvaluationFault> {
        let script = match code::build_script(content, &args) {
            Ok(script) => script,
            Err(fault) => {
                let message = format!("the code cannot run: {fault}");
                return Err(EvaluationFault::Step(json!({"name": error_names::CODE_ERROR, "message": message})));
            }
        };
        let args = Value::Object(args);
        let identity = json!(["code", content, args]);
        let cache = match self.look_up(effect, identity).await? {
            Lookup::Found(result) => return Ok(PreparedStep::Cached { result }),
            Lookup::Wanted(cache) => cache,
        };
        let outcome = match self.run_script(script).await {
            Err(EvaluationError::Busy) => return Err(EvaluationFault::Busy),
            Err(error) => {
                let name = error_name(error_names::CODE_ERROR, &error);
                Err(json!({"name": name, "message": format!("`main` failed: {error}")}))
            }
            Ok(value) => Ok(value),
        };
        Ok(PreparedStep::Code { args, outcome, cache })
    }

    async fn evaluate_items(
        &mut self,
        iterator: &InputTransform,
        parallelism: Option<&NumberOrTransform>,
        names: &ExpressionNames,
    ) -> Result<PreparedStep, EvaluationFault> {
        // An iterator can use `result`, too.
        let found = self.evaluate_transform(iterator, names).await?;
        let limit = match parallelism {
            Some(limit) => Some(self.evaluate_number(limit, names, "parallelism").await? as u64),
            None => None,
        };
        if let Value::Array(items) = found {
            return Ok(PreparedStep::Items { items, limit });
        }
        let message = format!("Expected an array value in the iterator expression, found: {}", value_excerpt(&found));
        Err(EvaluationFault::Step(json!({"name": error_names::ITERATOR_ERROR, "message": message})))
    }

    /// Returns the cached result of an earlier run, or prepares the step.
    async fn reuse_or_prepare(
        &mut self,
        effect: &StepPreparation,
        identity: Value,
        prepared: impl FnOnce(Option<CacheKey>) -> PreparedStep + Send,
    ) -> Result<PreparedStep, EvaluationFault> {
        Ok(match self.look_up(effect, identity).await? {
            Lookup::Found(result) => PreparedStep::Cached { result },
            Lookup::Wanted(cache) => prepared(cache),
        })
    }

    async fn look_up(&mut self, effect: &StepPreparation, identity: Value) -> Result<Lookup, StoreError> {
        let Some(ttl_s) = effect.cache_ttl_s else { return Ok(Lookup::Wanted(None)) };
        let key = hash_value(&identity);
        if effect.fresh {
            return Ok(Lookup::Wanted(Some(CacheKey { key, ttl_s })));
        }
        Ok(match self.values.read_cached_result(&key).await? {
            Some(result) => Lookup::Found(result),
            None => Lookup::Wanted(Some(CacheKey { key, ttl_s })),
        })
    }
}
