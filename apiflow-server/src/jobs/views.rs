//! Converts rows to replies.

use std::collections::BTreeMap;

use apiflow_core::artifact::Artifact;
use apiflow_core::ports::{self, ArtifactFilter, CallRecord, JobRow, StepRow, Timestamp, ValueRef};
use apiflow_core::runtime::StepWithValues;
use serde_json::Value;

use crate::api::{Call, Job, JobSummary, Step, StepLog};
use crate::http::pagination::cut_to_limit;
use crate::http::problem::Problem;
use crate::jobs::approvals;
use crate::jobs::lookup::find_job;
use crate::state::AppState;
use crate::users::Caller;

/// Maximum number of steps in a job's own reply.
const MAX_STEPS_WITH_JOB: u32 = 200;

/// Maximum number of a job's artifacts that are shown with its steps.
const MAX_LISTED_ARTIFACTS: u32 = 2_000;

/// Number of the event whose value is a job's input.
const INPUT_SEQ: u64 = 1;

/// A job as lists show it.
pub(crate) fn job_summary(row: JobRow) -> JobSummary {
    JobSummary {
        id: row.id,
        name: row.name,
        workflow_id: row.workflow_id,
        workflow_version: row.workflow_version,
        node_id: row.node_id,
        rerun_of: row.rerun_of,
        status: row.state.status,
        retry_count: row.state.retry_count,
        cost: row.state.cost,
        error: row.state.error,
        created_by: row.created_by,
        created_at: row.created_at.to_rfc3339(),
        updated_at: row.updated_at.to_rfc3339(),
        started_at: row.state.started_at.map(Timestamp::to_rfc3339),
        finished_at: row.state.finished_at.map(Timestamp::to_rfc3339),
    }
}

/// A job's input.
pub(crate) async fn read_input(state: &AppState, job: &str) -> Result<Value, Problem> {
    Ok(state.store.read_values(job, &[INPUT_SEQ]).await?.pop().flatten().unwrap_or_default())
}

/// A job's output; null until it has ended.
pub(crate) async fn read_output(state: &AppState, row: &JobRow) -> Result<Value, Problem> {
    resolve_value(state, &row.id, row.state.output.as_ref()).await
}

/// Whether a job's input is passed to the preprocessor of its workflow.
pub(crate) async fn was_preprocessed(state: &AppState, job: &str) -> Result<bool, Problem> {
    let created = state.store.read_events(job, 0, 1).await?.pop();
    Ok(created.is_some_and(|event| event.body["preprocess"] == true))
}

/// Values of a job that are known already and need not be read.
#[derive(Default)]
pub(crate) struct KnownValues {
    /// Input of the job.
    pub(crate) input: Option<Value>,
    /// Output of the job.
    pub(crate) output: Option<Value>,
    /// All steps of the job.
    pub(crate) steps: Option<Vec<StepWithValues>>,
}

/// A job with its input, output and first steps.
pub(crate) async fn job_view(
    state: &AppState,
    caller: &Caller,
    row: JobRow,
    known: KnownValues,
) -> Result<Job, Problem> {
    let input = match known.input {
        Some(input) => input,
        None => read_input(state, &row.id).await?,
    };
    let output = match known.output {
        Some(output) => output,
        None => read_output(state, &row).await?,
    };
    let (steps, steps_next) = match known.steps {
        Some(steps) if steps.len() <= MAX_STEPS_WITH_JOB as usize => {
            (views_of_steps(state, caller, &row, steps).await?, None)
        }
        Some(_) | None => step_views(state, caller, &row, 0, MAX_STEPS_WITH_JOB).await?,
    };
    Ok(Job { summary: job_summary(row), input, output, steps, steps_next, truncated: Vec::new() })
}

/// A job as it is stored now.
///
/// # Errors
/// 404 if there is none.
pub(crate) async fn read_job(state: &AppState, caller: &Caller, id: &str) -> Result<Job, Problem> {
    job_view(state, caller, find_job(state, id).await?, KnownValues::default()).await
}

/// Up to `limit` steps after an ordinal, and the cursor of the rest.
pub(crate) async fn step_views(
    state: &AppState,
    caller: &Caller,
    job: &JobRow,
    after: u64,
    limit: u32,
) -> Result<(Vec<Step>, Option<String>), Problem> {
    let mut rows = state.store.list_steps(&job.id, after, limit + 1).await?;
    let next = cut_to_limit(&mut rows, limit, |row| row.ordinal.to_string());
    let references: Vec<ValueRef> = rows.iter().flat_map(|row| row.input.iter().chain(&row.output)).cloned().collect();
    let mut values = state.runtime.resolve_all(&job.id, &references).await?.into_iter();
    let mut value_of =
        |reference: &Option<ValueRef>| reference.as_ref().and_then(|_| values.next()).unwrap_or_default();
    let steps = rows.into_iter().map(|row| {
        let (input, output) = (value_of(&row.input), value_of(&row.output));
        StepWithValues { row, input, output }
    });
    let steps = steps.collect();
    Ok((views_of_steps(state, caller, job, steps).await?, next))
}

/// Adds kept outputs, and what callers may know of approvals, to steps.
async fn views_of_steps(
    state: &AppState,
    caller: &Caller,
    job: &JobRow,
    steps: Vec<StepWithValues>,
) -> Result<Vec<Step>, Problem> {
    let mut artifacts = artifacts_by_step(state, &job.id, &steps).await?;
    let links_at = approvals::url_of_links(caller, job.created_by.as_deref());
    let view = |step: StepWithValues| {
        let StepWithValues { row, input, output } = step;
        let approval = approvals::approval_view(state, &job.id, row.ordinal, row.approval.as_ref(), links_at)?;
        let artifacts = artifacts.remove(&row.ordinal).unwrap_or_default();
        Ok(Step { artifacts, approval, ..step_view(row, (input, output)) })
    };
    steps.into_iter().map(view).collect()
}

/// Returns the outputs of steps that are kept, by ordinal.
async fn artifacts_by_step(
    state: &AppState,
    job: &str,
    steps: &[StepWithValues],
) -> Result<BTreeMap<u64, Vec<Artifact>>, Problem> {
    let mut by_step: BTreeMap<u64, Vec<Artifact>> = BTreeMap::new();
    // Only outputs of calls are kept.
    if steps.iter().all(|step| step.row.attempt == 0) {
        return Ok(by_step);
    }
    let filter = ArtifactFilter { job: Some(job.to_owned()), ..ArtifactFilter::default() };
    let rows = state.artifacts.records().list_artifacts(&filter, None, MAX_LISTED_ARTIFACTS).await?;
    // Oldest first, as the steps are.
    for row in rows.into_iter().rev() {
        let step = row.provenance.as_ref().filter(|provenance| provenance.job == job).map(|provenance| provenance.step);
        if let Some(step) = step {
            by_step.entry(step).or_default().push(state.artifacts.describe_row(row));
        }
    }
    Ok(by_step)
}

/// Returns a step without its approvals and artifacts.
fn step_view(row: StepRow, (input, output): (Value, Value)) -> Step {
    Step {
        input,
        output,
        id: row.step_id,
        ordinal: row.ordinal,
        path: row.path,
        status: row.status,
        attempt: row.attempt,
        started_at: row.started_at.to_rfc3339(),
        finished_at: row.finished_at.map(Timestamp::to_rfc3339),
        retry_at: row.retry_at.map(Timestamp::to_rfc3339),
        error: row.error,
        progress: row.progress,
        queue_position: row.queue_position,
        preview: row.preview,
        log_bytes: row.log_bytes,
        provider_id: row.provider_id,
        approval: None,
        cost: row.cost,
        artifacts: Vec::new(),
        fallback: row.fallback,
        truncated: Vec::new(),
    }
}

async fn resolve_value(state: &AppState, job: &str, reference: Option<&ValueRef>) -> Result<Value, Problem> {
    match reference {
        None => Ok(Value::Null),
        Some(reference) => Ok(state.runtime.resolve_reference(job, reference).await?),
    }
}

/// Returns a log from an offset on.
pub(crate) fn log_view(step: u64, log: Option<ports::StepLog>, offset: u64) -> StepLog {
    let Some(ports::StepLog { attempt, tail }) = log else {
        return StepLog { step, attempt: 0, offset: 0, total_bytes: 0, text: String::new() };
    };
    let (offset, text) = tail.read_from(offset);
    StepLog { step, attempt, offset, total_bytes: tail.total_bytes, text: text.to_owned() }
}

/// A call of a step.
pub(crate) fn call_view(record: CallRecord) -> Call {
    Call {
        step: record.step,
        attempt: record.attempt,
        purpose: record.purpose,
        at: record.at.to_rfc3339(),
        duration_ms: record.duration_ms,
        request: record.request,
        reply: record.reply,
    }
}
