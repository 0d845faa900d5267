//! What is cached for runs is never older than documented.

use std::time::{Duration, Instant};

use apiflow_server::record_cache::MAX_SHARED_AGE;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;

/// How much longer than [`MAX_SHARED_AGE`] a server on a busy machine may take to answer.
const SLACK: Duration = Duration::from_secs(4);

fn connector(base_url: &str) -> Value {
    json!({"id": "c", "name": "C", "base_url": base_url})
}

fn node(path: &str) -> Value {
    json!({"id": "n", "name": "N", "connector_id": "c", "data": {"path": path}})
}

fn flow(node: &str) -> Value {
    json!({"document": {"value": {"modules": [{"id": "a", "value": {"type": "script", "path": format!("node/{node}"),
        "input_transforms": {}}}]}}, "input": {}})
}

/// The URL that a dry run of the node shows.
async fn dry_run_url(client: &RecordingClient) -> Value {
    let reply = client.raw("POST", "/workflows/dry_run", &[], Some(flow("n"))).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json().pointer("/steps/0/requests/0/request/url").cloned().unwrap_or_default()
}

async fn send(client: &RecordingClient, method: &str, path: &str, body: Option<Value>) {
    let reply = client.raw(method, path, &[], body).await;
    assert!(reply.status.is_success(), "{method} {path}: {} {}", reply.status, reply.text);
}

async fn status(client: &RecordingClient, path: &str) -> StatusCode {
    client.raw("GET", path, &[], None).await.status
}

/// Asks until the answer is `expected`, which it must be soon after [`MAX_SHARED_AGE`].
async fn eventually<T: PartialEq + std::fmt::Debug>(expected: T, mut ask: impl AsyncFnMut() -> T) {
    let begin = Instant::now();
    loop {
        let found = ask().await;
        if found == expected {
            return;
        }
        assert!(begin.elapsed() < MAX_SHARED_AGE + SLACK, "still {found:?} instead of {expected:?}");
    }
}

#[tokio::test]
async fn a_write_is_seen_at_once_by_the_process_that_wrote() {
    let mut client = RecordingClient::admin().await;
    send(&client, "POST", "/connectors", Some(connector("http://127.0.0.1:9"))).await;
    send(&client, "POST", "/nodes", Some(node("/one"))).await;
    assert_eq!(dry_run_url(&client).await, "http://127.0.0.1:9/one");
    send(&client, "PUT", "/nodes/n", Some(node("/two"))).await;
    assert_eq!(dry_run_url(&client).await, "http://127.0.0.1:9/two");
    send(&client, "PUT", "/connectors/c", Some(connector("http://127.0.0.1:8"))).await;
    assert_eq!(dry_run_url(&client).await, "http://127.0.0.1:8/two");

    let admin = client.log_in("admin", "admin").await;
    let id = client.as_new_user("ada").await;
    let ada = client.log_in("ada", "correct horse").await;
    assert_eq!(status(&client, "/users").await, StatusCode::FORBIDDEN);
    for (role, expected) in [("admin", StatusCode::OK), ("user", StatusCode::FORBIDDEN)] {
        client.token(Some(&admin));
        send(&client, "PATCH", &format!("/user/{id}"), Some(json!({"role": role}))).await;
        client.token(Some(&ada));
        assert_eq!(status(&client, "/users").await, expected, "{role}");
    }
    client.token(Some(&admin));
    send(&client, "DELETE", &format!("/user/{id}"), None).await;
    client.token(Some(&ada));
    assert_eq!(status(&client, "/user").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_write_of_another_process_is_seen_within_the_documented_time() {
    let Some((first, mut second)) = RecordingClient::two_on_postgres().await else { return };
    send(&first, "POST", "/connectors", Some(connector("http://127.0.0.1:9"))).await;
    send(&first, "POST", "/nodes", Some(node("/one"))).await;
    assert_eq!(dry_run_url(&second).await, "http://127.0.0.1:9/one");
    send(&first, "PUT", "/nodes/n", Some(node("/two"))).await;
    let read = second.raw("GET", "/nodes/n", &[], None).await.json();
    assert_eq!(read["data"]["path"], "/two", "those who edit are not shown what is cached");
    eventually(json!("http://127.0.0.1:9/two"), async || dry_run_url(&second).await).await;

    let secret = json!({"value": "a long enough value", "origins": ["http://127.0.0.1:9"]});
    let known = async |client: &RecordingClient| client.raw("GET", "/secrets", &[], None).await.text.contains("FRESH");
    assert!(!known(&second).await);
    send(&first, "PUT", "/secrets/FRESH", Some(secret)).await;
    assert!(known(&first).await);
    eventually(true, async || known(&second).await).await;

    let id = second.as_new_user("ada").await;
    let forbidden = status(&second, "/users").await;
    assert_eq!(forbidden, StatusCode::FORBIDDEN);
    send(&first, "PATCH", &format!("/user/{id}"), Some(json!({"role": "admin"}))).await;
    eventually(StatusCode::OK, async || status(&second, "/users").await).await;
    send(&first, "DELETE", &format!("/user/{id}"), None).await;
    eventually(StatusCode::UNAUTHORIZED, async || status(&second, "/user").await).await;
}
