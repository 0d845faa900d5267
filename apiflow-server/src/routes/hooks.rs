//! The route that providers call with news of their work.

use apiflow_core::runtime::{ReceiveError, WebhookMessage, WebhookOutcome};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::extract::InPath;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::secrets::read_webhook_target;
use crate::state::AppState;

/// Maximum size of a message, in bytes: what it says is not read, only its signature.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The routes of webhooks.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(receive_webhook))
}

/// Takes a provider's message about its work: the provider is then asked for the state of the work. Each submit has an
/// address of its own; messages are verified as the operation's `webhook` says, and repeated ones are harmless.
#[utoipa::path(post, path = "/hooks/{address}", operation_id = "receive_webhook", tag = "jobs", security(()),
    params(("address" = String, Path)), request_body(content = String, content_type = "application/json"),
    responses((status = NO_CONTENT, description = "the message was accepted")))]
async fn receive_webhook(
    State(state): State<AppState>,
    InPath(address): InPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let target =
        read_webhook_target(&state.secrets, &address).ok_or_else(|| Problem::not_found("invalid webhook address"))?;
    if body.len() > MAX_MESSAGE_BYTES {
        let message = format!("the message is larger than {MAX_MESSAGE_BYTES} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, problem_codes::TOO_LARGE, message));
    }
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let message = WebhookMessage { job: &target.job, effect: target.effect, headers: &headers, body: &body };
    match state.runtime.receive_webhook(message, state.secrets.as_ref()).await {
        Ok(WebhookOutcome::PollIsDue | WebhookOutcome::Over) => Ok(StatusCode::NO_CONTENT),
        // Providers send a message again that was not accepted.
        Ok(WebhookOutcome::TooEarly) => Err(Problem::too_many("the work is not followed yet: send this again", 1)),
        Err(ReceiveError::Refused(error)) => Err(Problem::forbidden(error.to_string())),
        Err(ReceiveError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::internal(error)),
    }
}
