//! Calls that a provider does not take now, since it limits their rate: made again later, without a module's `retry`.

use serde_json::Value;

use super::{Turn, module_end, module_start};
use crate::engine::control_state::Stage;
use crate::engine::{Event, retry};

/// What is known of an attempt that was not accepted.
pub(super) struct Refusal {
    pub(super) effect: u64,
    pub(super) error: Value,
    /// How long the call may be put off if the module has no `timeout`, in milliseconds.
    pub(super) patience_ms: u64,
    pub(super) sent: bool,
}

/// Puts a call off, at least for as long as the provider asked; fails the attempt if that goes beyond the step's
/// deadline. The deadline counts from the first attempt of this call.
pub(super) fn postpone_call(turn: &mut Turn<'_>, frame: u64, refusal: Refusal) {
    let Refusal { effect, error, patience_ms, sent } = refusal;
    let Some(step) = turn.step(frame) else { return };
    let Stage::Call(open) = &step.stage else { return };
    if open.operation.is_some() {
        // Another answer says that the work was accepted: it is followed.
        return;
    }
    let (since, refusals) =
        step.postponed.map_or((open.started_at, 0), |postponed| (postponed.since, postponed.refusals));
    let deadline = since.plus_ms(step.timeout_ms().unwrap_or(patience_ms));
    let random = retry::pseudo_random(turn.run.control.seed, turn.run.control.seq);
    let asked_again = if sent { Some(refusals) } else { None };
    let until = turn.now.plus_ms(retry::postponement_ms(retry::hint_ms(&error), asked_again, random));
    if until > deadline {
        return module_end::fail_attempt(turn, frame, error, None, false);
    }
    let error = module_start::with_step_of(turn, frame, error);
    turn.emit_event(Event::CallPostponed { frame, effect, until, error, sent });
}
