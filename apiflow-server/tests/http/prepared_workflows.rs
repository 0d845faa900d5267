//! A workflow is read, checked and compiled once for all of its runs, and anew when something that it is made of changes.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;

fn workflow(value: u64) -> Value {
    let module = json!({"id": "a", "value": {"type": "flow", "path": "workflow/inner", "input_transforms": {}}});
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "default": value}}});
    json!({"id": "outer", "name": "Outer", "nodes": {"schema": schema, "value": {"modules": [module]}}})
}

fn inner(value: u64) -> Value {
    let code = format!("export async function main() {{ return {{value: {value}}}; }}");
    let module =
        json!({"id": "b", "value": {"type": "rawscript", "language": "bun", "content": code, "input_transforms": {}}});
    json!({"id": "inner", "name": "Inner", "nodes": {"value": {"modules": [module]}}})
}

async fn send(client: &RecordingClient, method: &str, path: &str, body: Value) {
    let reply = client.raw(method, path, &[], Some(body)).await;
    assert!(reply.status.is_success(), "{method} {path}: {} {}", reply.status, reply.text);
}

/// What a run costs: documents that were read, and workflows that were checked and compiled.
async fn costs(client: &RecordingClient) -> (u64, u64) {
    let metrics = client.raw("GET", "!/metrics", &[], None).await.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix("apiflow_workflow_preparations_total "));
    (client.document_reads(), line.and_then(|count| count.parse().ok()).expect("the counter is there"))
}

/// Runs something and returns its job, with what that cost.
async fn run(client: &RecordingClient, path: &str, body: Value) -> (Value, (u64, u64)) {
    let before = costs(client).await;
    let reply = client.raw("POST", path, &[("prefer", "wait=20")], Some(body)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let after = costs(client).await;
    let job = reply.json();
    assert_eq!(job["status"], "completed", "{job}");
    (job, (after.0 - before.0, after.1 - before.1))
}

#[tokio::test]
async fn a_second_run_reads_and_checks_nothing() {
    let client = RecordingClient::admin().await;
    client.work();
    send(&client, "POST", "/workflows", inner(1)).await;
    send(&client, "POST", "/workflows", workflow(1)).await;
    let input = || json!({"input": {}});
    let (job, first) = run(&client, "/workflow/outer/run", input()).await;
    assert_eq!((&job["output"], first), (&json!({"value": 1}), (2, 1)));
    let (job, second) = run(&client, "/workflow/outer/run", input()).await;
    assert_eq!((&job["input"], &job["output"]), (&json!({"n": 1}), &json!({"value": 1})));
    assert_eq!(second, (0, 0));

    // What is saved elsewhere is read again, and found to be the same.
    send(&client, "POST", "/workflows", json!({"id": "other", "name": "O", "nodes": {"value": {"modules": []}}})).await;
    assert_eq!(run(&client, "/workflow/outer/run", input()).await.1, (2, 0));

    send(&client, "PUT", "/workflows/inner", inner(2)).await;
    let (job, changed) = run(&client, "/workflow/outer/run", input()).await;
    assert_eq!((&job["output"], changed), (&json!({"value": 2}), (2, 1)), "a sub-flow has changed");

    let path = format!("/jobs/{}/rerun", job["id"].as_str().expect("a job has an id"));
    assert_eq!(run(&client, &path, json!({})).await.1, (0, 1));
    assert_eq!(run(&client, &path, json!({})).await.1, (0, 0));
}

#[tokio::test]
async fn a_document_that_is_sent_again_is_not_checked_again() {
    let client = RecordingClient::admin().await;
    client.work();
    send(&client, "POST", "/workflows", inner(1)).await;
    let body = |n: u64| json!({"document": workflow(1)["nodes"], "input": {"n": n}});
    let (_, first) = run(&client, "/workflows/run", body(1)).await;
    let (job, second) = run(&client, "/workflows/run", body(2)).await;
    assert_eq!((first, second, &job["input"]), ((1, 1), (0, 0), &json!({"n": 2})));
    let refused = client
        .raw("POST", "/workflows/run", &[], Some(json!({"document": workflow(1)["nodes"], "input": {"n": "x"}})))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.text.contains("/input/n"), "{}", refused.text);
}
