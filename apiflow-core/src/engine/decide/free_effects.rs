//! Determines the free effects that a list has to wait for.

use super::module_start;
use crate::engine::control_state::{ExpressionNames, Frame, OpenStep, Stage};
use crate::engine::program::step_key;
use crate::engine::{Effect, PreparationKind, Run, StepConclusion, StepPreparation};
use crate::ports::{ReusedResult, ValueRef};

/// Returns the evaluation that a list needs before it can continue.
pub(in crate::engine) fn free_effect_of(run: &Run, frame: u64) -> Option<Effect> {
    let state = run.control.frames.get(&frame)?;
    match &state.step {
        None => step_preparation(run, frame, state).map(Effect::Prepare),
        // Also if `skip_if` could not be evaluated: a module must not run without it.
        Some(OpenStep { stage: Stage::Begin, .. }) => step_preparation(run, frame, state).map(Effect::Prepare),
        Some(step) => step_conclusion(run, frame, state, step).map(Effect::Conclude),
    }
}

/// Returns the result of an earlier run that replaces the module that a list is at.
pub(in crate::engine) fn reused_result(run: &Run, frame: u64) -> Option<&ReusedResult> {
    let state = run.control.frames.get(&frame)?;
    if run.program.reused.is_empty() || !state.entered {
        return None;
    }
    run.program.reused.get(&step_key(&state.path, &run.module_at(frame)?.module.id))
}

fn step_preparation(run: &Run, frame: u64, state: &Frame) -> Option<StepPreparation> {
    let names = expression_names(state, Some(state.previous.clone()), None);
    let fresh = run.control.fresh;
    if !state.entered {
        let flow = run.program.flows.get(state.flow)?;
        let ask = PreparationKind::Enter { skip_expr: flow.skip_expr.clone(), flow: state.flow };
        let cache_ttl_s = flow.cache_ttl_s;
        return Some(StepPreparation { frame, skip_if: None, ask, timeout: None, cache_ttl_s, fresh, names });
    }
    if reused_result(run, frame).is_some() {
        let ask = PreparationKind::Nothing;
        return Some(StepPreparation { frame, skip_if: None, ask, timeout: None, cache_ttl_s: None, fresh, names });
    }
    let definition = run.module_at(frame)?;
    let module = &definition.module;
    let fallbacks = state.step.as_ref().map_or(0, |step| step.fallbacks);
    // The step has begun already when another node is called instead.
    let skip_if = module.skip_if.as_ref().filter(|_| fallbacks == 0).map(|rule| rule.expr.clone());
    let mocked = module.mocked_result().is_some();
    let ask = if mocked { PreparationKind::Nothing } else { module_start::preparation_kind(module, fallbacks) };
    let cache_ttl_s = module.cache_ttl.filter(|ttl| *ttl > 0);
    let timeout = module.timeout.clone().filter(|_| !mocked);
    Some(StepPreparation { frame, skip_if, ask, timeout, cache_ttl_s, fresh, names })
}

fn step_conclusion(run: &Run, frame: u64, state: &Frame, step: &OpenStep) -> Option<StepConclusion> {
    let module = &run.module_at(frame)?.module;
    let bare = |predicate: Option<String>, result: ValueRef| StepConclusion {
        frame,
        predicate,
        sleep: None,
        recover: None,
        include_result: false,
        names: ExpressionNames { previous: result.clone(), ..expression_names(state, Some(result), None) },
    };
    match &step.stage {
        Stage::Failed => {
            let rule = module.retry.as_ref()?.retry_if.as_ref()?;
            Some(bare(Some(rule.expr.clone()), step.result.clone()))
        }
        Stage::Handling { result: Some(result) } => {
            Some(StepConclusion { recover: Some(result.clone()), ..bare(None, result.clone()) })
        }
        Stage::Iterated => {
            let rule = module.stop_after_if.as_ref()?;
            let children = step.children.as_ref()?;
            let result = children.last.clone().unwrap_or(ValueRef::Null);
            let mut conclude = bare(Some(rule.expr.clone()), result);
            conclude.names.all_iters = Some(children.list);
            Some(conclude)
        }
        Stage::Done => {
            let rule = module.stop_rule();
            // The earlier run has already slept before the next module.
            let sleep = module.sleep.clone().filter(|_| reused_result(run, frame).is_none());
            if rule.is_none() && module.sleep.is_none() {
                return None;
            }
            let include_result = rule.is_some_and(|rule| rule.error_include_result);
            let predicate = rule.map(|rule| rule.expr.clone());
            Some(StepConclusion { sleep, include_result, ..bare(predicate, step.result.clone()) })
        }
        Stage::Begin
        | Stage::Call(_)
        | Stage::Children
        | Stage::Retrying { .. }
        | Stage::Lost
        | Stage::Handling { result: None }
        | Stage::Suspended(_)
        | Stage::Sleeping { .. } => None,
    }
}

fn expression_names(state: &Frame, result: Option<ValueRef>, all_iters: Option<u64>) -> ExpressionNames {
    ExpressionNames {
        args: state.args.clone(),
        previous: state.previous.clone(),
        result,
        scope: state.scope,
        flow: state.env,
        all_iters,
        resumes: state.resumes.clone(),
    }
}
