//! Ends jobs that cannot be run: those that repeatedly crash their worker, and those that cannot be read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Inner, event_row};
use crate::engine::{Ending, Event, Input, Program, Recorded, Run, unsettled_attempt_error};
use crate::money::AttemptCost;
use crate::ports::{
    AttemptCharge, Claim, Commit, JobStatus, LeaseChange, LoadedJob, OpenReservation, StepRow, StepStatus, Store,
    StoreError, Timestamp,
};

const RELEASED: LeaseChange = LeaseChange::Release { wake_at: None };
/// Number of rows per read.
const STEP_PAGE_SIZE: u32 = 500;

/// Ends a job that crashed its worker `crashes` times: its open attempts end as `submit_unknown`. Reading the document
/// may have caused the crash, so from the second time on it is not read again.
pub(super) async fn abandon_job(inner: &Inner, claim: &Claim, crashes: u32) {
    let abandoned = async {
        let loaded = inner.parts.store.load_job(&claim.job).await?;
        let error = json!({
            "name": "job_abandoned",
            "message": format!(
                "job abandoned: it crashed its worker {crashes} times and is not retried, to protect the server"
            ),
        });
        if crashes <= inner.settings.max_tries
            && let Ok(program) = Program::compile_bundle(&loaded.bundle)
            && let Ok(run) = restore_run(Arc::new(program), &loaded)
        {
            return end_job(inner, claim, run, error).await;
        }
        end_unreadable(inner, claim, Arc::default(), loaded.job.last_seq, error).await
    };
    match abandoned.await {
        Ok(()) => tracing::error!(job = claim.job, crashes, "a job was abandoned: it repeatedly crashed its worker"),
        Err(error) => tracing::error!(%error, job = claim.job, "a job could not be abandoned"),
    }
    inner.prepared.remove_job(&claim.job);
    inner.notifier.notify_work();
    inner.notifier.notify_change(&claim.job, true);
    inner.notifier.ends.publish_end(&claim.job, None);
}

/// Restores the run of a job from its journal.
///
/// # Errors
/// A description of what cannot be read.
pub(super) fn restore_run(program: Arc<Program>, loaded: &LoadedJob) -> Result<Run, String> {
    let mut run = match &loaded.snapshot {
        Some(snapshot) => Run::restore_snapshot(program, snapshot)
            .map_err(|error| format!("the job's snapshot cannot be read: {error}"))?,
        None => Run::new(program),
    };
    for event in &loaded.events {
        let body: Event = serde_json::from_value(event.body.clone())
            .map_err(|error| format!("event {} cannot be read: {error}", event.seq))?;
        run.apply_event(event.seq, event.at, &body);
    }
    let _replayed = run.take_rows();
    Ok(run)
}

async fn end_job(inner: &Inner, claim: &Claim, mut run: Run, error: Value) -> Result<(), StoreError> {
    let at = inner.parts.clock.now();
    let events = run.decide_and_apply(at, Input::Abandon { error });
    let steps = run.take_rows();
    let events = events.into_iter().map(event_row).collect();
    let charges = charge_reservations(inner.parts.store.as_ref(), &claim.job).await?;
    let commit =
        Commit { events, steps, charges, ..Commit::new(&claim.job, claim.version, at, run.job_state(), RELEASED) };
    inner.parts.store.commit_turn(commit).await.map(|_| ())
}

/// Ends a job whose document or journal cannot be read, using only the rows of its steps. `program` determines what is
/// erased, if the document can be read.
pub(super) async fn end_unreadable(
    inner: &Inner,
    claim: &Claim,
    program: Arc<Program>,
    last_seq: u64,
    error: Value,
) -> Result<(), StoreError> {
    let at = inner.parts.clock.now();
    let event = Event::JobFinished(Ending::new(JobStatus::Failed, Some(error.clone())));
    let mut run = Run::new(program);
    run.apply_event(last_seq + 1, at, &event);
    let events = vec![event_row(Recorded { seq: last_seq + 1, at, event, value: Some(json!({"error": error})) })];
    let steps = end_steps(inner.parts.store.as_ref(), &claim.job, at).await?;
    let charges = charge_reservations(inner.parts.store.as_ref(), &claim.job).await?;
    let commit =
        Commit { events, steps, charges, ..Commit::new(&claim.job, claim.version, at, run.job_state(), RELEASED) };
    inner.parts.store.commit_turn(commit).await?;
    inner.notifier.ends.publish_end(&claim.job, None);
    Ok(())
}

/// Returns the charges that replace the job's reservations, which end with it: its attempts may have been paid for.
async fn charge_reservations(store: &dyn Store, job: &str) -> Result<Vec<AttemptCharge>, StoreError> {
    let open = store.list_reservations(job).await?.into_iter();
    let charge = |OpenReservation { node_id, currency, amount, .. }| AttemptCharge {
        node_id,
        cost: AttemptCost { currency, amount: None },
        held: amount,
    };
    Ok(open.map(charge).collect())
}

/// Returns the rows of all unfinished steps, ended: a step that has sent something may have been paid for.
async fn end_steps(store: &dyn Store, job: &str, at: Timestamp) -> Result<Vec<StepRow>, StoreError> {
    let mut ended = Vec::new();
    let mut after = 0;
    loop {
        let rows = store.list_steps(job, after, STEP_PAGE_SIZE).await?;
        let Some(last) = rows.last() else { return Ok(ended) };
        after = last.ordinal;
        for mut row in rows.into_iter().filter(|row| !row.is_over()) {
            let has_sent = row.finished_at.is_none() && !store.list_calls(job, row.ordinal).await?.is_empty();
            if has_sent {
                row.error = Some(unsettled_attempt_error(&row.step_id, row.provider_id.as_deref()));
            }
            row.status = if has_sent { StepStatus::Failed } else { StepStatus::Cancelled };
            row.finished_at.get_or_insert(at);
            row.retry_at = None;
            row.approval = None;
            ended.push(row);
        }
    }
}
