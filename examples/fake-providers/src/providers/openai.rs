//! OpenAI: images in base64, edits as multipart forms, speech as bytes or events, transcriptions, videos.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde_json::{Value, json};

mod audio;
mod images;
mod videos;

use crate::provider::Provider;
use crate::switches::Outcome;
use crate::task::Task;
use crate::world::World;

const PROVIDER: Provider = Provider::OpenAi;

/// Builds the routes below `/openai`.
pub(crate) fn build_routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/images/generations", post(images::generate))
        .route("/v1/images/edits", post(images::edit))
        .route("/v1/audio/speech", post(audio::speak))
        .route("/v1/audio/transcriptions", post(audio::transcribe))
        .route("/v1/videos", post(videos::create))
        .route("/v1/videos/{id}", get(videos::read).delete(videos::delete))
        .route("/v1/videos/{id}/content", get(videos::read_content))
        .layer(middleware::map_response(add_headers))
}

/// Returns the body of an error.
pub(crate) fn build_error(status: StatusCode, code: Option<&str>, message: &str) -> Value {
    let (kind, usual) = match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("not_found")),
        429 if code == Some("insufficient_quota") => ("insufficient_quota", None),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _other => ("invalid_request_error", None),
    };
    let kind = if code == Some("moderation_blocked") { "image_generation_user_error" } else { kind };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code.or(usual)}})
}

/// Replies that a parameter is wrong.
fn reply_with_wrong_parameter(name: &str, message: &str) -> Response {
    let mut body = build_error(StatusCode::BAD_REQUEST, None, message);
    body["error"]["param"] = json!(name);
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

/// Waits for the end of the work; the error is that of the work.
async fn wait_for_success(world: &World, task: Task) -> Result<Task, Box<Response>> {
    world.wait_for_end(&task).await;
    match task.switches.outcome {
        Outcome::Succeeded => Ok(task),
        Outcome::Failed => {
            Err(Box::new(PROVIDER.reply_with_error(StatusCode::INTERNAL_SERVER_ERROR, None, &task.switches.error)))
        }
        Outcome::Moderated => {
            let message = "Your request was rejected by the safety system.";
            Err(Box::new(PROVIDER.reply_with_error(StatusCode::BAD_REQUEST, Some("moderation_blocked"), message)))
        }
    }
}

/// Adds the request id, and the limits as texts of durations.
async fn add_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-request-id", "req_fake"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-remaining-requests", "499"),
        ("x-ratelimit-reset-requests", "120ms"),
    ] {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}
