//! Ends steps, lists and jobs.

use serde_json::Value;

use super::children::{self, Ended};
use super::{Turn, error_object, gates, module_start, result_of};
use crate::call::ErrorClass;
use crate::engine::control_state::Stage;
use crate::engine::{ConcludedStep, Ending, Event, OpenWork, error_names, retry};
use crate::openflow::{Nesting, Retry, StopAfterIf};
use crate::ports::{JobStatus, ValueRef};

/// Ends a step with a result: a new value, or a reference to one.
pub(super) fn complete_step(turn: &mut Turn<'_>, frame: u64, result: Option<ValueRef>, value: Option<Value>) {
    let cache = turn.step(frame).and_then(|step| step.cache.clone());
    turn.emit_with(Event::StepCompleted { frame, result, cache }, value);
    conclude_or_advance(turn, frame);
}

/// Continues after a step that succeeded, unless something has to be evaluated first.
pub(super) fn conclude_or_advance(turn: &mut Turn<'_>, frame: u64) {
    let asks = turn.module(frame).is_some_and(|def| def.module.stop_rule().is_some() || def.module.sleep.is_some());
    if !asks {
        go_on(turn, frame, 0);
    }
}

/// Continues a list after a step that succeeded: with its gate, then its sleep.
fn go_on(turn: &mut Turn<'_>, frame: u64, sleep_ms: u64) {
    if !gates::close(turn, frame, sleep_ms) {
        start_sleep(turn, frame, sleep_ms);
    }
}

/// Starts the sleep of a list before its next module.
pub(super) fn start_sleep(turn: &mut Turn<'_>, frame: u64, sleep_ms: u64) {
    if sleep_ms == 0 {
        turn.emit_event(Event::Advanced { frame });
        return settle_frame(turn, frame);
    }
    let until = turn.now.plus_ms(sleep_ms);
    turn.emit_event(Event::SleepStarted { frame, until });
}

/// Records a failed attempt and decides whether it is retried.
pub(super) fn fail_attempt(turn: &mut Turn<'_>, frame: u64, error: Value, result: Option<ValueRef>, handled: bool) {
    let again = turn.module(frame).and_then(|def| def.module.retry.clone());
    let failures = turn.step(frame).map_or(0, |step| step.failures);
    let error = record_failure(turn, frame, error, result, handled);
    let delay = again.as_ref().and_then(|rule| retry_delay(turn, frame, rule, failures));
    match (delay, again.and_then(|rule| rule.retry_if)) {
        (Some(_), _) if !ErrorClass::may_retry_error(&error) => fail_call(turn, frame),
        (Some(delay), None) => schedule_retry(turn, frame, delay),
        // `retry_if` is evaluated first.
        (Some(_), Some(_)) => {}
        (None, _) => fail_call(turn, frame),
    }
}

/// Returns the delay before the next attempt of a step whose last one failed, in milliseconds; `None` if it is not
/// retried. The delay is at least what the provider asked for (`retry_after_ms` of the recorded error), but no longer
/// than the step's own `timeout`.
fn retry_delay(turn: &Turn<'_>, frame: u64, rule: &Retry, failures: u32) -> Option<u64> {
    let random = retry::pseudo_random(turn.run.control.seed, turn.run.control.seq);
    let delay = retry::delay_ms(rule, failures, random)?;
    let hint = turn.step(frame).map_or(0, |step| {
        let hint = step.error.as_ref().map_or(0, retry::hint_ms);
        step.timeout_ms().map_or(hint, |timeout| hint.min(timeout))
    });
    Some(delay.max(hint))
}

fn record_failure(turn: &mut Turn<'_>, frame: u64, error: Value, result: Option<ValueRef>, handled: bool) -> Value {
    let error = module_start::with_step_of(turn, frame, error);
    let value = result.is_none().then(|| serde_json::json!({"error": error}));
    turn.emit_with(Event::AttemptFailed { frame, error: error.clone(), result, handled }, value);
    error
}

fn schedule_retry(turn: &mut Turn<'_>, frame: u64, delay_ms: u64) {
    let at = turn.now.plus_ms(delay_ms);
    turn.emit_event(Event::RetryScheduled { frame, at });
    if delay_ms == 0 {
        module_start::start_attempt(turn, frame);
    }
}

/// Continues after the last attempt of a step: with the next of its nodes, if that is to be called after this error;
/// else the step has failed finally. A call of unknown fate is never followed by another one, which could be paid, too.
fn fail_call(turn: &mut Turn<'_>, frame: u64) {
    let next = turn.step(frame).and_then(|step| {
        let fallback = turn.module(frame)?.module.value.fallbacks().get(step.fallbacks)?;
        let name = step.error.as_ref()?.get("name")?.as_str()?;
        (name != error_names::SUBMIT_UNKNOWN && fallback.follows_error(name)).then_some(step.fallbacks + 1)
    });
    match next {
        Some(number) => {
            turn.emit_event(Event::FallbackStarted { frame, number });
        }
        None => fail_step(turn, frame, true),
    }
}

/// Ends a step that failed finally.
pub(super) fn fail_step(turn: &mut Turn<'_>, frame: u64, may_catch: bool) {
    let caught = may_catch && turn.module(frame).is_some_and(|def| def.module.continue_on_error);
    turn.emit_event(Event::StepFailed { frame, caught });
    settle_frame(turn, frame);
}

/// Fails a list before its first module.
pub(super) fn fail_frame(turn: &mut Turn<'_>, frame: u64, error: Value) {
    let seq = turn.run.control.seq;
    close_frame(turn, frame, Ended { result: ValueRef::Row(seq), error: Some(error), handled: false });
}

/// Takes the values that were evaluated after a step.
pub(super) fn take_conclusion(turn: &mut Turn<'_>, frame: u64, concluded: ConcludedStep) {
    match turn.stage(frame).cloned() {
        Some(Stage::Failed) => decide_retry(turn, frame, &concluded),
        Some(Stage::Handling { result: Some(result) }) => {
            let error = turn.step(frame).and_then(|step| step.error.clone()).filter(|_| !concluded.holds);
            close_frame(turn, frame, Ended { result, handled: error.is_some(), error });
        }
        Some(Stage::Iterated) => {
            let rule = turn.module(frame).and_then(|def| def.module.stop_after_if.clone());
            match (concluded.error, concluded.holds) {
                (Some(error), _) => fail_attempt(turn, frame, error, None, false),
                (None, false) => children::next_iteration(turn, frame),
                (None, true) => match rule.as_ref().and_then(stop_error) {
                    Some(error) => fail_attempt(turn, frame, error, None, false),
                    None => children::all_ended(turn, frame),
                },
            }
        }
        Some(Stage::Done) => decide_stop(turn, frame, concluded),
        Some(
            Stage::Begin
            | Stage::Call(_)
            | Stage::Children
            | Stage::Retrying { .. }
            | Stage::Lost
            | Stage::Handling { result: None }
            | Stage::Suspended(_)
            | Stage::Sleeping { .. },
        )
        | None => {}
    }
}

fn decide_retry(turn: &mut Turn<'_>, frame: u64, concluded: &ConcludedStep) {
    let rule = turn.module(frame).and_then(|def| def.module.retry.clone());
    let failures = turn.step(frame).map_or(0, |step| step.failures.saturating_sub(1));
    let delay = rule.as_ref().and_then(|rule| retry_delay(turn, frame, rule, failures));
    match delay {
        Some(delay) if concluded.holds && concluded.error.is_none() => schedule_retry(turn, frame, delay),
        Some(_) | None => fail_call(turn, frame),
    }
}

fn decide_stop(turn: &mut Turn<'_>, frame: u64, concluded: ConcludedStep) {
    if let Some(error) = concluded.error {
        record_failure(turn, frame, error, None, false);
        return fail_step(turn, frame, false);
    }
    if !concluded.holds {
        return go_on(turn, frame, concluded.sleep_ms);
    }
    let rule = turn.module(frame).and_then(|def| def.module.stop_rule().cloned());
    let result = result_of(turn.step(frame));
    match rule.as_ref().and_then(stop_error) {
        Some(error) => {
            let include = rule.as_ref().is_some_and(|rule| rule.error_include_result);
            let mut value = serde_json::json!({"error": error});
            if let Some(result) = concluded.result.filter(|_| include) {
                value["error"]["result"] = result;
            }
            let event = Event::AttemptFailed { frame, error, result: None, handled: false };
            turn.emit_with(event, Some(value));
            fail_step(turn, frame, false);
        }
        None => stop(turn, frame, result, rule.is_some_and(|rule| rule.skip_if_stopped)),
    }
}

/// Returns the error of a stop; `None` if it is not a failure, or marks the flow as skipped.
fn stop_error(rule: &StopAfterIf) -> Option<Value> {
    let text = rule.error_message.as_ref().filter(|_| !rule.skip_if_stopped)?;
    let message = if text.is_empty() { format!("stop after if: {}", rule.expr) } else { text.clone() };
    Some(error_object(error_names::EARLY_STOP, message))
}

/// Ends a list early, and the enclosing ones as far as the stop applies to them.
pub(super) fn stop(turn: &mut Turn<'_>, frame: u64, result: ValueRef, skipped: bool) {
    let parent = turn.frame(frame).and_then(|state| state.parent);
    let Some(parent) = parent else {
        let ending = Ending { output: Some(result), skipped, ..Ending::new(JobStatus::Completed, None) };
        return end_flow(turn, ending);
    };
    let climbs = match turn.module(parent).map(|def| def.module.value.nesting()) {
        Some(Nesting::OneBranch | Nesting::AllBranches { parallel: false, .. }) => true,
        Some(Nesting::None | Nesting::Loop { .. } | Nesting::AllBranches { parallel: true, .. }) | None => false,
    };
    let breaks = turn.step(parent).is_some_and(|step| {
        matches!(step.start, crate::engine::Start::Loop { sequential: true, .. }) && step.stage == Stage::Children
    });
    let handling = matches!(turn.stage(parent), Some(Stage::Handling { .. }));
    if children::close(turn, frame, Ended { result: result.clone(), error: None, handled: false }).is_none() {
        return;
    }
    if handling {
        turn.due.push(parent);
    } else if breaks {
        children::all_ended(turn, parent);
    } else if climbs {
        let result = match turn.step(parent).and_then(|step| step.children.as_ref().map(|open| (step, open))) {
            Some((step, open)) if matches!(step.start, crate::engine::Start::Branches { .. }) => {
                ValueRef::List(open.list)
            }
            _ => result,
        };
        turn.emit_event(Event::StepCompleted { frame: parent, result: Some(result.clone()), cache: None });
        stop(turn, parent, result, skipped);
    } else {
        turn.due.push(parent);
    }
}

/// Continues a list: ends it if it is at its end, or runs its error handler if its step has failed finally.
pub(super) fn settle_frame(turn: &mut Turn<'_>, frame: u64) {
    let Some(state) = turn.frame(frame) else { return };
    match &state.step {
        None if state.preprocessing && turn.module(frame).is_none() => {
            turn.emit_event(Event::Preprocessed { frame });
            settle_frame(turn, frame);
        }
        None if state.entered && turn.module(frame).is_none() => {
            let result = state.previous.clone();
            close_frame(turn, frame, Ended { result, error: None, handled: false });
        }
        Some(step) if step.stage == Stage::Lost => {
            let handler = turn.run.program.flows.get(state.flow).and_then(|flow| flow.failure);
            if handler.is_some() && !state.handler && !step.handled {
                return children::open_handler(turn, frame);
            }
            let ended = Ended { result: step.result.clone(), error: step.error.clone(), handled: step.handled };
            close_frame(turn, frame, ended);
        }
        None | Some(_) => {}
    }
}

/// Ends a list, and the job with its outermost one.
pub(super) fn close_frame(turn: &mut Turn<'_>, frame: u64, ended: Ended) {
    if turn.frame(frame).is_some_and(|state| state.parent.is_some()) {
        let parent = children::close(turn, frame, ended);
        turn.due.extend(parent);
        return;
    }
    let status = if ended.error.is_some() { JobStatus::Failed } else { JobStatus::Completed };
    let cache = turn.frame(frame).and_then(|state| state.cache.clone()).filter(|_| ended.error.is_none());
    end_flow(turn, Ending { output: Some(ended.result), cache, ..Ending::new(status, ended.error) });
}

fn end_flow(turn: &mut Turn<'_>, ending: Ending) {
    let waits = turn
        .run
        .open_work()
        .any(|work| matches!(work, OpenWork::Cancel(_) | OpenWork::Poll(_) | OpenWork::Download(_)));
    turn.emit_event(if waits { Event::FlowEnded(ending) } else { Event::JobFinished(ending) });
}

/// Ends a job that crashes its worker: the fate of its open attempts is unknown.
pub(super) fn abandon_job(turn: &mut Turn<'_>, error: Value) {
    let open: Vec<(u64, Option<String>)> = turn
        .run
        .control
        .frames
        .iter()
        .filter_map(|(frame, state)| Some((*frame, state.step.as_ref()?)))
        .filter(|(_, step)| matches!(step.stage, Stage::Call(_)))
        .map(|(frame, step)| (frame, step.row.provider_id.clone()))
        .collect();
    for (frame, provider_id) in open {
        let step_id = turn.module(frame).map(|def| def.module.id.clone()).unwrap_or_default();
        record_failure(turn, frame, unsettled_attempt_error(&step_id, provider_id.as_deref()), None, false);
        turn.emit_event(Event::StepFailed { frame, caught: false });
    }
    let value = serde_json::json!({"error": error});
    turn.emit_with(Event::JobFinished(Ending::new(JobStatus::Failed, Some(error))), Some(value));
}

/// Returns the error of an attempt that was open when its job was abandoned.
pub(crate) fn unsettled_attempt_error(step_id: &str, provider_id: Option<&str>) -> Value {
    let what = match provider_id {
        Some(id) => format!("the provider was working on `{id}` when the job was abandoned"),
        None => "the job was abandoned before the provider confirmed the request".to_owned(),
    };
    let message = format!(
        "{what}; it was not sent again, because it could be paid twice: recover the step to search for the work at the provider"
    );
    let mut error = super::with_step(error_object(error_names::SUBMIT_UNKNOWN, message), step_id);
    if let Some(id) = provider_id {
        error["provider_id"] = Value::String(id.to_owned());
    }
    error
}

/// Fails a job that has too many events to end by itself.
pub(super) fn check_length(turn: &mut Turn<'_>) {
    let (seq, most) = (turn.run.control.seq, turn.run.limits.max_events);
    if seq < most || turn.run.control.ending.is_some() || turn.run.control.status.is_final() {
        return;
    }
    let message = format!(
        "the job exceeded {most} events: check for an endless loop or sub-flow, or split the work into several jobs"
    );
    fail_over_limit(turn, message);
}

/// Fails a job that exceeds a limit.
pub(super) fn fail_over_limit(turn: &mut Turn<'_>, message: String) {
    if turn.run.control.ending.is_some() {
        return;
    }
    let seq = turn.run.control.seq;
    let error = error_object(error_names::JOB_LIMIT, message);
    let value = serde_json::json!({"error": error});
    let output = Some(ValueRef::Row(seq + 1));
    turn.emit_with(Event::FlowEnded(Ending { output, ..Ending::new(JobStatus::Failed, Some(error)) }), Some(value));
}

/// Ends the job once its flow has ended and all cancellations have been sent.
pub(super) fn settle_job(turn: &mut Turn<'_>) {
    let Some(ending) = turn.run.control.ending.clone() else { return };
    if turn.run.control.status.is_final() || !turn.run.control.orphans.is_empty() {
        return;
    }
    if ending.status == JobStatus::Cancelled {
        let told = serde_json::json!({"name": error_names::CANCELLED, "message": "the job was cancelled"});
        let cancelled = Ending { skipped: ending.skipped, ..Ending::new(ending.status, Some(told.clone())) };
        turn.emit_with(Event::JobFinished(cancelled), Some(serde_json::json!({"error": told})));
    } else {
        turn.emit_event(Event::JobFinished(ending));
    }
}
