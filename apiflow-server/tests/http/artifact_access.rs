//! Which artifacts a job may send: those of its user, whatever the documents, inputs and providers name.

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::artifacts::PNG;
use crate::provider::Provider;
use crate::recording_client::{RecordingClient, Reply};

const ANNS_WORDS: &[u8] = b"nobody but ann may read this";

/// A server with the users ann and ben, a node of each kind, and an artifact of ann's; ben is logged in.
async fn furnished() -> (RecordingClient, Provider, Value) {
    let provider = Provider::start().await;
    let mut client = RecordingClient::admin().await;
    client.work();
    let node = |id: &str, path: &str, input: Value, output: &str| {
        let input = [json!({"name": "text", "required": true}), input].into_iter();
        let input: Value = input.flat_map(|fields| fields.as_object().cloned().unwrap_or_default()).collect();
        json!({"id": id, "name": id, "connector_id": "echo", "data": {"path": path}, "input": [input],
            "output": [{"name": "text", "type": output, "mapping": "text"}]})
    };
    let connector = json!({"id": "echo", "name": "Echo", "base_url": provider.url()});
    for (path, body) in [
        ("/connectors/echo", connector),
        ("/nodes/send", node("send", "/say", json!({"type": "file", "as": "data_uri"}), "string")),
        ("/nodes/many", node("many", "/say", json!({"type": "array", "as": "data_uri"}), "string")),
        ("/nodes/mirror", node("mirror", "/mirror", json!({"type": "object"}), "object")),
        ("/nodes/draw", node("draw", "/mirror", json!({"type": "string"}), "image")),
    ] {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    client.as_new_user("ann").await;
    let anns = upload(&client, ANNS_WORDS).await;
    client.log_in("admin", "admin").await;
    client.as_new_user("ben").await;
    (client, provider, anns)
}

async fn upload(client: &RecordingClient, content: &[u8]) -> Value {
    let (_, _, reply) = client.exchange("PUT", "/artifacts", &[], Body::from(content.to_vec())).await;
    serde_json::from_slice(&reply).expect("the reply is JSON")
}

fn step(id: &str, node: &str, text: Value) -> Value {
    json!({"id": id, "value": {"type": "script", "path": format!("node/{node}"), "input_transforms": {"text": text}}})
}

fn fixed(value: &Value) -> Value {
    json!({"type": "static", "value": value})
}

fn computed(expr: &str) -> Value {
    json!({"type": "javascript", "expr": expr})
}

fn png_uri() -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(PNG))
}

async fn run(client: &RecordingClient, modules: Value) -> Reply {
    let body = json!({"document": {"summary": "Files", "value": {"modules": modules}}});
    client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await
}

async fn rerun(client: &RecordingClient, job: &Reply, from: &str) -> Reply {
    let path = format!("/jobs/{}/rerun", job.string("/id"));
    client.raw("POST", &path, &[("prefer", "wait=30")], Some(json!({"from": from}))).await
}

/// How often the provider was sent a content.
fn times_sent(provider: &Provider, content: &[u8]) -> usize {
    let uri = STANDARD.encode(content);
    provider.calls().iter().filter(|(_, body)| body.to_string().contains(&uri)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_sends_an_artifact_of_another_user() {
    let (client, provider, anns) = furnished().await;
    let id = &anns["artifact"];
    let by_id = json!({"artifact": id});
    for modules in [
        json!([step("a", "send", fixed(&by_id))]),
        json!([step("a", "send", fixed(&json!({"artifact": id, "extra": 1})))]),
        json!([step("a", "send", fixed(&anns))]),
        json!([step("a", "send", fixed(&anns["url"]))]),
        json!([step("a", "send", computed(&format!("'' + {}", anns["url"])))]),
        json!([step("a", "many", fixed(&json!([[by_id]])))]),
        json!([step("a", "many", fixed(&json!([{"deep": anns["url"]}])))]),
        json!([step("a", "mirror", fixed(&json!({"deep": [anns]})))]),
        json!([step("a", "mirror", fixed(&by_id)), step("b", "send", computed("({...results.a.text})"))]),
    ] {
        let job = run(&client, modules.clone()).await;
        assert_eq!((job.status, job.string("/status").as_str()), (StatusCode::OK, "failed"), "{modules}: {}", job.text);
        assert!(job.string("/error/message").contains("another user's"), "{}", job.text);
        if modules[1]["id"] == "b" {
            let again = rerun(&client, &job, "b").await;
            assert_eq!(again.string("/status"), "failed", "what a provider names gives no access: {}", again.text);
        }
    }
    for input in [&by_id, &anns, &anns["url"]] {
        let body = json!({"input": {"text": input}});
        let refused = client.raw("POST", "/node/send/run", &[("prefer", "wait=30")], Some(body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let body = json!({"input": {"text": {"artifact": id, "extra": 1}}});
    let job = client.raw("POST", "/node/send/run", &[("prefer", "wait=30")], Some(body)).await;
    assert_eq!(job.string("/status"), "failed", "an object that is not taken for an artifact: {}", job.text);
    assert_eq!(times_sent(&provider, ANNS_WORDS), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_send_artifacts_of_their_users_and_their_steps() {
    let (mut client, provider, anns) = furnished().await;
    let words = b"these are ben's";
    let bens = upload(&client, words).await;
    for (count, value) in [json!({"artifact": bens["artifact"]}), bens.clone(), bens["url"].clone()].iter().enumerate()
    {
        let job = run(&client, json!([step("a", "send", fixed(value))])).await;
        assert_eq!(job.string("/status"), "completed", "{}", job.text);
        assert_eq!(times_sent(&provider, words), count + 1, "{value}");
    }
    let modules = json!([step("a", "draw", fixed(&json!(png_uri()))), step("b", "send", computed("results.a.text"))]);
    let job = run(&client, modules).await;
    assert_eq!(job.string("/status"), "completed", "{}", job.text);
    let again = rerun(&client, &job, "b").await;
    assert_eq!(again.string("/status"), "completed", "{}", again.text);
    client.log_in("admin", "admin").await;
    let by_admin = rerun(&client, &job, "b").await;
    assert_eq!(by_admin.string("/status"), "completed", "{}", by_admin.text);
    assert_eq!(times_sent(&provider, PNG), 4, "drawn once, sent three times");
    client.log_in("ann", "correct horse").await;
    let others = rerun(&client, &job, "b").await;
    assert_eq!(others.string("/status"), "failed", "{}", others.text);
    assert!(others.string("/error/message").contains("another user's"), "{}", others.text);
    let own = run(&client, json!([step("a", "send", fixed(&anns))])).await;
    assert_eq!((own.string("/status").as_str(), times_sent(&provider, ANNS_WORDS)), ("completed", 1), "{}", own.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_result_with_files_is_used_by_those_who_may_read_them() {
    let (mut client, provider, _) = furnished().await;
    let mut draw = step("a", "draw", fixed(&json!(png_uri())));
    draw["cache_ttl"] = json!(3600);
    let modules = json!([draw, step("b", "send", computed("results.a.text"))]);
    for (user, calls) in [("ben", 2), ("ben", 3), ("ann", 5), ("ann", 6)] {
        client.log_in(user, "correct horse").await;
        let job = run(&client, modules.clone()).await;
        assert_eq!(job.string("/status"), "completed", "{user}: {}", job.text);
        assert_eq!(times_sent(&provider, PNG), calls, "{user}");
    }
}
