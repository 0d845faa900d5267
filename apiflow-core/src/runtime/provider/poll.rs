//! Asking a provider how far its work is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Caller;
use super::submit::{Cancellation, ask_to_cancel};
use crate::call::{CallError, CallPlan, ErrorClass, Operation, Reading, from_http_error};
use crate::engine::{Answer, Call, ValueRef};
use crate::ports::{HttpError, Timestamp};

/// What a poll needs beside the job's bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) step: u64,
    pub(crate) step_id: String,
    pub(crate) path: String,
    pub(crate) attempt: u32,
    pub(crate) deadline: Timestamp,
    pub(crate) operation: Operation,
}

/// What came of a poll.
pub(crate) enum Polled {
    /// Nothing new: ask again then.
    Later { due_at: Timestamp, progress: Option<f64> },
    /// The attempt is answered.
    Answered(Answer),
}

impl Ticket {
    pub(crate) fn call(&self, effect: u64) -> Call {
        Call {
            effect,
            step: self.step,
            step_id: self.step_id.clone(),
            path: self.path.clone(),
            args: ValueRef::Null,
            attempt: self.attempt,
            first_effect: effect,
            started_at: self.deadline,
            deadline: self.deadline,
            until: None,
            poll_at: None,
            operation: None,
        }
    }
}

/// Asks once. A poll that fails on the way never fails the work; only the deadline does.
pub(crate) async fn poll(caller: &mut Caller, ticket: &Ticket, effect: u64, tries: u32) -> Polled {
    let call = ticket.call(effect);
    let plan = match caller.plan(&ticket.path) {
        Ok(plan) => plan,
        Err(error) => return Polled::Answered(Answer::Failed { error }),
    };
    let now = caller.now();
    let reading = match plan.poll(&ticket.operation) {
        Ok(request) => match caller.send(&call, "poll", &request).await {
            Ok(reply) => plan.read_poll(&ticket.operation, &reply),
            Err(error) => lost(&error, from_http_error(&error, &request, true)),
        },
        Err(error) => Reading::Failed(error),
    };
    let reading =
        if let Reading::Fetch(operation) = reading { fetch(caller, &plan, &call, &operation).await } else { reading };
    let is_over = !matches!(reading, Reading::Running(_) | Reading::Fetch(_) | Reading::Again(_));
    if !is_over && now >= ticket.deadline {
        // Work that had ended by its deadline was paid for: only what still runs is given up.
        let cancellation = ask_to_cancel(caller, &call, &ticket.operation).await;
        return Polled::Answered(Answer::Failed { error: too_slow(ticket, &reading, &cancellation) });
    }
    let later = |hint: Option<u64>, progress| {
        let wait = hint.unwrap_or(0).max(plan.poll_after_ms(tries + 1));
        Polled::Later { due_at: now.plus_ms(wait).min(ticket.deadline), progress }
    };
    match reading {
        Reading::Done(result) => Polled::Answered(match caller.bounded(result) {
            Ok(result) => Answer::Done { result },
            Err(error) => Answer::Failed { error },
        }),
        Reading::Running(operation) | Reading::Fetch(operation) => later(operation.retry_after_ms, operation.progress),
        Reading::Again(error) => later(error.retry_after_ms(), None),
        Reading::Failed(error) => Polled::Answered(Answer::Failed { error: named(&error, ticket) }),
    }
}

async fn fetch(caller: &mut Caller, plan: &CallPlan, call: &Call, operation: &Operation) -> Reading {
    let request = match plan.result(operation) {
        Ok(request) => request,
        Err(error) => return Reading::Failed(error),
    };
    match caller.send(call, "result", &request).await {
        Ok(reply) => plan.read_result(operation, &reply),
        Err(error) => lost(&error, from_http_error(&error, &request, true)),
    }
}

/// What the loss of a poll means: what was refused here will be refused again, all else may pass.
fn lost(error: &HttpError, read: CallError) -> Reading {
    match error {
        HttpError::Refused(_) | HttpError::Secret(_) => Reading::Failed(read),
        HttpError::Connect(_) | HttpError::Unknown(_) | HttpError::Reply(_) => Reading::Again(read),
    }
}

fn named(error: &CallError, ticket: &Ticket) -> Value {
    let mut object = error.to_object();
    if let (Some(id), Value::Object(fields)) = (&ticket.operation.id, &mut object) {
        fields.entry("provider_id").or_insert_with(|| json!(id));
    }
    object
}

/// The error of work that had not ended at its deadline, with what the provider said last.
fn too_slow(ticket: &Ticket, last: &Reading, cancellation: &Cancellation) -> Value {
    let id = ticket.operation.id.as_deref().unwrap_or("(no id)");
    let said = match last {
        Reading::Again(error) | Reading::Failed(error) => format!("the last answer: {}", error.message),
        Reading::Running(operation) | Reading::Fetch(operation) => match &operation.state {
            Some(state) => format!("its last state was `{state}`"),
            None => "the last answer named no state of it".to_owned(),
        },
        Reading::Done(_) => "it ended meanwhile".to_owned(),
    };
    let left = match cancellation {
        Cancellation::Accepted => "it was cancelled there".to_owned(),
        Cancellation::Undeclared => {
            "it may go on there and be charged, because the operation has no `cancel` rule".to_owned()
        }
        Cancellation::Failed(reason) => format!("it may go on there and be charged: cancelling failed, {reason}"),
    };
    let message = format!(
        "the provider's work `{id}` had not ended at its deadline ({said}); {left}; raise the node's `data.timeout_s` if \
         it needs longer"
    );
    let mut error = CallError::new(ErrorClass::Timeout, message);
    if let Reading::Again(CallError { detail: Value::Object(known), .. }) = last {
        for key in ["status", "url", "excerpt"] {
            if let Some(value) = known.get(key) {
                error = error.with(key, value.clone());
            }
        }
    }
    named(&error, ticket)
}
