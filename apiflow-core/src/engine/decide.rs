//! Decides what follows from an input; each family of decisions has its own file.

mod children;
mod free_effects;
mod gates;
mod module_end;
mod module_start;
mod postpone;

use serde_json::{Value, json};

pub(super) use free_effects::{free_effect_of, reused_result};
#[cfg(feature = "runtime")]
pub(crate) use module_end::unsettled_attempt_error;

use super::control_state::{Frame, OpenStep, Stage};
use super::program::ModuleDef;
use super::{Answer, Call, Event, Fact, Input, Recorded, Run};
use crate::call::Operation;
use crate::money::AttemptCost;
use crate::ports::{Timestamp, ValueRef};

/// Minimum time for the downloads of a result, in milliseconds.
const MIN_DOWNLOAD_MS: u64 = 600_000;

/// A turn in progress: each event is recorded as soon as it is decided.
pub(super) struct Turn<'a> {
    pub(super) run: &'a mut Run,
    pub(super) now: Timestamp,
    pub(super) events: Vec<Recorded>,
    /// Modules that have to continue because a child has ended, the innermost last. A list rather than a recursive
    /// call, so that the stack does not grow with the number of branches that end together.
    due: Vec<u64>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(run: &'a mut Run, now: Timestamp) -> Self {
        Self { run, now, events: Vec::new(), due: Vec::new() }
    }
}

impl Turn<'_> {
    fn emit_event(&mut self, event: Event) -> u64 {
        self.emit_with(event, None)
    }

    fn emit_with(&mut self, event: Event, value: Option<Value>) -> u64 {
        let seq = self.run.control.seq + 1;
        self.run.apply_event(seq, self.now, &event);
        self.events.push(Recorded { seq, at: self.now, event, value });
        seq
    }

    fn frame(&self, frame: u64) -> Option<&Frame> {
        self.run.control.frames.get(&frame)
    }

    fn step(&self, frame: u64) -> Option<&OpenStep> {
        self.frame(frame)?.step.as_ref()
    }

    fn stage(&self, frame: u64) -> Option<&Stage> {
        self.step(frame).map(|step| &step.stage)
    }

    fn module(&self, frame: u64) -> Option<&ModuleDef> {
        self.run.module_at(frame)
    }
}

impl Run {
    /// Returns the current module of a frame; `None` at its end.
    pub(super) fn module_at(&self, frame: u64) -> Option<&ModuleDef> {
        let frame = self.control.frames.get(&frame)?;
        let index = *self.program.lists.get(frame.list)?.get(frame.cursor)?;
        self.program.modules.get(index)
    }
}

/// Takes an input and decides until only effects are pending.
pub(super) fn take_input(turn: &mut Turn<'_>, input: Input) {
    if turn.run.control.status.is_final() {
        return;
    }
    match input {
        Input::Tick => wake_due(turn),
        Input::Prepared { frame, prepared, bound_ms } => {
            module_start::take_preparation(turn, frame, prepared, bound_ms);
        }
        Input::Concluded { frame, concluded } => module_end::take_conclusion(turn, frame, concluded),
        Input::Fact(Fact::Answered { effect, answer }) => take_answer(turn, effect, answer),
        Input::Fact(Fact::SlotGranted { step }) => postpone::take_slot(turn, step),
        Input::Fact(Fact::Approval { target, approver, counts_for, disapproves, payload }) => {
            if turn.run.control.ending.is_none() {
                gates::take_approval(
                    turn,
                    Event::ApprovalReceived { target, approver, counts_for, disapproves },
                    payload,
                );
            }
        }
        Input::Cost { effect, cost } => record_cost(turn, effect, cost),
        Input::OverLimit { message } => module_end::fail_over_limit(turn, message),
        Input::Abandon { error } => return module_end::abandon_job(turn, error),
        Input::Fact(Fact::Cancel { reason, by }) => {
            if turn.run.control.ending.is_none() {
                turn.emit_event(Event::CancelRequested { reason, by });
            }
        }
    }
    go_on(turn);
    module_end::check_length(turn);
    module_end::settle_job(turn);
}

/// Continues all modules whose children have ended.
fn go_on(turn: &mut Turn<'_>) {
    while let Some(frame) = turn.due.pop() {
        children::resume_module(turn, frame);
    }
}

/// Wakes everything that waited for a time that has come.
fn wake_due(turn: &mut Turn<'_>) {
    let frames: Vec<u64> = turn.run.control.frames.keys().copied().collect();
    for frame in frames {
        // Everything that follows, in the order of the lists.
        go_on(turn);
        if turn.step(frame).is_some_and(|step| step.until.is_some_and(|until| until <= turn.now)) {
            children::fail_slow_module(turn, frame);
            continue;
        }
        match turn.stage(frame) {
            Some(Stage::Retrying { at }) if *at <= turn.now => module_start::start_attempt(turn, frame),
            Some(Stage::Suspended(gate)) if gate.until <= turn.now => gates::expire_gate(turn, frame),
            Some(Stage::Sleeping { until }) if *until <= turn.now => {
                turn.emit_event(Event::Advanced { frame });
                module_end::settle_frame(turn, frame);
            }
            Some(_) => {}
            // A list that has just been entered may have nothing to do.
            None => module_end::settle_frame(turn, frame),
        }
    }
}

fn take_answer(turn: &mut Turn<'_>, effect: u64, answer: Answer) {
    if turn.run.control.orphans.contains_key(&effect) {
        return take_orphan_answer(turn, effect, answer);
    }
    let Some(&frame) = turn.run.control.effects.get(&effect) else { return };
    let open = if let Some(Stage::Call(open)) = turn.stage(frame) { Some(open) } else { None };
    let is_sought = open.is_some_and(|open| open.recovery.is_some());
    let is_downloading = open.is_some_and(|open| open.download.is_some());
    // The provider's acceptance has arrived in the meantime: the work continues, and is followed or cancelled.
    if open.is_some_and(Call::is_taken) && answer.knows_no_fate() {
        return;
    }
    match answer {
        Answer::Done { result } => module_end::complete_step(turn, frame, None, Some(result)),
        Answer::Accepted { operation, provider_id, poll_at, deadline } if !is_downloading => {
            let event = Event::OperationAccepted { frame, effect, provider_id, poll_at, deadline };
            turn.emit_with(event, Some(operation_to_json(&operation)));
        }
        Answer::Downloading { operation } if !is_downloading => start_download(turn, frame, effect, &operation),
        // Another reading of the same work: its result is being downloaded already.
        Answer::Accepted { .. } | Answer::Downloading { .. } => {}
        Answer::Failed { error } => module_end::fail_attempt(turn, frame, error, None, false),
        Answer::NotAccepted { error, waits_for_slot: true, .. } => postpone::queue_call(turn, frame, effect, error),
        Answer::NotAccepted { error, patience_ms, sent, waits_for_slot: false } => {
            postpone::postpone_call(turn, frame, postpone::Refusal { effect, error, patience_ms, sent });
        }
        Answer::Repeat => module_start::start_attempt(turn, frame),
        Answer::Undecided { settles_at, gives_up_at } if !is_sought => {
            turn.emit_event(Event::RecoveryStarted { frame, effect, settles_at, gives_up_at });
        }
        Answer::Undecided { .. } | Answer::Cancelled => {}
    }
}

/// Starts to download the media of a result. Downloads may take as long as the work itself was given, and at least
/// [`MIN_DOWNLOAD_MS`], because the result is paid for; but no longer than the module's `timeout`.
fn start_download(turn: &mut Turn<'_>, frame: u64, effect: u64, operation: &Operation) {
    let Some(Stage::Call(open)) = turn.stage(frame) else { return };
    let least = turn.now.plus_ms(MIN_DOWNLOAD_MS);
    let longest = if open.operation.is_some() { open.deadline.max(least) } else { least };
    let deadline = open.until.map_or(longest, |until| until.min(longest));
    let event = Event::DownloadStarted { frame, effect, provider_id: operation.id.clone(), deadline };
    turn.emit_with(event, Some(operation_to_json(operation)));
}

/// Records what an open attempt cost.
fn record_cost(turn: &mut Turn<'_>, effect: u64, cost: AttemptCost) {
    if turn.run.control.orphans.contains_key(&effect) {
        turn.emit_event(Event::CostRecorded { frame: 0, effect, cost });
    } else if let Some(&frame) = turn.run.control.effects.get(&effect) {
        turn.emit_event(Event::CostRecorded { frame, effect, cost });
    }
}

fn take_orphan_answer(turn: &mut Turn<'_>, effect: u64, answer: Answer) {
    let Some(open) = turn.run.control.orphans.get(&effect) else { return };
    let is_sought = open.recovery.is_some();
    if open.is_taken() && answer.knows_no_fate() {
        return;
    }
    match answer {
        Answer::Accepted { operation, provider_id, poll_at, deadline } => {
            let event = Event::OperationAccepted { frame: 0, effect, provider_id, poll_at, deadline };
            turn.emit_with(event, Some(operation_to_json(&operation)));
        }
        Answer::Undecided { settles_at, gives_up_at } if !is_sought => {
            turn.emit_event(Event::RecoveryStarted { frame: 0, effect, settles_at, gives_up_at });
        }
        Answer::Undecided { .. } => {}
        // The work has ended, and nobody wants its media.
        Answer::Done { .. }
        | Answer::Downloading { .. }
        | Answer::Failed { .. }
        | Answer::NotAccepted { .. }
        | Answer::Repeat
        | Answer::Cancelled => {
            turn.emit_event(Event::OrphanSettled { effect });
        }
    }
}

/// Serializes an operation for the journal.
fn operation_to_json(operation: &Operation) -> Value {
    serde_json::to_value(operation).expect("an operation is plain data")
}

/// Builds an error object: `{"name", "message", "step_id"}`.
fn error_object(name: &str, message: impl Into<String>) -> Value {
    json!({"name": name, "message": message.into()})
}

/// Adds the step's id to an error object, unless it already has one.
fn with_step(mut error: Value, step_id: &str) -> Value {
    if let Value::Object(fields) = &mut error {
        fields.entry("step_id").or_insert_with(|| Value::String(step_id.to_owned()));
    }
    error
}

fn result_of(step: Option<&OpenStep>) -> ValueRef {
    step.map_or(ValueRef::Null, |step| step.result.clone())
}
