//! Reopens a job that ended because the fate of an attempt was unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::control_state::Stage;
use super::{Event, Program, Run, error_names};
use crate::ports::{JobStatus, SnapshotRow, Timestamp};

/// Why a job cannot be restored to the state before an attempt of unknown fate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReopenError {
    /// The step did not end as `submit_unknown`.
    #[error("the step did not end as `submit_unknown`")]
    NotUnknown,
    /// Other steps started, ended or were cancelled after it.
    #[error("the job continued after the step ended")]
    WentOn,
}

/// Processes the journal of an ended job, event by event, to find the control state that can be restored: the one
/// before its attempts of unknown fate ended, provided that only error handlers ran after them.
#[derive(Debug)]
pub(crate) struct Reopener {
    run: Run,
    candidate: Option<Candidate>,
    /// Ordinals of the steps that ended as `submit_unknown`.
    unknown: BTreeSet<u64>,
}

/// A control state with open attempts, all of which ended as `submit_unknown`.
#[derive(Debug)]
struct Candidate {
    before: SnapshotRow,
    /// The steps of the attempts that are open in that state, by attempt.
    open: BTreeMap<u64, u64>,
    /// Those of them that have ended since.
    ended: BTreeSet<u64>,
}

impl Reopener {
    /// Creates a reopener before the first event.
    pub(crate) fn new(program: Arc<Program>) -> Self {
        Self { run: Run::new(program), candidate: None, unknown: BTreeSet::new() }
    }

    /// Processes the next event of the journal.
    pub(crate) fn apply_event(&mut self, seq: u64, at: Timestamp, event: &Event) {
        if let Event::AttemptFailed { frame, error, .. } = event {
            self.attempt_failed(*frame, error);
        } else if event.begins_or_ends_work() && !event.changed_frames().any(|frame| self.is_in_handler(frame)) {
            self.candidate = None;
        }
        self.run.apply_event(seq, at, event);
    }

    fn is_in_handler(&self, frame: u64) -> bool {
        self.run.control.frames.get(&frame).is_some_and(|state| state.handler)
    }

    fn attempt_failed(&mut self, frame: u64, error: &Value) {
        if self.is_in_handler(frame) {
            return;
        }
        let step = self.run.control.frames.get(&frame).and_then(|state| state.step.as_ref());
        let Some((step, Stage::Call(open))) = step.map(|step| (step.ordinal, &step.stage)) else { return };
        if error.get("name").and_then(Value::as_str) != Some(error_names::SUBMIT_UNKNOWN) {
            self.candidate = None;
            return;
        }
        self.unknown.insert(step);
        let candidate = self.candidate.get_or_insert_with(|| Candidate {
            before: self.run.take_snapshot(),
            open: open_attempts(&self.run),
            ended: BTreeSet::new(),
        });
        candidate.ended.insert(open.effect);
    }

    /// Returns the event that reopens the job, and the run after it: the attempt of the step `ordinal`, and others that
    /// ended with it, are open again.
    ///
    /// # Errors
    /// Why that is not possible.
    pub(crate) fn reopen_step(self, ordinal: u64) -> Result<(Event, Run), ReopenError> {
        if !self.unknown.contains(&ordinal) {
            return Err(ReopenError::NotUnknown);
        }
        let candidate = self.candidate.filter(|_| self.run.status() == JobStatus::Failed).ok_or(ReopenError::WentOn)?;
        let all_ended = candidate.open.keys().all(|effect| candidate.ended.contains(effect));
        if all_ended && candidate.open.values().any(|step| *step == ordinal) {
            Ok((Event::JobReopened { state: candidate.before.state }, self.run))
        } else {
            Err(ReopenError::WentOn)
        }
    }
}

fn open_attempts(run: &Run) -> BTreeMap<u64, u64> {
    let steps = run.control.frames.values().filter_map(|frame| frame.step.as_ref());
    let waited_for = steps
        .filter_map(|step| if let Stage::Call(open) = &step.stage { Some((open.effect, open.step)) } else { None });
    waited_for.chain(run.control.orphans.values().map(|open| (open.effect, open.step))).collect()
}
