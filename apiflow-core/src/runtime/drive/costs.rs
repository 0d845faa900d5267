//! What attempts cost, and the end of their reservations and slots.

use std::collections::{BTreeMap, BTreeSet};

use super::Drive;
use super::turn::Batch;
use crate::call::{AttemptEnd, CallPlans};
use crate::engine::{Answer, Event, Fact, Input, Recorded, Run};
use crate::ports::{AttemptCharge, Timestamp};
use crate::runtime::inbox_payload::InboxPayload;
use crate::runtime::provider::node_of_path;

/// Returns the open attempts that may have a reservation or a slot, with the ordinals of their steps.
pub(super) fn counted_attempts(run: &Run, plans: &CallPlans) -> BTreeMap<u64, u64> {
    if !plans.count_attempts() {
        return BTreeMap::new();
    }
    run.open_attempts().map(|call| (call.effect, call.step)).collect()
}

impl Drive<'_> {
    /// Records what an attempt cost that is about to end with this answer, if its node has a price.
    pub(super) fn record_cost(&mut self, batch: &mut Batch, now: Timestamp, payload: &InboxPayload) {
        let Fact::Answered { effect, answer } = &payload.fact else { return };
        if !self.plans.count_attempts() {
            return;
        }
        let Some(call) = self.run.open_attempt(*effect) else { return };
        let Ok(plan) = self.plans.plan_at(&call.path) else { return };
        let Some(price) = plan.price() else { return };
        let accepted = call.operation.is_some();
        let end = match answer {
            Answer::Done { result } => AttemptEnd::Succeeded(result),
            // The work was accepted, whatever this answer says: it is followed.
            Answer::Failed { .. } if accepted && answer.knows_no_fate() => return,
            Answer::Failed { error } => {
                let name = error.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
                AttemptEnd::Failed { name, accepted }
            }
            Answer::Cancelled => AttemptEnd::Abandoned,
            Answer::Accepted { .. }
            | Answer::Downloading { .. }
            | Answer::NotAccepted { .. }
            | Answer::Repeat
            | Answer::Undecided { .. } => return,
        };
        let Some(cost) = price.attempt_cost(end, &payload.reported_cost) else { return };
        let node_id = node_of_path(&call.path);
        let held = price.highest_amount().unwrap_or_default();
        let (effect, charge) = (*effect, AttemptCharge { node_id, cost: cost.clone(), held });
        batch.charges.push(charge);
        self.record_input(batch, now, Input::Cost { effect, cost });
    }

    /// Returns the steps whose attempts end with a turn with these events. One that waits for a slot has not ended.
    pub(super) fn take_ended_attempts(&mut self, events: &[Recorded]) -> Vec<u64> {
        let open = counted_attempts(&self.run, &self.plans);
        let before = std::mem::replace(&mut self.counted, open);
        if before.is_empty() {
            return Vec::new();
        }
        let queued = |recorded: &Recorded| {
            if let Event::CallPostponed { effect, for_slot: true, .. } = recorded.event { Some(effect) } else { None }
        };
        let queued: BTreeSet<u64> = events.iter().filter_map(queued).collect();
        let has_ended = |effect: &u64| !self.counted.contains_key(effect) && !queued.contains(effect);
        let steps: BTreeSet<u64> =
            before.into_iter().filter(|(effect, _)| has_ended(effect)).map(|(_, step)| step).collect();
        steps.into_iter().collect()
    }
}
