//! Records events in the control state: accepts every event and never decides.

mod calls;
mod costs;
mod frames;
mod gates;
mod job;
mod steps;

use super::control_state::{Failure, Frame, OpenStep, ReceivedApproval, Stage};
use super::{Ending, Event, Recovery, Run};
use crate::ports::{StepRow, StepStatus, Timestamp, ValueRef};

/// Records an event.
pub(super) fn apply_event(run: &mut Run, seq: u64, at: Timestamp, event: &Event) {
    run.control.seq = seq;
    match event {
        Event::Created { seed, preprocess, fresh } => {
            job::record_creation(run, seq, at, *seed, *preprocess);
            run.control.fresh = *fresh;
        }
        Event::ResultReused { .. } => {}
        Event::Preprocessed { frame } => frames::finish_preprocessing(run, *frame),
        Event::Entered { frame, cache } => change_frame(run, *frame, |frame| {
            frame.entered = true;
            frame.cache.clone_from(cache);
        }),
        Event::StepStarted { frame, step_id, path, start, bound_ms, cache } => {
            steps::record_step_start(run, seq, at, *frame, (step_id, path), start, (*bound_ms, cache.as_ref()));
        }
        Event::StepPassed { frame, step_id, path, skipped, result } => {
            steps::record_step_pass(run, seq, at, *frame, (step_id, path), *skipped, result);
        }
        Event::AttemptStarted { frame, attempt, deadline } => {
            steps::record_attempt_start(run, seq, at, *frame, *attempt, *deadline);
        }
        Event::OperationAccepted { frame, effect, provider_id, poll_at, deadline } => {
            calls::record_acceptance(run, seq, *frame, *effect, provider_id.as_deref(), *poll_at, *deadline);
        }
        Event::DownloadStarted { frame, effect, provider_id, deadline } => {
            calls::record_download_start(run, seq, *frame, *effect, provider_id.as_deref(), *deadline);
        }
        Event::RecoveryStarted { frame, effect, settles_at, gives_up_at } => {
            let recovery = Recovery { event: seq, settles_at: *settles_at, gives_up_at: *gives_up_at };
            calls::record_recovery_start(run, *frame, *effect, recovery);
        }
        Event::AttemptFailed { frame, error, result, handled } => {
            let result = result.clone().unwrap_or(ValueRef::Row(seq));
            steps::record_attempt_failure(run, *frame, Failure { error: error.clone(), result, handled: *handled });
        }
        Event::CostRecorded { frame, effect, cost } => costs::record_cost(run, *frame, *effect, cost),
        Event::CallPostponed { frame, effect: _, until, error, sent, for_slot } => {
            calls::record_postponement(run, *frame, *until, error, (*sent, *for_slot));
        }
        Event::SlotGranted { frame } => {
            if let Some(step) = step_of(run, *frame) {
                step.slot_granted = true;
            }
        }
        Event::FallbackStarted { frame, number } => steps::record_fallback(run, *frame, *number),
        Event::RetryScheduled { frame, at } => steps::record_retry(run, *frame, *at),
        Event::StepCompleted { frame, result, cache: _ } => {
            let result = result.clone().unwrap_or(ValueRef::Row(seq));
            steps::record_step_end(run, at, *frame, StepStatus::Completed, &result, Stage::Done);
        }
        Event::StepFailed { frame, caught } => {
            let Some(result) = step_of(run, *frame).map(|step| step.result.clone()) else { return };
            steps::record_step_end(run, at, *frame, StepStatus::Failed, &result, Stage::Lost);
            if *caught {
                steps::advance_frame(run, *frame);
            }
        }
        Event::ApprovalReceived { target, approver, counts_for, disapproves } => {
            let (target, approver, counts_for) = (target.clone(), approver.clone(), counts_for.clone());
            gates::add_approval(run, ReceivedApproval { seq, target, approver, counts_for, disapproves: *disapproves });
        }
        Event::GateClosed { frame, required, until, sleep_ms } => {
            gates::close_gate(run, *frame, *required, *until, *sleep_ms);
        }
        Event::GatePassed { frame, taken, faulty } => gates::pass_gate(run, seq, *frame, taken, *faulty),
        Event::GateFailed { frame, taken, error } => gates::fail_gate(run, seq, *frame, taken, error),
        Event::TimedOut { frame } => frames::drop_slow_children(run, at, *frame),
        Event::RaceWon { frame, slot } => frames::drop_race_losers(run, at, *frame, *slot),
        Event::SleepStarted { frame, until } => {
            set_stage(run, *frame, Stage::Sleeping { until: *until });
        }
        Event::Advanced { frame } => steps::advance_frame(run, *frame),
        Event::FrameOpened { frame, child, slot, handler } => frames::open_frame(run, *frame, *child, *slot, *handler),
        Event::FrameClosed { frame, child, slot, result, list: _, error, handled, tolerated, cache: _ } => {
            let failure = error.as_ref().filter(|_| !tolerated).map(|error| Failure {
                error: error.clone(),
                result: result.clone(),
                handled: *handled,
            });
            frames::close_frame(run, *frame, *child, *slot, result, failure);
        }
        Event::CancelRequested { .. } => job::record_cancel_request(run, at),
        Event::OrphanSettled { effect } => {
            run.control.orphans.remove(effect);
        }
        Event::JobFinished(ending) => {
            run.control.finished_at = Some(at);
            run.control.status = ending.status;
            let own_value = || ending.error.as_ref().map(|_| ValueRef::Row(seq));
            let output = ending.output.clone().or_else(own_value);
            job::end_job(run, at, Ending { output, cache: None, ..ending.clone() });
        }
        Event::JobReopened { state } => job::record_reopening(run, seq, state),
        Event::FlowEnded(ending) => job::end_job(run, at, ending.clone()),
    }
}

fn change_frame(run: &mut Run, frame: u64, change: impl FnOnce(&mut Frame)) {
    if let Some(frame) = run.control.frames.get_mut(&frame) {
        change(frame);
    }
}

fn step_of(run: &mut Run, frame: u64) -> Option<&mut OpenStep> {
    run.control.frames.get_mut(&frame)?.step.as_mut()
}

fn set_stage(run: &mut Run, frame: u64, stage: Stage) {
    if let Some(step) = step_of(run, frame) {
        step.stage = stage;
    }
}

fn change_row(run: &mut Run, frame: u64, change: impl FnOnce(&mut StepRow)) {
    if let Some(step) = step_of(run, frame) {
        change(&mut step.row);
        let row = step.row.clone();
        run.rows.insert(row.ordinal, row);
    }
}
