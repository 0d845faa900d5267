//! Starting work at a provider, and calling it off.

use serde_json::Value;

use super::Caller;
use crate::call::{CallPlan, ErrorClass, Operation, Reading, from_http_error};
use crate::engine::{Answer, Call};
use crate::evaluate::request;
use crate::ports::CallRecord;

/// Tries to tell a provider that nobody wants its work any more.
const CANCEL_TRIES: u32 = 3;

/// Sends an attempt and reads what came of it. Sends the submit exactly once.
pub(crate) async fn submit(caller: &mut Caller, call: &Call, arguments: Value) -> Answer {
    let plan = match caller.plan(&call.path) {
        Ok(plan) => plan,
        Err(error) => return Answer::Failed { error },
    };
    let request = match request(&caller.job, &plan, call, &arguments) {
        Ok(request) => request,
        Err(error) => return Answer::Failed { error },
    };
    match caller.send(call, CallRecord::SUBMIT, &request).await {
        Ok(reply) => {
            let answer = read(caller, call, &plan, plan.read_submit(&reply));
            if let Answer::Accepted { provider_id: Some(id), .. } = &answer {
                // What this attempt was given is its own, whatever was noted before.
                let _noted = caller.follow(call, &request.url, id).await;
            }
            answer
        }
        Err(error) => {
            let error = from_http_error(&error, &request, plan.is_repeatable());
            if error.class == ErrorClass::SubmitUnknown {
                return super::recover(caller, call, arguments).await;
            }
            Answer::Failed { error: error.to_object() }
        }
    }
}

/// What the reading of a submit means for the attempt.
fn read(caller: &Caller, call: &Call, plan: &CallPlan, reading: Reading) -> Answer {
    match reading {
        Reading::Done(result) => match caller.bounded(result) {
            Ok(result) => Answer::Done { result },
            Err(error) => Answer::Failed { error },
        },
        Reading::Running(operation) => {
            let wait = operation.retry_after_ms.unwrap_or(0).max(plan.poll_after_ms(0));
            accepted(caller, call, plan, &operation, wait)
        }
        Reading::Fetch(operation) => accepted(caller, call, plan, &operation, 0),
        Reading::Again(error) | Reading::Failed(error) => Answer::Failed { error: error.to_object() },
    }
}

pub(super) fn accepted(caller: &Caller, call: &Call, plan: &CallPlan, operation: &Operation, wait_ms: u64) -> Answer {
    let now = caller.now();
    let slowest = now.plus_ms(plan.operation_timeout_ms());
    Answer::Accepted {
        provider_id: operation.id.clone(),
        operation: serde_json::to_value(operation).expect("an operation is plain data"),
        poll_at: now.plus_ms(wait_ms),
        deadline: call.until.map_or(slowest, |until| until.min(slowest)),
    }
}

/// Tells the provider that nobody wants the work any more; a provider that cannot be told is not an error.
pub(crate) async fn cancel(caller: &mut Caller, call: &Call, operation: Value) -> Answer {
    let operation: Operation = serde_json::from_value(operation).unwrap_or_default();
    let Ok(Some(Ok(request))) = caller.plan(&call.path).map(|plan| plan.cancel(&operation)) else {
        return Answer::Cancelled;
    };
    for tries in 1..=CANCEL_TRIES {
        match caller.send(call, "cancel", &request).await {
            Ok(reply) if reply.status < 500 && reply.status != 429 => break,
            Ok(_) | Err(_) if tries < CANCEL_TRIES => {
                let pause = caller.now().plus_ms(500 << tries);
                caller.clock.sleep_until(pause).await;
            }
            Ok(_) | Err(_) => {}
        }
    }
    Answer::Cancelled
}
