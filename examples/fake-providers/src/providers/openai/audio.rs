//! `POST /audio/speech` and `/audio/transcriptions`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};

use super::{PROVIDER, reply_with_wrong_parameter, wait_for_success};
use crate::body::{Content, Sending, reply_with_file};
use crate::call::{Call, Form};
use crate::media::{Media, Sound};
use crate::providers::render_content;
use crate::task::Task;
use crate::world::World;

/// Number of events in which speech is sent.
const SPEECH_EVENT_COUNT: usize = 4;

/// Reads a text aloud: audio bytes, or events with `stream_format: sse`.
pub(super) async fn speak(State(world): State<Arc<World>>, call: Call) -> Response {
    let task = match accept_speech(&world, &call) {
        Ok(task) => wait_for_success(&world, task).await,
        Err(reply) => Err(reply),
    };
    let task = match task {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    let switches = &task.switches;
    let content = render_content(&task.outputs[0], switches).await;
    let pause = Duration::from_millis(switches.slow_body_ms);
    if task.input["stream_format"] == "sse" {
        return reply_with_speech_events(&content, pause);
    }
    let mime = switches.content_type.clone().unwrap_or_else(|| task.outputs[0].mime().to_owned());
    reply_with_file(content, Sending { mime, pause, cut: None })
}

fn accept_speech(world: &Arc<World>, call: &Call) -> Result<Task, Box<Response>> {
    let body = call.json();
    let number = world.open_call(PROVIDER, call, body.clone())?;
    for name in ["model", "input", "voice"] {
        if body[name].is_null() {
            return Err(Box::new(reply_with_wrong_parameter(name, &format!("Missing required parameter: '{name}'."))));
        }
    }
    let sound = Sound::read_aloud(body["input"].as_str().unwrap_or_default());
    let media = match body["response_format"].as_str().unwrap_or("mp3") {
        "mp3" => Media::Mp3(sound),
        "wav" => Media::Wav(sound),
        "pcm" => Media::Pcm(sound),
        other => {
            let message = format!("response_format {other} is not played by this stand-in");
            return Err(Box::new(reply_with_wrong_parameter("response_format", &message)));
        }
    };
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    world.accept(PROVIDER, call, number, (&model, body), vec![media])
}

fn reply_with_speech_events(content: &Content, pause: Duration) -> Response {
    let part_size = content.start.len().div_ceil(SPEECH_EVENT_COUNT).max(1);
    let delta = |part: &[u8]| json!({"type": "speech.audio.delta", "audio": STANDARD.encode(part)});
    let mut events: Vec<Value> = content.start.chunks(part_size).map(delta).collect();
    let usage = json!({"input_tokens": 10, "output_tokens": 20, "total_tokens": 30});
    events.push(json!({"type": "speech.audio.done", "usage": usage}));
    reply_with_events(events, pause)
}

fn reply_with_events(events: Vec<Value>, pause: Duration) -> Response {
    let body = stream::unfold(events.into_iter(), move |mut events| async move {
        let event = events.next()?;
        tokio::time::sleep(pause).await;
        let text = format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("message"));
        Some((Ok::<_, std::io::Error>(text), events))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

/// Writes down speech: multipart; the form of the reply is chosen by `response_format` and `stream`.
pub(super) async fn transcribe(State(world): State<Arc<World>>, call: Call) -> Response {
    let form = match call.read_form().await {
        Ok(form) => form,
        Err(reason) => return reply_with_wrong_parameter("file", &reason),
    };
    let task = match accept_transcription(&world, &call, &form) {
        Ok(task) => wait_for_success(&world, task).await,
        Err(reply) => Err(reply),
    };
    let task = match task {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    let text = format!(
        "You sent {} bytes of {}.",
        task.input["size_bytes"],
        task.input["file_name"].as_str().unwrap_or("audio")
    );
    if form.text("stream") == Some("true") {
        let delta = |word: &str| json!({"type": "transcript.text.delta", "delta": word});
        let mut events: Vec<Value> = text.split_inclusive(' ').map(delta).collect();
        events.push(json!({"type": "transcript.text.done", "text": text}));
        return reply_with_events(events, Duration::from_millis(task.switches.slow_body_ms));
    }
    match form.text("response_format").unwrap_or("json") {
        "text" => format!("{text}\n").into_response(),
        "srt" => format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n").into_response(),
        "verbose_json" => {
            Json(json!({"task": "transcribe", "language": "english", "duration": 1.0, "text": text, "segments": []}))
                .into_response()
        }
        _json => Json(json!({"text": text, "usage": {"type": "duration", "seconds": 1}})).into_response(),
    }
}

fn accept_transcription(world: &Arc<World>, call: &Call, form: &Form) -> Result<Task, Box<Response>> {
    let number = world.open_call(PROVIDER, call, form.describe())?;
    let Some(file) = form.file(&["file"]) else {
        return Err(Box::new(reply_with_wrong_parameter("file", "Missing required parameter: 'file'.")));
    };
    let Some(model) = form.text("model") else {
        return Err(Box::new(reply_with_wrong_parameter("model", "you must provide a model parameter")));
    };
    let input = json!({"file_name": file.file_name, "size_bytes": file.bytes.len()});
    world.accept(PROVIDER, call, number, (model, input), Vec::new())
}
