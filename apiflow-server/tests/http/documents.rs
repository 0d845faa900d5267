//! Connectors, nodes and workflows: what is kept, and what refuses a write or a run.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, settle};

fn connector() -> Value {
    json!({"id": "echo", "name": "Echo", "base_url": "https://echo.example/v1", "header": {"Accept": "application/json"}})
}

fn node() -> Value {
    json!({"id": "say", "name": "Say", "connector_id": "echo",
        "input": [{"name": "text", "type": "string", "required": true}],
        "output": [{"name": "text", "type": "string", "mapping": "text"}],
        "data": {"path": "/say"}})
}

fn workflow(path: &str) -> Value {
    json!({"id": "flow", "name": "Flow", "nodes": {"summary": "Flow", "value": {"modules": [
        {"id": "a", "value": {"type": "script", "path": path, "input_transforms": {
            "text": {"type": "javascript", "expr": "flow_input.text"}}}}]},
        "schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}})
}

/// A server with one of each.
async fn furnished() -> RecordingClient {
    let client = RecordingClient::admin().await;
    for (path, body) in [("/connectors", connector()), ("/nodes", node()), ("/workflows", workflow("node/say"))] {
        let reply = client.raw("POST", path, &[], Some(body)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    }
    client
}

#[tokio::test]
async fn documents_are_made_read_replaced_changed_and_removed() {
    let mut client = RecordingClient::admin().await;
    client.post("/connectors", connector()).await;
    client.get("/connectors/echo").await;
    client.post("/nodes", node()).await;
    client.post("/workflows", workflow("node/say")).await;
    client.patch("/connectors/echo", json!({"name": "Echo 2", "method": "get"})).await;
    client.put("/nodes/say", json!({"name": "Say", "connector_id": "echo"})).await;
    client.put("/workflows/other", workflow("echo/say")).await;
    client.get("/workflows?limit=1").await;
    client.delete("/workflows/other").await;
    client.get("/workflows/other").await;
    settle!(client);
}

#[tokio::test]
async fn what_was_read_can_be_written() {
    let client = furnished().await;
    for path in ["/connectors/echo", "/nodes/say", "/workflows/flow"] {
        let read = client.raw("GET", path, &[], None).await.json();
        let written = client.raw("PUT", path, &[], Some(read.clone())).await;
        assert_eq!(written.status, StatusCode::OK, "{}", written.text);
        let without_time =
            |mut body: Value| body.as_object_mut().and_then(|body| body.shift_remove("updated_at")).map(|_| body);
        assert_eq!(without_time(written.json()), without_time(read), "{path}");
    }
}

#[tokio::test]
async fn a_workflow_says_how_long_its_jobs_and_outputs_are_kept() {
    let client = furnished().await;
    let change = async |retention: Value| {
        let reply = client.raw("PATCH", "/workflows/flow", &[], Some(json!({"retention": retention}))).await;
        (reply.status, reply.json())
    };
    let days = json!({"artifacts_days": 7, "jobs_days": 36_500});
    let (status, body) = change(days.clone()).await;
    assert_eq!((status, &body["retention"]), (StatusCode::OK, &days));
    let read = client.raw("GET", "/workflows/flow", &[], None).await.json();
    assert_eq!(read["retention"], days);
    for (wrong, pointer) in [
        (json!({"artifacts_days": 0}), "/retention/artifacts_days"),
        (json!({"jobs_days": 36_501}), "/retention/jobs_days"),
        (json!({"jobs_days": "7"}), "/retention/jobs_days"),
        (json!({"days": 7}), "/retention/days"),
        (json!(7), "/retention"),
    ] {
        let (status, body) = change(wrong).await;
        assert_eq!((status, &body["errors"][0]["pointer"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(pointer)));
    }
    let (status, body) = change(Value::Null).await;
    assert_eq!((status, body.get("retention")), (StatusCode::OK, None));
}

#[tokio::test]
async fn an_id_is_generated_where_none_is_given() {
    let mut client = RecordingClient::admin().await;
    let mut body = connector();
    body.as_object_mut().expect("an object").shift_remove("id");
    client.post("/connectors", body).await;
    settle!(client);
}

#[tokio::test]
async fn writes_are_refused_with_their_places() {
    let mut client = furnished().await;
    client.post("/connectors", connector()).await;
    client.post("/connectors", Value::from("{\"name\": ")).await;
    client.post("/connectors", json!([])).await;
    client.post("/connectors", json!({"id": "x", "name": 5, "base_url": "echo", "metod": "GET"})).await;
    client.post("/nodes", json!({"id": "x", "name": "X", "connector_id": "nobody"})).await;
    client
        .post(
            "/nodes",
            json!({"name": "X", "connector_id": "echo", "input": [{"name": "a", "type": "text", "requird": true}]}),
        )
        .await;
    client.post("/workflows", json!({"name": "X", "nodes": [], "steps": []})).await;
    client.post("/workflows", json!({"description": 1})).await;
    client.put("/connectors/node", connector()).await;
    client.put("/workflows/run", workflow("node/say")).await;
    client.put("/nodes/a%20b", node()).await;
    client.patch("/nodes/say", json!({"connector_id": "nobody"})).await;
    client.patch("/nodes/nobody", json!({"name": "X"})).await;
    client.note("nothing was half-written");
    for path in ["/connectors", "/nodes", "/workflows"] {
        let items = client.raw("GET", path, &[], None).await.json();
        assert_eq!(items["items"].as_array().map(Vec::len), Some(1), "{path}");
    }
    settle!(client);
}

#[tokio::test]
async fn what_others_refer_to_stays() {
    let mut client = furnished().await;
    client.delete("/connectors/echo").await;
    client.delete("/nodes/say").await;
    client.delete("/workflows/flow").await;
    client.delete("/nodes/say").await;
    client.delete("/connectors/echo").await;
    client.delete("/connectors/echo").await;
    settle!(client);
}

#[tokio::test]
async fn if_match_guards_against_overwriting() {
    let mut client = furnished().await;
    let tag = client.raw("GET", "/nodes/say", &[], None).await.header("etag");
    let guarded = [("if-match", tag.as_str())];
    client.say("PATCH", "/nodes/say", &guarded, Some(json!({"name": "First"}))).await;
    client.say("PATCH", "/nodes/say", &guarded, Some(json!({"name": "Second"}))).await;
    client.say("PUT", "/nodes/say", &guarded, Some(node())).await;
    client.say("DELETE", "/workflows/flow", &[("if-match", "\"9\"")], None).await;
    client.say("PUT", "/nodes/say", &[("if-none-match", "*")], Some(node())).await;
    client.say("PUT", "/nodes/new", &[("if-match", "*")], Some(node())).await;
    let tags = format!("W/\"7\", {}", client.raw("GET", "/workflows/flow", &[], None).await.header("etag"));
    let gone = client.raw("DELETE", "/workflows/flow", &[("if-match", &tags)], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    assert_eq!(client.raw("GET", "/nodes/say", &[], None).await.string("/name"), "First");
    settle!(client);
}

#[tokio::test]
async fn a_document_made_anew_does_not_have_the_old_ones_tag() {
    let client = furnished().await;
    let old = client.raw("GET", "/workflows/flow", &[], None).await.header("etag");
    assert_eq!(client.raw("DELETE", "/workflows/flow", &[], None).await.status, StatusCode::NO_CONTENT);
    // Moments are kept in milliseconds.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let create = [("if-none-match", "*")];
    let made = client.raw("PUT", "/workflows/flow", &create, Some(workflow("node/say"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_ne!(made.header("etag"), old);
    for headers in [[("if-match", old.as_str())], create] {
        let refused = client.raw("PUT", "/workflows/flow", &headers, Some(workflow("node/say"))).await;
        assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{}", refused.text);
    }
}

#[tokio::test]
async fn lists_are_pages_newest_first() {
    let mut client = furnished().await;
    for index in 0..5 {
        let body = json!({"id": format!("c{index}"), "name": "C", "base_url": "https://c.example"});
        client.raw("POST", "/connectors", &[], Some(body)).await;
    }
    let mut ids = Vec::new();
    let mut path = "/connectors?limit=2".to_owned();
    loop {
        let page = client.raw("GET", &path, &[], None).await.json();
        let items = page["items"].as_array().expect("a page has items");
        ids.extend(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)));
        match page["next"].as_str() {
            Some(next) => path = format!("/connectors?limit=2&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(sorted, ["c0", "c1", "c2", "c3", "c4", "echo"]);
    assert_eq!(ids.last().map(String::as_str), Some("echo"), "{ids:?}");
    client.get("/connectors?limit=501").await;
    client.get("/connectors?limit=0").await;
    client.get("/connectors?limit=many").await;
    client.get("/connectors?cursor=%21%21").await;
    settle!(client);
}

#[tokio::test]
async fn open_flow_is_kept_as_it_was_sent() {
    let client = furnished().await;
    let nodes = json!({"value": {"modules": [{"value": {"path": "node/say", "type": "script", "zzz": [1.0, {"b": 1, "a": null}]}, "id": "a"}],
        "notes": [{"text": "kept"}]}, "summary": null, "future_field": {"x": 1}, "schema": null});
    let reply = client.raw("PUT", "/workflows/w", &[], Some(json!({"name": "W", "nodes": nodes.clone()}))).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let read = client.raw("GET", "/workflows/w", &[], None).await;
    assert_eq!(serde_json::to_string(&read.json()["nodes"]).ok(), serde_json::to_string(&nodes).ok());
}

#[tokio::test]
async fn a_document_with_errors_is_saved_but_not_run() {
    let mut client = furnished().await;
    client.put("/workflows/flow", workflow("node/nobody")).await;
    client.post("/workflow/flow/run", json!({"input": {"text": "hello"}})).await;
    client.post("/workflows/validate", json!({"document": workflow("node/nobody")["nodes"]})).await;
    client
        .post("/workflows/run", json!({"document": {"value": {"modules": [{"id": "a", "value": {"type": "dance"}}]}}}))
        .await;
    settle!(client);
}

#[tokio::test]
async fn an_unknown_secret_refuses_a_run_only() {
    let mut client = furnished().await;
    client.patch("/connectors/echo", json!({"header": {"Authorization": "Bearer $NOBODY_SET_THIS"}})).await;
    client.get("/nodes/say").await;
    client.post("/node/say/run", json!({"input": {"text": "hello"}})).await;
    client.post("/workflow/flow/run", json!({"input": {"text": "hello"}})).await;
    settle!(client);
}

#[tokio::test]
async fn the_input_of_a_run_is_checked_in_full() {
    let mut client = furnished().await;
    client.post("/workflow/flow/run", json!({})).await;
    client.post("/workflow/flow/run", json!({"input": {"text": 5}})).await;
    client.post("/workflow/flow/run", json!({"input": []})).await;
    client.post("/workflow/flow/run", json!({"inputs": {}})).await;
    client.post("/node/say/run", json!({"input": {}})).await;
    client.post("/node/say/run", json!({"input": {"text": 5}})).await;
    client.say("POST", "/workflow/flow/run", &[("prefer", "wait=999")], Some(json!({"input": {"text": "x"}}))).await;
    client.post("/node/nobody/run", json!({})).await;
    client.post("/workflow/nobody/run", json!({})).await;
    settle!(client);
}
