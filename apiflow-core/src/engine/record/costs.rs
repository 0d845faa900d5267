//! Records what attempts have cost.

use super::{change_row, step_of};
use crate::engine::Run;
use crate::engine::control_state::{OpenStep, Stage};
use crate::money::{AttemptCost, Cost};

/// Adds the cost of an attempt to its job, and to its step if that is still waited for.
pub(super) fn record_cost(run: &mut Run, frame: u64, effect: u64, cost: &AttemptCost) {
    run.control.cost.add_attempt(cost);
    let is_of_step =
        step_of(run, frame).is_some_and(|step| matches!(&step.stage, Stage::Call(open) if open.effect == effect));
    if !is_of_step {
        return;
    }
    if let Some(step) = step_of(run, frame) {
        step.cost_of = Some(effect);
    }
    change_row(run, frame, |row| row.cost.get_or_insert_default().add_attempt(cost));
}

/// Counts a successful call of a node without a price: what it cost is unknown, which is not the same as nothing.
pub(super) fn count_unpriced_call(run: &mut Run, frame: u64) {
    let Some(OpenStep { stage: Stage::Call(open), cost_of, row, .. }) = step_of(run, frame) else { return };
    if *cost_of == Some(open.effect) {
        return;
    }
    row.cost.get_or_insert_with(Cost::default).unknown += 1;
    run.control.cost.unknown += 1;
}
