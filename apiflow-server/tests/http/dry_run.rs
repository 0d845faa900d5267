//! Dry runs over HTTP: the report of a run that sends nothing and leaves nothing behind.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::settle;
use crate::runs::furnished;

const PATH: &str = "/workflows/dry_run";

fn step(id: &str, from: &str) -> Value {
    json!({"id": id, "value": {"type": "script", "path": "node/say",
        "input_transforms": {"text": {"type": "javascript", "expr": from}}}})
}

fn document(modules: Value) -> Value {
    json!({"summary": "tried out", "value": {"modules": modules},
        "schema": {"type": "object", "properties": {"text": {"type": "string", "default": "hello"}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_tried_out_and_nothing_is_sent() {
    let (mut client, provider) = furnished().await;
    let document = document(json!([step("a", "flow_input.text"), step("b", "results.a.text + '?'")]));
    let body = json!({"document": document, "mocks": {"b": {"attempts": [{"text": "told"}]}}});
    let reply = client.say("POST", PATH, &[], Some(body)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    // The OpenAPI document says no more and no less than what is sent.
    let openapi = serde_json::to_value(apiflow_server::openapi_document()).expect("the document is JSON");
    let schema = json!({"$ref": "#/components/schemas/DryRunReport", "components": openapi["components"]});
    let schema = jsonschema::validator_for(&schema).expect("the document's schemas are valid");
    let report = reply.json();
    let faults: Vec<_> = schema.iter_errors(&report).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, [""; 0], "{report}");
    assert!(schema.validate(&json!({"status": "completed", "unknown": 1})).is_err());
    assert_eq!(report["output"], json!({"text": "told"}));
    assert_eq!(provider.calls(), []);
    let jobs = client.raw("GET", "/jobs", &[], None).await;
    assert_eq!(jobs.json()["items"], json!([]));
    settle!(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_and_its_gates_are_tried_out() {
    let (client, _provider) = furnished().await;
    let mut gate = step("a", "flow_input.text");
    gate["suspend"] = json!({"required_events": 1});
    let document = document(json!([gate, step("b", "resume.word"), step("c", "'never'")]));
    let body = json!({"document": document, "until": "b", "approvals": {"a": {"payload": {"word": "go"}}}});
    let reply = client.raw("POST", PATH, &[], Some(body)).await.json();
    let ran: Vec<_> = reply["steps"].as_array().expect("steps").iter().map(|step| step["id"].clone()).collect();
    assert_eq!(ran, ["a", "b"]);
    assert_eq!(reply["steps"][1]["requests"][0]["request"]["body"], json!({"text": "go"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_refuse_a_run_refuses_a_dry_run() {
    let (mut client, _provider) = furnished().await;
    let good = document(json!([step("a", "flow_input.text")]));
    for body in [
        json!({"document": document(json!([step("a", "results.b.text")]))}),
        json!({"document": {"value": 5}}),
        json!({"document": good, "input": {"text": 5}}),
        json!({"document": good, "mocks": {"aa": 1, "a": {"attempts": []}}}),
        json!({"document": good, "mocks": {"aa": 1}}),
        json!({"document": good, "approvals": {"a": {}}}),
        json!({"document": good, "until": "z"}),
        json!({"document": good, "mock": {}}),
    ] {
        let reply = client.say("POST", PATH, &[], Some(body.clone())).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", reply.text);
    }
    settle!(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_fails_or_has_no_end_is_reported() {
    let (client, _provider) = furnished().await;
    let endless = json!([{"id": "loop", "stop_after_if": {"expr": "flow_input.stop"},
        "value": {"type": "whileloopflow", "modules": [{"id": "same", "value": {"type": "identity"}}]}}]);
    for (document, mocks, name) in [
        (document(json!([step("a", "'x'")])), json!({"a": {"error": {"name": "payment"}}}), "payment"),
        (document(endless), json!({}), "dry_run_limit"),
    ] {
        let reply = client.raw("POST", PATH, &[], Some(json!({"document": document, "mocks": mocks}))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let report = reply.json();
        assert_eq!((&report["status"], &report["error"]["name"]), (&json!("failed"), &json!(name)));
    }
}
