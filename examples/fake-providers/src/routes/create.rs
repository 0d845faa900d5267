//! Creates predictions: by model, version or deployment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use super::predictions::reply_with_prediction;
use super::preferences::{Wait, read_deadline, read_wait};
use super::webhooks::{Webhook, send_events};
use super::{Shared, check_token, host, uploads};
use crate::behaviour::{Behaviour, CreatePlan, End, PreferWait};
use crate::connection::Connection;
use crate::media::{DEFAULT_SIDE_PX, InputImage, Media, Picture, Sound};
use crate::models::{self, Model};
use crate::prediction::{Prediction, View};
use crate::problem::Problem;
use crate::providers::parse_aspect_ratio;
use crate::records::CreateRecord;
use crate::state::State;
use crate::validation::{check_body, check_input};

/// Remaining creates per minute that are reported to the client.
const CREATES_LEFT: HeaderValue = HeaderValue::from_static("599");

/// `POST /v1/models/{owner}/{name}/predictions`: official models only.
pub(crate) async fn by_model(shared: Shared, Path((owner, name)): Path<(String, String)>, call: Call) -> Response {
    create(&shared, Target::Model(format!("{owner}/{name}")), call).await
}

/// `POST /v1/predictions`: the body names the version.
pub(crate) async fn by_version(shared: Shared, call: Call) -> Response {
    create(&shared, Target::Version, call).await
}

/// `POST /v1/deployments/{owner}/{name}/predictions`: runs the model of a deployment.
pub(crate) async fn by_deployment(shared: Shared, Path((owner, name)): Path<(String, String)>, call: Call) -> Response {
    create(&shared, Target::Deployment(format!("{owner}/{name}")), call).await
}

/// What the path names to run.
enum Target {
    Model(String),
    Version,
    Deployment(String),
}

/// Handles a create call.
#[derive(axum::extract::FromRequest)]
#[from_request(state(Arc<State>))]
pub(crate) struct Call {
    #[from_request(via(ConnectInfo))]
    connection: Connection,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// A valid create call.
struct Order {
    model: Arc<Model>,
    deployment: Option<String>,
    input: Value,
    deadline: Option<Duration>,
    wait: Option<Wait>,
    webhook: Option<Webhook>,
}

async fn create(state: &Arc<State>, target: Target, call: Call) -> Response {
    let number = state.write(|memory| memory.record_create(call.to_record()));
    let mut response = match read_order(state, target, &call) {
        Ok(order) => perform_order(state, number, order, &call).await,
        Err(problem) => problem.into_response(),
    };
    response.headers_mut().entry("ratelimit-remaining").or_insert(CREATES_LEFT);
    response.headers_mut().entry("ratelimit-reset").or_insert(HeaderValue::from_static("1"));
    response
}

/// Checks a call in Replicate's order: the token, the model, the input.
fn read_order(state: &State, target: Target, call: &Call) -> Result<Order, Problem> {
    check_token(&call.headers, state)?;
    let (further, validate) = state.read(|memory| (memory.behaviour.models.clone(), memory.behaviour.validate_input));
    let body: Map<String, Value> = serde_json::from_slice(&call.body)
        .map_err(|_| Problem::malformed_request("The request body is not a JSON object"))?;
    let required: &[&str] = match &target {
        Target::Version => &["version", "input"],
        Target::Model(_) | Target::Deployment(_) => &["input"],
    };
    let find = || match &target {
        Target::Version => {
            let version = body.get("version").and_then(Value::as_str).unwrap_or_default();
            models::by_version(version, &further).ok_or_else(Problem::bad_version)
        }
        Target::Model(name) => {
            models::by_name(name, &further).filter(|model| model.official).ok_or_else(Problem::not_found)
        }
        Target::Deployment(name) => models::by_deployment(name).ok_or_else(Problem::not_found),
    };
    // An unknown path is reported before the body is read; a version can only be looked up in a valid body.
    let known = match target {
        Target::Version => None,
        Target::Model(_) | Target::Deployment(_) => Some(find()?),
    };
    refuse_invalid_fields(check_body(&body, required))?;
    let model = known.map_or_else(find, Ok)?;
    let input = body["input"].clone();
    if validate {
        refuse_invalid_fields(check_input(&model.input, &input))?;
    }
    let deployment = match target {
        Target::Deployment(name) => Some(name),
        Target::Model(_) | Target::Version => None,
    };
    let webhook = Webhook::from_body(&body, host(&call.headers));
    let deadline = read_deadline(&call.headers)?;
    Ok(Order { model, deployment, input, deadline, wait: read_wait(&call.headers), webhook })
}

fn refuse_invalid_fields(wrong: Vec<crate::validation::InvalidField>) -> Result<(), Problem> {
    if wrong.is_empty() { Ok(()) } else { Err(Problem::invalid_input(&wrong)) }
}

/// Performs a create call according to the behaviour.
async fn perform_order(state: &Arc<State>, number: u64, order: Order, call: &Call) -> Response {
    let plan = state.write(|memory| memory.behaviour.plan_create());
    let (hold, drop_reply, fail) = match plan {
        CreatePlan::Refuse(failure) => return failure.into_response(),
        CreatePlan::Drop => {
            call.connection.cut_off();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        CreatePlan::Accept { hold, drop_reply, fail } => (hold, drop_reply, fail),
    };
    // Subscribed before the create is visible, so that a release right after it is not missed.
    let released = state.releases.subscribe();
    let wait = order.wait;
    let given = find_input_image(state, &order.input);
    let id = state.create_prediction(number, |id, created_us, course| Prediction {
        media: choose_media(&order.model, &order.input, &id, given),
        id,
        model: order.model,
        deployment: order.deployment,
        input: order.input,
        created_us,
        deadline: order.deadline,
        canceled: None,
        course: if fail { Behaviour { end: End::Failed, ..course } } else { course },
    });
    if let Some((_, prediction)) = state.find_prediction(&id) {
        let media = Arc::clone(&prediction.media);
        tokio::spawn(async move { media.load_input().await });
    }
    if let Some(webhook) = order.webhook {
        tokio::spawn(send_events(Arc::clone(state), id.clone(), webhook));
    }
    if drop_reply {
        call.connection.cut_off();
    }
    if !hold.is_zero() {
        hold_back(state, hold, released).await;
    }
    match wait {
        Some(wait) => reply_after_wait(state, &id, wait, &host(&call.headers)).await,
        None => reply_with_prediction(state, &id, StatusCode::CREATED, &host(&call.headers), View::Starting),
    }
}

/// Returns the image that an input names: an uploaded file, a link or a data URI.
fn find_input_image(state: &State, input: &Value) -> Option<Arc<InputImage>> {
    let names = ["input_image", "image", "image_prompt", "input_images", "start_image", "first_frame_image"];
    let link = names.iter().find_map(|name| input[name].as_str().or_else(|| input[name][0].as_str()))?;
    let upload = uploads::find_linked(state, link);
    Some(upload.map_or_else(|| InputImage::from_text(link), |upload| InputImage::from_bytes(upload.bytes.clone())))
}

/// Returns what a model makes, judging by its name.
fn choose_media(model: &Model, input: &Value, id: &str, given: Option<Arc<InputImage>>) -> Arc<Media> {
    let name = model.full_name();
    let has_word = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let prompt = input["prompt"].as_str().or_else(|| input["text"].as_str()).unwrap_or_default();
    if has_word(&["speech", "tts", "music", "audio"]) {
        return Arc::new(Media::Wav(Sound::read_aloud(prompt)));
    }
    let size = input["aspect_ratio"].as_str().and_then(parse_aspect_ratio);
    let picture = Picture {
        prompt: prompt.to_owned(),
        variation: id.to_owned(),
        size: size.unwrap_or((DEFAULT_SIDE_PX, DEFAULT_SIDE_PX)),
        input: given,
    };
    Arc::new(if has_word(&["video", "kling", "veo", "hailuo", "seedance"]) {
        Media::Mp4(picture, input["duration"].as_f64().unwrap_or(5.0) as f32)
    } else {
        Media::Png(picture)
    })
}

/// Waits until the time has passed or held creates are released.
async fn hold_back(state: &Arc<State>, hold: Duration, mut released: tokio::sync::watch::Receiver<u64>) {
    let _held = state.hold_create();
    // In both cases the reply is sent.
    let _ = tokio::time::timeout(hold, released.changed()).await;
}

/// Returns the reply to a create with `Prefer: wait`, after the end of the prediction or of the wait.
async fn reply_after_wait(state: &Arc<State>, id: &str, wait: Wait, host: &str) -> Response {
    let in_time = tokio::time::timeout(wait.limit, wait_until_ended(state, id)).await.is_ok();
    let (mode, applied) = state.read(|memory| (memory.behaviour.prefer_wait, memory.behaviour.preference_applied));
    let succeeded = state.find_prediction(id).is_some_and(|(_, prediction)| prediction.find_end().1 == End::Succeeded);
    let view = match (mode, in_time) {
        (PreferWait::ProcessingNull, _) => View::ProcessingNull,
        (PreferWait::ProcessingWithOutput, true) if succeeded => View::ProcessingWithOutput,
        (PreferWait::Honest | PreferWait::ProcessingWithOutput, true) => View::Honest,
        (PreferWait::Honest | PreferWait::ProcessingWithOutput, false) => View::Starting,
    };
    let status = if in_time { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let mut response = reply_with_prediction(state, id, status, host, view);
    if let Some(asked) = HeaderValue::from_str(&wait.asked).ok().filter(|_| applied) {
        response.headers_mut().insert("preference-applied", asked);
    }
    response
}

/// Waits for the end of a prediction, which may be cancelled meanwhile.
pub(crate) async fn wait_until_ended(state: &Arc<State>, id: &str) {
    let mut changes = state.subscribe_to_changes();
    while let Some((age, prediction)) = state.find_prediction(id) {
        let left = prediction.find_end().0.saturating_sub(age);
        if left.is_zero() {
            return;
        }
        // Either the time has passed or something changed: check again.
        let _ = tokio::time::timeout(left, changes.changed()).await;
    }
}

impl Call {
    fn to_record(&self) -> CreateRecord {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: BTreeMap<String, String> =
            self.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        CreateRecord {
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            headers,
            body: serde_json::from_slice(&self.body).unwrap_or(Value::Null),
            at: SystemTime::now(),
            prediction: None,
        }
    }
}
