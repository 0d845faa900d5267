//! Free effects: expressions, inputs, predicates. Performed inside a turn, without a commit of their own.
//!
//! Architecture invariant: nothing here knows who drives the run. The durable runtime and the dry run evaluate by the
//! same code.

mod http_request;
mod value_cache;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::call::JobPlans;
use crate::code;
use crate::digest::digest;
use crate::engine::{
    CacheKey, ConcludedStep, Effect, ExpressionNames, Input, PreparationKind, PreparedStep, Run, StepConclusion,
    StepPreparation, ValueRef,
};
use crate::expression::{self, WantedResults};
use crate::openflow::{InputTransform, NumberOrTransform};
use crate::ports::{EvaluationError, Evaluator, Script, ScriptForm, StoreError};

pub(crate) use self::http_request::build_request;
pub(crate) use self::value_cache::{ValueCache, weight};

/// What evaluating needs beside the effect itself.
pub(crate) struct Evaluation<'a> {
    pub(crate) run: &'a Run,
    pub(crate) values: &'a mut ValueCache,
    pub(crate) evaluator: &'a dyn Evaluator,
    pub(crate) plans: &'a JobPlans,
}

/// Why an effect could not be performed.
enum Fault {
    /// The error object for the step.
    Step(Value),
    Store(StoreError),
    /// The evaluator has no place now.
    Busy,
}

/// What was found among the results of earlier runs.
enum Lookup {
    /// The result.
    Found(Value),
    /// Nothing; the result is to be kept under this key, if any.
    Wanted(Option<CacheKey>),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Evaluation<'_> {
    /// Performs a free effect; `None` for any other, and where the evaluator has no place for it now.
    pub(crate) async fn perform(&mut self, effect: &Effect) -> Result<Option<Input>, StoreError> {
        Ok(match effect {
            Effect::Prepare(prepare) => self.prepare(prepare).await?.map(|(prepared, bound_ms)| Input::Prepared {
                frame: prepare.frame,
                prepared,
                bound_ms,
            }),
            Effect::Conclude(conclude) => {
                self.conclude(conclude).await?.map(|concluded| Input::Concluded { frame: conclude.frame, concluded })
            }
            Effect::Call(_) | Effect::Cancel(_) | Effect::Poll(_) | Effect::Recover(_) | Effect::Wait { .. } => None,
        })
    }

    /// Evaluates what a module needs before it begins.
    async fn prepare(&mut self, effect: &StepPreparation) -> Result<Option<(PreparedStep, Option<u64>)>, StoreError> {
        let prepared = match self.prepared(effect).await {
            // A call has its bound with its inputs, and one that does not begin needs none.
            Ok(
                prepared @ (PreparedStep::Skip
                | PreparedStep::Entered { .. }
                | PreparedStep::Cached { .. }
                | PreparedStep::Code { .. }
                | PreparedStep::Inputs { bound_ms: Some(_), .. }
                | PreparedStep::Failed(_)),
            ) => Ok((prepared, None)),
            Ok(prepared) => self.bound(effect).await.map(|bound_ms| (prepared, bound_ms)),
            Err(fault) => Err(fault),
        };
        match prepared {
            Ok(prepared) => Ok(Some(prepared)),
            Err(Fault::Step(error)) => Ok(Some((PreparedStep::Failed(error), None))),
            Err(Fault::Store(error)) => Err(error),
            Err(Fault::Busy) => Ok(None),
        }
    }

    /// The module's `timeout`, in milliseconds.
    async fn bound(&mut self, effect: &StepPreparation) -> Result<Option<u64>, Fault> {
        match &effect.timeout {
            Some(timeout) => {
                let seconds = self.number(timeout, &effect.names, "timeout").await?;
                Ok(Some((seconds * 1000.0) as u64))
            }
            None => Ok(None),
        }
    }

    async fn prepared(&mut self, effect: &StepPreparation) -> Result<PreparedStep, Fault> {
        let names = &effect.names;
        if let Some(expr) = &effect.skip_if
            && self.predicate(expr, names).await?
        {
            return Ok(PreparedStep::Skip);
        }
        match &effect.ask {
            PreparationKind::Nothing => Ok(PreparedStep::Ready),
            PreparationKind::Enter { skip_expr, flow } => self.enter(skip_expr.as_deref(), *flow, effect).await,
            PreparationKind::Code { language: _, content, transforms } => {
                let args = self.transforms(transforms, names).await?;
                self.code(content, args, effect).await
            }
            PreparationKind::Inputs { path, transforms } => {
                let args = match transforms {
                    Some(transforms) => self.transforms(transforms, names).await?,
                    None => {
                        let args = self.values.resolve(&names.args.value()).await?;
                        args.as_object().cloned().unwrap_or_default()
                    }
                };
                self.inputs(path, args, effect).await
            }
            PreparationKind::Items { iterator, parallelism } => self.items(iterator, parallelism.as_ref(), names).await,
            PreparationKind::Predicates(predicates) => {
                for (index, expr) in predicates.iter().enumerate() {
                    if self.predicate(expr, names).await? {
                        return Ok(PreparedStep::Branch(Some(index as u64)));
                    }
                }
                Ok(PreparedStep::Branch(None))
            }
            PreparationKind::Parallelism(limit) => {
                Ok(PreparedStep::Limit(self.number(limit, names, "parallelism").await? as u64))
            }
        }
    }

    async fn inputs(
        &mut self,
        path: &str,
        args: Map<String, Value>,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, Fault> {
        if path.starts_with("workflow/") {
            let args = Value::Object(args);
            return self
                .looked_up(effect, json!(["flow", path, self.catalog_digest(), args]), |cache| PreparedStep::Inputs {
                    args,
                    cache,
                    timeout_ms: 0,
                    bound_ms: None,
                })
                .await;
        }
        let plan = self.plans.plan(path).map_err(Fault::Step)?;
        let args = plan.arguments(&args).map_err(|error| Fault::Step(error.to_object()))?;
        let bound_ms = self.bound(effect).await?;
        let timeout_ms = plan.submit_timeout_ms().min(bound_ms.unwrap_or(u64::MAX));
        let args = Value::Object(args);
        self.looked_up(effect, json!(["call", self.plans.declared(path), args]), |cache| PreparedStep::Inputs {
            args,
            cache,
            timeout_ms,
            bound_ms,
        })
        .await
    }

    /// Evaluates what is asked before a flow's first module.
    async fn enter(
        &mut self,
        skip_expr: Option<&str>,
        flow: usize,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, Fault> {
        if let Some(expr) = skip_expr
            && self.predicate(expr, &effect.names).await?
        {
            return Ok(PreparedStep::Skip);
        }
        if effect.cache_ttl_s.is_none() {
            return Ok(PreparedStep::Entered { cache: None });
        }
        let args = self.values.resolve(&effect.names.args.value()).await?;
        let document = self.run.program().flow_digest(flow);
        self.looked_up(effect, json!(["flow", document, self.catalog_digest(), args]), |cache| PreparedStep::Entered {
            cache,
        })
        .await
    }

    /// Runs inline code.
    async fn code(
        &mut self,
        content: &str,
        args: Map<String, Value>,
        effect: &StepPreparation,
    ) -> Result<PreparedStep, Fault> {
        let script = match code::script(content, &args) {
            Ok(script) => script,
            Err(fault) => {
                let message = format!("the code cannot run: {fault}");
                return Err(Fault::Step(json!({"name": "CodeError", "message": message})));
            }
        };
        let args = Value::Object(args);
        let identity = json!(["code", content, args]);
        let cache = match self.look_up(effect, identity).await? {
            Lookup::Found(result) => return Ok(PreparedStep::Cached { result }),
            Lookup::Wanted(cache) => cache,
        };
        let outcome = match self.script(script).await {
            Err(EvaluationError::Busy) => return Err(Fault::Busy),
            Err(error) => {
                let name = error_name("CodeError", &error);
                Err(json!({"name": name, "message": format!("`main` failed: {error}")}))
            }
            Ok(value) => Ok(value),
        };
        Ok(PreparedStep::Code { args, outcome, cache })
    }

    async fn transforms(
        &mut self,
        transforms: &BTreeMap<String, InputTransform>,
        names: &ExpressionNames,
    ) -> Result<Map<String, Value>, Fault> {
        let mut args = Map::new();
        for (name, transform) in transforms {
            args.insert(name.clone(), self.transform(transform, names).await?);
        }
        Ok(args)
    }

    /// What is prepared, or the result of an earlier run of the same.
    async fn looked_up(
        &mut self,
        effect: &StepPreparation,
        identity: Value,
        prepared: impl FnOnce(Option<CacheKey>) -> PreparedStep + Send,
    ) -> Result<PreparedStep, Fault> {
        Ok(match self.look_up(effect, identity).await? {
            Lookup::Found(result) => PreparedStep::Cached { result },
            Lookup::Wanted(cache) => prepared(cache),
        })
    }

    async fn look_up(&mut self, effect: &StepPreparation, identity: Value) -> Result<Lookup, StoreError> {
        let Some(ttl_s) = effect.cache_ttl_s else { return Ok(Lookup::Wanted(None)) };
        let key = digest(&identity);
        Ok(match self.values.cached(&key).await? {
            Some(result) => Lookup::Found(result),
            None => Lookup::Wanted(Some(CacheKey { key, ttl_s })),
        })
    }

    /// A hash of all that sub-flows may refer to: a result is that of a run with the same declarations.
    fn catalog_digest(&self) -> String {
        digest(&serde_json::to_value(self.plans.catalog()).expect("declarations are plain data"))
    }

    async fn items(
        &mut self,
        iterator: &InputTransform,
        parallelism: Option<&NumberOrTransform>,
        names: &ExpressionNames,
    ) -> Result<PreparedStep, Fault> {
        // An iterator sees `result` too.
        let found = self.transform(iterator, names).await?;
        let limit = match parallelism {
            Some(limit) => Some(self.number(limit, names, "parallelism").await? as u64),
            None => None,
        };
        if let Value::Array(items) = found {
            return Ok(PreparedStep::Items { items, limit });
        }
        let message = format!("Expected an array value in the iterator expression, found: {}", excerpt(&found));
        Err(Fault::Step(json!({"name": "IteratorError", "message": message})))
    }

    /// Evaluates what follows a step.
    async fn conclude(&mut self, effect: &StepConclusion) -> Result<Option<ConcludedStep>, StoreError> {
        let none = ConcludedStep { holds: false, sleep_ms: 0, result: None, error: None };
        match self.concluded(effect).await {
            Ok(concluded) => Ok(Some(concluded)),
            Err(Fault::Step(error)) => Ok(Some(ConcludedStep { error: Some(error), ..none })),
            Err(Fault::Store(error)) => Err(error),
            Err(Fault::Busy) => Ok(None),
        }
    }

    async fn concluded(&mut self, effect: &StepConclusion) -> Result<ConcludedStep, Fault> {
        let mut concluded = ConcludedStep { holds: false, sleep_ms: 0, result: None, error: None };
        if let Some(recover) = &effect.recover {
            let result = self.values.resolve(recover).await?;
            concluded.holds = result.get("recover") == Some(&Value::Bool(true));
            return Ok(concluded);
        }
        if let Some(expr) = &effect.predicate {
            concluded.holds = self.predicate(expr, &effect.names).await?;
        }
        if concluded.holds && effect.include_result {
            let result = effect.names.result.clone().unwrap_or(ValueRef::Null);
            concluded.result = Some(self.values.resolve(&result).await?);
        }
        if let Some(sleep) = effect.sleep.as_ref().filter(|_| !concluded.holds) {
            let sleep = NumberOrTransform::Transform(sleep.clone());
            concluded.sleep_ms = (self.number(&sleep, &effect.names, "sleep").await? * 1000.0) as u64;
        }
        Ok(concluded)
    }

    async fn number(&mut self, given: &NumberOrTransform, names: &ExpressionNames, what: &str) -> Result<f64, Fault> {
        let value = match given {
            NumberOrTransform::Number(number) => json!(number),
            NumberOrTransform::Transform(transform) => self.transform(transform, names).await?,
        };
        value.as_f64().filter(|number| *number >= 0.0).ok_or_else(|| {
            let message = format!("`{what}` must be a number that is not negative, found: {}", excerpt(&value));
            Fault::Step(json!({"name": "InvalidNumber", "message": message}))
        })
    }

    async fn transform(&mut self, transform: &InputTransform, names: &ExpressionNames) -> Result<Value, Fault> {
        match transform {
            InputTransform::Static { value, .. } => Ok(value.clone()),
            InputTransform::Javascript { expr, .. } => self.evaluate(expr, false, names).await,
            InputTransform::Ai { .. } => {
                let message = "an input of type `ai` has no value outside an agent";
                Err(Fault::Step(json!({"name": "UnsupportedError", "message": message})))
            }
        }
    }

    async fn predicate(&mut self, expr: &str, names: &ExpressionNames) -> Result<bool, Fault> {
        Ok(truthy(&self.evaluate(expr, true, names).await?))
    }

    async fn evaluate(&mut self, expr: &str, predicate: bool, names: &ExpressionNames) -> Result<Value, Fault> {
        let scope = self.scope(expr, names).await?;
        if let Some(answer) = expression::quick(expr, &scope) {
            return answer.map_err(|error| fault(expr, &error));
        }
        let form = if predicate { ScriptForm::Predicate } else { ScriptForm::Expression };
        let script = Script { source: expr.to_owned(), names: scope, form };
        self.script(script).await.map_err(|error| fault(expr, &error))
    }

    /// Has a script evaluated: for a job that waits for its turn, or for somebody who waits for a dry run.
    async fn script(&self, script: Script) -> Result<Value, EvaluationError> {
        if self.values.are_durable() {
            self.evaluator.evaluate_for(self.values.job(), script).await
        } else {
            self.evaluator.evaluate(script).await
        }
    }

    /// The values that an expression can read, and no others.
    async fn scope(&mut self, expr: &str, names: &ExpressionNames) -> Result<Map<String, Value>, StoreError> {
        let wanted = expression::wanted(expr);
        let mut scope = Map::new();
        for name in &wanted.names {
            let value = match name.as_str() {
                "flow_input" => self.values.resolve(&names.args.value()).await?,
                "previous_result" => self.values.resolve(&names.previous).await?,
                "result" => match &names.result {
                    Some(result) => self.values.resolve(result).await?,
                    None => continue,
                },
                "results" => self.results(&wanted.results, names.scope).await?,
                "flow_env" => self.run.program().env(names.flow),
                "error" => error_of(&self.values.resolve(&names.previous).await?),
                "all_iters" => match names.all_iters {
                    Some(list) => self.values.resolve(&ValueRef::List(list)).await?,
                    None => continue,
                },
                "params" => json!({}),
                "resume" => match names.resumes.last() {
                    Some(resume) => self.values.resolve(&resume.payload).await?,
                    None => Value::Null,
                },
                "resumes" => {
                    let mut payloads = Vec::with_capacity(names.resumes.len());
                    for resume in &names.resumes {
                        payloads.push(self.values.resolve(&resume.payload).await?);
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

    async fn results(&mut self, wanted: &WantedResults, scope: u64) -> Result<Value, StoreError> {
        let visible: Vec<(String, ValueRef)> = match wanted {
            WantedResults::Some(steps) => steps
                .iter()
                .map(|step| (step.clone(), self.run.visible(scope, step).cloned().unwrap_or(ValueRef::Null)))
                .collect(),
            WantedResults::All => {
                let all = self.run.visible_all(scope);
                all.into_iter().map(|(step, result)| (step.to_owned(), result.clone())).collect()
            }
        };
        let mut results = Map::new();
        for (step, reference) in visible {
            results.insert(step, self.values.resolve(&reference).await?);
        }
        Ok(Value::Object(results))
    }
}

/// `Boolean(value)` as JavaScript has it.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// What `error` names: the error of the previous result, or of the one element that has one.
fn error_of(previous: &Value) -> Value {
    if let Some(error) = previous.get("error") {
        return error.clone();
    }
    let Value::Array(items) = previous else {
        return json!({"name": "UnknownError", "message": "the previous result holds no error"});
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
    json!({"name": "MultipleErrors", "message": message.join("; "), "errors": errors})
}

fn fault(expr: &str, error: &EvaluationError) -> Fault {
    if *error == EvaluationError::Busy {
        return Fault::Busy;
    }
    let shown: String = expr.trim().chars().take(200).collect();
    let name = error_name("ExpressionError", error);
    Fault::Step(json!({"name": name, "message": format!("expression `{shown}` failed: {error}")}))
}

/// The name of a failed evaluation's error: `own`, unless the evaluator and not the script is at fault.
fn error_name(own: &'static str, error: &EvaluationError) -> &'static str {
    if matches!(error, EvaluationError::Internal(_)) { "InternalError" } else { own }
}

fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 200 { text } else { text.chars().take(200).chain(['…']).collect() }
}
