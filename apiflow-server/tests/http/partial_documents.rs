//! Parts of a document that is being written, and runs by way of a preprocessor.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;
use crate::runs::furnished;

fn document() -> Value {
    let call = |id: &str, text: &str| {
        json!({"id": id, "value": {"type": "script", "path": "node/say",
            "input_transforms": {"text": {"type": "javascript", "expr": text}}}})
    };
    let looped = json!({"id": "loop", "value": {"type": "forloopflow", "skip_failures": false,
        "iterator": {"type": "javascript", "expr": "flow_input.words"}, "modules": [call("inner", "flow_input.iter.value"), call("behind", "results.inner.text")]}});
    let schema = json!({"type": "object", "required": ["words"], "properties": {"words": {"type": "array"}}});
    json!({"summary": "Parts", "schema": schema, "value": {
        "modules": [call("first", "'1'"), looped, call("last", "JSON.stringify(results.loop)")]}})
}

async fn check(client: &RecordingClient, part: Value, expected: Value) {
    let mut body = part;
    body["document"] = document();
    let reply = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert_eq!(reply.json()["output"], expected, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_document_is_run() {
    let (client, provider) = furnished().await;
    let input = json!({"words": ["a", "b"]});
    check(&client, json!({"input": input, "until": "first"}), json!({"text": "1!"})).await;
    check(&client, json!({"input": input, "until": "inner"}), json!([{"text": "a!"}, {"text": "b!"}])).await;
    check(&client, json!({"input": {"iter": {"index": 0, "value": "z"}}, "only": "inner"}), json!({"text": "z!"}))
        .await;
    let mocked = json!({"only": "last", "mocks": {"loop": [1]}});
    check(&client, mocked, json!({"text": "[1]!"})).await;
    assert_eq!(provider.calls().len(), 1 + 3 + 1 + 1);
    let mocks = json!({"input": input, "mocks": {"inner": {"text": "m"}, "first": null}, "until": "loop"});
    check(&client, mocks, json!([{"text": "m!"}, {"text": "m!"}])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_not_there_is_named() {
    let (client, provider) = furnished().await;
    let body = json!({"document": document(), "input": {"words": []}, "until": "fist", "mocks": {"nope": 1}});
    let reply = client.raw("POST", "/workflows/run", &[], Some(body)).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text);
    let places: Vec<Value> =
        reply.json()["errors"].as_array().expect("faults").iter().map(|fault| fault["pointer"].clone()).collect();
    assert_eq!(places, [json!("/until"), json!("/mocks/nope")]);
    assert!(reply.string("/errors/0/help").contains("`first`"), "{}", reply.text);
    assert!(provider.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preprocessor_makes_the_input_of_what_arrived() {
    let (client, _provider) = furnished().await;
    let mut document = document();
    document["value"]["preprocessor_module"] = json!({"id": "preprocessor", "value": {"type": "rawscript", "language": "bun",
        "content": "export function main(raw: string) { return {words: raw.split(' ')} }",
        "input_transforms": {"raw": {"type": "javascript", "expr": "flow_input.line"}}}});
    let body = |preprocess: bool| json!({"document": document, "input": {"line": "x y"}, "preprocess": preprocess, "until": "loop"});
    let reply = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body(true))).await;
    assert_eq!(reply.json()["output"], json!([{"text": "x!!"}, {"text": "y!!"}]), "{}", reply.text);
    let unprepared = client.raw("POST", "/workflows/run", &[], Some(body(false))).await;
    assert_eq!(unprepared.status, StatusCode::UNPROCESSABLE_ENTITY, "without it the input is the caller's");
}
