//! Approval gates: closed, passed, failed.

use serde_json::{Value, json};

use super::{changed, set_stage, step_of};
use crate::engine::control::{Approval, Gate, Resumed, Stage};
use crate::engine::{Run, Target, ValueRef};
use crate::ports::{StepStatus, Timestamp};

/// Approvals that wait for their gates, at most: the control state stays bounded, whoever sends how many.
const MOST_WAITING: usize = 1_000;

/// Somebody approved or disapproved.
pub(super) fn received(run: &mut Run, seq: u64, target: &Target, approver: Option<&str>, disapproves: bool) {
    if run.control.approvals.len() < MOST_WAITING {
        let approver = approver.map(str::to_owned);
        run.control.approvals.push(Approval { seq, target: target.clone(), approver, disapproves });
    }
}

/// A list waits for approvals.
pub(super) fn closed(run: &mut Run, frame: u64, required: u32, until: Timestamp, sleep_ms: u64) {
    set_stage(run, frame, Stage::Suspended(Gate { required, until, sleep_ms }));
    changed(run, frame, |row| {
        row.status = StepStatus::Suspended;
        row.approval = Some(json!({"required": required, "until": until}));
    });
}

/// A gate let its list pass.
pub(super) fn passed(run: &mut Run, seq: u64, frame: u64, taken: &[u64], faulty: bool) {
    let approvals = take(run, taken).into_iter().filter(|approval| !approval.disapproves);
    let mut resumes: Vec<Resumed> = approvals
        .map(|approval| Resumed { payload: ValueRef::Row(approval.seq), approver: approval.approver })
        .collect();
    if faulty {
        resumes.push(Resumed { payload: ValueRef::Row(seq), approver: None });
    }
    if let Some(step) = step_of(run, frame) {
        step.resumes = resumes;
    }
    changed(run, frame, |row| {
        row.status = StepStatus::Completed;
        row.approval = None;
    });
}

/// A gate was disapproved, or not approved in time: the list has to end, or its error handler to run. The step's own
/// result stays what later steps see.
pub(super) fn failed(run: &mut Run, seq: u64, frame: u64, taken: &[u64], error: &Value) {
    let _taken = take(run, taken);
    let Some(step) = step_of(run, frame) else { return };
    step.stage = Stage::Lost;
    step.error = Some(error.clone());
    step.result = ValueRef::Row(seq);
    changed(run, frame, |row| {
        row.status = StepStatus::Failed;
        row.error = Some(error.clone());
        row.approval = Some(json!({"failed": true}));
    });
}

/// What a gate takes waits no more.
fn take(run: &mut Run, taken: &[u64]) -> Vec<Approval> {
    let approvals = std::mem::take(&mut run.control.approvals).into_iter();
    let (taken, waiting) = approvals.partition(|approval| taken.contains(&approval.seq));
    run.control.approvals = waiting;
    taken
}
