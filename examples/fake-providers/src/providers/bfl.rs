//! Black Forest Labs: a key in `x-key`, work that is polled at a link of another host, results behind links that die.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{draw_pictures, parse_aspect_ratio, unbox};
use crate::call::Call;
use crate::media::{InputImage, Media};
use crate::outgoing;
use crate::provider::Provider;
use crate::signing::sign_bfl_webhook;
use crate::switches::Outcome;
use crate::task::{Phase, Task};
use crate::webhooks::plan_deliveries;
use crate::world::World;

const PROVIDER: Provider = Provider::BlackForestLabs;
/// Life time of links.
const LINK_LIFE: Duration = Duration::from_mins(10);
/// Megapixels that are reported for each picture.
const MEGAPIXELS: f64 = 1.0;

/// Builds the routes below `/bfl`.
pub(crate) fn build_routes() -> Router<Arc<World>> {
    Router::new().route("/v1/get_result", get(read_result)).route("/v1/{model}", post(create))
}

/// Returns the body of an error. Errors of other layers have `error`, `message` and `details`; these have `detail`.
pub(crate) fn build_error(message: &str) -> Value {
    json!({"detail": message})
}

/// `POST /v1/{model}`.
async fn create(State(world): State<Arc<World>>, Path(model): Path<String>, call: Call) -> Response {
    unbox(accept(&world, &model, &call))
}

fn accept(world: &Arc<World>, model: &str, call: &Call) -> Result<Response, Box<Response>> {
    let body = call.json();
    let number = world.open_call(PROVIDER, call, body.clone())?;
    let Some(prompt) = body["prompt"].as_str() else {
        let detail = json!([{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}]);
        let reply = (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": detail})));
        return Err(Box::new(reply.into_response()));
    };
    let numbers = body["width"].as_u64().zip(body["height"].as_u64());
    let size = numbers.map(|(width, height)| (width as u32, height as u32));
    let size = size.or_else(|| body["aspect_ratio"].as_str().and_then(parse_aspect_ratio));
    let mut pictures = draw_pictures(prompt, &body["seed"].to_string(), 1, size);
    pictures[0].input = body["input_image"].as_str().map(InputImage::from_text);
    let outputs = pictures.into_iter().map(Media::Png).collect();
    let task = world.accept(PROVIDER, call, number, (model, body.clone()), outputs)?;
    let Some(webhook) = body["webhook_url"].as_str() else {
        let polling_url = format!("{}/bfl/v1/get_result?id={}", world.other_origin, task.id);
        let has_input = f64::from(u8::from(!body["input_image"].is_null()));
        let cost = price(model);
        let reply = json!({"id": task.id, "polling_url": polling_url, "cost": cost, "input_mp": has_input, "output_mp": MEGAPIXELS});
        return Ok(Json(reply).into_response());
    };
    let secret = body["webhook_secret"].as_str().map(str::to_owned);
    tokio::spawn(send_webhook(Arc::clone(world), task.clone(), webhook.to_owned(), secret));
    Ok(Json(json!({"id": task.id, "status": "Pending", "webhook_url": webhook})).into_response())
}

/// Returns the price of a picture, in credits of one cent.
fn price(model: &str) -> f64 {
    match model {
        "flux-kontext-max" => 8.0,
        "flux-pro-1.1-ultra" => 6.0,
        _other => 4.0,
    }
}

/// `GET /v1/get_result?id=`: the polling link.
async fn read_result(State(world): State<Arc<World>>, call: Call) -> Response {
    let id = call.query("id").unwrap_or_default();
    match world.poll(PROVIDER, &call, &id) {
        Err(reply) => *reply,
        Ok(Some(task)) => Json(build_result(&world, &task)).into_response(),
        Ok(None) => {
            let unknown = json!({"id": id, "status": "Task not found", "result": null, "progress": null, "details": null, "preview": null});
            (StatusCode::NOT_FOUND, Json(unknown)).into_response()
        }
    }
}

fn build_result(world: &World, task: &Task) -> Value {
    let mut result =
        json!({"id": task.id, "status": "Ready", "result": null, "progress": null, "details": null, "preview": null});
    match task.phase(world.now()) {
        Phase::Running(share) => {
            result["status"] = json!(task.running_word(share, &["Pending"]));
            result["progress"] = json!(share);
        }
        Phase::Ended(Outcome::Succeeded) => {
            let link = world.link(PROVIDER, task, 0, LINK_LIFE);
            result["result"] = json!({"sample": link, "prompt": task.input["prompt"], "seed": 42, "duration": task.switches.delay_ms as f64 / 1000.0});
            result["progress"] = json!(1.0);
        }
        Phase::Ended(Outcome::Moderated) => {
            result["status"] = json!("Content Moderated");
            result["details"] = json!({"Moderation Reasons": ["Safety Filter"]});
        }
        // Nothing cancels work here.
        Phase::Ended(Outcome::Failed) | Phase::Cancelled => {
            result["status"] = json!("Error");
            result["details"] = json!({"error": task.switches.error});
        }
    }
    result
}

async fn send_webhook(world: Arc<World>, task: Task, url: String, secret: Option<String>) {
    world.wait_for_end(&task).await;
    let ended = build_result(&world, &task);
    let body = json!({"task_id": task.id, "status": ended["status"], "result": ended["result"]}).to_string();
    for forged in plan_deliveries(&world, PROVIDER) {
        let key = if forged { "forged" } else { secret.as_deref().unwrap_or_default() };
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if secret.is_some() {
            headers.push(("x-bfl-signature", sign_bfl_webhook(key, body.as_bytes())));
        }
        // Whether anybody listens is not the provider's business.
        let _ = outgoing::send(Method::POST, &url, &headers, body.clone().into()).await;
    }
}
