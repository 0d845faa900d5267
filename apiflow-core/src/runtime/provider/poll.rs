//! Polls providers for the state of their work.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Caller;
use super::operation_limits::{OperationLimits, PassedLimit};
use super::submit::{CancelOutcome, ask_to_cancel};
use crate::call::{CallError, CallPlan, ErrorClass, Operation, ReplyReading, from_http_error};
use crate::engine::{Answer, Call, Recovery};
use crate::ports::{HttpError, Timestamp, ValueRef};

/// Maximum delay between two polls that is due to webhooks, in milliseconds.
const MAX_CALLED_PAUSE_MS: u64 = 60_000;

/// What a poll needs in addition to the job's bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PollContext {
    pub(crate) step: u64,
    pub(crate) step_id: String,
    pub(crate) path: String,
    pub(crate) attempt: u32,
    pub(crate) deadline: Timestamp,
    /// When the provider accepted the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accepted_at: Option<Timestamp>,
    /// When the work was first seen running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) running_since: Option<Timestamp>,
    /// Fingerprint of what was last recorded of the provider's reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reported: Option<String>,
    #[serde(flatten)]
    pub(crate) subject: PollSubject,
}

/// The purpose of a poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, for one poll")]
pub(crate) enum PollSubject {
    /// To follow accepted work to its end.
    Operation(Operation),
    /// To find out whether the provider accepted an attempt.
    Recovery(RecoveryContext),
}

/// What the search for an attempt of unknown fate needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecoveryContext {
    pub(crate) args: ValueRef,
    pub(crate) first_effect: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) until: Option<Timestamp>,
    pub(crate) search: Recovery,
}

/// The outcome of a poll.
pub(crate) enum Polled {
    /// No news: poll again at this time.
    Later {
        due_at: Timestamp,
        progress: Option<f64>,
        /// The context of further polls, if it changes.
        context: Option<Box<PollContext>>,
    },
    /// The attempt is answered.
    Answered(Answer),
}

impl PollContext {
    /// Creates the context of polls for an accepted call, or for one of unknown fate.
    pub(crate) fn for_call(call: &Call, subject: PollSubject) -> Self {
        Self {
            step: call.step,
            step_id: call.step_id.clone(),
            path: call.path.clone(),
            attempt: call.attempt,
            deadline: call.deadline,
            accepted_at: None,
            running_since: None,
            reported: None,
            subject,
        }
    }

    /// Returns the attempt that is polled for.
    pub(crate) fn to_call(&self, effect: u64) -> Call {
        let sought = if let PollSubject::Recovery(sought) = &self.subject { Some(sought) } else { None };
        Call {
            effect,
            step: self.step,
            step_id: self.step_id.clone(),
            path: self.path.clone(),
            args: sought.map_or(ValueRef::Null, |sought| sought.args.clone()),
            attempt: self.attempt,
            first_effect: sought.map_or(effect, |sought| sought.first_effect),
            started_at: sought.map_or(self.deadline, |sought| sought.started_at),
            deadline: self.deadline,
            until: sought.and_then(|sought| sought.until),
            poll_at: None,
            operation: None,
            recovery: sought.map(|sought| sought.search),
            download: None,
        }
    }
}

impl RecoveryContext {
    /// Creates the context of the search for an attempt.
    pub(crate) fn for_call(call: &Call, search: Recovery) -> Self {
        Self {
            args: call.args.clone(),
            first_effect: call.first_effect,
            started_at: call.started_at,
            until: call.until,
            search,
        }
    }
}

/// Polls once. A poll that fails does not fail the work; only the deadline does.
pub(crate) async fn poll(
    caller: &mut Caller,
    context: &PollContext,
    operation: &Operation,
    effect: u64,
    tries: u32,
) -> Polled {
    let call = context.to_call(effect);
    let plan = match caller.plan_at(&context.path) {
        Ok(plan) => plan,
        Err(error) => return Polled::Answered(Answer::Failed { error }),
    };
    caller.reported_cost = operation.reported_cost.clone();
    let now = caller.now();
    let reading = match plan.poll_request(operation) {
        Ok(request) => match caller.send_for_outputs(&call, "poll", &request, &plan).await {
            Ok(reply) => {
                let (reader, operation) = (Arc::clone(&plan), operation.clone());
                caller.read_outputs(&call, &plan, reply, move |reply| reader.read_poll(&operation, reply)).await
            }
            Err(error) => reading_of_lost_poll(&error, from_http_error(&error, &request, true)),
        },
        Err(error) => ReplyReading::Failed(error),
    };
    let reading = if let ReplyReading::Fetch(operation) = reading {
        fetch_result(caller, &plan, &call, &operation).await
    } else {
        reading
    };
    let reading = tolerate_missing(reading, &plan, context, now);
    let is_over = !matches!(reading, ReplyReading::Running(_) | ReplyReading::Fetch(_) | ReplyReading::Again(_));
    let limits = OperationLimits::new(&plan, context, &reading, now);
    if let Some(limit) = limits.passed_at(now).filter(|_| !is_over) {
        // Work that had ended by its deadline was paid for: only work that is still running is abandoned.
        let cancellation = ask_to_cancel(caller, &call, operation).await;
        let error = caller.error_with_log(too_slow(limit, operation, &reading, &cancellation));
        return Polled::Answered(Answer::Failed { error: error_with_operation(&error, operation) });
    }
    // A poll that failed says nothing about the work.
    let is_report = plan.has_report() && !matches!(reading, ReplyReading::Again(_));
    let reported = if is_report { Some(caller.report.fingerprint()) } else { context.reported.clone() };
    let later = |hint: Option<u64>, progress| {
        let interval = plan.poll_after_ms(tries + 1);
        // A webhook makes the poll due; polling goes on slowly, because webhooks may be lost.
        let is_called = caller.webhooks && plan.webhook_signature().is_some();
        let interval = if is_called { interval.max((interval * 6).min(MAX_CALLED_PAUSE_MS)) } else { interval };
        let wait = hint.unwrap_or(0).max(interval);
        let due_at = now.plus_ms(wait).min(limits.first_moment());
        let is_new = limits.running_since != context.running_since || reported != context.reported;
        let (running_since, reported) = (limits.running_since, reported.clone());
        let context = is_new.then(|| Box::new(PollContext { running_since, reported, ..context.clone() }));
        Polled::Later { due_at, progress, context }
    };
    match reading {
        ReplyReading::Done(result) => Polled::Answered(Answer::Done { result }),
        ReplyReading::Download(operation) => Polled::Answered(Answer::Downloading { operation: Box::new(operation) }),
        ReplyReading::Running(operation) | ReplyReading::Fetch(operation) => {
            later(operation.retry_after_ms, operation.progress)
        }
        ReplyReading::Again(error) => later(error.retry_after_ms(), None),
        ReplyReading::Failed(error) => {
            Polled::Answered(Answer::Failed { error: error_with_operation(&error, operation) })
        }
    }
}

async fn fetch_result(caller: &mut Caller, plan: &Arc<CallPlan>, call: &Call, operation: &Operation) -> ReplyReading {
    let request = match plan.result_request(operation) {
        Ok(request) => request,
        Err(error) => return ReplyReading::Failed(error),
    };
    match caller.send_for_outputs(call, "result", &request, plan).await {
        Ok(reply) => {
            let (reader, operation) = (Arc::clone(plan), operation.clone());
            caller.read_outputs(call, plan, reply, move |reply| reader.read_result(&operation, reply)).await
        }
        Err(error) => reading_of_lost_poll(&error, from_http_error(&error, &request, true)),
    }
}

/// Interprets a poll without a usable reply: what was refused here will be refused again, and a reply that is too large
/// stays too large; other errors may be temporary.
fn reading_of_lost_poll(error: &HttpError, read: CallError) -> ReplyReading {
    match error {
        HttpError::Refused(_) | HttpError::Secret(_) | HttpError::TooLarge(_) => ReplyReading::Failed(read),
        HttpError::Connect(_) | HttpError::Unknown(_) | HttpError::Reply(_) => ReplyReading::Again(read),
    }
}

pub(super) fn error_with_operation(error: &CallError, followed: &Operation) -> Value {
    let mut object = error.to_object();
    if let (Some(id), Value::Object(fields)) = (&followed.id, &mut object) {
        fields.entry("provider_id").or_insert_with(|| json!(id));
    }
    object
}

/// Work that the provider does not know, as long as its submit is recent, may be known a moment later.
fn tolerate_missing(reading: ReplyReading, plan: &CallPlan, context: &PollContext, now: Timestamp) -> ReplyReading {
    match reading {
        ReplyReading::Failed(error)
            if error.class == ErrorClass::NotFound
                && context.accepted_at.is_some_and(|at| now < at.plus_ms(plan.missing_grace_ms())) =>
        {
            ReplyReading::Again(error)
        }
        other @ (ReplyReading::Done(_)
        | ReplyReading::Running(_)
        | ReplyReading::Fetch(_)
        | ReplyReading::Download(_)
        | ReplyReading::Again(_)
        | ReplyReading::Failed(_)) => other,
    }
}

/// Returns the error of work that had not ended at a limit, with the provider's last reply.
fn too_slow(limit: PassedLimit, followed: &Operation, last: &ReplyReading, cancellation: &CancelOutcome) -> CallError {
    let id = followed.id.as_deref().unwrap_or("(no id)");
    let said = match last {
        ReplyReading::Again(error) | ReplyReading::Failed(error) => format!("its last reply: {}", error.message),
        ReplyReading::Running(operation) | ReplyReading::Fetch(operation) => match &operation.state {
            Some(state) => format!("its last state was `{state}`"),
            None => "its last reply had no state".to_owned(),
        },
        ReplyReading::Done(_) | ReplyReading::Download(_) => "it has ended since".to_owned(),
    };
    let left = cancellation.describe();
    let (happened, advice) = limit.describe();
    let message = format!("the provider's operation `{id}` {happened} ({said}); {left}; {advice}");
    let mut error = CallError::new(ErrorClass::Timeout, message).with_detail("limit", limit.name());
    if let ReplyReading::Again(CallError { detail: Value::Object(known), .. }) = last {
        for key in ["status", "url", "excerpt"] {
            if let Some(value) = known.get(key) {
                error = error.with_detail(key, value.clone());
            }
        }
    }
    error
}
