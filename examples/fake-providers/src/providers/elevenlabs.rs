//! ElevenLabs: a key in `xi-api-key`; replies are audio, or JSON with audio in base64.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::render_content;
use crate::body::{JsonPart, Sending, reply_with_file, reply_with_json_parts};
use crate::call::Call;
use crate::media::{Media, Sound};
use crate::provider::Provider;
use crate::switches::Outcome;
use crate::task::Task;
use crate::world::World;

const PROVIDER: Provider = Provider::ElevenLabs;

/// Builds the routes below `/elevenlabs`.
pub(crate) fn build_routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/text-to-speech/{voice}", post(speak))
        .route("/v1/text-to-speech/{voice}/stream", post(speak))
        .route("/v1/text-to-speech/{voice}/with-timestamps", post(speak_with_timestamps))
        .route("/v1/sound-generation", post(make_sound))
        .route("/v1/music", post(make_music))
        .route("/v1/speech-to-text", post(transcribe))
}

/// Returns the body of an error.
pub(crate) fn build_error(status: StatusCode, code: Option<&str>, message: &str) -> Value {
    let usual = match status.as_u16() {
        401 => "invalid_api_key",
        403 => "detected_unusual_activity",
        429 => "too_many_concurrent_requests",
        503 => "system_busy",
        _other => "internal_server_error",
    };
    json!({"detail": {"status": code.unwrap_or(usual), "message": message}})
}

/// Returns the file for an `output_format` such as `mp3_44100_128`.
fn choose_format(call: &Call, sound: Sound) -> Result<Media, Box<Response>> {
    let format = call.query("output_format").unwrap_or_else(|| "mp3_44100_128".to_owned());
    match format.split('_').next() {
        Some("mp3") => Ok(Media::Mp3(sound)),
        Some("pcm") => Ok(Media::Pcm(sound)),
        Some("wav") => Ok(Media::Wav(sound)),
        Some(_) | None => {
            let message = format!("output_format {format} is not played by this stand-in");
            Err(Box::new(PROVIDER.reply_with_error(StatusCode::BAD_REQUEST, Some("invalid_output_format"), &message)))
        }
    }
}

/// Accepts a call whose `field` is a text, and waits for the work.
async fn perform(
    world: &Arc<World>,
    call: &Call,
    model: &str,
    field: &str,
    build: impl FnOnce(&str, &Value) -> Sound,
) -> Result<Task, Box<Response>> {
    let body = call.json();
    let number = world.open_call(PROVIDER, call, body.clone())?;
    let Some(text) = body[field].as_str().filter(|text| !text.is_empty()) else {
        let detail = json!([{"loc": ["body", field], "msg": "Field required", "type": "missing", "input": body}]);
        return Err(Box::new((StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": detail}))).into_response()));
    };
    let media = choose_format(call, build(text, &body))?;
    let task = world.accept(PROVIDER, call, number, (model, body), vec![media])?;
    world.wait_for_end(&task).await;
    match task.switches.outcome {
        Outcome::Succeeded => Ok(task),
        Outcome::Failed => {
            Err(Box::new(PROVIDER.reply_with_error(StatusCode::INTERNAL_SERVER_ERROR, None, &task.switches.error)))
        }
        Outcome::Moderated => {
            let message = "The text was refused by our moderation.";
            Err(Box::new(PROVIDER.reply_with_error(StatusCode::FORBIDDEN, Some("content_against_policy"), message)))
        }
    }
}

fn add_headers(task: &Task, mut response: Response) -> Response {
    let characters = task.input["text"].as_str().map_or(0, |text| text.chars().count());
    let id = HeaderValue::from_str(&task.id).unwrap_or(HeaderValue::from_static("unknown"));
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("request-id"), id);
    headers.insert(HeaderName::from_static("character-cost"), characters.into());
    headers.insert(HeaderName::from_static("current-concurrent-requests"), HeaderValue::from_static("1"));
    response
}

async fn reply_with_audio(result: Result<Task, Box<Response>>) -> Response {
    let task = match result {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    let media = &task.outputs[0];
    let mime = task.switches.content_type.clone().unwrap_or_else(|| media.mime().to_owned());
    let pause = Duration::from_millis(task.switches.slow_body_ms);
    let content = render_content(media, &task.switches).await;
    add_headers(&task, reply_with_file(content, Sending { mime, pause, cut: None }))
}

/// `POST /v1/text-to-speech/{voice}` and `…/stream`.
async fn speak(State(world): State<Arc<World>>, Path(voice): Path<String>, call: Call) -> Response {
    reply_with_audio(perform(&world, &call, &voice, "text", |text, _| Sound::read_aloud(text)).await).await
}

/// `POST /v1/text-to-speech/{voice}/with-timestamps`.
async fn speak_with_timestamps(State(world): State<Arc<World>>, Path(voice): Path<String>, call: Call) -> Response {
    let task = match perform(&world, &call, &voice, "text", |text, _| Sound::read_aloud(text)).await {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    let characters: Vec<String> = task.input["text"].as_str().unwrap_or_default().chars().map(String::from).collect();
    let times = |offset: usize| (0..characters.len()).map(|at| (at + offset) as f64 * 0.06).collect::<Vec<f64>>();
    let alignment = json!({"characters": characters, "character_start_times_seconds": times(0), "character_end_times_seconds": times(1)});
    let content = render_content(&task.outputs[0], &task.switches).await;
    let parts = vec![
        JsonPart::Text("{\"audio_base64\":\"".into()),
        JsonPart::Base64(content),
        JsonPart::Text(format!("\",\"alignment\":{alignment},\"normalized_alignment\":{alignment}}}")),
    ];
    add_headers(&task, reply_with_json_parts(parts))
}

/// `POST /v1/sound-generation`.
async fn make_sound(State(world): State<Arc<World>>, call: Call) -> Response {
    let build = |text: &str, body: &Value| {
        let duration_s = body["duration_seconds"].as_f64().unwrap_or(1.0).clamp(0.5, 30.0) as f32;
        Sound { text: text.to_owned(), duration_s }
    };
    reply_with_audio(perform(&world, &call, "sound-generation", "text", build).await).await
}

/// `POST /v1/music`.
async fn make_music(State(world): State<Arc<World>>, call: Call) -> Response {
    let build = |text: &str, body: &Value| {
        let duration_s = body["music_length_ms"].as_f64().unwrap_or(3000.0).clamp(1000.0, 300_000.0) as f32 / 1000.0;
        Sound { text: text.to_owned(), duration_s }
    };
    reply_with_audio(perform(&world, &call, "music", "prompt", build).await).await
}

/// `POST /v1/speech-to-text`: multipart.
async fn transcribe(State(world): State<Arc<World>>, call: Call) -> Response {
    let form = match call.read_form().await {
        Ok(form) => form,
        Err(reason) => return PROVIDER.reply_with_error(StatusCode::UNPROCESSABLE_ENTITY, None, &reason),
    };
    let accepted = world.open_call(PROVIDER, &call, form.describe()).and_then(|number| {
        let Some(file) = form.file(&["file"]) else {
            let message = "the part `file` is missing";
            return Err(Box::new(PROVIDER.reply_with_error(StatusCode::BAD_REQUEST, Some("invalid_request"), message)));
        };
        let input = json!({"size_bytes": file.bytes.len()});
        world.accept(PROVIDER, &call, number, ("speech-to-text", input), Vec::new())
    });
    match accepted {
        Err(reply) => *reply,
        Ok(task) => {
            world.wait_for_end(&task).await;
            let text = format!("You sent {} bytes.", task.input["size_bytes"]);
            let reply = json!({"language_code": "en", "language_probability": 1.0, "text": text, "words": []});
            add_headers(&task, Json(reply).into_response())
        }
    }
}
