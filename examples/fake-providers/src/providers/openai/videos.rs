//! `/videos`: work that is polled, whose content needs the key.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{PROVIDER, reply_with_wrong_parameter};
use crate::body::{Sending, reply_with_file};
use crate::call::{Call, Form};
use crate::media::{InputImage, Media};
use crate::providers::{draw_pictures, parse_size, render_content, unbox};
use crate::switches::Outcome;
use crate::task::{Phase, Task};
use crate::world::World;

/// Accepts a video: JSON or multipart.
pub(super) async fn create(State(world): State<Arc<World>>, call: Call) -> Response {
    let is_form = call.header("content-type").starts_with("multipart/");
    let form = if is_form { call.read_form().await.unwrap_or_default() } else { Form::default() };
    let body = if is_form {
        json!({"prompt": form.text("prompt"), "model": form.text("model"), "seconds": form.text("seconds"), "size": form.text("size")})
    } else {
        call.json()
    };
    let description = if is_form { form.describe() } else { body.clone() };
    let accepted = world.open_call(PROVIDER, &call, description).and_then(|number| {
        let Some(prompt) = body["prompt"].as_str() else {
            return Err(Box::new(reply_with_wrong_parameter("prompt", "Missing required parameter: 'prompt'.")));
        };
        let seconds = body["seconds"].as_str().and_then(|text| text.parse().ok()).unwrap_or(4.0);
        let mut pictures = draw_pictures(prompt, "", 1, body["size"].as_str().and_then(parse_size));
        pictures[0].input = form.file(&["input_reference"]).map(|file| InputImage::from_bytes(file.bytes.clone()));
        let outputs = pictures.into_iter().map(|picture| Media::Mp4(picture, seconds)).collect();
        let model = body["model"].as_str().unwrap_or("sora-2").to_owned();
        world.accept(PROVIDER, &call, number, (&model, body.clone()), outputs)
    });
    unbox(accepted.map(|task| Json(build_video(&world, &task)).into_response()))
}

fn build_video(world: &World, task: &Task) -> Value {
    let mut video = json!({
        "id": task.id, "object": "video", "model": task.model, "status": "completed", "progress": 100, "error": null,
        "created_at": world.started_us / 1_000_000 + task.created.as_secs(), "completed_at": null, "expires_at": null,
        "seconds": task.input["seconds"].as_str().unwrap_or("4"), "size": task.input["size"].as_str().unwrap_or("720x1280"),
    });
    match task.phase(world.now()) {
        Phase::Running(share) => {
            video["status"] = json!(task.running_word(share, &["queued", "in_progress", "in_progress"]));
            video["progress"] = json!((share * 100.0) as u32);
        }
        Phase::Ended(Outcome::Succeeded) => {}
        Phase::Ended(Outcome::Failed) | Phase::Cancelled => {
            video["status"] = json!("failed");
            video["error"] = json!({"code": "server_error", "message": task.switches.error});
        }
        Phase::Ended(Outcome::Moderated) => {
            video["status"] = json!("failed");
            video["error"] =
                json!({"code": "moderation_blocked", "message": "Your request was blocked by our moderation system."});
        }
    }
    video
}

fn find(world: &World, call: &Call, id: &str) -> Result<Task, Box<Response>> {
    let found = world.poll(PROVIDER, call, id)?;
    let message = format!("Video with id '{id}' not found.");
    found.ok_or_else(|| Box::new(PROVIDER.reply_with_error(StatusCode::NOT_FOUND, None, &message)))
}

/// The state of a video.
pub(super) async fn read(State(world): State<Arc<World>>, Path(id): Path<String>, call: Call) -> Response {
    unbox(find(&world, &call, &id).map(|task| Json(build_video(&world, &task)).into_response()))
}

/// Deletes a video.
pub(super) async fn delete(State(world): State<Arc<World>>, Path(id): Path<String>, call: Call) -> Response {
    let found = find(&world, &call, &id);
    unbox(found.map(|task| {
        world.cancel(PROVIDER, &task.id);
        Json(json!({"id": task.id, "object": "video.deleted", "deleted": true})).into_response()
    }))
}

/// The file of a video.
pub(super) async fn read_content(State(world): State<Arc<World>>, Path(id): Path<String>, call: Call) -> Response {
    let task = match find(&world, &call, &id) {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    if task.phase(world.now()) != Phase::Ended(Outcome::Succeeded) {
        return PROVIDER.reply_with_error(
            StatusCode::NOT_FOUND,
            None,
            "Video is not ready yet, use GET /v1/videos/{id}",
        );
    }
    let switches = &task.switches;
    let mime = switches.content_type.clone().unwrap_or_else(|| task.outputs[0].mime().to_owned());
    let pause = Duration::from_millis(switches.slow_body_ms);
    reply_with_file(render_content(&task.outputs[0], switches).await, Sending { mime, pause, cut: None })
}
