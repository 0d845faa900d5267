//! Finds jobs and steps by what a path names.

use apiflow_core::ports::{JobRow, StepRow};

use crate::http::problem::Problem;
use crate::state::AppState;

/// Returns a job's row, or 404.
pub(crate) async fn find_job(state: &AppState, id: &str) -> Result<JobRow, Problem> {
    state.store.read_job(id).await?.ok_or_else(|| Problem::not_found(format!("there is no job `{id}`")))
}

/// Returns the ordinal of the step that a path names: by its ordinal, or by its id (the first with that id).
pub(crate) async fn find_ordinal(state: &AppState, job: &str, step: &str) -> Result<u64, Problem> {
    find_step(state, job, step, |_| true).await
}

/// Returns the ordinal of a step that may have an attempt of unknown outcome: the last such step with that id.
pub(crate) async fn find_unsettled_ordinal(state: &AppState, job: &str, step: &str) -> Result<u64, Problem> {
    let mut unsettled = None;
    let first = find_step(state, job, step, |row| {
        if is_fate_unknown(row) || !row.is_over() {
            unsettled = Some(row.ordinal);
        }
        false
    });
    match first.await {
        Ok(ordinal) => Ok(ordinal),
        Err(none) => match unsettled {
            Some(ordinal) => Ok(ordinal),
            None => find_ordinal(state, job, step).await.map_err(|_| none),
        },
    }
}

/// Returns whether the outcome of a step's last attempt is unknown.
pub(crate) fn is_fate_unknown(row: &StepRow) -> bool {
    row.error.as_ref().is_some_and(|error| error["name"] == "submit_unknown")
}

/// Returns the step with that ordinal, otherwise the first with that id that matches.
async fn find_step(
    state: &AppState,
    job: &str,
    step: &str,
    mut is_wanted: impl FnMut(&StepRow) -> bool,
) -> Result<u64, Problem> {
    if let Ok(ordinal) = step.parse::<u64>()
        && let Some(before) = ordinal.checked_sub(1)
        && state.store.list_steps(job, before, 1).await?.first().is_some_and(|row| row.ordinal == ordinal)
    {
        return Ok(ordinal);
    }
    let mut after = 0;
    loop {
        let rows = state.store.list_steps(job, after, 500).await?;
        if let Some(row) = rows.iter().find(|row| row.step_id == step && is_wanted(row)) {
            return Ok(row.ordinal);
        }
        match rows.last() {
            Some(last) => after = last.ordinal,
            None => return Err(Problem::not_found(format!("job `{job}` has no step `{step}`"))),
        }
    }
}
