//! fal: a queue whose links are followed, where work that failed is `COMPLETED` too, and synchronous calls.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{draw_pictures, parse_aspect_ratio, unbox};
use crate::body::{Content, Sending, reply_with_file};
use crate::call::{Call, build_id};
use crate::clock::to_micros;
use crate::media::{InputImage, Media, Sound};
use crate::outgoing;
use crate::provider::Provider;
use crate::switches::Outcome;
use crate::task::{Phase, Task};
use crate::webhooks::plan_deliveries;
use crate::world::World;

const PROVIDER: Provider = Provider::Fal;
/// Life time of links: files are kept until they are deleted.
const LINK_LIFE: Duration = Duration::from_hours(24 * 365);
/// The user to whom webhooks belong.
const USER_ID: &str = "fake-user";
/// Works that run at the same time before the next ones are shown in a queue.
const OWN_STATES: [&str; 3] = ["IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS"];

/// Builds the routes below `/fal`.
pub(crate) fn build_routes() -> Router<Arc<World>> {
    Router::new()
        .route("/queue/{*path}", any(queue))
        .route("/run/{*endpoint}", post(run))
        .route("/rest/storage/upload/initiate", post(initiate_upload))
        .route("/rest/.well-known/jwks.json", get(read_key_set))
        .route("/storage/{file}", get(read_upload).put(write_upload))
}

/// Returns the body of an error.
pub(crate) fn build_error(message: &str) -> Value {
    json!({"detail": message})
}

/// `POST /{endpoint}`, and the requests of an app: `GET /{app}/requests/{id}/status`, `GET /{app}/requests/{id}`,
/// `PUT /{app}/requests/{id}/cancel`.
async fn queue(State(world): State<Arc<World>>, Path(path): Path<String>, call: Call) -> Response {
    let Some((_, request)) = path.split_once("/requests/") else {
        if call.method != Method::POST {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        return unbox(submit(&world, &path, &call));
    };
    let (id, action) = request.split_once('/').unwrap_or((request, ""));
    match (call.method.as_str(), action) {
        ("GET", "status") => unbox(read_status(&world, id, &call)),
        ("GET", "") => unbox(read_result(&world, id, &call).await),
        ("PUT", "cancel") => unbox(cancel(&world, id, &call)),
        _other => not_found(),
    }
}

fn not_found() -> Response {
    PROVIDER.reply_with_error(StatusCode::NOT_FOUND, None, "Request not found")
}

fn submit(world: &Arc<World>, endpoint: &str, call: &Call) -> Result<Response, Box<Response>> {
    let task = accept(world, endpoint, call)?;
    if let Some(webhook) = call.query("fal_webhook") {
        tokio::spawn(send_webhook(Arc::clone(world), task.clone(), webhook));
    }
    let mut reply = build_status(world, &task, false);
    reply["gateway_request_id"] = json!(task.id);
    Ok(Json(reply).into_response())
}

fn accept(world: &Arc<World>, endpoint: &str, call: &Call) -> Result<Task, Box<Response>> {
    let input = call.json();
    let number = world.open_call(PROVIDER, call, input.clone())?;
    let required = ["prompt", "text", "image_url", "video_url", "audio_url", "input"];
    if !required.iter().any(|name| !input[name].is_null()) {
        let detail = json!([{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing", "input": input}]);
        return Err(Box::new((StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": detail}))).into_response()));
    }
    let outputs = choose_outputs(endpoint, &input);
    world.accept(PROVIDER, call, number, (endpoint, input), outputs)
}

/// Returns what an endpoint makes, judging by its name.
fn choose_outputs(endpoint: &str, input: &Value) -> Vec<Media> {
    let text =
        [&input["prompt"], &input["text"], &input["input"]].into_iter().find_map(Value::as_str).unwrap_or_default();
    let has_word = |words: &[&str]| words.iter().any(|word| endpoint.contains(word));
    if has_word(&["speech", "tts", "audio", "music", "voice"]) {
        return vec![Media::Mp3(Sound::read_aloud(text))];
    }
    let named = match input["image_size"].as_str() {
        Some("square_hd" | "square") => Some((1, 1)),
        Some("portrait_4_3") => Some((3, 4)),
        Some("portrait_16_9") => Some((9, 16)),
        Some("landscape_4_3") => Some((4, 3)),
        Some("landscape_16_9") => Some((16, 9)),
        Some(_) | None => None,
    };
    let numbers = input["image_size"]["width"].as_u64().zip(input["image_size"]["height"].as_u64());
    let size = named
        .map(|(width, height)| (width * 1000, height * 1000))
        .or_else(|| numbers.map(|(width, height)| (width as u32, height as u32)))
        .or_else(|| input["aspect_ratio"].as_str().and_then(parse_aspect_ratio));
    let count = input["num_images"].as_u64().unwrap_or(1).clamp(1, 4);
    let given = input["image_url"].as_str().or_else(|| input["image_urls"][0].as_str()).map(InputImage::from_text);
    let mut pictures = draw_pictures(text, &input["seed"].to_string(), count, size);
    for picture in &mut pictures {
        picture.input.clone_from(&given);
    }
    if has_word(&["video"]) {
        let duration = input["duration"].as_str().and_then(|text| text.parse().ok()).or(input["duration"].as_f64());
        let film = |picture| Media::Mp4(picture, duration.unwrap_or(5.0) as f32);
        return pictures.into_iter().take(1).map(film).collect();
    }
    pictures.into_iter().map(Media::Png).collect()
}

fn read_status(world: &World, id: &str, call: &Call) -> Result<Response, Box<Response>> {
    let Some(task) = world.poll(PROVIDER, call, id)? else { return Ok(not_found()) };
    let with_logs = call.query("logs").is_some_and(|logs| logs == "1" || logs == "true");
    let status = build_status(world, &task, with_logs);
    let code = if status["status"] == "COMPLETED" { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((code, Json(status)).into_response())
}

/// Returns the status object. Its links have only the first two segments of the endpoint.
fn build_status(world: &World, task: &Task, with_logs: bool) -> Value {
    let app: Vec<&str> = task.model.split('/').take(2).collect();
    let response_url = format!("{}/fal/queue/{}/requests/{}", world.origin, app.join("/"), task.id);
    let mut status = json!({
        "status": "COMPLETED",
        "request_id": task.id,
        "response_url": response_url,
        "status_url": format!("{response_url}/status"),
        "cancel_url": format!("{response_url}/cancel"),
    });
    match task.phase(world.now()) {
        Phase::Running(share) => {
            status["status"] = json!(task.running_word(share, &OWN_STATES));
            if status["status"] == "IN_QUEUE" {
                status["queue_position"] = json!(0);
            } else if with_logs {
                let percent = (share * 100.0) as u32;
                status["logs"] =
                    json!([{"message": format!("{percent}%|"), "level": "INFO", "timestamp": "2026-01-01T00:00:00Z"}]);
            }
        }
        Phase::Ended(_) | Phase::Cancelled => {
            status["metrics"] = json!({"inference_time": task.switches.delay_ms as f64 / 1000.0});
            if with_logs {
                status["logs"] = json!([{"message": "100%|", "level": "INFO", "timestamp": "2026-01-01T00:00:00Z"}]);
            }
        }
    }
    status
}

async fn read_result(world: &World, id: &str, call: &Call) -> Result<Response, Box<Response>> {
    let Some(task) = world.poll(PROVIDER, call, id)? else { return Ok(not_found()) };
    Ok(reply_with_result(world, &task).await)
}

/// Replies with the result of ended work: only here is it seen whether it failed.
async fn reply_with_result(world: &World, task: &Task) -> Response {
    let (status, kind, body) = match task.phase(world.now()) {
        Phase::Ended(Outcome::Succeeded) => (StatusCode::OK, None, build_output(world, task).await),
        Phase::Running(_) => (StatusCode::BAD_REQUEST, None, build_error("Request is still in progress")),
        Phase::Cancelled => (StatusCode::BAD_REQUEST, Some("request_cancelled"), build_error("Request was cancelled")),
        Phase::Ended(Outcome::Failed) => {
            (StatusCode::INTERNAL_SERVER_ERROR, Some("internal_server_error"), build_error(&task.switches.error))
        }
        Phase::Ended(Outcome::Moderated) => {
            let message =
                "The content could not be processed because it contained material flagged by a content checker.";
            let detail = json!([{"loc": ["body", "prompt"], "msg": message, "type": "content_policy_violation", "url": "https://docs.fal.ai/errors#content_policy_violation"}]);
            (StatusCode::UNPROCESSABLE_ENTITY, Some("content_policy_violation"), json!({"detail": detail}))
        }
    };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&task.id) {
        headers.insert("x-fal-request-id", id);
    }
    if let Some(kind) = kind {
        headers.insert("x-fal-error-type", HeaderValue::from_static(kind));
    }
    response
}

async fn build_output(world: &World, task: &Task) -> Value {
    let mut files = Vec::new();
    for (index, media) in task.outputs.iter().enumerate() {
        let size = Content::new(media.render().await, task.switches.file_bytes).size;
        let link = world.link(PROVIDER, task, index, LINK_LIFE);
        let name = format!("{}-{index}.{}", task.id, media.extension());
        let mut file = json!({"url": link, "content_type": media.mime(), "file_name": name, "file_size": size});
        if let Media::Png(picture) = media.as_ref() {
            (file["width"], file["height"]) = (json!(picture.size.0), json!(picture.size.1));
        }
        files.push(file);
    }
    let seed = task.input["seed"].as_u64().unwrap_or(42);
    match task.outputs.first().map(AsRef::as_ref) {
        Some(Media::Mp4(..)) => json!({"video": files[0], "seed": seed}),
        Some(Media::Mp3(_) | Media::Wav(_) | Media::Pcm(_)) => json!({"audio": files[0]}),
        Some(Media::Png(_)) | None => {
            let clean = vec![false; files.len()];
            json!({"images": files, "timings": {"inference": 0.5}, "seed": seed, "has_nsfw_concepts": clean, "prompt": task.input["prompt"]})
        }
    }
}

fn cancel(world: &World, id: &str, call: &Call) -> Result<Response, Box<Response>> {
    world.check_key(PROVIDER, call)?;
    let (status, word) = match world.cancel(PROVIDER, id).map(|task| task.phase(world.now())) {
        Some(Phase::Running(_)) => (StatusCode::ACCEPTED, "CANCELLATION_REQUESTED"),
        Some(Phase::Ended(_) | Phase::Cancelled) => (StatusCode::BAD_REQUEST, "ALREADY_COMPLETED"),
        None => (StatusCode::NOT_FOUND, "NOT_FOUND"),
    };
    Ok((status, Json(json!({"status": word}))).into_response())
}

/// `POST https://fal.run/{endpoint}`: the result itself, after the work.
async fn run(State(world): State<Arc<World>>, Path(endpoint): Path<String>, call: Call) -> Response {
    match accept(&world, &endpoint, &call) {
        Err(reply) => *reply,
        Ok(task) => {
            world.wait_for_end(&task).await;
            reply_with_result(&world, &task).await
        }
    }
}

/// `POST https://rest.fal.ai/storage/upload/initiate`: where a file may be put, and where it is read.
async fn initiate_upload(State(world): State<Arc<World>>, call: Call) -> Response {
    if let Err(reply) = world.check_key(PROVIDER, &call) {
        return *reply;
    }
    let body = call.json();
    let (Some(mime), Some(name)) = (body["content_type"].as_str(), body["file_name"].as_str()) else {
        return PROVIDER.reply_with_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            None,
            "content_type and file_name are required",
        );
    };
    let extension = name.rsplit_once('.').map_or("bin", |(_, extension)| extension);
    let serial = world.now().as_nanos() as u64;
    let file = format!("{}.{extension}", build_id(world.started_us, serial));
    let signature = world.signer.sign_link(&format!("{file} {mime}"), 0);
    let file_url = format!("{}/fal/storage/{file}", world.origin);
    Json(json!({"upload_url": format!("{file_url}?signature={signature}"), "file_url": file_url})).into_response()
}

/// `PUT {upload_url}`: needs no key, but the content type that was announced.
async fn write_upload(State(world): State<Arc<World>>, Path(file): Path<String>, call: Call) -> Response {
    let mime = call.header("content-type").to_owned();
    if call.query("signature") != Some(world.signer.sign_link(&format!("{file} {mime}"), 0)) {
        return (StatusCode::FORBIDDEN, "Signature mismatch").into_response();
    }
    world.with(PROVIDER, |state| state.uploads.insert(file, (mime, call.body.clone())));
    StatusCode::OK.into_response()
}

/// `GET {file_url}`.
async fn read_upload(State(world): State<Arc<World>>, Path(file): Path<String>) -> Response {
    match world.with(PROVIDER, |state| state.uploads.get(&file).cloned()) {
        Some((mime, bytes)) => {
            reply_with_file(Content::new(bytes, None), Sending { mime, pause: Duration::ZERO, cut: None })
        }
        None => (StatusCode::NOT_FOUND, "Not found").into_response(),
    }
}

/// `GET https://rest.fal.ai/.well-known/jwks.json`.
async fn read_key_set(State(world): State<Arc<World>>) -> Response {
    Json(world.signer.build_key_set()).into_response()
}

async fn send_webhook(world: Arc<World>, task: Task, url: String) {
    world.wait_for_end(&task).await;
    let reply = reply_with_result(&world, &task).await;
    let ok = reply.status() == StatusCode::OK;
    let payload = axum::body::to_bytes(reply.into_body(), usize::MAX).await.unwrap_or_default();
    let payload: Value = serde_json::from_slice(&payload).unwrap_or(Value::Null);
    let error = if ok { Value::Null } else { json!("Invalid status code") };
    let word = if ok { "OK" } else { "ERROR" };
    let body = json!({"request_id": task.id, "gateway_request_id": task.id, "status": word, "payload": payload, "error": error});
    let body = body.to_string();
    for forged in plan_deliveries(&world, PROVIDER) {
        let timestamp = to_micros(SystemTime::now()) / 1_000_000;
        let signed = if forged { b"something else" } else { body.as_bytes() };
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
            ("x-fal-webhook-request-id", task.id.clone()),
            ("x-fal-webhook-user-id", USER_ID.to_owned()),
            ("x-fal-webhook-timestamp", timestamp.to_string()),
            ("x-fal-webhook-signature", world.signer.sign_fal_webhook(&task.id, USER_ID, timestamp, signed)),
        ];
        // Whether anybody listens is not the provider's business.
        let _ = outgoing::send(Method::POST, &url, &headers, body.clone().into()).await;
    }
}
