//! One step: skipped, mocked or run, tried again, and what follows its end.

use std::collections::BTreeMap;
use std::rc::Rc;

use apiflow_core::call::ErrorClass;
use apiflow_core::openflow::{InputTransform, Module, ModuleValue, NumberOrTransform, Retry, StopAfterIf};
use serde_json::{Map, Value, json};

use super::names::Known;
use super::{
    Failure, GateEnd, Here, Interpreter, Resume, Scope, StepEnd, expression_error, identity, iterator_error,
    number_error,
};
use crate::expression;
use crate::fate::{CallKey, run_code};

/// What a module knows once its inputs are evaluated: another attempt does not evaluate them again.
pub(super) enum Ready {
    Nothing,
    Args(Value),
    Items(Vec<Value>),
    /// Number of the branch; `None` is the default.
    Branch(Option<usize>),
}

/// What the attempts of a step share.
#[derive(Default)]
pub(super) struct Trying {
    ready: Option<Ready>,
    /// What its result is of, where it is kept for later runs.
    identity: Option<String>,
    pub(super) failures: u32,
    /// What the parallel branches of the last attempt left.
    pub(super) branches: Vec<Shared>,
}

/// How an attempt ended well.
pub(super) enum Went {
    /// What follows the step is to be looked at.
    Done(Value),
    /// A stop inside it ends the list that it is in.
    Stop { result: Value, skipped: bool },
}

impl<'d> Interpreter<'d> {
    /// One step; `resumes` are what let the gate before it pass, and afterwards what let its own pass.
    pub(super) fn step(
        &mut self,
        module: &'d Module,
        here: &Here<'d>,
        previous: &Value,
        resumes: &mut Vec<Resume>,
    ) -> StepEnd {
        let before = std::mem::take(resumes);
        let mut trying = Trying::default();
        let went = loop {
            let went = self.attempt(module, here, previous, &before, &mut trying);
            match &went {
                Err(failure) if again(module, here, &before, failure, trying.failures) => trying.failures += 1,
                Err(_) | Ok(_) => break went,
            }
        };
        // Merged in branch order at the join, visible after.
        for branch in trying.branches {
            here.scope.results.borrow_mut().extend(branch.results.take());
        }
        match went {
            Ok(None) => {
                here.scope.set(&module.id, previous);
                StepEnd::Next(previous.clone())
            }
            Ok(Some(Went::Done(result))) => {
                here.scope.set(&module.id, &result);
                match concluded(module, here, &before, result) {
                    StepEnd::Next(result) => self.gate(module, here, result, resumes),
                    end @ (StepEnd::Lost(_) | StepEnd::Stop { .. }) => end,
                }
            }
            Ok(Some(Went::Stop { result, skipped })) => {
                here.scope.set(&module.id, &result);
                StepEnd::Stop { result, skipped }
            }
            Err(failure) => {
                here.scope.set(&module.id, &failure.result);
                if module.continue_on_error { StepEnd::Next(failure.result) } else { StepEnd::Lost(failure) }
            }
        }
    }

    /// The gate after a step, as it was observed to end.
    fn gate(&mut self, module: &Module, here: &Here<'d>, result: Value, resumes: &mut Vec<Resume>) -> StepEnd {
        let required = module.suspend.as_ref().and_then(|suspend| suspend.required_events).unwrap_or_default();
        if required == 0 {
            return StepEnd::Next(result);
        }
        match self.observed.gates.get(&(here.place.clone(), module.id.clone())) {
            Some(GateEnd::Passed(taken)) => {
                resumes.clone_from(taken);
                StepEnd::Next(result)
            }
            Some(GateEnd::Failed(error)) => {
                // What comes out has OpenFlow's two fields; the job's own error names the step too.
                let result = json!({"error": {"name": error["name"], "message": error["message"]}});
                StepEnd::Lost(Failure { error: error.clone(), result, handled: false })
            }
            None => StepEnd::Lost(failed(module, json!({"name": "the gate was never seen to close"}))),
        }
    }

    /// One attempt; `None` where the module is skipped.
    fn attempt(
        &mut self,
        module: &'d Module,
        here: &Here<'d>,
        previous: &Value,
        resumes: &[Resume],
        trying: &mut Trying,
    ) -> Result<Option<Went>, Failure> {
        let names = Known::before(here, previous, resumes);
        if trying.ready.is_none() {
            if let Some(rule) = &module.skip_if
                && expression::holds(&rule.expr, &names)
                    .map_err(|message| failed(module, expression_error(&rule.expr, &message)))?
            {
                return Ok(None);
            }
            if let Some(mock) = module.mock.as_ref().filter(|mock| mock.enabled) {
                return Ok(Some(Went::Done(mock.return_value.clone())));
            }
            trying.ready = Some(prepared(module, &names).map_err(|error| failed(module, error))?);
            trying.identity = kept_as(module, trying.ready.as_ref());
            if let Some(identity) = &trying.identity
                && let Some(result) = self.observed.cached.get(&(here.place.clone(), module.id.clone()))
            {
                self.found.push((identity.clone(), result.clone()));
                return Ok(Some(Went::Done(result.clone())));
            }
        }
        trying.branches.clear();
        let went = self.run(module, here, previous, resumes, trying).map_err(|failure| named(module, failure))?;
        if let (Went::Done(result), Some(identity)) = (&went, &trying.identity) {
            self.computed.push((identity.clone(), result.clone()));
        }
        Ok(Some(went))
    }

    fn run(
        &mut self,
        module: &'d Module,
        here: &Here<'d>,
        previous: &Value,
        resumes: &[Resume],
        trying: &mut Trying,
    ) -> Result<Went, Failure> {
        let attempt = trying.failures;
        let ready = trying.ready.as_ref().expect("it has been made ready");
        match (&module.value, ready) {
            (ModuleValue::Script(script), Ready::Args(args)) => {
                let key = CallKey { place: here.place.clone(), step_id: module.id.clone(), nth: attempt };
                self.calls.insert(key.clone(), args.clone());
                let answer = self.answers.answer(&key, &script.path, args);
                answer.map(Went::Done).map_err(|error| failed(module, error))
            }
            (ModuleValue::RawScript(code), Ready::Args(args)) => {
                run_code(&code.content, args).map(Went::Done).map_err(|error| failed(module, error))
            }
            (ModuleValue::Flow(sub), Ready::Args(args)) => self.sub_flow(module, here, &sub.path, args, attempt),
            (ModuleValue::ForLoopFlow(body), Ready::Items(items)) => {
                self.for_loop(module, body, here, resumes, items, attempt)
            }
            (ModuleValue::WhileLoopFlow(body), _) => self.while_loop(module, body, here, resumes, attempt),
            (ModuleValue::BranchOne(choice), Ready::Branch(chosen)) => {
                let list = chosen.map_or(&choice.default, |chosen| &choice.branches[chosen].modules);
                self.branch_one(module, here, previous, list, attempt)
            }
            (ModuleValue::BranchAll(all), _) => self.branch_all(module, all, here, trying),
            (ModuleValue::Identity(_), _) => Ok(Went::Done(previous.clone())),
            (
                ModuleValue::Script(_)
                | ModuleValue::Flow(_)
                | ModuleValue::ForLoopFlow(_)
                | ModuleValue::BranchOne(_)
                | ModuleValue::RawScript(_)
                | ModuleValue::AiAgent(_),
                _,
            ) => unreachable!("random documents hold no such module"),
        }
    }
}

/// What the result of a module is of, where it is kept for later runs of the same.
fn kept_as(module: &Module, ready: Option<&Ready>) -> Option<String> {
    let Some(Ready::Args(args)) = ready else { return None };
    module.cache_ttl?;
    match &module.value {
        ModuleValue::Script(script) => Some(identity("call", &script.path, args)),
        ModuleValue::Flow(sub) => Some(identity("flow", &sub.path, args)),
        ModuleValue::RawScript(code) => Some(identity("code", &code.content, args)),
        ModuleValue::ForLoopFlow(_)
        | ModuleValue::WhileLoopFlow(_)
        | ModuleValue::BranchOne(_)
        | ModuleValue::BranchAll(_)
        | ModuleValue::Identity(_)
        | ModuleValue::AiAgent(_) => None,
    }
}

/// What a module needs before it begins.
fn prepared(module: &Module, names: &Known<'_, '_>) -> Result<Ready, Value> {
    match &module.value {
        ModuleValue::Script(script) => {
            if script.extra.get("pass_flow_input_directly") == Some(&Value::Bool(true)) {
                return evaluated("flow_input", names).map(Ready::Args);
            }
            inputs(&script.input_transforms, names).map(Ready::Args)
        }
        ModuleValue::Flow(sub) => inputs(&sub.input_transforms, names).map(Ready::Args),
        ModuleValue::RawScript(code) => inputs(&code.input_transforms, names).map(Ready::Args),
        ModuleValue::ForLoopFlow(body) => {
            let found = transformed(&body.iterator, names)?;
            limit(body.parallelism.as_ref(), names)?;
            match found {
                Value::Array(items) => Ok(Ready::Items(items)),
                other => Err(iterator_error(&other)),
            }
        }
        ModuleValue::BranchOne(choice) => {
            for (index, branch) in choice.branches.iter().enumerate() {
                if predicate(&branch.expr, names)? {
                    return Ok(Ready::Branch(Some(index)));
                }
            }
            Ok(Ready::Branch(None))
        }
        ModuleValue::BranchAll(all) => limit(all.parallelism.as_ref(), names).map(|()| Ready::Nothing),
        ModuleValue::WhileLoopFlow(_) | ModuleValue::Identity(_) | ModuleValue::AiAgent(_) => Ok(Ready::Nothing),
    }
}

fn inputs(transforms: &BTreeMap<String, InputTransform>, names: &Known<'_, '_>) -> Result<Value, Value> {
    let mut args = Map::new();
    for (name, transform) in transforms {
        args.insert(name.clone(), transformed(transform, names)?);
    }
    Ok(Value::Object(args))
}

fn transformed(transform: &InputTransform, names: &Known<'_, '_>) -> Result<Value, Value> {
    match transform {
        InputTransform::Static { value, .. } => Ok(value.clone()),
        InputTransform::Javascript { expr, .. } => evaluated(expr, names),
        InputTransform::Ai { .. } => unreachable!("random documents hold no such input"),
    }
}

fn evaluated(expr: &str, names: &Known<'_, '_>) -> Result<Value, Value> {
    expression::evaluate(expr, names).map_err(|message| expression_error(expr, &message))
}

fn predicate(expr: &str, names: &Known<'_, '_>) -> Result<bool, Value> {
    expression::holds(expr, names).map_err(|message| expression_error(expr, &message))
}

/// A limit has no effect on results, but may be no number.
fn limit(limit: Option<&NumberOrTransform>, names: &Known<'_, '_>) -> Result<(), Value> {
    match limit {
        None | Some(NumberOrTransform::Number(_)) => Ok(()),
        Some(NumberOrTransform::Transform(transform)) => seconds(transform, names),
    }
}

fn seconds(transform: &InputTransform, names: &Known<'_, '_>) -> Result<(), Value> {
    let found = transformed(transform, names)?;
    if found.as_f64().is_some_and(|number| number >= 0.0) { Ok(()) } else { Err(number_error(&found)) }
}

/// Whether a failed attempt is followed by another.
fn again(module: &Module, here: &Here<'_>, resumes: &[Resume], failure: &Failure, failures: u32) -> bool {
    let Some(retry) = &module.retry else { return false };
    let name = failure.error["name"].as_str().unwrap_or_default();
    let is_final = ErrorClass::parse(name).is_some_and(|class| !class.may_retry());
    if failures >= retries(retry) || is_final {
        return false;
    }
    let names = Known::after(here, &failure.result, resumes);
    retry.retry_if.as_ref().is_none_or(|rule| expression::holds(&rule.expr, &names).unwrap_or(false))
}

fn retries(retry: &Retry) -> u32 {
    retry.constant.as_ref().map_or(0, |rule| rule.attempts) + retry.exponential.as_ref().map_or(0, |rule| rule.attempts)
}

/// What follows a step that succeeded: its stop rule, then its sleep.
fn concluded(module: &Module, here: &Here<'_>, resumes: &[Resume], result: Value) -> StepEnd {
    let names = Known::after(here, &result, resumes);
    let lost = |error: Value, result: Value| {
        here.scope.set(&module.id, &result);
        StepEnd::Lost(Failure { error, result, handled: false })
    };
    if let Some(rule) = stop_rule(module) {
        match predicate(&rule.expr, &names) {
            Ok(false) => {}
            Ok(true) => {
                let Some(error) = stop_error(rule) else {
                    return StepEnd::Stop { result, skipped: rule.skip_if_stopped };
                };
                let mut value = json!({"error": error});
                if rule.error_include_result {
                    value["error"]["result"] = result;
                }
                return lost(error, value);
            }
            Err(error) => {
                let failure = failed(module, error);
                return lost(failure.error, failure.result);
            }
        }
    }
    if let Some(Err(error)) = module.sleep.as_ref().map(|sleep| seconds(sleep, &names)) {
        let failure = failed(module, error);
        return lost(failure.error, failure.result);
    }
    StepEnd::Next(result)
}

/// The rule that is checked once when a module is done.
fn stop_rule(module: &Module) -> Option<&StopAfterIf> {
    match module.value {
        ModuleValue::ForLoopFlow(_) | ModuleValue::WhileLoopFlow(_) | ModuleValue::BranchAll(_) => {
            module.stop_after_all_iters_if.as_ref()
        }
        ModuleValue::Script(_)
        | ModuleValue::RawScript(_)
        | ModuleValue::Flow(_)
        | ModuleValue::BranchOne(_)
        | ModuleValue::Identity(_)
        | ModuleValue::AiAgent(_) => module.stop_after_if.as_ref(),
    }
}

/// The error that a stop ends with, if it is one.
pub(super) fn stop_error(rule: &StopAfterIf) -> Option<Value> {
    let text = rule.error_message.as_ref().filter(|_| !rule.skip_if_stopped)?;
    let message = if text.is_empty() { format!("stop after if: {}", rule.expr) } else { text.clone() };
    Some(json!({"name": "EarlyStopError", "message": message}))
}

/// A failure of the module itself: its result is the error object.
pub(super) fn failed(module: &Module, error: Value) -> Failure {
    let failure = named(module, Failure { error, result: Value::Null, handled: false });
    Failure { result: json!({"error": failure.error}), ..failure }
}

/// The error names the step where it arose.
fn named(module: &Module, mut failure: Failure) -> Failure {
    if let Value::Object(error) = &mut failure.error {
        error.entry("step_id").or_insert_with(|| json!(module.id));
    }
    failure
}

pub(super) type Shared = Rc<Scope>;
