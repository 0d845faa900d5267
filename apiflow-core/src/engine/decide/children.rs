//! Opens and ends branches, iterations and sub-flows.

use serde_json::Value;

use super::{Turn, module_end, result_of};
use crate::engine::control_state::{Children, Stage};
use crate::engine::{Event, Start, error_names};
use crate::ports::ValueRef;

/// Maximum number of open children of one module: limits the memory of a job and the cost of each of its turns.
const MAX_OPEN_CHILDREN: u64 = 1_000;

/// Opens as many children as may run now; ends the module if none is left.
pub(super) fn open_more(turn: &mut Turn<'_>, frame: u64) {
    while let Some(children) = children_of(turn, frame) {
        let may_open = children.total.is_none_or(|total| children.next < total)
            && (children.open.len() as u64) < children.limit.unwrap_or(MAX_OPEN_CHILDREN);
        if !may_open {
            break;
        }
        if !open_next(turn, frame) {
            return;
        }
    }
    let Some(children) = children_of(turn, frame) else { return };
    if children.open.is_empty() && children.total.is_some_and(|total| children.next >= total) {
        all_ended(turn, frame);
    }
}

/// Opens the next child and settles it; returns whether it is running. If it has ended already, its module continues
/// before the next one is opened, because that may end the module.
pub(super) fn open_next(turn: &mut Turn<'_>, frame: u64) -> bool {
    let Some(slot) = children_of(turn, frame).map(|children| children.next) else { return false };
    let child = open(turn, frame, slot, false);
    turn.frame(child).is_some()
}

/// Opens the error handler of the step that a list is at.
pub(super) fn open_handler(turn: &mut Turn<'_>, frame: u64) {
    open(turn, frame, 0, true);
}

fn open(turn: &mut Turn<'_>, frame: u64, slot: u64, handler: bool) -> u64 {
    let child = turn.run.control.next_frame;
    turn.emit_event(Event::FrameOpened { frame, child, slot, handler });
    module_end::settle_frame(turn, child);
    child
}

fn children_of<'a>(turn: &'a Turn<'_>, frame: u64) -> Option<&'a Children> {
    let step = turn.step(frame)?;
    if step.stage == Stage::Children { step.children.as_ref() } else { None }
}

/// How a child ended.
pub(super) struct Ended {
    pub(super) result: ValueRef,
    pub(super) error: Option<Value>,
    pub(super) handled: bool,
}

/// Records the end of a child; its parent does not continue yet.
pub(super) fn close(turn: &mut Turn<'_>, child: u64, ended: Ended) -> Option<u64> {
    let (frame, slot) = turn.frame(child).and_then(|state| Some((state.parent?, state.slot)))?;
    let step = turn.step(frame)?;
    let handling = matches!(step.stage, Stage::Handling { .. });
    let collects = !handling && matches!(step.start, Start::Branches { .. } | Start::Loop { .. });
    let list = step.children.as_ref().filter(|_| collects).map(|children| children.list);
    let tolerated = ended.error.is_some() && !handling && tolerates_failure(turn, frame, slot);
    let cache = turn.frame(child).and_then(|state| state.cache.clone()).filter(|_| ended.error.is_none());
    let Ended { result, error, handled } = ended;
    turn.emit_event(Event::FrameClosed { frame, child, slot, result, list, error, handled, tolerated, cache });
    Some(frame)
}

fn tolerates_failure(turn: &Turn<'_>, frame: u64, slot: u64) -> bool {
    turn.module(frame).is_some_and(|def| def.module.value.tolerates_failure_of(slot as usize))
}

/// Continues a module after one of its children has ended.
pub(super) fn resume_module(turn: &mut Turn<'_>, frame: u64) {
    let Some(step) = turn.step(frame) else { return };
    match &step.stage {
        Stage::Handling { .. } => {}
        Stage::Lost => module_end::settle_frame(turn, frame),
        Stage::Iterated => finish_iteration(turn, frame),
        Stage::Children => {
            let sequential = step.children.as_ref().is_some_and(|children| children.sequential);
            let failed = step.children.as_ref().is_some_and(|children| children.failure.is_some());
            if let Some(slot) = step.children.as_ref().and_then(|children| children.winner) {
                let result = step.children.as_ref().and_then(|children| children.last.clone());
                turn.emit_event(Event::RaceWon { frame, slot });
                module_end::complete_step(turn, frame, result, None);
            } else if sequential && failed {
                all_ended(turn, frame);
            } else {
                open_more(turn, frame);
            }
        }
        Stage::Begin
        | Stage::Call(_)
        | Stage::Failed
        | Stage::Retrying { .. }
        | Stage::Done
        | Stage::Suspended(_)
        | Stage::Sleeping { .. } => {}
    }
}

/// Continues after an iteration of a sequential loop, unless its `stop_after_if` has to be evaluated first.
fn finish_iteration(turn: &mut Turn<'_>, frame: u64) {
    let Some(step) = turn.step(frame) else { return };
    let failed = step.children.as_ref().is_some_and(|children| children.failure.is_some());
    if failed {
        return all_ended(turn, frame);
    }
    let asks = turn.module(frame).is_some_and(|def| def.module.stop_after_if.is_some());
    if !asks {
        next_iteration(turn, frame);
    }
}

/// Opens the next iteration of a sequential loop, or ends the loop.
pub(super) fn next_iteration(turn: &mut Turn<'_>, frame: u64) {
    let Some(children) = turn.step(frame).and_then(|step| step.children.as_ref()) else { return };
    let (next, more) = (children.next, children.total.is_none_or(|total| children.next < total));
    let limit = turn.run.limits.max_loop_iterations;
    if !more {
        return all_ended(turn, frame);
    }
    if children.total.is_none() && next >= limit {
        let message = format!("the while loop did not end within {limit} iterations: add a `stop_after_if`");
        return module_end::fail_attempt(
            turn,
            frame,
            super::error_object(error_names::LOOP_LIMIT, message),
            None,
            false,
        );
    }
    open(turn, frame, next, false);
}

/// Cancels the children of a module that has timed out.
pub(super) fn fail_slow_module(turn: &mut Turn<'_>, frame: u64) {
    let Some(module) = turn.module(frame).map(|def| def.module.id.clone()) else { return };
    let bound_s = turn.step(frame).and_then(|step| step.bound_ms).unwrap_or_default() as f64 / 1000.0;
    turn.emit_event(Event::TimedOut { frame });
    let message = format!("step `{module}` exceeded its `timeout` of {bound_s} s; its running work was cancelled");
    module_end::fail_attempt(turn, frame, super::error_object(error_names::TIMEOUT, message), None, false);
}

/// Ends a module whose children have all ended.
pub(super) fn all_ended(turn: &mut Turn<'_>, frame: u64) {
    let Some(step) = turn.step(frame) else { return };
    let Some(children) = &step.children else { return };
    let result = match step.start {
        Start::Branches { .. } | Start::Loop { .. } => ValueRef::List(children.list),
        Start::Call { .. } | Start::Nothing | Start::Code | Start::Branch { .. } | Start::Flow => {
            children.last.clone().unwrap_or_else(|| result_of(Some(step)))
        }
    };
    match children.failure.clone() {
        Some((_, failure)) => module_end::fail_attempt(turn, frame, failure.error, Some(result), failure.handled),
        None => module_end::complete_step(turn, frame, Some(result), None),
    }
}
