//! Runs a job again from one of its steps: earlier results are taken over, so that they are not paid for again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Runtime;
use crate::engine::{Event, GateSelector, Recorded, step_key};
use crate::ports::{ReusedResult, SharedBundle, StepRow, StepStatus, StoreError, Timestamp};
use crate::prepared::Prepared;

/// Number of rows per read.
const ROW_PAGE_SIZE: u32 = 500;

/// What a run takes over from an earlier one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TakenOver {
    steps: Vec<TakenStep>,
    approvals: Vec<TakenApproval>,
}

#[derive(Debug, Clone, PartialEq)]
struct TakenStep {
    path: String,
    step_id: String,
    result: Value,
    error: Option<Value>,
}

#[derive(Debug, Clone, PartialEq)]
struct TakenApproval {
    step_id: String,
    approver: Option<String>,
    payload: Value,
}

impl TakenOver {
    /// Returns the results that are reused.
    pub fn results(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().map(|step| &step.result)
    }

    /// Returns whether it contains the outcome of a step, by itself or within that of an enclosing module.
    pub fn holds_step(&self, path: &str, step_id: &str) -> bool {
        let mut key = step_key(path, step_id);
        loop {
            if self.steps.iter().any(|step| step_key(&step.path, &step.step_id) == key) {
                return true;
            }
            // `loop[2]/draw` is within `loop`.
            match key.rfind('[') {
                Some(end) => key.truncate(end),
                None => return false,
            }
        }
    }

    /// Returns whether nothing is taken over.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.approvals.is_empty()
    }

    /// Appends the results to the first events of a new job, and to a bundle of its own.
    pub(super) fn write_events(self, now: Timestamp, events: &mut Vec<Recorded>, shared: SharedBundle) -> SharedBundle {
        if self.is_empty() {
            return shared;
        }
        let mut bundle = shared.into_bundle();
        let reused = &mut bundle.reused_results;
        let mut add = |event: Event, value: Value| {
            let seq = events.last().map_or(0, |last| last.seq) + 1;
            events.push(Recorded { seq, at: now, event, value: Some(value) });
            seq
        };
        for step in self.steps {
            let key = step_key(&step.path, &step.step_id);
            let seq = add(Event::ResultReused { path: step.path, step_id: step.step_id }, step.result);
            reused.insert(key, ReusedResult { seq, error: step.error });
        }
        for approval in self.approvals {
            let TakenApproval { step_id, approver, payload } = approval;
            // The gate that took them has counted each approver once.
            let target = GateSelector::Step(step_id);
            add(Event::ApprovalReceived { target, approver, counts_for: None, disapproves: false }, payload);
        }
        bundle.into()
    }
}

/// Returns what a run of the same document that starts from the step `from` (its path and id) takes over from a job:
/// the outcomes of all steps that precede it or ran beside it, and the approvals that their gates took.
///
/// # Errors
/// [`StoreError`] if the job cannot be read.
pub async fn taken_over(
    runtime: &Runtime,
    job: &str,
    prepared: &Prepared,
    from: (&str, &str),
) -> Result<TakenOver, StoreError> {
    let mut taken = TakenOver::default();
    let mut after = 0;
    loop {
        let rows = runtime.inner.parts.store.list_steps(job, after, ROW_PAGE_SIZE).await?;
        let Some(last) = rows.last() else { break };
        after = last.ordinal;
        for row in rows {
            if !prepared.program().is_reusable((&row.path, &row.step_id), from) {
                continue;
            }
            let (Some(output), true) = (&row.output, has_outcome(&row)) else { continue };
            let result = runtime.resolve_reference(job, output).await?;
            // A step whose gate failed has succeeded itself.
            let has_failed = row.status == StepStatus::Failed && row.approval.is_none();
            let error = row.error.filter(|_| has_failed);
            taken.steps.push(TakenStep { path: row.path, step_id: row.step_id, result, error });
        }
    }
    // The contents of a module that is taken over as a whole are not needed.
    let whole = taken.clone();
    taken.steps.retain(|step| match step.path.rfind('[') {
        Some(end) => !whole.holds_step("", &step.path[..end]),
        None => true,
    });
    let kept = taken.steps.iter().map(|step| (step.path.clone(), step.step_id.clone())).collect();
    taken.approvals = list_taken_approvals(runtime, job, &kept).await?;
    Ok(taken)
}

fn has_outcome(row: &StepRow) -> bool {
    match row.status {
        StepStatus::Completed | StepStatus::Skipped | StepStatus::Failed | StepStatus::Suspended => true,
        StepStatus::Running | StepStatus::Retrying | StepStatus::Cancelled => false,
    }
}

/// Returns the approvals that the gates after these steps took, in order.
async fn list_taken_approvals(
    runtime: &Runtime,
    job: &str,
    kept: &BTreeSet<(String, String)>,
) -> Result<Vec<TakenApproval>, StoreError> {
    let store = &runtime.inner.parts.store;
    let mut at: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut given: BTreeMap<u64, (Option<String>, bool)> = BTreeMap::new();
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let rows = store.read_events(job, after, ROW_PAGE_SIZE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.seq;
        for row in rows {
            match serde_json::from_value(row.body) {
                Ok(
                    Event::StepStarted { frame, step_id, path, .. } | Event::StepPassed { frame, step_id, path, .. },
                ) => {
                    at.insert(frame, (path, step_id));
                }
                Ok(Event::ApprovalReceived { approver, disapproves, .. }) => {
                    given.insert(row.seq, (approver, disapproves));
                }
                Ok(Event::GatePassed { frame, taken, .. }) => {
                    let Some(step) = at.get(&frame).filter(|step| kept.contains(*step)) else { continue };
                    for seq in taken {
                        let Some((approver, false)) = given.get(&seq).cloned() else { continue };
                        let payload = store.read_values(job, &[seq]).await?.pop().flatten().unwrap_or_default();
                        found.push(TakenApproval { step_id: step.1.clone(), approver, payload });
                    }
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}
