//! The free effects, performed as a shell performs them: with the names and references that the engine gives.

use std::collections::BTreeMap;

use apiflow_core::engine::{
    CacheKey, ConcludedStep, Effect, ExpressionNames, Input, PreparationKind, PreparedStep, Run, StepConclusion,
    StepPreparation,
};
use apiflow_core::openflow::{InputTransform, NumberOrTransform};
use apiflow_core::ports::ValueRef;
use serde_json::{Map, Value, json};

use super::expression;
use super::fate::run_code;
use super::random::hash;
use super::reference::{error_of, expression_error, identity, iterator_error, number_error};
use super::values::Values;

/// How long a submit may take.
pub(crate) const SUBMIT_MS: u64 = 30_000;

/// Performs a free effect; gives the input that answers it. `cached` finds results of earlier runs.
pub(crate) fn perform(effect: &Effect, run: &Run, values: &Values, cached: &dyn Fn(&str) -> Option<Value>) -> Input {
    match effect {
        Effect::Prepare(prepare) => {
            let evaluation = Evaluation { run, values, names: &prepare.names, cached };
            let prepared = evaluation.prepare(prepare);
            let (prepared, bound_ms) = match prepared.and_then(|prepared| evaluation.bounded(prepare, prepared)) {
                Ok(prepared) => prepared,
                Err(error) => (PreparedStep::Failed(error), None),
            };
            Input::Prepared { frame: prepare.frame, prepared, bound_ms }
        }
        Effect::Conclude(conclude) => {
            let evaluation = Evaluation { run, values, names: &conclude.names, cached };
            let failed = |error| ConcludedStep { holds: false, sleep_ms: 0, result: None, error: Some(error) };
            let concluded = evaluation.conclude(conclude).unwrap_or_else(failed);
            Input::Concluded { frame: conclude.frame, concluded }
        }
        Effect::Call(_)
        | Effect::Cancel(_)
        | Effect::Poll(_)
        | Effect::Recover(_)
        | Effect::Download(_)
        | Effect::Wait { .. } => {
            unreachable!("these are not free")
        }
    }
}

struct Evaluation<'a> {
    run: &'a Run,
    values: &'a Values,
    names: &'a ExpressionNames,
    cached: &'a dyn Fn(&str) -> Option<Value>,
}

impl expression::Names for Evaluation<'_> {
    fn name(&self, name: &str) -> Option<Value> {
        let resolve = |reference: &ValueRef| self.values.resolve(reference);
        match name {
            "flow_input" => Some(resolve(&self.names.args.to_value_ref())),
            "flow_env" => Some(self.run.program().flow_env(self.names.flow)),
            "previous_result" => Some(resolve(&self.names.previous)),
            "result" => self.names.result.as_ref().map(resolve),
            "error" => Some(error_of(&resolve(&self.names.previous))),
            "resume" => Some(self.names.resumes.last().map(|resume| resolve(&resume.payload)).unwrap_or_default()),
            "resumes" => Some(self.names.resumes.iter().map(|resume| resolve(&resume.payload)).collect()),
            "approvers" => Some(self.names.resumes.iter().filter_map(|resume| resume.approver.clone()).collect()),
            "all_iters" => self.names.all_iters.map(|list| resolve(&ValueRef::List(list))),
            _ => None,
        }
    }

    fn result(&self, step_id: &str) -> Value {
        self.run.visible_result(self.names.scope, step_id).map(|found| self.values.resolve(found)).unwrap_or_default()
    }
}

impl Evaluation<'_> {
    fn prepare(&self, effect: &StepPreparation) -> Result<PreparedStep, Value> {
        if let Some(skip_if) = &effect.skip_if
            && self.holds(skip_if)?
        {
            return Ok(PreparedStep::Skip);
        }
        match &effect.ask {
            PreparationKind::Nothing => Ok(PreparedStep::Ready),
            PreparationKind::Enter { skip_expr, flow } => {
                if let Some(skip_expr) = skip_expr
                    && self.holds(skip_expr)?
                {
                    return Ok(PreparedStep::Skip);
                }
                let args = self.values.resolve(&self.names.args.to_value_ref());
                let of = identity("enter", &flow.to_string(), &args);
                Ok(self.looked_up(effect, of, |cache| PreparedStep::Entered { cache }))
            }
            PreparationKind::Code { language: _, content, transforms } => {
                let args = self.transforms(transforms)?;
                let outcome = run_code(content, &args);
                let of = identity("code", content, &args);
                Ok(self.looked_up(effect, of, |cache| PreparedStep::Code { args, outcome, cache }))
            }
            PreparationKind::Inputs { path, transforms } => {
                let args = match transforms {
                    Some(transforms) => self.transforms(transforms)?,
                    None => self.values.resolve(&self.names.args.to_value_ref()),
                };
                let of = identity(if path.starts_with("workflow/") { "flow" } else { "call" }, path, &args);
                Ok(self.looked_up(effect, of, |cache| PreparedStep::Inputs {
                    args,
                    cache,
                    timeout_ms: SUBMIT_MS,
                    bound_ms: None,
                }))
            }
            PreparationKind::Items { iterator, parallelism } => {
                let found = self.value(iterator)?;
                let limit = parallelism.as_ref().map(|limit| self.number(limit)).transpose()?;
                match found {
                    Value::Array(items) => Ok(PreparedStep::Items { items, limit: limit.map(|limit| limit as u64) }),
                    other => Err(iterator_error(&other)),
                }
            }
            PreparationKind::Predicates(predicates) => {
                for (index, expr) in predicates.iter().enumerate() {
                    if self.holds(expr)? {
                        return Ok(PreparedStep::Branch(Some(index as u64)));
                    }
                }
                Ok(PreparedStep::Branch(None))
            }
            PreparationKind::Parallelism(limit) => Ok(PreparedStep::Limit(self.number(limit)? as u64)),
        }
    }

    /// What is prepared, with the module's `timeout` where it holds others.
    fn bounded(&self, effect: &StepPreparation, prepared: PreparedStep) -> Result<(PreparedStep, Option<u64>), Value> {
        let timeout = effect.timeout.as_ref().filter(|_| match prepared {
            PreparedStep::Ready
            | PreparedStep::Inputs { .. }
            | PreparedStep::Items { .. }
            | PreparedStep::Branch(_)
            | PreparedStep::Limit(_) => true,
            PreparedStep::Skip
            | PreparedStep::Entered { .. }
            | PreparedStep::Cached { .. }
            | PreparedStep::Code { .. }
            | PreparedStep::Failed(_) => false,
        });
        let bound_ms = timeout.map(|timeout| self.number(timeout)).transpose()?;
        Ok((prepared, bound_ms.map(|seconds| (seconds * 1000.0) as u64)))
    }

    fn transforms(&self, transforms: &BTreeMap<String, InputTransform>) -> Result<Value, Value> {
        let evaluated = transforms.iter().map(|(name, given)| Ok((name.clone(), self.value(given)?)));
        Ok(Value::Object(evaluated.collect::<Result<Map<_, _>, Value>>()?))
    }

    /// The result of an earlier run of the same, or what is prepared, with the key to keep its result under.
    fn looked_up(
        &self,
        effect: &StepPreparation,
        key: String,
        prepared: impl FnOnce(Option<CacheKey>) -> PreparedStep,
    ) -> PreparedStep {
        let Some(ttl_s) = effect.cache_ttl_s else { return prepared(None) };
        let key = hash(0, &key).to_string();
        match (self.cached)(&key) {
            Some(result) => PreparedStep::Cached { result },
            None => prepared(Some(CacheKey { key, ttl_s })),
        }
    }

    fn conclude(&self, effect: &StepConclusion) -> Result<ConcludedStep, Value> {
        let mut concluded = ConcludedStep { holds: false, sleep_ms: 0, result: None, error: None };
        if let Some(recover) = &effect.recover {
            concluded.holds = self.values.resolve(recover).get("recover") == Some(&json!(true));
            return Ok(concluded);
        }
        if let Some(predicate) = &effect.predicate {
            concluded.holds = self.holds(predicate)?;
        }
        if concluded.holds {
            let result = effect.names.result.as_ref().filter(|_| effect.include_result);
            concluded.result = result.map(|result| self.values.resolve(result));
        } else if let Some(sleep) = &effect.sleep {
            concluded.sleep_ms = (self.number(&NumberOrTransform::Transform(sleep.clone()))? * 1000.0) as u64;
        }
        Ok(concluded)
    }

    fn holds(&self, expr: &str) -> Result<bool, Value> {
        expression::holds(expr, self).map_err(|message| expression_error(expr, &message))
    }

    fn value(&self, transform: &InputTransform) -> Result<Value, Value> {
        match transform {
            InputTransform::Static { value, .. } => Ok(value.clone()),
            InputTransform::Javascript { expr, .. } => {
                expression::evaluate(expr, self).map_err(|message| expression_error(expr, &message))
            }
            InputTransform::Ai { .. } => unreachable!("random documents hold no such input"),
        }
    }

    fn number(&self, given: &NumberOrTransform) -> Result<f64, Value> {
        let value = match given {
            NumberOrTransform::Number(number) => json!(number),
            NumberOrTransform::Transform(transform) => self.value(transform)?,
        };
        value.as_f64().filter(|number| *number >= 0.0).ok_or_else(|| number_error(&value))
    }
}
