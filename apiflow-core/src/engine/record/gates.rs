//! Records approval gates: closed, passed, failed.

use serde_json::{Value, json};

use super::{change_row, set_stage, step_of};
use crate::engine::control_state::{Gate, OpenStep, ReceivedApproval, Resumed, Stage};
use crate::engine::{GateSelector, Run};
use crate::ports::{StepStatus, Timestamp, ValueRef};

/// Maximum number of approvals that wait for their gates: bounds the control state, however many are sent.
const MAX_WAITING_APPROVALS: usize = 1_000;

/// Records an approval or disapproval.
pub(super) fn add_approval(run: &mut Run, approval: ReceivedApproval) {
    if run.control.approvals.len() < MAX_WAITING_APPROVALS {
        run.control.approvals.push(approval);
    }
    let is_closed = |step: &OpenStep| matches!(step.stage, Stage::Suspended(_));
    let frames = run.control.frames.iter().filter(|(_, frame)| frame.step.as_ref().is_some_and(is_closed));
    let closed: Vec<u64> = frames.map(|(&id, _)| id).collect();
    for frame in closed {
        show_answers(run, frame);
    }
}

/// Records that a list waits for approvals.
pub(super) fn close_gate(run: &mut Run, frame: u64, required: u32, until: Timestamp, sleep_ms: u64) {
    set_stage(run, frame, Stage::Suspended(Gate { required, until, sleep_ms }));
    change_row(run, frame, |row| row.status = StepStatus::Suspended);
    show_answers(run, frame);
}

/// Writes to a step's row what its closed gate requires and has received.
fn show_answers(run: &mut Run, frame: u64) {
    let Some(step) = step_of(run, frame) else { return };
    let Stage::Suspended(Gate { required, until, .. }) = step.stage else { return };
    let row = step.row.clone();
    let answers = run.control.answers_at(&row);
    let given = answers.iter().filter(|answer| !answer.disapproves).count();
    let answered_by: Vec<&str> = answers.iter().filter_map(|answer| answer.counts_for.as_deref()).collect();
    let shown = json!({"required": required, "until": until, "given": given, "answered_by": answered_by});
    if row.approval.as_ref() != Some(&shown) {
        change_row(run, frame, |row| row.approval = Some(shown));
    }
}

/// Records that a gate let its list continue.
pub(super) fn pass_gate(run: &mut Run, seq: u64, frame: u64, taken: &[u64], faulty: bool) {
    let approvals = take_approvals(run, frame, taken).into_iter().filter(|approval| !approval.disapproves);
    let mut resumes: Vec<Resumed> = approvals
        .map(|approval| Resumed { payload: ValueRef::Row(approval.seq), approver: approval.approver })
        .collect();
    if faulty {
        resumes.push(Resumed { payload: ValueRef::Row(seq), approver: None });
    }
    if let Some(step) = step_of(run, frame) {
        step.resumes = resumes;
    }
    change_row(run, frame, |row| {
        row.status = StepStatus::Completed;
        row.approval = None;
    });
}

/// Records that a gate was disapproved or timed out: the list has to end, or its error handler to run. Later steps
/// still see the step's own result.
pub(super) fn fail_gate(run: &mut Run, seq: u64, frame: u64, taken: &[u64], error: &Value) {
    let _taken = take_approvals(run, frame, taken);
    let Some(step) = step_of(run, frame) else { return };
    step.stage = Stage::Lost;
    step.error = Some(error.clone());
    step.result = ValueRef::Row(seq);
    change_row(run, frame, |row| {
        row.status = StepStatus::Failed;
        row.error = Some(error.clone());
        row.approval = Some(json!({"failed": true}));
    });
}

/// Removes the answers that a gate takes, and those that were meant for this gate alone.
fn take_approvals(run: &mut Run, frame: u64, taken: &[u64]) -> Vec<ReceivedApproval> {
    let ordinal = step_of(run, frame).map(|step| step.ordinal);
    let approvals = std::mem::take(&mut run.control.approvals).into_iter();
    let (taken, mut waiting): (Vec<_>, Vec<_>) = approvals.partition(|approval| taken.contains(&approval.seq));
    waiting.retain(|approval| ordinal.is_none_or(|ordinal| approval.target != GateSelector::Ordinal(ordinal)));
    run.control.approvals = waiting;
    taken
}
