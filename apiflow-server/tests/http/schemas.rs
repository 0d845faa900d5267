//! JSON Schemas of users: those that would hold the server up are refused at their place, real ones are taken.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::recording_client::{RecordingClient, Reply};

fn document(schema: &Value) -> Value {
    json!({"summary": "s", "schema": schema, "value": {"modules": [{"id": "a", "value": {"type": "identity"}}]}})
}

/// Schemas of which each names the next one twice: 3.3 kB, and 2^45 checks of one value.
fn doubling() -> Value {
    let mut defs = Map::new();
    for level in 0..45 {
        let next = format!("#/$defs/d{}", level + 1);
        defs.insert(format!("d{level}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}));
    }
    defs.insert("d45".to_owned(), json!({}));
    json!({"$defs": defs, "properties": {"x": {"$ref": "#/$defs/d0"}}})
}

async fn run(client: &RecordingClient, document: Value, input: Value) -> Reply {
    let body = json!({"document": document, "input": input});
    client.raw("POST", "/workflows/run", &[("prefer", "wait=20")], Some(body)).await
}

async fn validate(client: &RecordingClient, document: &Value) -> Value {
    let reply = client.raw("POST", "/workflows/validate", &[], Some(json!({ "document": document }))).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()["diagnostics"].clone()
}

#[tokio::test]
async fn the_schemas_of_declarations_are_published() {
    let client = RecordingClient::admin().await;
    for (name, definition, field) in [
        ("connector", "Connector", "base_url"),
        ("node", "Node", "connector_id"),
        ("connector_data", "ConnectorData", "auth"),
        ("node_data", "NodeData", "operation"),
    ] {
        let reply = client.raw("GET", &format!("/schemas/{name}"), &[], None).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let schema = reply.json();
        assert_eq!(schema["$ref"], format!("#/$defs/{definition}"));
        assert!(schema["$defs"][definition]["properties"][field].is_object(), "{name}: {field}");
    }
    let unknown = client.raw("GET", "/schemas/flow", &[], None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text.contains("connector, node"), "{}", unknown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_doubles_is_refused_wherever_it_stands() {
    let client = RecordingClient::admin().await;
    client.work();
    let of_inputs = document(&doubling());
    let mut of_form = document(&json!({}));
    of_form["value"]["modules"][0]["suspend"] = json!({"required_events": 1, "resume_form": {"schema": doubling()}});
    let places = ["/schema/$defs/d", "/value/modules/0/suspend/resume_form/schema/$defs/d"];
    for (document, place) in [of_inputs, of_form].into_iter().zip(places) {
        let found = validate(&client, &document).await;
        assert_eq!(found[0]["code"], "schema-limit", "{found}");
        assert!(found[0]["pointer"].as_str().is_some_and(|pointer| pointer.starts_with(place)), "{found}");
        let refused = run(&client, document.clone(), json!({"x": 1})).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert_eq!(refused.json()["diagnostics"], found, "a run says what the check says");
        let dry = client.raw("POST", "/workflows/dry_run", &[], Some(json!({ "document": document }))).await;
        assert_eq!(dry.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", dry.text);
        let saved = client.raw("PUT", "/workflows/w", &[], Some(json!({"name": "w", "nodes": document}))).await;
        assert!(saved.status.is_success(), "unfinished work is saved: {}", saved.text);
        assert_eq!(saved.json()["diagnostics"], found);
        let refused = client.raw("POST", "/workflow/w/run", &[], Some(json!({"input": {"x": 1}}))).await;
        assert_eq!(refused.json()["diagnostics"], found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_takes_too_long_is_given_up() {
    let client = RecordingClient::admin().await;
    client.work();
    let schema = json!({"properties": {"x": {"pattern": "(a|aa|aaa){1,3000}b"}}});
    let reply = run(&client, document(&schema), json!({"x": "a".repeat(1_000_000)})).await;
    assert_eq!(
        (reply.status, reply.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/input")
    );
    // An engine that goes back and forth would need 2^40 steps for this.
    let schema = json!({"properties": {"x": {"pattern": "^(a+)+$"}}});
    let reply = run(&client, document(&schema), json!({"x": format!("{}!", "a".repeat(40))})).await;
    assert_eq!(reply.string("/errors/0/pointer"), "/input/x", "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_as_editors_write_them_never_refuse_every_run() {
    let client = RecordingClient::admin().await;
    client.work();
    let mail = json!({"type": "string", "pattern": "^[\\w-+.]+@([\\w-]+\\.)+[\\w-]{2,4}$"});
    let nullable = json!({"type": "string", "default": null, "nullable": true, "description": ""});
    let object = json!({"type": "object", "default": "", "format": "resource-airtable"});
    let of = |property: &Value| {
        document(&json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": {"contact": property}, "required": [], "order": ["contact"]}))
    };
    for (property, input, status, codes) in [
        (&nullable, json!({}), StatusCode::OK, json!([])),
        (&nullable, json!({"contact": null}), StatusCode::OK, json!([])),
        (&object, json!({}), StatusCode::OK, json!(["bad-default"])),
        (&mail, json!({}), StatusCode::OK, json!([])),
        (&mail, json!({"contact": "mia@example.org"}), StatusCode::OK, json!([])),
        (&mail, json!({"contact": "mia"}), StatusCode::UNPROCESSABLE_ENTITY, json!([])),
    ] {
        let found = validate(&client, &of(property)).await;
        let found: Value = found.as_array().into_iter().flatten().map(|found| found["code"].clone()).collect();
        assert_eq!(found, codes, "{property}");
        let reply = run(&client, of(property), input.clone()).await;
        assert_eq!(reply.status, status, "{property} and {input}: {}", reply.text);
        if status == StatusCode::OK {
            let job = reply.json();
            assert_eq!((&job["status"], &job["input"]["contact"]), (&json!("completed"), &input["contact"]), "{job}");
        }
    }
}
