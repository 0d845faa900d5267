//! The steps of a job that one drive runs from its start to its end, for callers who wait for the end.

use std::collections::BTreeMap;

use super::Drive;
use crate::ports::{Commit, StepRow, StoreError, ValueRef};
use crate::runtime::job_ends::StepWithValues;

/// Maximum number of steps that are remembered; callers read those of longer jobs from the store.
const MAX_STEPS: usize = 200;

/// The steps as the last commit left them; `None` if the store may have others.
#[derive(Default)]
pub(super) struct RememberedSteps(Option<BTreeMap<u64, StepRow>>);

impl RememberedSteps {
    /// Remembers all steps of a job that begins.
    pub(super) fn of_new_job() -> Self {
        Self(Some(BTreeMap::new()))
    }

    /// Adds the steps of a commit. Polls change the progress of steps without a commit, so steps are no longer remembered
    /// once there are any.
    pub(super) fn record_commit(&mut self, commit: &Commit) {
        let Some(steps) = &mut self.0 else { return };
        steps.extend(commit.steps.iter().map(|step| (step.ordinal, step.clone())));
        if steps.len() > MAX_STEPS || !commit.polls.is_empty() {
            self.0 = None;
        }
    }
}

impl Drive<'_> {
    /// Returns all steps with their inputs and outputs; `None` if they must be read from the store.
    pub(super) async fn take_ended_steps(&mut self) -> Result<Option<Vec<StepWithValues>>, StoreError> {
        let Some(rows) = self.steps.0.take() else { return Ok(None) };
        let references: Vec<ValueRef> =
            rows.values().flat_map(|row| row.input.iter().chain(&row.output)).cloned().collect();
        let mut values = self.values.resolve_all(&references).await?.into_iter();
        let mut value_of =
            |reference: &Option<ValueRef>| reference.as_ref().and_then(|_| values.next()).unwrap_or_default();
        let steps = rows.into_values().map(|row| {
            let (input, output) = (value_of(&row.input), value_of(&row.output));
            StepWithValues { row, input, output }
        });
        Ok(Some(steps.collect()))
    }
}
