//! Recording an event: total, and without a choice.

mod frames;
mod gates;

use serde::Deserialize;
use serde_json::Value;

use super::control_state::{Approval, Children, Control, Ending, Failure, Frame, Postponed, Scope, Stage, Step};
use super::{Args, CacheKey, Call, Event, Recovery, Run, Start, ValueRef};
use crate::openflow::ModuleValue;
use crate::ports::{JobStatus, StepRow, StepStatus, Timestamp};

impl Control {
    pub(super) fn new() -> Self {
        Self {
            status: JobStatus::Pending,
            seq: 0,
            seed: 0,
            next_frame: 0,
            retry_count: 0,
            created_at: Timestamp(0),
            started_at: None,
            finished_at: None,
            frames: std::collections::BTreeMap::new(),
            scopes: std::collections::BTreeMap::new(),
            effects: std::collections::BTreeMap::new(),
            orphans: std::collections::BTreeMap::new(),
            approvals: Vec::new(),
            ending: None,
        }
    }
}

/// Records an event.
pub(super) fn apply(run: &mut Run, seq: u64, at: Timestamp, event: &Event) {
    run.control.seq = seq;
    match event {
        Event::Created { seed, preprocess } => created(run, seq, at, *seed, *preprocess),
        Event::ResultReused { .. } => {}
        Event::Preprocessed { frame } => frames::preprocessed(run, *frame),
        Event::Entered { frame, cache } => with(run, *frame, |frame| {
            frame.entered = true;
            frame.cache.clone_from(cache);
        }),
        Event::StepStarted { frame, step_id, path, start, bound_ms, cache } => {
            step_started(run, seq, at, *frame, (step_id, path), start, (*bound_ms, cache.as_ref()));
        }
        Event::StepPassed { frame, step_id, path, skipped, result } => {
            step_passed(run, seq, at, *frame, (step_id, path), *skipped, result);
        }
        Event::AttemptStarted { frame, attempt, deadline } => {
            attempt_started(run, seq, at, *frame, *attempt, *deadline);
        }
        Event::OperationAccepted { frame, effect, provider_id, poll_at, deadline } => {
            accepted(run, seq, *frame, *effect, provider_id.as_deref(), *poll_at, *deadline);
        }
        Event::RecoveryStarted { frame, effect, settles_at, gives_up_at } => {
            let recovery = Recovery { event: seq, settles_at: *settles_at, gives_up_at: *gives_up_at };
            recovery_started(run, *frame, *effect, recovery);
        }
        Event::AttemptFailed { frame, error, result, handled } => {
            let result = result.clone().unwrap_or(ValueRef::Row(seq));
            attempt_failed(run, *frame, Failure { error: error.clone(), result, handled: *handled });
        }
        Event::CallPostponed { frame, effect: _, until, error, sent } => {
            call_postponed(run, *frame, *until, error, *sent);
        }
        Event::RetryScheduled { frame, at } => retry_scheduled(run, *frame, *at),
        Event::StepCompleted { frame, result, cache: _ } => {
            let result = result.clone().unwrap_or(ValueRef::Row(seq));
            step_ended(run, at, *frame, StepStatus::Completed, &result, Stage::Done);
        }
        Event::StepFailed { frame, caught } => {
            let Some(result) = step_of(run, *frame).map(|step| step.result.clone()) else { return };
            step_ended(run, at, *frame, StepStatus::Failed, &result, Stage::Lost);
            if *caught {
                advance(run, *frame);
            }
        }
        Event::ApprovalReceived { target, approver, counts_for, disapproves } => {
            let (target, approver, counts_for) = (target.clone(), approver.clone(), counts_for.clone());
            gates::received(run, Approval { seq, target, approver, counts_for, disapproves: *disapproves });
        }
        Event::GateClosed { frame, required, until, sleep_ms } => {
            gates::closed(run, *frame, *required, *until, *sleep_ms);
        }
        Event::GatePassed { frame, taken, faulty } => gates::passed(run, seq, *frame, taken, *faulty),
        Event::GateFailed { frame, taken, error } => gates::failed(run, seq, *frame, taken, error),
        Event::TimedOut { frame } => frames::timed_out(run, at, *frame),
        Event::RaceWon { frame, slot } => frames::won(run, at, *frame, *slot),
        Event::SleepStarted { frame, until } => {
            set_stage(run, *frame, Stage::Sleeping { until: *until });
        }
        Event::Advanced { frame } => advance(run, *frame),
        Event::FrameOpened { frame, child, slot, handler } => frames::opened(run, *frame, *child, *slot, *handler),
        Event::FrameClosed { frame, child, slot, result, list: _, error, handled, tolerated, cache: _ } => {
            let failure = error.as_ref().filter(|_| !tolerated).map(|error| Failure {
                error: error.clone(),
                result: result.clone(),
                handled: *handled,
            });
            frames::closed(run, *frame, *child, *slot, result, failure);
        }
        Event::CancelRequested { .. } => cancel_requested(run, at),
        Event::OrphanSettled { effect } => {
            run.control.orphans.remove(effect);
        }
        Event::JobFinished { status, output, error, skipped, cache: _ } => {
            run.control.finished_at = Some(at);
            run.control.status = *status;
            let ending = Ending {
                status: *status,
                output: output.clone().or_else(|| error.as_ref().map(|_| ValueRef::Row(seq))),
                error: error.clone(),
                skipped: *skipped,
                cache: None,
            };
            end(run, at, ending);
        }
        Event::JobReopened { state } => reopened(run, seq, state),
        Event::FlowEnded { status, output, error, skipped, cache } => {
            let ending = Ending {
                status: *status,
                output: output.clone(),
                error: error.clone(),
                skipped: *skipped,
                cache: cache.clone(),
            };
            end(run, at, ending);
        }
    }
}

fn with(run: &mut Run, frame: u64, change: impl FnOnce(&mut Frame)) {
    if let Some(frame) = run.control.frames.get_mut(&frame) {
        change(frame);
    }
}

fn step_of(run: &mut Run, frame: u64) -> Option<&mut Step> {
    run.control.frames.get_mut(&frame)?.step.as_mut()
}

fn set_stage(run: &mut Run, frame: u64, stage: Stage) {
    if let Some(step) = step_of(run, frame) {
        step.stage = stage;
    }
}

fn changed(run: &mut Run, frame: u64, change: impl FnOnce(&mut StepRow)) {
    if let Some(step) = step_of(run, frame) {
        change(&mut step.row);
        let row = step.row.clone();
        run.rows.insert(row.ordinal, row);
    }
}

fn json(reference: &ValueRef) -> Option<Value> {
    serde_json::to_value(reference).ok()
}

fn created(run: &mut Run, seq: u64, at: Timestamp, seed: u64, preprocess: bool) {
    let args = Args::of(ValueRef::Row(seq));
    let flow = run.program.flows.first();
    let preprocessor = flow.and_then(|flow| flow.preprocessor).filter(|_| preprocess);
    run.control.seed = seed;
    run.control.created_at = at;
    run.control.next_frame = 1;
    run.control.scopes.insert(0, Scope::default());
    let frame = Frame {
        flow: 0,
        env: 0,
        list: preprocessor.or(flow.map(|flow| flow.list)).unwrap_or_default(),
        cursor: 0,
        parent: None,
        slot: 0,
        depth: 0,
        handler: false,
        entered: preprocessor.is_some() || flow.is_none_or(|flow| !flow.asks()),
        preprocessing: preprocessor.is_some(),
        cache: None,
        resumes: Vec::new(),
        previous: args.value(),
        args,
        scope: 0,
        path: String::new(),
        step: None,
    };
    run.control.frames.insert(0, frame);
}

fn started(run: &mut Run, at: Timestamp) {
    run.control.status = JobStatus::Running;
    run.control.started_at.get_or_insert(at);
}

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
        provider_id: None,
        retry_at: None,
        approval: None,
    }
}

fn step_started(
    run: &mut Run,
    seq: u64,
    at: Timestamp,
    frame: u64,
    (step_id, path): (&str, &str),
    start: &Start,
    (bound_ms, cache): (Option<u64>, Option<&CacheKey>),
) {
    started(run, at);
    let failures = step_of(run, frame).map_or(0, |step| step.failures);
    let before = step_of(run, frame).map(|step| (step.ordinal, step.row.started_at, step.row.attempt));
    let (ordinal, began, attempt) = before.unwrap_or((seq, at, 1));
    let mut row = new_row(ordinal, began, step_id, path);
    row.attempt = attempt;
    let has_input =
        matches!(start, Start::Call { .. } | Start::Code | Start::Flow | Start::Loop { length: Some(_), .. });
    row.input = has_input.then(|| json(&ValueRef::Row(seq))).flatten();
    let step = Step {
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
        cache: cache.cloned(),
        resumes: Vec::new(),
    };
    with(run, frame, |frame| frame.step = Some(step));
    begin(run, seq, at, frame, Attempt { number: attempt, input: seq, deadline: None });
    changed(run, frame, |_| {});
}

/// An attempt of a step.
struct Attempt {
    number: u32,
    /// The event that brought its arguments or items.
    input: u64,
    /// When its submit counts as lost, if not as the step's start says.
    deadline: Option<Timestamp>,
}

/// Puts a step to work: its first attempt or another one.
fn begin(run: &mut Run, seq: u64, at: Timestamp, frame: u64, attempt: Attempt) {
    let Some(state) = run.control.frames.get(&frame) else { return };
    let Some(module) = run.module_at(frame) else { return };
    let Some(step) = &state.step else { return };
    let repeated = if let Stage::Call(open) = &step.stage { Some(open.first_effect) } else { None };
    let stage = match &step.start {
        Start::Call { deadline: first, bound_ms, .. } => {
            let path = if let ModuleValue::Script(script) = &module.module.value {
                script.path.clone()
            } else {
                String::new()
            };
            Stage::Call(Call {
                effect: seq,
                step: step.ordinal,
                step_id: module.module.id.clone(),
                path,
                args: ValueRef::Row(attempt.input),
                attempt: attempt.number,
                first_effect: repeated.unwrap_or(seq),
                started_at: at,
                deadline: attempt.deadline.unwrap_or(*first),
                until: bound_ms.map(|bound| at.plus_ms(bound)),
                poll_at: None,
                operation: None,
                recovery: None,
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
    // What the branches of the last attempt left is not merged: nobody will look at it again.
    let left = std::mem::replace(&mut step.children, children).map(|children| children.scopes);
    for scope in left.unwrap_or_default().into_values() {
        run.control.scopes.remove(&scope);
    }
}

fn step_passed(
    run: &mut Run,
    seq: u64,
    at: Timestamp,
    frame: u64,
    (step_id, path): (&str, &str),
    skipped: bool,
    result: &ValueRef,
) {
    started(run, at);
    // Its inputs may have failed before: then the step has its row already.
    let before = step_of(run, frame).map(|step| (step.ordinal, step.row.started_at));
    let (ordinal, began) = before.unwrap_or((seq, at));
    let mut row = new_row(ordinal, began, step_id, path);
    row.attempt = 0;
    let step = Step {
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
        cache: None,
        resumes: Vec::new(),
    };
    with(run, frame, |frame| frame.step = Some(step));
    let status = if skipped { StepStatus::Skipped } else { StepStatus::Completed };
    step_ended(run, at, frame, status, result, Stage::Done);
    if skipped {
        advance(run, frame);
    }
}

fn attempt_started(run: &mut Run, seq: u64, at: Timestamp, frame: u64, attempt: u32, deadline: Option<Timestamp>) {
    let Some(step) = step_of(run, frame) else { return };
    let input = step.row.input.as_ref().and_then(|input| serde_json::from_value(input.clone()).ok());
    let input = match input {
        Some(ValueRef::Row(row)) => row,
        _ => seq,
    };
    begin(run, seq, at, frame, Attempt { number: attempt, input, deadline });
    changed(run, frame, |row| {
        row.status = StepStatus::Running;
        row.attempt = attempt;
        row.retry_at = None;
        row.progress = None;
        row.provider_id = None;
    });
}

fn accepted(
    run: &mut Run,
    seq: u64,
    frame: u64,
    effect: u64,
    provider_id: Option<&str>,
    poll_at: Timestamp,
    deadline: Timestamp,
) {
    let record = |open: &mut Call| {
        open.operation = Some(ValueRef::Row(seq));
        open.poll_at = Some(poll_at);
        open.deadline = deadline;
        open.recovery = None;
    };
    if let Some(orphan) = run.control.orphans.get_mut(&effect) {
        record(orphan);
        return;
    }
    if let Some(Step { stage: Stage::Call(open), .. }) = step_of(run, frame) {
        record(open);
    }
    changed(run, frame, |row| row.provider_id = provider_id.map(str::to_owned));
}

fn recovery_started(run: &mut Run, frame: u64, effect: u64, recovery: Recovery) {
    if let Some(orphan) = run.control.orphans.get_mut(&effect) {
        orphan.recovery = Some(recovery);
        return;
    }
    if let Some(Step { stage: Stage::Call(open), .. }) = step_of(run, frame)
        && open.effect == effect
    {
        open.recovery = Some(recovery);
    }
}

/// Puts a job back to an earlier control state; what it had counted up to goes on from there.
fn reopened(run: &mut Run, seq: u64, state: &Value) {
    let Ok(earlier) = Control::deserialize(state) else { return };
    let next_frame = run.control.next_frame.max(earlier.next_frame);
    let retry_count = run.control.retry_count.max(earlier.retry_count);
    run.control = Control { seq, next_frame, retry_count, ..earlier };
    for step in run.control.frames.values_mut().filter_map(|frame| frame.step.as_mut()) {
        // The search that came to nothing is over; another one begins.
        if let Stage::Call(open) = &mut step.stage {
            open.recovery = None;
        }
    }
    for row in run.control.frames.values().filter_map(|frame| frame.step.as_ref()).map(|step| &step.row) {
        run.rows.insert(row.ordinal, row.clone());
    }
}

fn attempt_failed(run: &mut Run, frame: u64, failure: Failure) {
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
    changed(run, frame, |row| row.error = Some(failure.error));
}

fn call_postponed(run: &mut Run, frame: u64, until: Timestamp, error: &Value, sent: bool) {
    let Some(step) = step_of(run, frame) else { return };
    let Stage::Call(open) = &step.stage else { return };
    let (effect, before) = (open.effect, step.postponed);
    let before = before.unwrap_or(Postponed { since: open.started_at, refusals: 0 });
    step.postponed = Some(Postponed { refusals: before.refusals + u32::from(sent), ..before });
    step.stage = Stage::Retrying { at: until };
    run.control.effects.remove(&effect);
    changed(run, frame, |row| {
        row.status = StepStatus::Retrying;
        row.retry_at = Some(until);
        row.error = Some(error.clone());
    });
}

fn retry_scheduled(run: &mut Run, frame: u64, at: Timestamp) {
    run.control.retry_count += 1;
    set_stage(run, frame, Stage::Retrying { at });
    changed(run, frame, |row| {
        row.status = StepStatus::Retrying;
        row.retry_at = Some(at);
    });
}

fn step_ended(run: &mut Run, at: Timestamp, frame: u64, status: StepStatus, result: &ValueRef, stage: Stage) {
    let Some(step) = step_of(run, frame) else { return };
    if let Stage::Call(open) = &step.stage {
        let effect = open.effect;
        run.control.effects.remove(&effect);
    }
    let Some(step) = step_of(run, frame) else { return };
    step.result = result.clone();
    step.stage = stage;
    // What follows it takes its own time: a sleep, a gate, an error handler.
    step.until = None;
    let scopes = step.children.as_mut().map(|children| std::mem::take(&mut children.scopes)).unwrap_or_default();
    let step_id = step.row.step_id.clone();
    let Some(scope) = run.control.frames.get(&frame).map(|frame| frame.scope) else { return };
    let mut results = std::collections::BTreeMap::new();
    for merged in scopes.into_values() {
        results.extend(run.control.scopes.remove(&merged).map(|scope| scope.results).unwrap_or_default());
    }
    results.insert(step_id, result.clone());
    if let Some(scope) = run.control.scopes.get_mut(&scope) {
        scope.results.extend(results);
    }
    changed(run, frame, |row| {
        row.status = status;
        row.finished_at = Some(at);
        row.retry_at = None;
        row.output = json(result);
        if status == StepStatus::Completed {
            row.error = None;
            row.progress = row.progress.map(|_| 1.0);
        }
    });
}

fn advance(run: &mut Run, frame: u64) {
    with(run, frame, |frame| {
        frame.resumes.clear();
        if let Some(step) = frame.step.take() {
            frame.previous = step.result;
            frame.resumes = step.resumes;
        }
        frame.cursor += 1;
    });
}

fn cancel_requested(run: &mut Run, at: Timestamp) {
    let ending = Ending { status: JobStatus::Cancelled, output: None, error: None, skipped: false, cache: None };
    end(run, at, ending);
}

fn end(run: &mut Run, at: Timestamp, ending: Ending) {
    for frame in std::mem::take(&mut run.control.frames).into_values() {
        give_up(run, at, frame, ending.status);
    }
    run.control.effects.clear();
    run.control.scopes.clear();
    run.control.approvals.clear();
    run.control.ending = Some(ending);
}

/// Takes a frame out of the run: a call that is out becomes an orphan, a step that was at work ends as cancelled.
fn give_up(run: &mut Run, at: Timestamp, frame: Frame, status: JobStatus) {
    let Some(step) = frame.step else { return };
    if let Stage::Call(open) = step.stage {
        run.control.effects.remove(&open.effect);
        run.control.orphans.insert(open.effect, open);
    }
    let mut row = step.row;
    if row.is_over() {
        return;
    }
    let failed = status == JobStatus::Failed && row.error.is_some();
    row.status = if failed { StepStatus::Failed } else { StepStatus::Cancelled };
    row.finished_at.get_or_insert(at);
    row.retry_at = None;
    row.approval = None;
    run.rows.insert(row.ordinal, row);
}
