//! Records steps: started, passed, retried, failed, ended.

use std::collections::BTreeMap;

use super::job::mark_started;
use super::{change_frame, change_row, costs, set_stage, step_of};
use crate::engine::control_state::{Children, Failure, OpenStep, Stage};
use crate::engine::{CacheKey, Call, Run, Start};
use crate::ports::{StepRow, StepStatus, Timestamp, ValueRef};

fn new_row(ordinal: u64, at: Timestamp, step_id: &str, path: &str) -> StepRow {
    StepRow {
        ordinal,
        step_id: step_id.to_owned(),
        path: path.to_owned(),
        status: StepStatus::Running,
        attempt: 1,
        started_at: at,
        finished_at: None,
        input: None,
        output: None,
        error: None,
        progress: None,
        queue_position: None,
        preview: None,
        log_bytes: 0,
        provider_id: None,
        retry_at: None,
        approval: None,
        cost: None,
        fallback: None,
    }
}

pub(super) fn record_step_start(
    run: &mut Run,
    seq: u64,
    at: Timestamp,
    frame: u64,
    (step_id, path): (&str, &str),
    start: &Start,
    (bound_ms, cache): (Option<u64>, Option<&CacheKey>),
) {
    mark_started(run, at);
    let (failures, fallbacks) = step_of(run, frame).map_or((0, 0), |step| (step.failures, step.fallbacks));
    let before = step_of(run, frame).map(|step| step.row.clone());
    let ordinal = before.as_ref().map_or(seq, |row| row.ordinal);
    let mut row = new_row(ordinal, before.as_ref().map_or(at, |row| row.started_at), step_id, path);
    if let Some(before) = before {
        row.attempt = before.attempt;
        row.cost = before.cost;
        row.fallback = before.fallback;
    }
    let attempt = row.attempt;
    let has_input =
        matches!(start, Start::Call { .. } | Start::Code | Start::Flow | Start::Loop { length: Some(_), .. });
    row.input = has_input.then_some(ValueRef::Row(seq));
    let step = OpenStep {
        ordinal,
        start: start.clone(),
        failures,
        stage: Stage::Begin,
        row,
        children: None,
        result: ValueRef::Row(seq),
        error: None,
        handled: false,
        bound_ms,
        until: None,
        postponed: None,
        slot_granted: false,
        fallbacks,
        cost_of: None,
        cache: cache.cloned(),
        resumes: Vec::new(),
    };
    change_frame(run, frame, |frame| frame.step = Some(step));
    let deadline = if let Start::Call { deadline, .. } = start { *deadline } else { None };
    begin_attempt(run, seq, at, frame, AttemptStart { number: attempt, input: seq, deadline });
    change_row(run, frame, |_| {});
}

/// The start of an attempt.
struct AttemptStart {
    number: u32,
    /// The event whose value contains its arguments or items.
    input: u64,
    /// When its submit counts as lost, if that differs from the step's start.
    deadline: Option<Timestamp>,
}

/// Starts an attempt of a step: the first one or another one.
fn begin_attempt(run: &mut Run, seq: u64, at: Timestamp, frame: u64, attempt: AttemptStart) {
    let Some(state) = run.control.frames.get(&frame) else { return };
    let Some(module) = run.module_at(frame) else { return };
    let Some(step) = &state.step else { return };
    let repeated = if let Stage::Call(open) = &step.stage { Some(open.first_effect) } else { None };
    let stage = match &step.start {
        Start::Call { timeout_ms, bound_ms, .. } => {
            let path = module.module.value.node_path_after(step.fallbacks).unwrap_or_default().to_owned();
            Stage::Call(Call {
                effect: seq,
                step: step.ordinal,
                step_id: module.module.id.clone(),
                path,
                args: ValueRef::Row(attempt.input),
                attempt: attempt.number,
                first_effect: repeated.unwrap_or(seq),
                started_at: at,
                deadline: attempt.deadline.unwrap_or(at.plus_ms(*timeout_ms)),
                until: bound_ms.map(|bound| at.plus_ms(bound)),
                poll_at: None,
                operation: None,
                recovery: None,
                download: None,
            })
        }
        Start::Nothing | Start::Code => Stage::Begin,
        Start::Branch { .. } | Start::Branches { .. } | Start::Loop { .. } | Start::Flow => Stage::Children,
    };
    let children = match &step.start {
        Start::Call { .. } | Start::Nothing | Start::Code => None,
        Start::Branch { .. } | Start::Flow => Some(Children { list: seq, total: Some(1), ..Children::default() }),
        Start::Branches { sequential, limit, race } => {
            let total = Some(module.children.len() as u64);
            let (sequential, limit, race) = (*sequential, *limit, *race);
            Some(Children { list: seq, total, sequential, limit, race, ..Children::default() })
        }
        Start::Loop { length, sequential, limit } => {
            Some(Children { list: seq, total: *length, sequential: *sequential, limit: *limit, ..Children::default() })
        }
    };
    if let Stage::Call(open) = &stage {
        run.control.effects.retain(|_, waiting| *waiting != frame);
        run.control.effects.insert(open.effect, frame);
    }
    let Some(step) = step_of(run, frame) else { return };
    step.until = step.bound_ms.filter(|_| stage == Stage::Children).map(|bound| at.plus_ms(bound));
    step.stage = stage;
    step.slot_granted = false;
    // Scopes of the last attempt's branches are not merged, because they are no longer visible.
    let left = std::mem::replace(&mut step.children, children).map(|children| children.scopes);
    for scope in left.unwrap_or_default().into_values() {
        run.control.scopes.remove(&scope);
    }
}

pub(super) fn record_step_pass(
    run: &mut Run,
    seq: u64,
    at: Timestamp,
    frame: u64,
    (step_id, path): (&str, &str),
    skipped: bool,
    result: &ValueRef,
) {
    mark_started(run, at);
    // If its inputs or its first node failed earlier, the step already has a row.
    let before = step_of(run, frame).map(|step| (step.ordinal, step.row.started_at, step.row.cost.clone()));
    let (ordinal, began, cost) = before.unwrap_or((seq, at, None));
    let mut row = new_row(ordinal, began, step_id, path);
    row.attempt = 0;
    row.cost = cost;
    let step = OpenStep {
        ordinal,
        start: Start::Nothing,
        failures: 0,
        stage: Stage::Begin,
        row,
        children: None,
        result: result.clone(),
        error: None,
        handled: false,
        bound_ms: None,
        until: None,
        postponed: None,
        slot_granted: false,
        fallbacks: 0,
        cost_of: None,
        cache: None,
        resumes: Vec::new(),
    };
    change_frame(run, frame, |frame| frame.step = Some(step));
    let status = if skipped { StepStatus::Skipped } else { StepStatus::Completed };
    record_step_end(run, at, frame, status, result, Stage::Done);
    if skipped {
        advance_frame(run, frame);
    }
}

pub(super) fn record_attempt_start(
    run: &mut Run,
    seq: u64,
    at: Timestamp,
    frame: u64,
    attempt: u32,
    deadline: Option<Timestamp>,
) {
    let Some(step) = step_of(run, frame) else { return };
    let input = if let Some(ValueRef::Row(row)) = step.row.input { row } else { seq };
    let waited_for_slot = step.postponed.is_some_and(|postponed| postponed.waits_for_slot);
    begin_attempt(run, seq, at, frame, AttemptStart { number: attempt, input, deadline });
    change_row(run, frame, |row| {
        row.status = StepStatus::Running;
        row.attempt = attempt;
        row.retry_at = None;
        row.progress = None;
        row.provider_id = None;
        if waited_for_slot {
            row.error = None;
        }
    });
}

pub(super) fn record_attempt_failure(run: &mut Run, frame: u64, failure: Failure) {
    let Some(step) = step_of(run, frame) else { return };
    let open = if let Stage::Call(open) = &step.stage { Some(open.effect) } else { None };
    step.failures += 1;
    step.stage = Stage::Failed;
    step.until = None;
    step.postponed = None;
    step.result = failure.result;
    step.error = Some(failure.error.clone());
    step.handled = failure.handled;
    if let Some(effect) = open {
        run.control.effects.remove(&effect);
    }
    change_row(run, frame, |row| row.error = Some(failure.error));
}

/// Records that the next of a step's nodes is called: its attempts are counted on, its failures from the beginning.
pub(super) fn record_fallback(run: &mut Run, frame: u64, number: usize) {
    let path = run.module_at(frame).and_then(|module| module.module.value.node_path_after(number)).map(str::to_owned);
    let Some(step) = step_of(run, frame) else { return };
    step.fallbacks = number;
    step.failures = 0;
    step.stage = Stage::Begin;
    step.postponed = None;
    change_row(run, frame, |row| {
        row.status = StepStatus::Running;
        row.attempt += 1;
        row.fallback = path;
        row.retry_at = None;
        row.progress = None;
        row.provider_id = None;
    });
}

pub(super) fn record_retry(run: &mut Run, frame: u64, at: Timestamp) {
    run.control.retry_count += 1;
    set_stage(run, frame, Stage::Retrying { at });
    change_row(run, frame, |row| {
        row.status = StepStatus::Retrying;
        row.retry_at = Some(at);
    });
}

pub(super) fn record_step_end(
    run: &mut Run,
    at: Timestamp,
    frame: u64,
    status: StepStatus,
    result: &ValueRef,
    stage: Stage,
) {
    if status == StepStatus::Completed {
        costs::count_unpriced_call(run, frame);
    }
    let Some(step) = step_of(run, frame) else { return };
    let mut was_followed = false;
    if let Stage::Call(open) = &step.stage {
        let effect = open.effect;
        was_followed = open.operation.is_some();
        run.control.effects.remove(&effect);
    }
    let Some(step) = step_of(run, frame) else { return };
    step.result = result.clone();
    step.stage = stage;
    // What follows the attempt is not part of its timeout: a sleep, a gate, an error handler.
    step.until = None;
    let scopes = step.children.as_mut().map(|children| std::mem::take(&mut children.scopes)).unwrap_or_default();
    let step_id = step.row.step_id.clone();
    let Some(scope) = run.control.frames.get(&frame).map(|frame| frame.scope) else { return };
    let mut results = BTreeMap::new();
    for merged in scopes.into_values() {
        results.extend(run.control.scopes.remove(&merged).map(|scope| scope.results).unwrap_or_default());
    }
    results.insert(step_id, result.clone());
    if let Some(scope) = run.control.scopes.get_mut(&scope) {
        scope.results.extend(results);
    }
    change_row(run, frame, |row| {
        row.status = status;
        row.finished_at = Some(at);
        row.retry_at = None;
        row.output = Some(result.clone());
        if status == StepStatus::Completed {
            row.error = None;
            row.progress = was_followed.then_some(1.0);
        }
    });
}

pub(super) fn advance_frame(run: &mut Run, frame: u64) {
    change_frame(run, frame, |frame| {
        frame.resumes.clear();
        if let Some(step) = frame.step.take() {
            frame.previous = step.result;
            frame.resumes = step.resumes;
        }
        frame.cursor += 1;
    });
}
