//! Stability AI v2beta: every call is a multipart form, `Accept` chooses bytes or JSON, some work is polled by HTTP status.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{draw_pictures, parse_aspect_ratio, render_content};
use crate::body::{JsonPart, Sending, reply_with_file, reply_with_json_parts};
use crate::call::{Call, Form};
use crate::media::{InputImage, Media, Sound};
use crate::provider::Provider;
use crate::switches::Outcome;
use crate::task::{Phase, Task};
use crate::world::World;

const PROVIDER: Provider = Provider::Stability;
/// Calls whose result is fetched later.
const ASYNCHRONOUS: [&str; 3] =
    ["stable-image/upscale/creative", "stable-image/edit/replace-background-and-relight", "image-to-video"];
/// Duration of videos and of audio, in seconds.
const FILM_DURATION_S: f32 = 4.0;

/// Builds the routes below `/stability`.
pub(crate) fn build_routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v2beta/results/{id}", get(read_result))
        .route("/v2beta/stable-image/upscale/creative/result/{id}", get(read_result))
        .route("/v2beta/image-to-video/result/{id}", get(read_result))
        .route("/v2beta/{*operation}", post(create))
}

/// Returns the body of an error.
pub(crate) fn build_error(status: StatusCode, code: Option<&str>, message: &str) -> Value {
    let usual = match status.as_u16() {
        400 => "bad_request",
        401 => "unauthorized",
        402 => "payment_required",
        403 => "content_moderation",
        404 => "not_found",
        413 => "payload_too_large",
        422 => "unprocessable_entity",
        429 => "rate_limit_exceeded",
        _other => "internal_error",
    };
    json!({"id": "ab12cd34ef56", "name": code.unwrap_or(usual), "errors": [message]})
}

/// `POST /v2beta/{operation}`.
async fn create(State(world): State<Arc<World>>, Path(operation): Path<String>, call: Call) -> Response {
    let Ok(form) = call.read_form().await else {
        let message = "content-type: must be multipart/form-data";
        return PROVIDER.reply_with_error(StatusCode::BAD_REQUEST, None, message);
    };
    let task = match accept(&world, &operation, &call, &form) {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    if ASYNCHRONOUS.contains(&operation.as_str()) {
        return Json(json!({"id": task.id})).into_response();
    }
    world.wait_for_end(&task).await;
    reply_with_output(&world, &task, call.header("accept"), None).await
}

fn accept(world: &Arc<World>, operation: &str, call: &Call, form: &Form) -> Result<Task, Box<Response>> {
    let number = world.open_call(PROVIDER, call, form.describe())?;
    let refuse = |message: &str| Err(Box::new(PROVIDER.reply_with_error(StatusCode::BAD_REQUEST, None, message)));
    let image = form.file(&["image", "init_image"]);
    let needs_image = ["edit/", "upscale/", "control/", "image-to-video"].iter().any(|word| operation.contains(word));
    if needs_image && image.is_none() {
        return refuse("image: is required");
    }
    let prompt = form.text("prompt").unwrap_or_default();
    if !needs_image && prompt.is_empty() {
        return refuse("prompt: is required");
    }
    let wanted = call.header("accept");
    let kinds = ["image/*", "video/*", "audio/*", "application/json", "*/*"];
    if !ASYNCHRONOUS.contains(&operation) && !kinds.contains(&wanted) {
        return refuse("accept: must be one of image/*, video/*, audio/*, application/json");
    }
    let seed = form.text("seed").unwrap_or("0");
    let media = if operation.starts_with("audio/") {
        Media::Mp3(Sound { text: prompt.to_owned(), duration_s: FILM_DURATION_S })
    } else {
        let size = form.text("aspect_ratio").and_then(parse_aspect_ratio);
        let mut pictures = draw_pictures(prompt, seed, 1, size);
        pictures[0].input = image.map(|image| InputImage::from_bytes(image.bytes.clone()));
        match (pictures.pop(), operation) {
            (Some(picture), "image-to-video") => Media::Mp4(picture, FILM_DURATION_S),
            (Some(picture), _) => Media::Png(picture),
            (None, _) => return refuse("there is no picture"),
        }
    };
    let input = json!({"prompt": prompt, "seed": seed});
    world.accept(PROVIDER, call, number, (operation, input), vec![media])
}

/// `GET /v2beta/results/{id}`: 202 while the work runs, 404 if it is unknown.
async fn read_result(State(world): State<Arc<World>>, Path(id): Path<String>, call: Call) -> Response {
    let task = match world.poll(PROVIDER, &call, &id) {
        Ok(Some(task)) => task,
        Ok(None) => return PROVIDER.reply_with_error(StatusCode::NOT_FOUND, None, "result not found"),
        Err(reply) => return *reply,
    };
    match task.phase(world.now()) {
        Phase::Running(_) => {
            (StatusCode::ACCEPTED, Json(json!({"id": task.id, "status": "in-progress"}))).into_response()
        }
        Phase::Ended(_) | Phase::Cancelled => {
            reply_with_output(&world, &task, call.header("accept"), Some("result")).await
        }
    }
}

/// Replies with the file, or with JSON that contains it under `key`; without one, under its kind.
async fn reply_with_output(world: &World, task: &Task, accept: &str, key: Option<&str>) -> Response {
    match task.phase(world.now()) {
        Phase::Ended(Outcome::Succeeded) => {}
        Phase::Ended(Outcome::Moderated) => {
            let message = "Your request was flagged by our content moderation system, as a result your request was denied and you were not charged.";
            return PROVIDER.reply_with_error(StatusCode::FORBIDDEN, None, message);
        }
        Phase::Ended(Outcome::Failed) | Phase::Running(_) | Phase::Cancelled => {
            return PROVIDER.reply_with_error(StatusCode::INTERNAL_SERVER_ERROR, None, &task.switches.error);
        }
    }
    let (media, switches) = (&task.outputs[0], &task.switches);
    let content = render_content(media, switches).await;
    let seed =
        task.input["seed"].as_str().and_then(|seed| seed.parse().ok()).filter(|seed| *seed > 0).unwrap_or(42_u32);
    if accept == "application/json" {
        let kind = match media.as_ref() {
            Media::Png(_) => "image",
            Media::Mp4(..) => "video",
            Media::Wav(_) | Media::Mp3(_) | Media::Pcm(_) => "audio",
        };
        let name = key.unwrap_or(kind);
        return reply_with_json_parts(vec![
            JsonPart::Text(format!("{{\"{name}\":\"")),
            JsonPart::Base64(content),
            JsonPart::Text(format!("\",\"finish_reason\":\"SUCCESS\",\"seed\":{seed}}}")),
        ]);
    }
    let mime = switches.content_type.clone().unwrap_or_else(|| media.mime().to_owned());
    let pause = Duration::from_millis(switches.slow_body_ms);
    let mut response = reply_with_file(content, Sending { mime, pause, cut: None });
    response.headers_mut().insert(HeaderName::from_static("finish-reason"), HeaderValue::from_static("SUCCESS"));
    response.headers_mut().insert(HeaderName::from_static("seed"), seed.into());
    response
}
