//! Replicate's webhooks, signed as Standard Webhooks.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::http::Method;
use serde_json::{Map, Value, json};

use super::Authorised;
use super::create::wait_until_ended;
use crate::behaviour::use_one;
use crate::clock::to_micros;
use crate::outgoing;
use crate::prediction::View;
use crate::signing::{REPLICATE_SECRET, sign_standard_webhook};
use crate::state::State;

/// All events that webhooks can announce.
const EVENTS: [&str; 4] = ["start", "output", "logs", "completed"];
/// The secret of forged webhooks.
const FORGED_SECRET: &str = "whsec_Zm9yZ2VkIGZvcmdlZCBmb3JnZWQ=";

/// The webhook that a create asked for.
pub(crate) struct Webhook {
    url: String,
    events: Vec<String>,
    /// The authority that the client called, for links.
    host: String,
}

impl Webhook {
    /// Reads `webhook` and `webhook_events_filter` of a create body.
    pub(crate) fn from_body(body: &Map<String, Value>, host: String) -> Option<Self> {
        let url = body.get("webhook")?.as_str()?.to_owned();
        let filter = body.get("webhook_events_filter").and_then(Value::as_array);
        let events = match filter {
            Some(events) => events.iter().filter_map(|event| event.as_str().map(str::to_owned)).collect(),
            None => EVENTS.map(str::to_owned).to_vec(),
        };
        Some(Self { url, events, host })
    }

    fn wants(&self, event: &str) -> bool {
        self.events.iter().any(|wanted| wanted == event)
    }
}

/// `GET /v1/webhooks/default/secret`.
pub(crate) async fn read_secret(_: Authorised) -> Json<Value> {
    Json(json!({"key": REPLICATE_SECRET}))
}

/// Sends the events of a prediction until its end.
pub(crate) async fn send_events(state: Arc<State>, id: String, webhook: Webhook) {
    let Some((_, prediction)) = state.find_prediction(&id) else { return };
    let half = Duration::from_millis(prediction.course.delay_ms) / 2;
    tokio::select! {
        () = tokio::time::sleep(half) => {
            for event in ["start", "logs"].into_iter().filter(|event| webhook.wants(event)) {
                deliver(&state, &id, &webhook, event).await;
            }
        }
        () = wait_until_ended(&state, &id) => {}
    }
    wait_until_ended(&state, &id).await;
    for event in ["output", "completed"].into_iter().filter(|event| webhook.wants(event)) {
        deliver(&state, &id, &webhook, event).await;
    }
}

async fn deliver(state: &State, id: &str, webhook: &Webhook, event: &str) {
    let Some((age, prediction)) = state.find_prediction(id) else { return };
    let body = prediction.to_json(age, &webhook.host, View::Honest).to_string();
    let (count, forged) = state.write(|memory| {
        let behaviour = &mut memory.behaviour;
        if use_one(&mut behaviour.lose_webhooks) {
            return (0, false);
        }
        let forged = use_one(&mut behaviour.forge_webhooks);
        (1 + u32::from(use_one(&mut behaviour.repeat_webhooks)), forged)
    });
    let delivery = format!("msg_{id}{event}");
    let timestamp = to_micros(SystemTime::now()) / 1_000_000;
    let secret = if forged { FORGED_SECRET } else { REPLICATE_SECRET };
    let signature = sign_standard_webhook(secret, &delivery, timestamp, body.as_bytes()).unwrap_or_default();
    for _ in 0..count {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", delivery.clone()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature.clone()),
        ];
        // Whether anybody listens is not the provider's business.
        let _ = outgoing::send(Method::POST, &webhook.url, &headers, body.clone().into()).await;
    }
}
