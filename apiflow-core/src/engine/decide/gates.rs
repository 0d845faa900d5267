//! Approval gates between two modules.

use serde_json::{Value, json};

use super::{Turn, error_object, module_end, module_start, reused_result};
use crate::engine::control_state::{Gate, ReceivedApproval, Stage};
use crate::engine::{Event, error_names};
use crate::openflow::Suspend;

/// Default timeout of a gate, in seconds. Source: OpenFlow.
const DEFAULT_GATE_TIMEOUT_S: u64 = 1_800;

/// Closes the gate after the step that a list is at, if it has one; returns whether it did. Approvals that arrived
/// early count.
pub(super) fn close(turn: &mut Turn<'_>, frame: u64, sleep_ms: u64) -> bool {
    let Some(suspend) = suspend_rule(turn, frame) else { return false };
    let required = suspend.required_events.unwrap_or_default();
    if required == 0 {
        return false;
    }
    let wait_ms = suspend.timeout.unwrap_or(DEFAULT_GATE_TIMEOUT_S).saturating_mul(1_000);
    let until = turn.now.plus_ms(wait_ms);
    // A gate that an earlier run has passed stays open, whoever approved it then.
    let passed = reused_result(turn.run, frame).is_some() && pending_approvals(turn, frame).is_empty();
    turn.emit_event(Event::GateClosed { frame, required, until, sleep_ms });
    if passed {
        pass_gate(turn, frame, Vec::new(), None);
    } else {
        settle_gate(turn, frame);
    }
    true
}

/// Takes an approval or disapproval.
pub(super) fn take_approval(turn: &mut Turn<'_>, event: Event, payload: Value) {
    turn.emit_with(event, Some(payload));
    let closed: Vec<u64> = {
        let frames = turn.run.control.frames.iter();
        let waits = |stage: &Stage| matches!(stage, Stage::Suspended(_));
        frames
            .filter(|(_, frame)| frame.step.as_ref().is_some_and(|step| waits(&step.stage)))
            .map(|(&id, _)| id)
            .collect()
    };
    for frame in closed {
        settle_gate(turn, frame);
        super::go_on(turn);
    }
}

/// Ends the wait of a gate that was not opened in time.
pub(super) fn expire_gate(turn: &mut Turn<'_>, frame: u64) {
    let taken = pending_approvals(turn, frame).iter().map(|approval| approval.seq).collect();
    fail_gate(turn, frame, taken, error_object(error_names::SUSPENDED_TIMED_OUT, "Timed out waiting to be resumed"));
}

/// Opens a gate with enough approvals; fails one that is disapproved.
fn settle_gate(turn: &mut Turn<'_>, frame: u64) {
    let Some(gate) = gate_of(turn, frame) else { return };
    let mut taken = Vec::new();
    let mut given = 0;
    for approval in pending_approvals(turn, frame) {
        taken.push(approval.seq);
        if approval.disapproves {
            let by = approval.approver.as_deref().unwrap_or("unknown");
            return fail_gate(
                turn,
                frame,
                taken,
                error_object(error_names::SUSPENDED_DISAPPROVED, format!("Disapproved by {by}")),
            );
        }
        given += 1;
        if given == gate.required {
            return pass_gate(turn, frame, taken, None);
        }
    }
}

/// Fails the list, or, if the document says so, continues it with the error among the resumes.
fn fail_gate(turn: &mut Turn<'_>, frame: u64, taken: Vec<u64>, error: Value) {
    if suspend_rule(turn, frame).is_some_and(|suspend| suspend.continue_on_disapprove_timeout) {
        return pass_gate(turn, frame, taken, Some(error));
    }
    // The output has OpenFlow's form; the job's own error also contains the step.
    let value = json!({"error": error});
    let error = module_start::with_step_of(turn, frame, error);
    turn.emit_with(Event::GateFailed { frame, taken, error }, Some(value));
    module_end::settle_frame(turn, frame);
}

fn pass_gate(turn: &mut Turn<'_>, frame: u64, taken: Vec<u64>, error: Option<Value>) {
    let Some(gate) = gate_of(turn, frame) else { return };
    let value = error.map(|error| json!({"error": error}));
    turn.emit_with(Event::GatePassed { frame, taken, faulty: value.is_some() }, value);
    module_end::start_sleep(turn, frame, gate.sleep_ms);
}

/// Returns the answers that the gate of a list may take, in order of arrival.
fn pending_approvals(turn: &Turn<'_>, frame: u64) -> Vec<ReceivedApproval> {
    let Some(step) = turn.step(frame) else { return Vec::new() };
    turn.run.control.answers_at(&step.row).into_iter().cloned().collect()
}

fn gate_of(turn: &Turn<'_>, frame: u64) -> Option<Gate> {
    if let Some(Stage::Suspended(gate)) = turn.stage(frame) { Some(*gate) } else { None }
}

fn suspend_rule<'a>(turn: &'a Turn<'_>, frame: u64) -> Option<&'a Suspend> {
    turn.module(frame)?.module.suspend.as_ref()
}
