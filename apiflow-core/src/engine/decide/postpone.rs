//! Postpones calls that a provider refuses because of its rate limit, without using a module's `retry`.

use serde_json::Value;

use super::{Turn, module_end, module_start};
use crate::engine::control_state::{OpenStep, Stage};
use crate::engine::{Event, retry};

/// First delay before a rate-limited call is repeated, in milliseconds, if the provider does not ask for one; doubled
/// each time.
const MIN_POSTPONEMENT_MS: u64 = 1_000;
/// Maximum delay that the provider did not ask for, in milliseconds.
const MAX_POSTPONEMENT_MS: u64 = 60_000;
/// Maximum random addition, in milliseconds, so that calls which wait for the same time do not all arrive together.
const MAX_SPREAD_MS: u64 = 5_000;

/// How long a call waits for its slot before it asks again, in milliseconds: only a safety net, because the slot is
/// announced.
const SLOT_CHECK_INTERVAL_MS: u64 = 3_600_000;

/// The refusal of an attempt.
pub(super) struct Refusal {
    pub(super) effect: u64,
    pub(super) error: Value,
    /// How long the call may be postponed if the module has no `timeout`, in milliseconds.
    pub(super) patience_ms: u64,
    pub(super) sent: bool,
}

/// Postpones a call, at least for as long as the provider asked; fails the attempt if that exceeds the step's deadline,
/// which counts from the first attempt of this call.
pub(super) fn postpone_call(turn: &mut Turn<'_>, frame: u64, refusal: Refusal) {
    let Refusal { effect, error, patience_ms, sent } = refusal;
    let Some(step) = turn.step(frame) else { return };
    let Stage::Call(open) = &step.stage else { return };
    if open.is_taken() {
        // Another answer says that the work was accepted: it is followed.
        return;
    }
    let known = step.postponed.filter(|postponed| !postponed.waits_for_slot);
    let (since, refusals) = known.map_or((open.started_at, 0), |postponed| (postponed.since, postponed.refusals));
    let deadline = since.plus_ms(step.timeout_ms().unwrap_or(patience_ms));
    let random = retry::pseudo_random(turn.run.control.seed, turn.run.control.seq);
    let asked_again = if sent { Some(refusals) } else { None };
    let until = turn.now.plus_ms(postponement_ms(retry::hint_ms(&error), asked_again, random));
    if until > deadline {
        return module_end::fail_attempt(turn, frame, error, None, false);
    }
    let error = module_start::with_step_of(turn, frame, error);
    turn.emit_event(Event::CallPostponed { frame, effect, until, error, sent, for_slot: false });
}

/// Lets a call wait for a slot of its connector's limits, however long that takes; [`take_slot`] continues it.
pub(super) fn queue_call(turn: &mut Turn<'_>, frame: u64, effect: u64, error: Value) {
    let Some(step) = turn.step(frame) else { return };
    // The slot may have been given while the answer was on its way.
    let pause_ms = if step.slot_granted { 0 } else { SLOT_CHECK_INTERVAL_MS };
    let until = turn.now.plus_ms(pause_ms);
    let error = module_start::with_step_of(turn, frame, error);
    turn.emit_event(Event::CallPostponed { frame, effect, until, error, sent: false, for_slot: true });
}

/// Starts the attempt of a step that has its slot.
pub(super) fn take_slot(turn: &mut Turn<'_>, step: u64) {
    let is_wanted = |open: &OpenStep| open.ordinal == step;
    let mut frames = turn.run.control.frames.iter();
    let found = frames.find(|(_, frame)| frame.step.as_ref().is_some_and(is_wanted)).map(|(frame, _)| *frame);
    let Some(frame) = found else { return };
    let Some(open) = turn.step(frame) else { return };
    let waits = open.postponed.is_some_and(|postponed| postponed.waits_for_slot);
    if waits && matches!(open.stage, Stage::Retrying { .. }) {
        module_start::start_attempt(turn, frame);
    } else if matches!(open.stage, Stage::Call(_)) {
        turn.emit_event(Event::SlotGranted { frame });
    }
}

/// Returns how long a refused call is postponed, in milliseconds: at least `hint_ms`, and longer after each refusal
/// (`refusals` before this one; `None` if the provider was not asked). `random` is any number.
fn postponement_ms(hint_ms: u64, refusals: Option<u32>, random: u64) -> u64 {
    let grown = refusals.map_or(0, |refusals| MIN_POSTPONEMENT_MS.saturating_mul(1 << refusals.min(16)));
    let pause = hint_ms.max(grown.min(MAX_POSTPONEMENT_MS));
    let spread = (pause / 5).min(MAX_SPREAD_MS);
    pause + random % (spread + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_put_off_as_long_as_asked_and_longer_each_time() {
        for (hint, refusals, least, most) in [
            (0, Some(0), 1_000, 1_200),
            (0, Some(3), 8_000, 9_600),
            (0, Some(40), 60_000, 65_000),
            (2_000, Some(0), 2_000, 2_400),
            (2_000, Some(3), 8_000, 9_600),
            (600_000, Some(0), 600_000, 605_000),
            (0, None, 0, 0),
            (1_000, None, 1_000, 1_200),
        ] {
            for position in 0..50 {
                let pause = postponement_ms(hint, refusals, retry::pseudo_random(1, position));
                assert!((least..=most).contains(&pause), "{hint} {refusals:?}: {pause}");
            }
        }
    }
}
