//! What can be seen of a job from its journal alone.

use std::collections::BTreeMap;

use apiflow_core::ports::{Timestamp, ValueRef};
use serde_json::Value;

use super::{Lifetime, Observer};
use crate::fate::CallKey;
use crate::reference::Observed;
use crate::values::Values;

impl Observer {
    /// Whether a frame waits until that moment.
    pub(crate) fn waits(&self, frame: u64, until: Timestamp) -> bool {
        self.frames.get(&frame).is_some_and(|seen| {
            seen.wait == Some(until) || seen.step.as_ref().is_some_and(|step| step.until == Some(until))
        })
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Whether some steps were cut off: their branch lost a race, or a module around them took too long.
    pub(crate) fn has_cut(&self) -> bool {
        self.has_timed_out || !self.winners.is_empty()
    }

    /// Scopes that may be needed: the outermost, and those that open lists have or leave for the join.
    pub(crate) fn scopes(&self) -> usize {
        let own = self.frames.values().map(|seen| {
            let lifetime = seen.step.as_ref().and_then(|step| Some((step.own_scopes?, step.opened)));
            match lifetime {
                Some((Lifetime::UntilAllHaveEnded, opened)) => opened,
                Some((Lifetime::UntilItsEnd, _)) => seen.inner.len(),
                None => 0,
            }
        });
        1 + own.sum::<usize>()
    }

    /// What the journal says of things that depend on time.
    pub(crate) fn observed(&self, values: &Values) -> Observed {
        let row = |seq: u64| values.resolve(&ValueRef::Row(seq));
        Observed {
            unknown: self.attempts.unknown(),
            not_sent: self.attempts.not_sent(),
            refused_too_long: self.attempts.refused_too_long(),
            winners: self.winners.clone(),
            has_timed_out: self.has_timed_out,
            gates: self.gates.ends(values),
            cached: self.passed.iter().map(|(step, result)| (step.clone(), values.resolve(result))).collect(),
            entered: self.entered.iter().map(|(place, seq)| (place.clone(), row(*seq))).collect(),
        }
    }

    /// All calls with their arguments.
    pub(crate) fn calls(&self, values: &Values) -> BTreeMap<CallKey, Value> {
        self.attempts.calls(values)
    }
}
