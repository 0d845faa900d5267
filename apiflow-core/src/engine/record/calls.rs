//! Records calls: accepted, searched for, postponed.

use serde_json::Value;

use super::{change_row, step_of};
use crate::engine::control_state::{OpenStep, Postponed, Stage};
use crate::engine::{Call, Recovery, Run};
use crate::ports::{StepStatus, Timestamp, ValueRef};

pub(super) fn record_acceptance(
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
    if let Some(OpenStep { stage: Stage::Call(open), .. }) = step_of(run, frame) {
        record(open);
    }
    change_row(run, frame, |row| row.provider_id = provider_id.map(str::to_owned));
}

pub(super) fn record_download_start(
    run: &mut Run,
    seq: u64,
    frame: u64,
    effect: u64,
    provider_id: Option<&str>,
    deadline: Timestamp,
) {
    let Some(OpenStep { stage: Stage::Call(open), .. }) = step_of(run, frame) else { return };
    if open.effect != effect {
        return;
    }
    open.download = Some(ValueRef::Row(seq));
    open.deadline = deadline;
    open.recovery = None;
    let was_followed = open.operation.is_some();
    change_row(run, frame, |row| {
        row.progress = was_followed.then_some(1.0);
        row.provider_id = provider_id.map(str::to_owned).or(row.provider_id.take());
    });
}

pub(super) fn record_recovery_start(run: &mut Run, frame: u64, effect: u64, recovery: Recovery) {
    if let Some(orphan) = run.control.orphans.get_mut(&effect) {
        orphan.recovery = Some(recovery);
        return;
    }
    if let Some(OpenStep { stage: Stage::Call(open), .. }) = step_of(run, frame)
        && open.effect == effect
    {
        open.recovery = Some(recovery);
    }
}

/// Records that a call is postponed: `sent`, whether the provider was asked; `for_slot`, whether it waits for a slot.
pub(super) fn record_postponement(
    run: &mut Run,
    frame: u64,
    until: Timestamp,
    error: &Value,
    (sent, for_slot): (bool, bool),
) {
    let Some(step) = step_of(run, frame) else { return };
    let Stage::Call(open) = &step.stage else { return };
    let effect = open.effect;
    // Waiting for a slot does not use up the time for which a provider may refuse the call.
    let before = step.postponed.filter(|postponed| !postponed.waits_for_slot && !for_slot);
    let before = before.unwrap_or(Postponed { since: open.started_at, refusals: 0, waits_for_slot: for_slot });
    step.postponed = Some(Postponed { refusals: before.refusals + u32::from(sent), ..before });
    step.slot_granted = false;
    step.stage = Stage::Retrying { at: until };
    run.control.effects.remove(&effect);
    change_row(run, frame, |row| {
        row.status = StepStatus::Retrying;
        row.retry_at = Some(until).filter(|_| !for_slot);
        row.error = Some(error.clone());
    });
}
