//! What an attempt sends.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::call::{CallContext, CallPlan};
use crate::engine::Call;
use crate::ports::HttpRequest;

/// The request of an attempt, the same for every sending of it; or the error object for the step.
pub(crate) fn build_request(job: &str, plan: &CallPlan, call: &Call, arguments: &Value) -> Result<HttpRequest, Value> {
    let none = Map::new();
    let key = format!("{job}-{}", call.first_effect);
    let context = CallContext { job_id: job, step_id: &call.step_id, attempt: call.attempt, idempotency_key: &key };
    let mut request =
        plan.submit_request(arguments.as_object().unwrap_or(&none), &context).map_err(|error| error.to_object())?;
    // A step's own bound may be tighter than the node's.
    request.timeout = request.timeout.min(Duration::from_millis(call.deadline.since_ms(call.started_at)));
    Ok(request)
}
