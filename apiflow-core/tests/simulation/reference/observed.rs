//! What a journal says of things that depend on time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fate::{CallKey, Place};

/// What was observed of one job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Calls of whose fate nobody knew.
    pub(crate) unknown: BTreeSet<CallKey>,
    /// Attempts that could not be sent, because the store was away.
    pub(crate) not_sent: BTreeSet<CallKey>,
    /// Calls that were put off, because a provider limits their rate, until they were too late.
    pub(crate) refused_too_long: BTreeSet<CallKey>,
    /// Which branch won a race, by the attempt of the module.
    pub(crate) winners: BTreeMap<CallKey, usize>,
    /// Whether some module took too long: how far it had come the reference cannot know.
    pub(crate) has_timed_out: bool,
    /// How the gate after a step ended.
    pub(crate) gates: BTreeMap<(Place, String), GateEnd>,
    /// Steps whose result was found in the cache.
    pub(crate) cached: BTreeMap<(Place, String), Value>,
    /// Flows whose result was found in the cache, by the place of their modules.
    pub(crate) entered: BTreeMap<Place, Value>,
}

/// How a gate ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GateEnd {
    Passed(Vec<Resume>),
    Failed(Value),
}

/// One answer that a gate took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resume {
    pub(crate) payload: Value,
    pub(crate) approver: Option<String>,
}

impl Observed {
    /// Whether something happened in a branch that lost a race.
    pub(crate) fn is_lost(&self, place: &Place) -> bool {
        self.winners.iter().any(|(race, winner)| place.slot_in(race).is_some_and(|slot| slot != *winner))
    }
}
