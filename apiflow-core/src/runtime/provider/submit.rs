//! Submits work to a provider, and cancels it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::upload::upload_files;
use super::{Caller, admission};
use crate::call::{CallError, CallPlan, ErrorClass, Operation, ReplyReading, from_http_error, rate_limit_key};
use crate::engine::{Answer, Call};
use crate::evaluate::{build_request, find_artifacts};
use crate::ports::{Artifacts, CallRecord, HttpRequest};

/// Maximum number of tries to cancel work at a provider.
const MAX_CANCEL_TRIES: u32 = 3;
/// Default duration of a rate limit if the provider does not state one, in milliseconds.
pub(in crate::runtime) const DEFAULT_PAUSE_MS: u64 = 1_000;
/// Delay before a submit that was not sent because the store did not answer is tried again, in milliseconds.
pub(super) const STORE_RETRY_MS: u64 = 1_000;

/// The submit of an attempt: built once, journalled, then sent.
pub(crate) struct Submit {
    plan: Arc<CallPlan>,
    pub(crate) request: HttpRequest,
}

impl Submit {
    /// Builds the submit of an attempt of a job, with the job's user.
    ///
    /// # Errors
    /// The error object of the step, if an argument is invalid or an artifact cannot be read.
    pub(crate) async fn build(
        (job, user): (&str, Option<&str>),
        plan: Arc<CallPlan>,
        call: &Call,
        arguments: &Value,
        artifacts: &dyn Artifacts,
        webhooks: bool,
    ) -> Result<Self, Value> {
        let artifacts = find_artifacts(artifacts, (job, user), &plan, arguments).await?;
        let request = build_request(job, &plan, call, arguments, &artifacts, webhooks)?;
        Ok(Self { plan, request })
    }
}

/// Sends an attempt and interprets the reply. Sends the submit at most once, and not at all while the provider's rate
/// limit for these credentials is in effect, its connector's limits leave no slot, or a budget does not allow it.
pub(crate) async fn submit_attempt(caller: &mut Caller, call: &Call, submit: &Submit) -> Answer {
    let Submit { plan, request } = submit;
    let limit = rate_limit_key(request);
    if let Some(answer) = hold_back(caller, call, plan, &limit).await {
        return answer;
    }
    if let Some(answer) = admission::admit_submit(caller, call, plan, &limit).await {
        return answer;
    }
    let uploaded = match upload_files(caller, call, plan, request).await {
        Ok(uploaded) => uploaded,
        Err(error) => {
            caller.note_unsent(call, &error.message);
            return Answer::Failed { error: error.to_object() };
        }
    };
    // Uploading takes time, in which another submit may have met the rate limit.
    if uploaded.is_some()
        && let Some(answer) = hold_back(caller, call, plan, &limit).await
    {
        return answer;
    }
    let request = uploaded.as_ref().unwrap_or(request);
    match caller.send_for_outputs(call, CallRecord::SUBMIT, request, plan).await {
        Ok(reply) => {
            let reader = Arc::clone(plan);
            let reading = caller.read_outputs(call, plan, reply, move |reply| reader.read_submit(reply)).await;
            record_first_report(caller, call, &reading).await;
            if let ReplyReading::Failed(error) = &reading
                && error.is_refusal_for_now
            {
                // Only a rate limit concerns the other calls with these credentials.
                return if error.class == ErrorClass::RateLimited {
                    note_rate_limit(caller, plan, &limit, error).await
                } else {
                    not_accepted(plan, error, true)
                };
            }
            let answer = read(caller, call, plan, reading);
            if let Answer::Accepted { provider_id: Some(id), .. } = &answer {
                // The reply belongs to this attempt, whatever was recorded before.
                if let Err(error) = caller.claim_work(call, &request.url, id).await {
                    tracing::warn!(%error, job = caller.job, id, "a claim of provider work could not be recorded");
                }
            }
            answer
        }
        Err(error) => {
            let error = from_http_error(&error, request, plan.is_repeatable());
            // The provider accepted the work, but its id is in a reply that is too large: its list may contain it.
            let is_unread = error.class == ErrorClass::OutputTooLarge && !plan.is_repeatable();
            if error.class == ErrorClass::SubmitUnknown || is_unread && plan.recover_request().is_some() {
                return super::search_lost(plan, caller.now(), caller.listing_delay_ms, request);
            }
            Answer::Failed { error: error.to_object() }
        }
    }
}

/// Returns the answer to an attempt that must not be sent now, if so.
async fn hold_back(caller: &mut Caller, call: &Call, plan: &CallPlan, limit: &str) -> Option<Answer> {
    let (class, reason, pause_ms) = match caller.store.read_submit_pause(limit).await {
        Ok(None) => return None,
        Ok(Some(pause)) => {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let reason = format!("not sent: the provider's rate limit lasts for another {pause_ms} ms");
            (ErrorClass::RateLimited, reason, pause_ms)
        }
        Err(error) => {
            tracing::warn!(%error, job = caller.job, "the rate limit of a provider could not be read; nothing is sent");
            (ErrorClass::Unavailable, "not sent: the store is unavailable".to_owned(), STORE_RETRY_MS)
        }
    };
    caller.note_unsent(call, &reason);
    let error = CallError::new(class, reason).with_detail("retry_after_ms", pause_ms);
    Some(not_accepted(plan, &error, false))
}

/// Pauses all submits that share the rate limit because of which the provider refused this one.
async fn note_rate_limit(caller: &Caller, plan: &CallPlan, limit: &str, error: &CallError) -> Answer {
    let pause = Duration::from_millis(error.retry_after_ms().unwrap_or(DEFAULT_PAUSE_MS));
    if let Err(error) = caller.store.pause_submits(limit, pause).await {
        tracing::warn!(%error, job = caller.job, limit, "a rate limit could not be recorded for other jobs");
    }
    not_accepted(plan, error, true)
}

pub(super) fn not_accepted(plan: &CallPlan, error: &CallError, sent: bool) -> Answer {
    let patience_ms = plan.refusal_patience_ms();
    Answer::NotAccepted { error: error.to_object(), patience_ms, sent, waits_for_slot: false }
}

/// Records what the reply to a submit says about the work, if it says anything.
async fn record_first_report(caller: &mut Caller, call: &Call, reading: &ReplyReading) {
    if caller.report.is_empty() {
        return;
    }
    match reading {
        ReplyReading::Running(_) | ReplyReading::Fetch(_) => caller.record_report(call.step, call.attempt).await,
        ReplyReading::Done(_) | ReplyReading::Download(_) | ReplyReading::Again(_) | ReplyReading::Failed(_) => {
            caller.record_last_report(call.step, call.attempt).await;
        }
    }
}

/// Converts the reading of a submit to the answer of the attempt.
fn read(caller: &Caller, call: &Call, plan: &CallPlan, reading: ReplyReading) -> Answer {
    match reading {
        ReplyReading::Done(result) => Answer::Done { result },
        ReplyReading::Running(operation) => {
            let wait = operation.retry_after_ms.unwrap_or(0).max(plan.poll_after_ms(0));
            apply_operation_accepted(caller, call, plan, operation, wait)
        }
        ReplyReading::Fetch(operation) => apply_operation_accepted(caller, call, plan, operation, 0),
        ReplyReading::Download(operation) => Answer::Downloading { operation: Box::new(operation) },
        ReplyReading::Again(error) | ReplyReading::Failed(error) => Answer::Failed { error: error.to_object() },
    }
}

pub(super) fn apply_operation_accepted(
    caller: &Caller,
    call: &Call,
    plan: &CallPlan,
    operation: Operation,
    wait_ms: u64,
) -> Answer {
    let now = caller.now();
    let slowest = now.plus_ms(plan.operation_timeout_ms());
    Answer::Accepted {
        provider_id: operation.id.clone(),
        operation: Box::new(operation),
        poll_at: now.plus_ms(wait_ms),
        deadline: call.until.map_or(slowest, |until| until.min(slowest)),
    }
}

/// Asks the provider to cancel the work; a failure is not an error.
pub(crate) async fn cancel_work(caller: &mut Caller, call: &Call, operation: Value) -> Answer {
    let operation: Operation = serde_json::from_value(operation).unwrap_or_default();
    let outcome = ask_to_cancel(caller, call, &operation).await;
    // What becomes of the work shows in the record of the last request.
    let note = outcome.describe();
    match caller.records.last_mut() {
        Some(record) => record.reply["note"] = json!(note),
        None => caller.records.push(CallRecord {
            step: call.step,
            attempt: call.attempt,
            purpose: "cancel".to_owned(),
            at: caller.now(),
            duration_ms: 0,
            request: Value::Null,
            reply: json!({"note": note}),
        }),
    }
    Answer::Cancelled
}

/// The outcome of asking a provider to cancel work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CancelOutcome {
    /// The provider accepted the request; whether the work is charged, if that is known.
    Accepted(Option<bool>),
    /// The provider says that the work has already ended.
    AlreadyEnded,
    /// The provider answered with this status, as it does for work that has ended; but also for work that it never knew.
    MayHaveEnded(u16),
    /// The operation does not declare how to cancel.
    Undeclared,
    /// The request was refused or did not arrive, for this reason.
    Failed(String),
}

impl CancelOutcome {
    /// Describes what becomes of the work, and whether it may be charged.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Accepted(None) => "it was cancelled at the provider, which may still charge for it".to_owned(),
            Self::Accepted(Some(true)) => "it was cancelled at the provider, which charges for it".to_owned(),
            Self::Accepted(Some(false)) => "it was cancelled at the provider, which does not charge for it".to_owned(),
            Self::AlreadyEnded => "it had already ended at the provider, and may be charged".to_owned(),
            Self::MayHaveEnded(status) => format!(
                "it may have ended already, or continue and be charged: cancelling it failed: the provider answered \
                 {status}"
            ),
            Self::Undeclared => "it may continue and be charged, because the operation has no `cancel` rule".to_owned(),
            Self::Failed(reason) => format!("it may continue and be charged, because cancelling it failed: {reason}"),
        }
    }
}

/// Asks the provider to cancel work; repeats the request if the provider is overloaded or unreachable.
pub(super) async fn ask_to_cancel(caller: &mut Caller, call: &Call, operation: &Operation) -> CancelOutcome {
    let Ok(plan) = caller.plan_at(&call.path) else { return CancelOutcome::Undeclared };
    let request = match plan.cancel_request(operation) {
        Some(Ok(request)) => request,
        Some(Err(error)) => return CancelOutcome::Failed(error.message),
        None => return CancelOutcome::Undeclared,
    };
    let mut reason = String::new();
    for tries in 1..=MAX_CANCEL_TRIES {
        let answered = caller.send(call, "cancel", &request).await;
        reason = match answered {
            Ok(reply) if (200..300).contains(&reply.status) => {
                return CancelOutcome::Accepted(plan.is_cancelled_work_billed());
            }
            Ok(reply) if plan.is_ended_by_status(reply.status) => return CancelOutcome::AlreadyEnded,
            Ok(reply) if [404, 409, 410].contains(&reply.status) => return CancelOutcome::MayHaveEnded(reply.status),
            Ok(reply) => {
                let reason = format!("the provider answered {}", reply.status);
                if reply.status < 500 && reply.status != 429 {
                    return CancelOutcome::Failed(reason);
                }
                reason
            }
            Err(error) => error.to_string(),
        };
        if tries < MAX_CANCEL_TRIES {
            let pause = caller.now().plus_ms(500 << tries);
            caller.clock.sleep_until(pause).await;
        }
    }
    CancelOutcome::Failed(reason)
}
