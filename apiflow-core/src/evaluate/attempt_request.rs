//! Builds the request of an attempt.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::call::{CallContext, CallPlan, KnownArtifacts, WEBHOOK_ADDRESS};
use crate::engine::Call;
use crate::ports::{HttpRequest, own_secret};

/// Builds the request of an attempt, which is the same each time that it is sent.
///
/// With `webhooks`, the provider learns our address, if the operation says how.
///
/// # Errors
/// The error object of the step.
pub(crate) fn build_request(
    job: &str,
    plan: &CallPlan,
    call: &Call,
    arguments: &Value,
    artifacts: &KnownArtifacts,
    webhooks: bool,
) -> Result<HttpRequest, Value> {
    let none = Map::new();
    let key = format!("{job}-{}", call.first_effect);
    let timeout_ms = call.until.map(|until| until.since_ms(call.started_at));
    let (step_id, attempt) = (call.step_id.as_str(), call.attempt);
    let context =
        CallContext { job_id: job, step_id, attempt, idempotency_key: &key, artifacts, timeout_ms, webhook: None };
    let address = own_secret(&format!("{job}.{}", call.effect), WEBHOOK_ADDRESS);
    let context = CallContext { webhook: webhooks.then_some(address.as_str()), ..context };
    let mut request =
        plan.submit_request(arguments.as_object().unwrap_or(&none), &context).map_err(|error| error.to_object())?;
    // The step's own timeout may be shorter than the node's.
    request.timeout = request.timeout.min(Duration::from_millis(call.deadline.since_ms(call.started_at)));
    Ok(request)
}
