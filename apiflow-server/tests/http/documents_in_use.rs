//! Documents whose jobs have not ended.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::recording_client::RecordingClient;
use crate::runs::furnished;

/// Starts a run whose call is held by the provider; gives the job's id.
async fn start_held(client: &RecordingClient, provider: &Provider, path: &str) -> String {
    let reply = client.raw("POST", path, &[], Some(json!({"input": {"text": "x"}}))).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    provider.called.notified().await;
    reply.string("/id")
}

/// A workflow of one call that is held, run; then what is in its way is removed, and the document as long as its job
/// is active.
async fn check(document: &str, run: &str, first: &[&str]) {
    let (client, provider) = furnished().await;
    let step = json!({"id": "a", "value": {"type": "script", "path": "node/endless",
        "input_transforms": {"text": {"type": "static", "value": "x"}}}});
    let held = json!({"name": "Held", "nodes": {"value": {"modules": [step]}}});
    let reply = client.raw("PUT", "/workflows/held", &[], Some(held)).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    let job = start_held(&client, &provider, run).await;
    for path in first {
        let reply = client.raw("DELETE", path, &[], None).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{path}: {}", reply.text);
    }

    let refused = client.raw("DELETE", document, &[], None).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(refused.string("/code"), "active");
    assert!(refused.string("/detail").contains(&job) && refused.text.contains("?force=true"), "{}", refused.text);
    assert_eq!(client.raw("GET", document, &[], None).await.status, StatusCode::OK, "it is still there");

    let forced = client.raw("DELETE", &format!("{document}?force=true"), &[], None).await;
    assert_eq!(forced.status, StatusCode::NO_CONTENT, "{}", forced.text);
    let again = client.raw("DELETE", document, &[], None).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND, "the job outlives it: {}", again.text);
    provider.release.notify_one();
    crate::runs::follow(&client, &job).await;
    let ended = client.raw("GET", &format!("/jobs/{job}"), &[], None).await;
    assert_eq!(ended.json()["output"], json!({"text": "at last"}), "{}", ended.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_with_an_active_job_is_removed_by_force_alone() {
    check("/workflows/held", "/workflow/held/run", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_an_active_job_is_removed_by_force_alone() {
    check("/nodes/endless", "/node/endless/run", &["/workflows/held"]).await;
    check("/nodes/endless", "/workflow/held/run", &["/workflows/held?force=true"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_an_active_job_uses_is_removed_by_force_alone() {
    let users = [
        "/workflows/held?force=true",
        "/workflows/twice",
        "/nodes/say",
        "/nodes/broken",
        "/nodes/moody",
        "/nodes/endless?force=true",
    ];
    check("/connectors/echo", "/workflow/held/run", &users).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_job_holds_nothing_back() {
    let (client, _provider) = furnished().await;
    let run = json!({"input": {"text": "x"}});
    let ended = client.raw("POST", "/workflow/twice/run", &[("prefer", "wait=30")], Some(run)).await;
    assert_eq!(ended.json()["status"], Value::from("completed"), "{}", ended.text);
    assert_eq!(client.raw("DELETE", "/workflows/twice", &[], None).await.status, StatusCode::NO_CONTENT);
}
