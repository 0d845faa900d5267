//! The library of ready-made connectors and nodes.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;

async fn list(client: &RecordingClient, query: &str) -> Vec<String> {
    let reply = client.raw("GET", &format!("/library{query}"), &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let items = reply.json()["items"].clone();
    items.as_array().into_iter().flatten().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

async fn add(client: &RecordingClient, id: &str) -> (StatusCode, Value) {
    let reply = client.raw("POST", &format!("/library/{id}"), &[], None).await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn it_is_searched_filtered_and_read_in_pages() {
    let client = RecordingClient::admin().await;
    let all = list(&client, "?limit=500").await;
    assert!(all.len() >= 20, "{all:?}");
    assert!(all.is_sorted());
    assert_eq!(list(&client, "?q=KONTEXT+max&provider=bfl").await, ["bfl-flux-kontext-max"]);
    let videos = list(&client, "?produces=video").await;
    assert_eq!(videos, ["fal-kling-v2.1", "replicate-kling-v2.1"]);
    let first = client.raw("GET", "/library?limit=2", &[], None).await.json();
    let rest = list(&client, &format!("?limit=500&cursor={}", first["next"].as_str().expect("there are more"))).await;
    assert_eq!(rest, all[2..]);
    assert_eq!(client.raw("GET", "/library?kind=image", &[], None).await.status, StatusCode::BAD_REQUEST);
    let entry = client.raw("GET", "/library/openai-speech", &[], None).await.json();
    assert_eq!((&entry["secret"]["name"], &entry["produces"]), (&json!("OPENAI_API_KEY"), &json!(["audio"])));
    assert_eq!(client.raw("GET", "/library/openai-telepathy", &[], None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn adding_again_changes_nothing_and_says_what_differs() {
    let client = RecordingClient::admin().await;
    let (status, added) = add(&client, "bfl-flux-kontext-pro").await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!((&added["is_node_added"], &added["is_connector_added"]), (&json!(true), &json!(true)));
    let (status, again) = add(&client, "bfl-flux-kontext-pro").await;
    assert_eq!((status, &again["is_node_added"], &again["changes"]), (StatusCode::OK, &json!(false), &json!([])));

    // A second node of the provider uses the connector that is there.
    let (status, second) = add(&client, "bfl-flux-pro-1.1").await;
    assert_eq!((status, &second["is_connector_added"]), (StatusCode::CREATED, &json!(false)));

    let base_url = json!({"base_url": "https://api.eu.bfl.ai"});
    client.raw("PATCH", "/connectors/bfl", &[], Some(base_url)).await;
    client.raw("PATCH", "/nodes/bfl-flux-kontext-pro", &[], Some(json!({"name": "Mine"}))).await;
    let (status, changed) = add(&client, "bfl-flux-kontext-pro").await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!([
        {"document": "connector", "pointer": "/base_url", "saved": "https://api.eu.bfl.ai", "library": "https://api.bfl.ai"},
        {"document": "node", "pointer": "/name", "saved": "Mine", "library": "FLUX.1 Kontext [pro]"},
    ]);
    assert_eq!(changed["changes"], expected);
    assert_eq!(client.raw("GET", "/nodes/bfl-flux-kontext-pro", &[], None).await.json()["name"], "Mine");
}

#[tokio::test]
async fn a_user_adds_nodes_of_an_admins_connector_but_no_reference_to_a_shared_secret() {
    let mut client = RecordingClient::admin().await;
    for name in ["FAL_KEY", "OPENAI_API_KEY"] {
        client.raw("PUT", &format!("/secrets/{name}"), &[], Some(json!({"value": "canary-of-the-key"}))).await;
    }
    add(&client, "fal-flux-dev").await;
    client.as_new_user("ann").await;
    let (status, added) = add(&client, "fal-flux-schnell").await;
    assert_eq!((status, &added["is_connector_added"]), (StatusCode::CREATED, &json!(false)));
    let (status, problem) = add(&client, "openai-speech").await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("shared_secret")));
}

#[tokio::test]
async fn a_model_of_replicate_becomes_a_node() {
    let client = RecordingClient::admin().await;
    let provider = fake_providers::Replicate::start(fake_providers::Behaviour::default()).await.expect("it starts");
    let url = format!("{}/models/black-forest-labs/flux-schnell", provider.base_url());
    // Fails only if another test of this process has done it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let model = reqwest::Client::new().get(url).bearer_auth("any").send().await.expect("the stand-in answers");
    let model: Value = model.json().await.expect("it is JSON");
    let import = json!({"connector_id": "replicate", "model": model});
    let without = client.raw("POST", "/library/import", &[], Some(import.clone())).await;
    assert_eq!(without.status, StatusCode::NOT_FOUND, "{}", without.text);
    add(&client, "replicate-flux-schnell").await;
    let added = client.raw("POST", "/library/import", &[], Some(import.clone())).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let id = "replicate-black-forest-labs-flux-schnell";
    assert_eq!(added.header("location"), format!("/api/v1/nodes/{id}"));
    let node = client.raw("GET", &format!("/nodes/{id}"), &[], None).await.json();
    assert_eq!((&node["input"][0]["name"], &node["output"][0]["pick"]), (&json!("prompt"), &json!("all")));
    let again = client.raw("POST", "/library/import", &[], Some(import)).await;
    assert_eq!((again.status, &again.json()["changes"]), (StatusCode::OK, &json!([])));
}

/// A document of one step that calls a node with this input.
fn document_of(node: &str, input: &Value) -> Value {
    let inputs: serde_json::Map<String, Value> = input
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), json!({"type": "static", "value": value})))
        .collect();
    json!({"summary": "One call", "value": {"modules": [
        {"id": "call", "value": {"type": "script", "path": format!("node/{node}"), "input_transforms": inputs}},
    ]}})
}

#[tokio::test]
async fn every_entry_can_be_added_and_dry_run() {
    let client = RecordingClient::admin().await;
    for id in list(&client, "?limit=500").await {
        let entry = client.raw("GET", &format!("/library/{id}"), &[], None).await.json();
        let secret = entry["secret"]["name"].as_str().expect("a name");
        client.raw("PUT", &format!("/secrets/{secret}"), &[], Some(json!({"value": "canary-of-the-key"}))).await;
        let (status, added) = add(&client, &id).await;
        assert_eq!(status, StatusCode::CREATED, "{id}: {added}");
        let saved = client.raw("GET", &format!("/nodes/{id}"), &[], None).await.json();
        let errors: Vec<&Value> = saved["diagnostics"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|diagnostic| diagnostic["severity"] == "error")
            .collect();
        assert!(errors.is_empty(), "{id}: {errors:?}");

        let run = json!({"document": document_of(&id, &entry["sample"]["input"]), "input": {}});
        let report = client.raw("POST", "/workflows/dry_run", &[], Some(run)).await;
        assert_eq!(report.status, StatusCode::OK, "{id}: {}", report.text);
        let report = report.json();
        assert_eq!(report["status"], "completed", "{id}: {report}");
        assert!(!report.to_string().contains("canary-of-the-key"), "{id}");
    }
}
