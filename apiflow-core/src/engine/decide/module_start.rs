//! Starts modules and attempts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::children::{self, Ended};
use super::{Turn, error_object, module_end, reused_result, with_step};
use crate::code::is_javascript;
use crate::engine::control_state::Stage;
use crate::engine::{CacheKey, Event, PreparationKind, PreparedStep, Start, error_names};
use crate::openflow::{InputTransform, Module, ModuleValue, NodeCall};
use crate::ports::{ReusedResult, ValueRef};

/// Maximum nesting depth of lists at run time: sub-flows may call themselves.
const MAX_FRAME_DEPTH: u32 = 100;

/// Returns what has to be evaluated before a module starts; [`run_module`] takes the answer.
/// `fallbacks` of the nodes of a call have failed before.
pub(super) fn preparation_kind(module: &Module, fallbacks: usize) -> PreparationKind {
    match &module.value {
        ModuleValue::Script(script) => {
            let fallback = fallbacks.checked_sub(1).and_then(|index| script.fallback.get(index));
            let transforms = fallback.and_then(|fallback| fallback.input_transforms.clone());
            let path = fallback.map_or(&script.path, |fallback| &fallback.path).clone();
            PreparationKind::Inputs { path, transforms: transforms.or_else(|| own_transforms(script)) }
        }
        ModuleValue::Flow(sub) => {
            PreparationKind::Inputs { path: sub.path.clone(), transforms: Some(sub.input_transforms.clone()) }
        }
        ModuleValue::RawScript(code) if is_javascript(&code.language) => PreparationKind::Code {
            language: code.language.clone(),
            content: code.content.clone(),
            transforms: code.input_transforms.clone(),
        },
        ModuleValue::ForLoopFlow(body) => {
            PreparationKind::Items { iterator: body.iterator.clone(), parallelism: body.parallelism.clone() }
        }
        ModuleValue::BranchOne(choice) => {
            PreparationKind::Predicates(choice.branches.iter().map(|branch| branch.expr.clone()).collect())
        }
        ModuleValue::BranchAll(all) => {
            all.parallelism.clone().map_or(PreparationKind::Nothing, PreparationKind::Parallelism)
        }
        ModuleValue::WhileLoopFlow(_)
        | ModuleValue::Identity(_)
        | ModuleValue::RawScript(_)
        | ModuleValue::AiAgent(_) => PreparationKind::Nothing,
    }
}

/// Returns the inputs of a call; `None` if it takes the flow's own arguments.
fn own_transforms(script: &NodeCall) -> Option<BTreeMap<String, InputTransform>> {
    let whole = script.extra.get("pass_flow_input_directly").and_then(Value::as_bool) == Some(true);
    (!whole).then(|| script.input_transforms.clone())
}

/// Takes the values that a module needed before it started.
pub(super) fn take_preparation(turn: &mut Turn<'_>, frame: u64, prepared: PreparedStep, bound_ms: Option<u64>) {
    let Some(state) = turn.frame(frame) else { return };
    if !state.entered && enter_flow(turn, frame, &prepared) {
        return;
    }
    let Some(state) = turn.frame(frame) else { return };
    let Some(definition) = turn.module(frame) else { return };
    let (module, previous, depth) = (definition.module.clone(), state.previous.clone(), state.depth);
    let at = At { frame, module: &module, path: state.path.clone(), bound_ms };
    if let Some(reused) = reused_result(turn.run, frame).cloned() {
        return reuse_outcome(turn, at, reused);
    }
    match prepared {
        PreparedStep::Skip => {
            let (step_id, path) = (module.id.clone(), at.path);
            turn.emit_event(Event::StepPassed { frame, step_id, path, skipped: true, result: previous });
            module_end::settle_frame(turn, frame);
        }
        PreparedStep::Failed(error) => {
            start(turn, at, Start::Nothing, None, None);
            module_end::fail_attempt(turn, frame, error, None, false);
        }
        PreparedStep::Cached { result } => pass_step(turn, at, Some(result)),
        PreparedStep::Entered { .. } => {}
        PreparedStep::Ready
        | PreparedStep::Code { .. }
        | PreparedStep::Inputs { .. }
        | PreparedStep::Items { .. }
        | PreparedStep::Branch(_)
        | PreparedStep::Limit(_) => {
            if depth > MAX_FRAME_DEPTH {
                start(turn, at, Start::Nothing, None, None);
                let message = format!(
                    "sub-flows are nested more than {MAX_FRAME_DEPTH} levels deep: check for a workflow that calls itself"
                );
                return module_end::fail_attempt(
                    turn,
                    frame,
                    error_object(error_names::RECURSION_LIMIT, message),
                    None,
                    false,
                );
            }
            run_module(turn, at, prepared);
        }
    }
}

/// Takes over the outcome of a step from an earlier run.
fn reuse_outcome(turn: &mut Turn<'_>, at: At<'_>, reused: ReusedResult) {
    let frame = at.frame;
    let result = ValueRef::Row(reused.seq);
    match reused.error {
        None => {
            let (step_id, path) = (at.module.id.clone(), at.path);
            turn.emit_event(Event::StepPassed { frame, step_id, path, skipped: false, result });
            module_end::conclude_or_advance(turn, frame);
        }
        Some(error) => {
            start(turn, at, Start::Nothing, None, None);
            turn.emit_event(Event::AttemptFailed { frame, error, result: Some(result), handled: false });
            module_end::fail_step(turn, frame, true);
        }
    }
}

/// Handles the evaluations before a flow's first module; returns whether `prepared` was one of them.
fn enter_flow(turn: &mut Turn<'_>, frame: u64, prepared: &PreparedStep) -> bool {
    match prepared {
        PreparedStep::Skip => {
            let value = Value::String("stopped early".to_owned());
            let result = turn.emit_with(Event::Entered { frame, cache: None }, Some(value));
            module_end::stop(turn, frame, ValueRef::Row(result), true);
            true
        }
        PreparedStep::Failed(error) => {
            let value = serde_json::json!({"error": error});
            turn.emit_with(Event::Entered { frame, cache: None }, Some(value));
            module_end::fail_frame(turn, frame, error.clone());
            true
        }
        PreparedStep::Cached { result } => {
            let row = turn.emit_with(Event::Entered { frame, cache: None }, Some(result.clone()));
            module_end::close_frame(turn, frame, Ended { result: ValueRef::Row(row), error: None, handled: false });
            true
        }
        PreparedStep::Entered { cache } => {
            turn.emit_event(Event::Entered { frame, cache: cache.clone() });
            // A flow without modules is at its end.
            module_end::settle_frame(turn, frame);
            true
        }
        PreparedStep::Ready
        | PreparedStep::Code { .. }
        | PreparedStep::Inputs { .. }
        | PreparedStep::Items { .. }
        | PreparedStep::Branch(_)
        | PreparedStep::Limit(_) => false,
    }
}

/// A module that starts, and its position.
struct At<'m> {
    frame: u64,
    module: &'m Module,
    path: String,
    /// Time limit of each attempt of a module that contains others, in milliseconds.
    bound_ms: Option<u64>,
}

fn run_module(turn: &mut Turn<'_>, at: At<'_>, prepared: PreparedStep) {
    let At { frame, module, .. } = at;
    if let Some(value) = module.mocked_result().cloned() {
        return pass_step(turn, at, Some(value));
    }
    match (&module.value, prepared) {
        (ModuleValue::Script(_), PreparedStep::Inputs { args, cache, timeout_ms, bound_ms }) => {
            start(turn, at, Start::Call { deadline: None, timeout_ms, bound_ms }, Some(args), cache);
        }
        (ModuleValue::Flow(_), PreparedStep::Inputs { args, cache, .. }) => {
            start(turn, at, Start::Flow, Some(args), cache);
            children::open_next(turn, frame);
        }
        (ModuleValue::RawScript(_), PreparedStep::Code { args, outcome, cache }) => {
            start(turn, at, Start::Code, Some(args), cache);
            match outcome {
                Ok(value) => module_end::complete_step(turn, frame, None, Some(value)),
                Err(error) => module_end::fail_attempt(turn, frame, error, None, false),
            }
        }
        (ModuleValue::BranchOne(_), PreparedStep::Branch(chosen)) => branch_one(turn, at, chosen),
        (ModuleValue::BranchAll(all), prepared) => {
            let sequential = all.parallel == Some(false);
            let limit = if let PreparedStep::Limit(limit) = prepared { Some(limit.max(1)) } else { None };
            let limit = if sequential { Some(1) } else { limit };
            let race = all.race && !sequential;
            start(turn, at, Start::Branches { sequential, limit, race }, None, None);
            children::open_more(turn, frame);
        }
        (ModuleValue::ForLoopFlow(body), PreparedStep::Items { items, limit }) => {
            let sequential = !body.parallel;
            let limit = if sequential { Some(1) } else { limit.map(|limit| limit.max(1)) };
            let empty =
                turn.module(frame).is_none_or(|def| def.children.first().is_none_or(|&list| is_empty(turn, list)));
            let length = Some(if empty { 0 } else { items.len() as u64 });
            let items = Some(Value::Array(items));
            start(turn, at, Start::Loop { length, sequential, limit }, items, None);
            children::open_more(turn, frame);
        }
        (ModuleValue::WhileLoopFlow(_), _) => {
            let empty =
                turn.module(frame).is_none_or(|def| def.children.first().is_none_or(|&list| is_empty(turn, list)));
            let length = empty.then_some(0);
            start(turn, at, Start::Loop { length, sequential: true, limit: Some(1) }, None, None);
            children::open_more(turn, frame);
        }
        (ModuleValue::Identity(_), _) => pass_step(turn, at, None),
        (
            ModuleValue::Script(_)
            | ModuleValue::Flow(_)
            | ModuleValue::BranchOne(_)
            | ModuleValue::ForLoopFlow(_)
            | ModuleValue::RawScript(_)
            | ModuleValue::AiAgent(_),
            _,
        ) => {
            let message =
                format!("step `{}` has the type `{}`, which is not supported", module.id, module.value.kind_name());
            start(turn, at, Start::Nothing, None, None);
            module_end::fail_attempt(turn, frame, error_object(error_names::UNSUPPORTED, message), None, false);
        }
    }
}

fn is_empty(turn: &Turn<'_>, list: usize) -> bool {
    turn.run.program.lists.get(list).is_none_or(Vec::is_empty)
}

fn start(turn: &mut Turn<'_>, at: At<'_>, start: Start, value: Option<Value>, cache: Option<CacheKey>) {
    let At { frame, module, path, bound_ms } = at;
    let step_id = module.id.clone();
    turn.emit_with(Event::StepStarted { frame, step_id, path, start, bound_ms, cache }, value);
}

/// Runs a module that takes no time: an identity, or a mock with its value.
fn pass_step(turn: &mut Turn<'_>, at: At<'_>, value: Option<Value>) {
    let At { frame, module, path, .. } = at;
    let result = match &value {
        Some(_) => ValueRef::Row(turn.run.control.seq + 1),
        None => turn.frame(frame).map_or(ValueRef::Null, |state| state.previous.clone()),
    };
    turn.emit_with(Event::StepPassed { frame, step_id: module.id.clone(), path, skipped: false, result }, value);
    module_end::conclude_or_advance(turn, frame);
}

fn branch_one(turn: &mut Turn<'_>, at: At<'_>, chosen: Option<u64>) {
    let frame = at.frame;
    let Some(definition) = turn.module(frame) else { return };
    let default = definition.children.len().saturating_sub(1);
    let list = definition.children.get(chosen.map_or(default, |chosen| chosen as usize)).copied();
    if list.is_none_or(|list| is_empty(turn, list)) {
        // An empty branch returns the previous result.
        return pass_step(turn, at, None);
    }
    start(turn, at, Start::Branch { chosen }, None, None);
    children::open_next(turn, frame);
}

/// Starts another attempt of a step.
pub(super) fn start_attempt(turn: &mut Turn<'_>, frame: u64) {
    let Some(step) = turn.step(frame) else { return };
    // Not the number of failures: repeating a call of unknown fate is not one, and a call that the provider refused is
    // still the same attempt.
    let is_postponed = step.postponed.is_some() && matches!(step.stage, Stage::Retrying { .. });
    let attempt = step.row.attempt + u32::from(!is_postponed);
    turn.emit_event(Event::AttemptStarted { frame, attempt, deadline: None });
    children::open_more(turn, frame);
}

pub(super) fn with_step_of(turn: &Turn<'_>, frame: u64, error: Value) -> Value {
    let step_id = turn.module(frame).map(|def| def.module.id.clone()).unwrap_or_default();
    with_step(error, &step_id)
}
