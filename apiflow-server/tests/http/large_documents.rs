//! Large documents: refused over their limits, checked in turns, and not at all by lists.

use apiflow_server::settings::{DocumentLimits, WebSettings};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, Reply};

fn modules(count: usize) -> Value {
    let module = |number: usize| json!({"id": format!("m{number}"), "value": {"type": "identity"}});
    json!({"summary": "s", "value": {"modules": (0..count).map(module).collect::<Vec<_>>()}})
}

async fn send(client: &RecordingClient, document: &Value) -> Vec<(&'static str, Reply)> {
    let mut replies = Vec::new();
    for (path, body) in [
        ("/workflows", json!({"name": "w", "nodes": document})),
        ("/workflows/validate", json!({ "document": document })),
        ("/workflows/run", json!({ "document": document })),
        ("/workflows/dry_run", json!({ "document": document })),
    ] {
        replies.push((path, client.raw("POST", path, &[], Some(body)).await));
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_over_its_limits_is_refused_wherever_it_is_sent() {
    let documents = DocumentLimits { max_bytes: 4_000, max_modules: 20 };
    let client = RecordingClient::with(WebSettings { documents, ..WebSettings::default() }, "").await;
    let mut client = client;
    client.log_in("admin", "admin").await;
    for (path, reply) in send(&client, &modules(20)).await {
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    for (path, reply) in send(&client, &modules(21)).await {
        let code = reply.string("/errors/0/code");
        assert_eq!((reply.status, code.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "too_many_modules"), "{path}");
        assert!(reply.string("/errors/0/pointer").ends_with("/value/modules"), "{path}: {}", reply.text);
    }
    let mut large = modules(1);
    large["description"] = json!("x".repeat(4_000));
    for (path, reply) in send(&client, &large).await {
        let code = reply.string("/code");
        assert_eq!((reply.status, code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "document_too_large"), "{path}");
    }
    let connector = json!({"name": "x".repeat(4_000), "base_url": "http://127.0.0.1:1"});
    let refused = client.raw("POST", "/connectors", &[], Some(connector)).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", refused.text);
}

/// The codes of what a list says of a workflow.
async fn listed(client: &RecordingClient, id: &str) -> Vec<String> {
    let list = client.raw("GET", "/workflows", &[], None).await.json();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let found = items.into_iter().find(|item| item["id"] == id).expect("it is listed");
    let codes = found["diagnostics"].as_array().into_iter().flatten();
    codes.map(|found| found["code"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_what_is_known_and_what_has_changed_soon_after() {
    let client = RecordingClient::admin().await;
    let call = json!({"id": "a", "value": {"type": "script", "path": "node/n", "input_transforms": {}}});
    let document = json!({"summary": "s", "value": {"modules": [call]}});
    let saved = client.raw("PUT", "/workflows/w", &[], Some(json!({"name": "w", "nodes": document}))).await;
    assert_eq!(saved.string("/diagnostics/0/code"), "unknown-node", "{}", saved.text);
    assert_eq!(listed(&client, "w").await, ["unknown-node"]);

    let connector = json!({"name": "c", "base_url": "http://127.0.0.1:1", "header": {"Authorization": "Bearer $KEY"}});
    assert!(client.raw("PUT", "/connectors/c", &[], Some(connector)).await.status.is_success());
    let node = json!({"name": "n", "connector_id": "c"});
    assert!(client.raw("PUT", "/nodes/n", &[], Some(node)).await.status.is_success());
    // The list itself checks nothing: what was found last is shown, until it was found anew.
    let mut seen = listed(&client, "w").await;
    while seen == ["unknown-node"] {
        tokio::task::yield_now().await;
        seen = listed(&client, "w").await;
    }
    assert_eq!(seen, ["unresolved-secret"]);

    assert!(
        client
            .raw("PUT", "/secrets/KEY", &[], Some(json!({"value": "a-key-of-some-length"})))
            .await
            .status
            .is_success()
    );
    let read = client.raw("GET", "/workflows/w", &[], None).await.json();
    assert_eq!(read["diagnostics"], json!([]), "a single one is up to date");
    assert_eq!(listed(&client, "w").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_much_waiting_is_told_to_come_back_and_others_are_served() {
    let client = RecordingClient::admin().await;
    let heavy = json!({"document": modules(1_500)});
    let mut requests = tokio::task::JoinSet::new();
    let client = std::sync::Arc::new(client);
    for _ in 0..120 {
        let (client, body) = (client.clone(), heavy.clone());
        requests.spawn(async move { client.raw("POST", "/workflows/validate", &[], Some(body)).await });
    }
    let replies = requests.join_all().await;
    let (served, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == StatusCode::OK);
    assert!(!served.is_empty() && !refused.is_empty(), "{} served, {} refused", served.len(), refused.len());
    for reply in refused {
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", reply.text);
        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
}
