//! Providers that call back: the poll becomes due at once; forged and late messages are refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiflow_server::settings::WebSettings;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::recording_client::RecordingClient;

const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A provider that remembers the address that it was told, and ends its work when it is told to.
#[derive(Clone, Default)]
struct Caller {
    told: Arc<Mutex<Option<Value>>>,
    is_over: Arc<Mutex<bool>>,
    /// How often the signing secret was fetched.
    fetched: Arc<AtomicUsize>,
}

impl Caller {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let create = |State(caller): State<Self>, Json(body): Json<Value>| async move {
            let address = body["webhook"].clone();
            *caller.told.lock().expect("not poisoned") = Some(body);
            // The reply repeats the address, as some providers' do.
            (StatusCode::CREATED, Json(json!({"id": "w1", "status": "starting", "webhook": address})))
        };
        let read = |State(caller): State<Self>| async move {
            let is_over = *caller.is_over.lock().expect("not poisoned");
            let status = if is_over { "succeeded" } else { "processing" };
            let address = caller.told.lock().expect("not poisoned").as_ref().map(|told| told["webhook"].clone());
            Json(json!({"id": "w1", "status": status, "output": is_over.then_some("fine"), "webhook": address}))
        };
        let secret = |State(caller): State<Self>, headers: HeaderMap| async move {
            assert_eq!(
                headers.get("authorization").and_then(|value| value.to_str().ok()),
                Some("Bearer the-key-of-it")
            );
            caller.fetched.fetch_add(1, Ordering::SeqCst);
            Json(json!({"key": SIGNING_SECRET}))
        };
        let router = Router::new()
            .route("/v1/x", post(create))
            .route("/v1/predictions/{id}", get(read))
            .route("/v1/webhooks/default/secret", get(secret))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn told(&self) -> Value {
        loop {
            if let Some(body) = self.told.lock().expect("not poisoned").clone() {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn signed(body: &str, age_s: i64) -> Vec<(&'static str, String)> {
    let seconds = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs() as i64 - age_s;
    let key = STANDARD.decode(SIGNING_SECRET.strip_prefix("whsec_").expect("a prefix")).expect("base64");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signature = ring::hmac::sign(&key, format!("msg_1.{seconds}.{body}").as_bytes());
    vec![
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_message_makes_the_poll_due_and_no_record_shows_the_address() {
    let provider = Caller::default();
    let settings = WebSettings { public_url: "https://flow.example.com".to_owned(), ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", crate::recording_client::LONG_PASSWORD).await;
    client.work();
    let connector = json!({"id": "c", "name": "C", "base_url": provider.start().await});
    let operation = json!({"preset": "replicate",
        "poll": {"url": "/predictions/{{ reply.id }}", "interval_s": 600, "max_interval_s": 600},
        "webhook": {"body": "webhook", "fields": {"webhook_events_filter": ["completed"]},
            "kind": "standard_webhooks", "secret": "$HOOK_SECRET"}});
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"path": "/x", "operation": operation},
        "output": [{"name": "text", "type": "string", "mapping": "output"}]});
    for (path, body) in
        [("/secrets/HOOK_SECRET", json!({"value": SIGNING_SECRET})), ("/connectors/c", connector), ("/nodes/n", node)]
    {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    let job = client.raw("POST", "/node/n/run", &[], Some(json!({"input": {"prompt": "p"}}))).await.string("/id");
    let told = provider.told().await;
    assert_eq!(told["webhook_events_filter"], json!(["completed"]));
    let address = told["webhook"].as_str().expect("an address").to_owned();
    let path = address.strip_prefix("https://flow.example.com/api/v1").expect("our address").to_owned();
    let body = json!({"id": "w1"});
    let send = async |path: &str, headers: Vec<(&'static str, String)>| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.raw("POST", path, &headers, Some(body.clone())).await.status
    };
    let text = body.to_string();
    let unsigned = vec![("webhook-id", "msg_1".to_owned())];
    assert_eq!(send(&path, unsigned).await, StatusCode::FORBIDDEN);
    assert_eq!(send(&path, signed("{}", 0)).await, StatusCode::FORBIDDEN, "of another body");
    assert_eq!(send(&path, signed(&text, 400)).await, StatusCode::FORBIDDEN, "too late");
    assert_eq!(send("/hooks/AAAA", signed(&text, 0)).await, StatusCode::NOT_FOUND);
    *provider.is_over.lock().expect("not poisoned") = true;
    let accepted = async {
        // The submit may not be committed yet.
        while send(&path, signed(&text, 0)).await != StatusCode::NO_CONTENT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), accepted).await.expect("it is accepted");
    let in_job = format!("/jobs/{job}");
    let ended = async {
        while client.raw("GET", &in_job, &[], None).await.json()["status"] != "completed" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the poll was due at once");
    assert_eq!(send(&path, signed(&text, 0)).await, StatusCode::NO_CONTENT, "a repeated message is harmless");
    let calls = client.raw("GET", &format!("/jobs/{job}/steps/run/calls"), &[], None).await.text;
    assert!(calls.contains("$webhook_address") && !calls.contains("/hooks/"), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signing_secret_is_fetched_from_the_provider_once_for_all_messages() {
    let provider = Caller::default();
    let settings = WebSettings { public_url: "https://flow.example.com".to_owned(), ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", crate::recording_client::LONG_PASSWORD).await;
    client.work();
    let connector = json!({"id": "c", "name": "C", "base_url": provider.start().await,
        "header": {"Authorization": "Bearer the-key-of-it"}});
    let operation = json!({"preset": "replicate",
        "poll": {"url": "/predictions/{{ reply.id }}", "interval_s": 600, "max_interval_s": 600}});
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"path": "/x", "operation": operation},
        "output": [{"name": "text", "type": "string", "mapping": "output"}]});
    for (path, body) in [("/connectors/c", connector), ("/nodes/n", node)] {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    let job = client.raw("POST", "/node/n/run", &[], Some(json!({"input": {"prompt": "p"}}))).await.string("/id");
    let told = provider.told().await;
    let address = told["webhook"].as_str().expect("an address");
    let path = address.strip_prefix("https://flow.example.com/api/v1").expect("our address").to_owned();
    let body = json!({"id": "w1"});
    let send = async |headers: Vec<(&'static str, String)>| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.raw("POST", &path, &headers, Some(body.clone())).await.status
    };
    let text = body.to_string();
    let unsigned = vec![("webhook-id", "msg_1".to_owned())];
    let forged = futures_util::future::join_all((0..5).map(|_| send(unsigned.clone()))).await;
    assert!(forged.iter().all(|status| *status == StatusCode::FORBIDDEN), "{forged:?}");
    *provider.is_over.lock().expect("not poisoned") = true;
    let accepted = async {
        while send(signed(&text, 0)).await != StatusCode::NO_CONTENT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        while client.raw("GET", &format!("/jobs/{job}"), &[], None).await.json()["status"] != "completed" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), accepted).await.expect("it is accepted");
    assert_eq!(provider.fetched.load(Ordering::SeqCst), 1, "one request for all messages");
    let calls = client.raw("GET", &format!("/jobs/{job}/steps/run/calls"), &[], None).await.text;
    assert!(calls.contains("poll") && !calls.contains("/hooks/"), "a poll's reply repeats the address: {calls}");
    assert!(!calls.contains(SIGNING_SECRET), "{calls}");
}
