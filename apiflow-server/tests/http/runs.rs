//! Runs: from the request to the ended job, with workers and a provider on real sockets.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::recording_client::{RecordingClient, Reply, settle};

const CANARY: &str = "r8_canary_of_the_provider";

/// A server with workers, a connector with a secret, a node per path of the provider and a workflow of two steps.
pub(crate) async fn furnished() -> (RecordingClient, Provider) {
    furnish(RecordingClient::admin().await).await
}

/// The same on a server that is there already, logged in as the admin.
pub(crate) async fn furnish(mut client: RecordingClient) -> (RecordingClient, Provider) {
    let provider = Provider::start().await;
    client.know(&format!("127.0.0.1:{}", provider.port), "127.0.0.1:<port>");
    client.work();
    let connector = json!({"id": "echo", "name": "Echo", "base_url": provider.url(),
        "header": {"Authorization": "Bearer $ECHO_KEY"}});
    let node = |id: &str| {
        json!({"id": id, "name": id, "connector_id": "echo", "data": {"path": format!("/{id}")},
        "input": [{"name": "text", "type": "string", "required": true}],
        "output": [{"name": "text", "type": "string", "mapping": "text"}]})
    };
    let step = |id: &str, from: &str| {
        json!({"id": id, "value": {"type": "script", "path": "node/say",
        "input_transforms": {"text": {"type": "javascript", "expr": from}}}})
    };
    let workflow = json!({"id": "twice", "name": "Twice", "nodes": {"summary": "Twice",
        "schema": {"type": "object", "properties": {"text": {"type": "string", "default": "hello"}}},
        "value": {"modules": [step("a", "flow_input.text"), step("b", "results.a.text + '?'")]}}});
    for (path, body) in [
        ("/secrets/ECHO_KEY", json!({"value": CANARY})),
        ("/connectors/echo", connector),
        ("/nodes/say", node("say")),
        ("/nodes/broken", node("broken")),
        ("/nodes/endless", node("endless")),
        ("/nodes/moody", node("moody")),
        ("/workflows/twice", workflow),
    ] {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    (client, provider)
}

async fn run(client: &mut RecordingClient, path: &str, input: Value) -> Reply {
    client.say("POST", path, &[("prefer", "wait=30")], Some(json!({"input": input}))).await
}

/// Follows a job to its end and gives the stream's text.
pub(crate) async fn follow(client: &RecordingClient, job: &str) -> String {
    let path = format!("/jobs/{job}/events");
    let stream = tokio::time::timeout(Duration::from_secs(30), client.raw("GET", &path, &[], None)).await;
    stream.expect("the stream ends with the job").text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_run_and_its_calls_are_told_without_the_key() {
    let (mut client, provider) = furnished().await;
    let job = run(&mut client, "/node/say/run", json!({"text": "hello"})).await;
    assert_eq!(provider.calls(), [(format!("Bearer {CANARY}"), json!({"text": "hello"}))]);
    let id = job.string("/id");
    let calls = client.raw("GET", &format!("/jobs/{id}/steps/run/calls"), &[], None).await;
    assert_eq!(calls.json()["items"].as_array().map(Vec::len), Some(1), "{}", calls.text);
    assert!(calls.text.contains("Bearer $ECHO_KEY"), "{}", calls.text);
    let whole = format!("{}{}{}", job.text, calls.text, follow(&client, &id).await);
    assert!(!whole.contains(CANARY), "{whole}");
    assert!(client.is_on_disk("hello!") && !client.is_on_disk(CANARY));
    settle!(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_run_with_defaults_filled_in() {
    let (mut client, provider) = furnished().await;
    let job = run(&mut client, "/workflow/twice/run", json!({})).await;
    assert_eq!(job.status, StatusCode::OK, "{}", job.text);
    assert_eq!(job.json()["output"], json!({"text": "hello!?!"}));
    let asked: Vec<_> = provider.calls().into_iter().map(|(_, body)| body).collect();
    assert_eq!(asked, [json!({"text": "hello"}), json!({"text": "hello!?"})]);
    let listed = client.raw("GET", "/workflow/twice/jobs", &[], None).await.json();
    assert_eq!(listed["items"][0]["id"], job.json()["id"]);
    settle!(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_run_without_being_saved() {
    let (client, _provider) = furnished().await;
    let document = client.raw("GET", "/workflows/twice", &[], None).await.json()["nodes"].clone();
    let body = json!({"document": document, "input": {"text": "x"}});
    let job = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await;
    assert_eq!(job.status, StatusCode::OK, "{}", job.text);
    assert_eq!(job.json()["output"], json!({"text": "x!?!"}));
    assert_eq!((job.json()["workflow_id"].clone(), job.json()["name"].clone()), (Value::Null, json!("Twice")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_says_why() {
    let (mut client, _provider) = furnished().await;
    run(&mut client, "/node/broken/run", json!({"text": "hello"})).await;
    settle!(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_made_at_once_and_followed_to_its_end() {
    let (client, _provider) = furnished().await;
    let made = client.raw("POST", "/workflow/twice/run", &[], Some(json!({}))).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.text);
    let id = made.string("/id");
    assert_eq!(made.header("location"), format!("/api/v1/jobs/{id}"));
    let stream = follow(&client, &id).await;
    assert!(stream.trim_end().ends_with("event: end\ndata: {\"status\":\"completed\"}"), "{stream}");
    let ids: Vec<u64> = stream.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    let last = [("last-event-id", ids.len().to_string())];
    let rest = client.raw("GET", &format!("/jobs/{id}/events"), &[(last[0].0, &last[0].1)], None).await;
    assert_eq!(rest.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_finds_the_first_job() {
    let (mut client, provider) = furnished().await;
    let ask = async |client: &RecordingClient, text: &str| {
        let headers = [("idempotency-key", "k1"), ("prefer", "wait=30")];
        client.raw("POST", "/workflow/twice/run", &headers, Some(json!({"input": {"text": text}}))).await
    };
    let first = ask(&client, "a").await;
    let second = ask(&client, "a").await;
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK), "{}", second.text);
    assert_eq!(first.string("/id"), second.string("/id"));
    assert_eq!(provider.calls().len(), 2);
    let other = ask(&client, "b").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.string("/code"), "idempotency_key_reused");
    client.as_new_user("ann").await;
    assert_ne!(ask(&client, "a").await.string("/id"), first.string("/id"), "keys are each user's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_known_whatever_became_of_the_workflow() {
    let (client, provider) = furnished().await;
    let ask = async |body: &str| {
        let headers = [("idempotency-key", "k1"), ("prefer", "wait=30")];
        client.raw("POST", "/workflow/twice/run", &headers, Some(Value::from(body))).await
    };
    let first = ask(r#"{"input": {"a": 1, "b": {"c": 2, "d": 3}}}"#).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let mut nodes = client.raw("GET", "/workflows/twice", &[], None).await.json()["nodes"].take();
    nodes["schema"]["properties"]["text"]["default"] = Value::from("another");
    let edited = client.raw("PATCH", "/workflows/twice", &[], Some(json!({"nodes": nodes}))).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.text);
    let reordered = r#"{"preprocess": false, "input": {"b": {"d": 3, "c": 2}, "a": 1}}"#;
    assert_eq!(ask(reordered).await.string("/id"), first.string("/id"));
    assert_eq!(client.raw("DELETE", "/workflows/twice", &[], None).await.status, StatusCode::NO_CONTENT);
    let again = ask(reordered).await;
    assert_eq!((again.status, again.string("/id")), (StatusCode::OK, first.string("/id")), "{}", again.text);
    assert_eq!(ask(r#"{"input": {"a": 2}}"#).await.string("/code"), "idempotency_key_reused");
    assert_eq!(provider.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_the_early_step() {
    let (client, _provider) = furnished().await;
    let mut document = client.raw("GET", "/workflows/twice", &[], None).await.json()["nodes"].clone();
    document["value"]["early_return"] = json!("a");
    document["value"]["modules"][1]["value"]["path"] = json!("node/endless");
    let run = json!({"document": document});
    let job = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(run)).await;
    assert_eq!((job.status, job.string("/status")), (StatusCode::OK, "running".to_owned()), "{}", job.text);
    assert_eq!(job.json()["output"], json!({"text": "hello!"}), "the answer that was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_after_the_preferred_time() {
    let (client, provider) = furnished().await;
    let body = || Some(json!({"input": {"text": "x"}}));
    let job = client.raw("POST", "/node/endless/run", &[("prefer", "wait=1")], body()).await;
    assert_eq!((job.status, job.header("preference-applied").as_str()), (StatusCode::ACCEPTED, "wait=1"));
    provider.called.notified().await;

    let id = job.string("/id");
    let cancelled = client.raw("POST", &format!("/jobs/{id}/cancel"), &[], None).await;
    assert_eq!(cancelled.status, StatusCode::ACCEPTED, "{}", cancelled.text);
    // A call under way is not cut off: its fate would be unknown.
    provider.release.notify_one();
    let stream = follow(&client, &id).await;
    assert!(stream.contains("{\"status\":\"cancelled\"}"), "{stream}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ended_is_not_cancelled() {
    let (mut client, _provider) = furnished().await;
    let job =
        client.raw("POST", "/node/say/run", &[("prefer", "wait=30")], Some(json!({"input": {"text": "x"}}))).await;
    client.post(&format!("/jobs/{}/cancel", job.string("/id")), json!({})).await;
    settle!(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn null_is_no_input() {
    let (client, _provider) = furnished().await;
    let document = json!({"value": {"modules": [{"id": "a", "value": {"type": "identity"}}]}});
    for (path, body) in [
        ("/workflow/twice/run", json!({"input": null, "preprocess": null})),
        ("/workflows/run", json!({"document": document, "input": null, "mocks": null, "until": null})),
        ("/workflows/dry_run", json!({"document": document, "input": null, "mocks": null, "approvals": null})),
    ] {
        let reply = client.raw("POST", path, &[("prefer", "wait=30")], Some(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
        assert_eq!(reply.json()["status"], "completed", "{path}: {}", reply.text);
    }
    let lacking = client.raw("POST", "/node/say/run", &[], Some(json!({"input": null}))).await;
    assert_eq!(lacking.string("/errors/0/pointer"), "/input/text", "{}", lacking.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_before_a_body_is_passed_over() {
    let (client, provider) = furnished().await;
    let body = json!("\u{feff}{\"input\": {\"text\": \"hi\"}}");
    let headers = [("content-type", "application/json"), ("prefer", "wait=30")];
    let reply = client.raw("POST", "/node/say/run", &headers, Some(body)).await;
    assert_eq!((reply.status, reply.string("/status").as_str()), (StatusCode::OK, "completed"), "{}", reply.text);
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_output_no_reply_can_hold_is_saved_with_a_finding_and_not_run() {
    let (client, provider) = furnished().await;
    let node = json!({"id": "speak", "name": "Speak", "connector_id": "echo", "data": {"path": "/say", "accept": "audio/mpeg"},
        "output": [{"name": "sound", "type": "string", "mapping": "@body"}]});
    let saved = client.raw("PUT", "/nodes/speak", &[], Some(node)).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text);
    let run = client.raw("POST", "/node/speak/run", &[("prefer", "wait=30")], Some(json!({"input": {}}))).await;
    assert_eq!(run.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", run.text);
    for reply in [saved, run] {
        assert!(reply.text.contains("unreadable-output") && reply.text.contains("/output/0/mapping"), "{}", reply.text);
    }
    assert!(provider.calls().is_empty(), "nothing is sent, and nothing paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_are_previews_where_a_limit_is_given() {
    let (mut client, _provider) = furnished().await;
    let long = "x".repeat(5_000);
    let job = run(&mut client, "/node/say/run", json!({"text": long})).await;
    let path = format!("/jobs/{}", job.string("/id"));
    let whole = client.raw("GET", &path, &[], None).await.json();
    assert_eq!((whole["output"]["text"].as_str().map(str::len), &whole["truncated"]), (Some(5_001), &Value::Null));
    let cut = client.raw("GET", &format!("{path}?max_value_bytes=1000"), &[], None).await.json();
    assert_eq!(
        (&cut["truncated"], &cut["steps"][0]["truncated"]),
        (&json!(["input", "output"]), &json!(["input", "output"]))
    );
    let shown = cut["output"]["text"].as_str().unwrap_or_default();
    assert!(shown.starts_with("xxx") && shown.ends_with("… (5001 bytes)") && shown.len() < 1_100, "{shown}");
    let steps = client.raw("GET", &format!("{path}/steps?max_value_bytes=1000"), &[], None).await.json();
    assert_eq!(steps["items"][0]["truncated"], json!(["input", "output"]));
    let ordinal = &whole["steps"][0]["ordinal"];
    let step = client.raw("GET", &format!("{path}/steps/{ordinal}"), &[], None).await.json();
    assert_eq!((&step["output"], &step["ordinal"]), (&whole["output"], ordinal));
    let missing = client.raw("GET", &format!("{path}/steps/999"), &[], None).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_found_by_user_and_name() {
    let (mut client, _provider) = furnished().await;
    let job = run(&mut client, "/node/say/run", json!({"text": "a"})).await;
    let user = job.string("/created_by");
    for (query, count) in [
        (format!("created_by={user}"), 1),
        ("created_by=nobody".to_owned(), 0),
        ("search=SA".to_owned(), 1),
        ("search=sa%25".to_owned(), 0),
        (format!("search=%20{}%20", job.string("/id")), 1),
        ("search=".to_owned(), 1),
    ] {
        let found = client.raw("GET", &format!("/jobs?{query}"), &[], None).await.json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(count), "{query}: {found}");
    }
}
