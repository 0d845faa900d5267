//! The documents that the product began with, posted as they are.

use std::path::Path;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, settle};

fn founding(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/founding").join(name);
    let text = std::fs::read_to_string(&path).expect("the document is there");
    serde_json::from_str(&text).expect("the document is JSON")
}

fn with_id(name: &str, id: &str) -> Value {
    let mut body = founding(name);
    body["id"] = Value::from(id);
    body
}

async fn furnished() -> RecordingClient {
    let client = RecordingClient::admin().await;
    let secret = client.raw("PUT", "/secrets/REPLICATE_API_TOKEN", &[], Some(json!({"value": "r8_canary"}))).await;
    assert_eq!(secret.status, StatusCode::OK, "{}", secret.text);
    for (path, body) in [
        ("/connectors", with_id("connector.json", "replicate_connector_id")),
        ("/nodes", with_id("node.json", "replicate_flux_kontext_pro_node_id")),
    ] {
        let reply = client.raw("POST", path, &[], Some(body)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    }
    client
}

#[tokio::test]
async fn founding_declarations_are_taken_without_errors() {
    let client = furnished().await;
    for name in ["workflow.json", "workflow_conditional.json", "workflow_parallel.json", "workflow_retry.json"] {
        let sent = founding(name);
        let reply = client.raw("POST", "/workflows", &[], Some(sent.clone())).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{name}: {}", reply.text);
        let body = reply.json();
        assert_eq!(body["nodes"], sent["nodes"], "{name}");
        let found = body["diagnostics"].as_array().expect("a reply has diagnostics");
        assert!(found.iter().all(|found| found["severity"] != "error"), "{name}: {found:?}");
    }
}

#[tokio::test]
async fn a_value_outside_the_enum_is_refused() {
    let mut client = furnished().await;
    let mut workflow = founding("workflow_conditional.json");
    workflow["id"] = Value::from("conditional");
    client.raw("POST", "/workflows", &[], Some(workflow)).await;
    client.post("/workflow/conditional/run", json!({"input": {"input_image": "x", "processing_type": "oil"}})).await;
    settle!(client);
}

#[tokio::test]
async fn founding_forms_of_inputs_and_outputs_are_taken() {
    let mut client = furnished().await;
    let mut node = founding("node.json");
    node["input"] = founding("node_inputs.json");
    node["output"] = founding("node_outputs.json");
    node["id"] = Value::from("forms");
    client.post("/nodes", node).await;
    settle!(client);
}

#[tokio::test]
async fn templates_tell_what_is_to_be_filled_in() {
    let mut client = RecordingClient::admin().await;
    client.post("/connectors", founding("template_connector.json")).await;
    client.post("/nodes", founding("template_node.json")).await;
    client.post("/workflows", with_id("template_workflow.json", "template")).await;
    client.post("/workflow/template/run", json!({"input": {}})).await;
    settle!(client);
}

#[tokio::test]
async fn founding_change_of_a_user_is_taken() {
    let mut client = RecordingClient::admin().await;
    client.patch("/user", founding("update_user.json")).await;
    settle!(client);
}
