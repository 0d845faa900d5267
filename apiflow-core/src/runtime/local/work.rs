//! The work of a run at providers.

use serde_json::Value;

use super::STEP_PAGE_SIZE;
use crate::call::Operation;
use crate::engine::Event;
use crate::ports::{CallRecord, StepRow, StepStatus, StoreError, ValueRef};
use crate::runtime::Runtime;

/// Work of a step at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderWorkStatus {
    /// The step, with its path: `loop[2]/draw`.
    pub step: String,
    /// The provider's id of the work, once it is known.
    pub provider_id: Option<String>,
    /// URL of the work's state; if it is unknown, the URL of the submit.
    pub url: String,
    /// State of the work.
    pub state: ProviderWorkState,
}

/// The state of a provider's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderWorkState {
    /// The request was sent, but has no reply: it is unknown whether the provider accepted the work.
    Unanswered,
    /// The provider accepted the work and was not asked to stop.
    Running,
    /// The work is no longer needed, and the provider has not answered the cancellation yet.
    Cancelling,
    /// The provider accepted the cancellation.
    Cancelled,
    /// The provider could not be asked to cancel the work, for this reason.
    CancelFailed(String),
    /// The work is no longer needed, but its connector does not support cancelling.
    NotCancellable,
}

/// Returns the work of all steps that have not ended or were cancelled.
pub(super) async fn provider_work(runtime: &Runtime, job: &str) -> Result<Vec<ProviderWorkStatus>, StoreError> {
    let store = &runtime.inner.parts.store;
    let mut found = Vec::new();
    let mut after = 0;
    // A job ends once all its providers have been told.
    let is_over = store.read_job(job).await?.is_none_or(|row| row.state.status.is_final());
    loop {
        let rows = store.list_steps(job, after, STEP_PAGE_SIZE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.ordinal;
        for row in rows.into_iter().filter(|row| !row.is_over() || row.status == StepStatus::Cancelled) {
            let calls = store.list_calls(job, row.ordinal).await?;
            let Some(mut work) = work_of(runtime, job, &row, &calls).await? else { continue };
            if work.state == ProviderWorkState::NotCancellable && !is_over {
                work.state = ProviderWorkState::Cancelling;
            }
            found.push(work);
        }
    }
}

/// Returns the work of a step's last attempt; `None` if nothing was sent, or it has a result.
async fn work_of(
    runtime: &Runtime,
    job: &str,
    row: &StepRow,
    calls: &[CallRecord],
) -> Result<Option<ProviderWorkStatus>, StoreError> {
    let of_attempt =
        |purpose: &'static str| move |call: &&CallRecord| call.attempt == row.attempt && call.purpose == purpose;
    let Some(submit) = calls.iter().rev().find(of_attempt(CallRecord::SUBMIT)) else { return Ok(None) };
    let operation = match &row.provider_id {
        Some(id) => accepted_operation(runtime, job, id).await?,
        None => None,
    };
    let cancel = calls.iter().rev().find(of_attempt("cancel"));
    let is_answered = submit.reply.as_object().is_some_and(|reply| !reply.is_empty());
    let state = match cancel {
        Some(cancel) => cancel_state(&cancel.reply),
        None if operation.is_none() && !is_answered => ProviderWorkState::Unanswered,
        // A call that was answered without an operation has ended.
        None if operation.is_none() => return Ok(None),
        None if row.status == StepStatus::Cancelled => ProviderWorkState::NotCancellable,
        None => ProviderWorkState::Running,
    };
    let sent_to = || submit.request["url"].as_str().unwrap_or_default().to_owned();
    let step = if row.path.is_empty() { row.step_id.clone() } else { format!("{}/{}", row.path, row.step_id) };
    let url = operation.and_then(|operation| operation.poll_url).unwrap_or_else(sent_to);
    Ok(Some(ProviderWorkStatus { step, provider_id: row.provider_id.clone(), url, state }))
}

fn cancel_state(reply: &Value) -> ProviderWorkState {
    match reply["status"].as_u64() {
        Some(status) if status < 400 => ProviderWorkState::Cancelled,
        Some(status) => ProviderWorkState::CancelFailed(format!("the provider answered {status}")),
        None => {
            ProviderWorkState::CancelFailed(reply["error"].as_str().unwrap_or("the provider did not reply").to_owned())
        }
    }
}

/// Returns what is known of the operation with this provider's id.
async fn accepted_operation(runtime: &Runtime, job: &str, id: &str) -> Result<Option<Operation>, StoreError> {
    let mut after = 0;
    loop {
        let events = runtime.inner.parts.store.read_events(job, after, STEP_PAGE_SIZE).await?;
        let Some(last) = events.last() else { return Ok(None) };
        after = last.seq;
        for event in events {
            let Ok(Event::OperationAccepted { provider_id, .. }) = serde_json::from_value(event.body) else { continue };
            if provider_id.as_deref() == Some(id) {
                let operation = runtime.resolve_reference(job, &ValueRef::Row(event.seq)).await?;
                return Ok(serde_json::from_value(operation).ok());
            }
        }
    }
}
