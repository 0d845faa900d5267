//! Erases data that a document says must not be kept after its job's end, page by page: each page is one transaction,
//! and an unfinished erasure is repeated.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Inner;
use crate::engine::{Eraser, Event, Program};
use crate::ports::{DueErasure, ErasedJob, Erasure, JobBundle, JobState, Store, StoreError, ValueRef};

/// Number of rows per page.
const ROW_PAGE_SIZE: u32 = 500;

/// Erases the data of a job that is due, and sets when the next part is.
pub(super) async fn erase_due(inner: &Inner, due: &DueErasure) -> Result<(), StoreError> {
    let store = inner.parts.store.as_ref();
    let loaded = store.load_job(&due.job).await?;
    let unreadable = |what: String| StoreError::Backend(format!("job `{}` cannot be erased: {what}", due.job));
    let program = Arc::new(Program::compile_bundle(&loaded.bundle).map_err(|error| unreadable(error.to_string()))?);
    let state = loaded.job.state;
    let end = state.finished_at.unwrap_or(due.due_at);
    let spared = rows_behind(store, &due.job, &state).await?;
    let mut eraser = Eraser::new(program.clone(), end, due.due_at, spared);
    erase_events(store, &due.job, &mut eraser).await?;
    erase_steps(store, &due.job, &eraser).await?;
    let JobState { output, error, .. } = eraser.redact_state(state);
    let erase_at = program.next_erasure(end, Some(due.due_at));
    let rest = ErasedJob { output, error, erase_at, bundle: bundle_left(loaded.bundle.into_bundle(), &eraser) };
    store.erase_job_data(Erasure { job: due.job.clone(), rest: Some(rest), ..Erasure::default() }).await
}

async fn erase_events(store: &dyn Store, job: &str, eraser: &mut Eraser) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows = store.read_events(job, after, ROW_PAGE_SIZE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.seq;
        let mut erasure = Erasure { job: job.to_owned(), ..Erasure::default() };
        for row in &rows {
            let Ok(event) = serde_json::from_value::<Event>(row.body.clone()) else {
                // It is unknown which step it belongs to: erasing too much is safer than too little.
                erasure.values.extend(Some(row.seq).filter(|seq| !eraser.is_kept_for_output(*seq)));
                continue;
            };
            let erased = eraser.erase_event(row.seq, row.at, &event);
            erasure.values.extend(erased.values);
            if let Some(event) = erased.event {
                erasure.events.push((row.seq, serde_json::to_value(event).expect("an event is plain data")));
            }
        }
        if !erasure.values.is_empty() || !erasure.events.is_empty() {
            store.erase_job_data(erasure).await?;
        }
    }
}

async fn erase_steps(store: &dyn Store, job: &str, eraser: &Eraser) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows = store.list_steps(job, after, ROW_PAGE_SIZE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.ordinal;
        let steps = rows.iter().filter_map(|row| eraser.erase_step(row)).collect();
        let calls = rows.iter().map(|row| row.ordinal).filter(|ordinal| eraser.has_step(*ordinal)).collect();
        let erasure = Erasure { job: job.to_owned(), steps, calls, ..Erasure::default() };
        if !erasure.steps.is_empty() || !erasure.calls.is_empty() {
            store.erase_job_data(erasure).await?;
        }
    }
}

/// Returns the job's bundle without erased outcomes that it took over; `None` if it does not change.
fn bundle_left(mut bundle: JobBundle, eraser: &Eraser) -> Option<JobBundle> {
    let mut changes = false;
    for (key, reused) in &mut bundle.reused_results {
        let step_id = key.rsplit_once('/').map_or(key.as_str(), |(_, id)| id);
        let left = eraser.erase_reused_result(reused, step_id);
        changes |= left != *reused;
        *reused = left;
    }
    changes.then_some(bundle)
}

/// Returns the events whose values a job's output consists of.
async fn rows_behind(store: &dyn Store, job: &str, state: &JobState) -> Result<BTreeSet<u64>, StoreError> {
    let unreadable = |error: serde_json::Error| {
        StoreError::Backend(format!("the output of job `{job}` cannot be read, so nothing was erased: {error}"))
    };
    let mut rows = BTreeSet::new();
    let mut lists = BTreeSet::new();
    let mut waiting: Vec<ValueRef> = state.output.iter().cloned().collect();
    while let Some(reference) = waiting.pop() {
        let mut new = Vec::new();
        reference.each_row(&mut |seq| {
            rows.insert(seq);
        });
        reference.each_part(&mut |part| {
            if let ValueRef::List(list) = part
                && lists.insert(*list)
            {
                new.push(*list);
            }
        });
        for list in new {
            for body in store.read_list(job, list).await? {
                if let Event::FrameClosed { result, .. } = serde_json::from_value(body).map_err(unreadable)? {
                    waiting.push(result);
                }
            }
        }
    }
    Ok(rows)
}
