//! What the worlds have seen: a generator that no longer makes a kind of trouble must not go unnoticed.

use std::collections::BTreeSet;

use apiflow_core::ports::JobStatus;

use super::decisions::{Point, Script};

/// What one world has seen.
pub(crate) struct Seen {
    pub(crate) kinds: BTreeSet<String>,
    pub(crate) decided: Script,
    pub(crate) end: JobStatus,
}

/// What all worlds have seen.
#[derive(Default)]
pub(crate) struct Tally(BTreeSet<String>);

/// The kinds of events, but for those of a run that takes results over from another.
const KINDS: [&str; 26] = [
    "created",
    "preprocessed",
    "entered",
    "step_started",
    "step_passed",
    "attempt_started",
    "operation_accepted",
    "download_started",
    "attempt_failed",
    "call_postponed",
    "retry_scheduled",
    "step_completed",
    "step_failed",
    "approval_received",
    "gate_closed",
    "gate_passed",
    "gate_failed",
    "timed_out",
    "race_won",
    "sleep_started",
    "advanced",
    "frame_opened",
    "frame_closed",
    "cancel_requested",
    "orphan_settled",
    "flow_ended",
];

impl Tally {
    pub(crate) fn count(&mut self, seen: Seen) {
        self.0.extend(seen.kinds);
        self.0.extend(seen.decided.into_keys().map(|(point, _)| format!("{point:?}")));
        self.0.insert(seen.end.as_str().to_owned());
    }

    /// What none has seen.
    pub(crate) fn missing(&self) -> Vec<String> {
        let ends = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled].map(|end| end.as_str().to_owned());
        let points = Point::ALL.map(|point| format!("{point:?}"));
        let kinds = KINDS.map(str::to_owned);
        let wanted = kinds.into_iter().chain(points).chain(ends);
        wanted.filter(|kind| !self.0.contains(kind)).collect()
    }
}
