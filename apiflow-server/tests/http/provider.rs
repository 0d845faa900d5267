//! A provider on this machine that says what it was asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The provider's side of what happened.
#[derive(Clone, Default)]
pub(crate) struct Provider {
    pub(crate) port: u16,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    pub(crate) called: Arc<Notify>,
    /// Lets a call of `endless` go that waits.
    pub(crate) release: Arc<Notify>,
    /// Whether `moody` succeeds.
    pub(crate) mended: Arc<AtomicBool>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let provider = Self { port, ..Self::default() };
        let router = Router::new()
            .route("/v1/say", post(say))
            .route("/v1/mirror", post(mirror))
            .route("/v1/broken", post(broken))
            .route("/v1/endless", post(endless))
            .route("/v1/moody", post(moody))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The Authorization header and body of each call.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().expect("nothing panics while it holds the calls").clone()
    }

    fn note(&self, headers: &HeaderMap, body: &Value) {
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut calls = self.calls.lock().expect("nothing panics while it holds the calls");
        calls.push((authorization.to_owned(), body.clone()));
        self.called.notify_one();
    }
}

/// Tells even the key: whoever keeps the reply must mask it.
async fn say(State(provider): State<Provider>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    provider.note(&headers, &body);
    let text = body["text"].as_str().unwrap_or_default();
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    Json(json!({"text": format!("{text}!"), "key": key}))
}

/// Replies with what it was sent.
async fn mirror(State(provider): State<Provider>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    provider.note(&headers, &body);
    Json(body)
}

async fn broken(State(provider): State<Provider>, headers: HeaderMap, Json(body): Json<Value>) -> (StatusCode, String) {
    provider.note(&headers, &body);
    (StatusCode::BAD_REQUEST, json!({"error": "this text is not liked"}).to_string())
}

async fn endless(State(provider): State<Provider>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    provider.note(&headers, &body);
    provider.release.notified().await;
    Json(json!({"text": "at last"}))
}

async fn moody(state: State<Provider>, headers: HeaderMap, body: Json<Value>) -> Result<Json<Value>, StatusCode> {
    if state.mended.load(Ordering::Relaxed) {
        return Ok(say(state, headers, body).await);
    }
    state.note(&headers, &body);
    Err(StatusCode::BAD_REQUEST)
}
