//! The versions of workflows: what saves keep, restoring, and running an old one.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, Reply, settle};

/// A workflow whose result is `word`.
fn workflow(word: &str) -> Value {
    json!({"id": "flow", "name": "Flow", "nodes": {"summary": "Flow", "value": {"modules": [
        {"id": "say", "value": {"type": "rawscript", "language": "bun",
            "content": format!("export async function main() {{ return '{word}' }}"), "input_transforms": {}}}]}}})
}

async fn save(client: &RecordingClient, word: &str) -> Reply {
    let reply = client.raw("PUT", "/workflows/flow", &[], Some(workflow(word))).await;
    assert!(reply.status.is_success(), "{}", reply.text);
    reply
}

async fn list_numbers(client: &RecordingClient) -> Vec<u64> {
    let page = client.raw("GET", "/workflows/flow/versions", &[], None).await.json();
    let items = page["items"].as_array().expect("a page has items");
    items.iter().filter_map(|item| item["number"].as_u64()).collect()
}

#[tokio::test]
async fn versions_are_listed_read_and_restored() {
    let mut client = RecordingClient::admin().await;
    save(&client, "one").await;
    save(&client, "two").await;
    save(&client, "two").await;
    client.patch("/workflows/flow", json!({"description": "says two"})).await;
    client.get("/workflows/flow/versions").await;
    client.get("/workflows/flow/versions/1").await;
    client.note("save 3 changed nothing: it shows version 2");
    client.get("/workflows/flow/versions/3").await;
    client.get("/workflows/flow/versions/5").await;
    client.get("/workflows/flow/versions/x").await;
    client.get("/workflows/nobody/versions").await;
    client.get("/workflows/nobody/versions/1").await;
    client.say("POST", "/workflows/flow/versions/1/restore", &[("if-match", "\"9\"")], None).await;
    client.say("POST", "/workflows/flow/versions/1/restore", &[("if-match", "*")], None).await;
    client.say("POST", "/workflows/flow/versions/9/restore", &[], None).await;
    client.say("POST", "/workflows/nobody/versions/1/restore", &[], None).await;
    client.get("/workflows/flow/versions?limit=2").await;
    settle!(client);
}

#[tokio::test]
async fn pages_of_versions_follow_each_other() {
    let client = RecordingClient::admin().await;
    for word in ["one", "two", "three"] {
        save(&client, word).await;
    }
    let first = client.raw("GET", "/workflows/flow/versions?limit=2", &[], None).await.json();
    let next = first["next"].as_str().expect("there is another page");
    let second = client.raw("GET", &format!("/workflows/flow/versions?limit=2&cursor={next}"), &[], None).await.json();
    assert_eq!(second["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(second["items"][0]["number"], 1);
    assert_eq!((&second["items"][0]["is_current"], &second["next"]), (&json!(false), &Value::Null));
    let wrong = client.raw("GET", "/workflows/flow/versions?cursor=eA", &[], None).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
}

#[tokio::test]
async fn a_version_names_who_saved_it_to_admins_and_to_that_user() {
    let mut client = RecordingClient::admin().await;
    save(&client, "one").await;
    let check = async |client: &RecordingClient, expected: Value| {
        let page = client.raw("GET", "/workflows/flow/versions", &[], None).await.json();
        let items = page["items"].as_array().into_iter().flatten();
        let listed: Vec<Value> = items.map(|item| item["saved_by_name"].clone()).collect();
        let first = client.raw("GET", "/workflows/flow/versions/1", &[], None).await.json();
        assert_eq!((json!(listed), &first["saved_by_name"]), (expected.clone(), &expected[listed.len() - 1]));
    };
    client.as_new_user("bob").await;
    save(&client, "two").await;
    check(&client, json!(["bob", null])).await;
    client.log_in("admin", "admin").await;
    client.as_new_user("carol").await;
    check(&client, json!([null, null])).await;
    client.log_in("admin", "admin").await;
    check(&client, json!(["bob", "admin"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_runs_as_a_job_of_the_workflow() {
    let client = RecordingClient::admin().await;
    client.work();
    save(&client, "one").await;
    save(&client, "two").await;
    let run =
        async |body: Value| client.raw("POST", "/workflow/flow/run", &[("prefer", "wait=30")], Some(body)).await.json();
    for (body, output, version) in
        [(json!({}), "two", 2), (json!({"version": 1}), "one", 1), (json!({"version": 2}), "two", 2)]
    {
        let job = run(body.clone()).await;
        assert_eq!((&job["output"], &job["workflow_version"]), (&json!(output), &json!(version)), "{body}: {job}");
        assert_eq!((&job["workflow_id"], &job["name"]), (&json!("flow"), &json!("Flow")));
        let id = job["id"].as_str().expect("a job has an id");
        let rerun = client.raw("POST", &format!("/jobs/{id}/rerun"), &[("prefer", "wait=30")], Some(json!({}))).await;
        assert_eq!(rerun.json()["workflow_version"], json!(version), "a rerun runs the same version");
    }
    let missing = client.raw("POST", "/workflow/flow/run", &[], Some(json!({"version": 3}))).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text);
    let document = json!({"document": workflow("three")["nodes"]});
    let unsaved = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(document)).await.json();
    assert_eq!((&unsaved["output"], &unsaved["workflow_version"]), (&json!("three"), &Value::Null));
    client.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsaved_version_runs_as_a_job_of_the_workflow() {
    let client = RecordingClient::admin().await;
    client.work();
    save(&client, "one").await;
    let mut document = workflow("draft")["nodes"].take();
    document["summary"] = json!("");
    let run = async |id: &str| {
        let body = json!({"document": document, "workflow_id": id});
        client.raw("POST", "/workflows/run", &[("prefer", "wait=30"), ("idempotency-key", "k")], Some(body)).await
    };
    let job = run("flow").await;
    assert_eq!(
        (job.string("/output"), job.string("/workflow_id")),
        ("draft".to_owned(), "flow".to_owned()),
        "{}",
        job.text
    );
    assert_eq!((&job.json()["workflow_version"], job.string("/name").as_str()), (&Value::Null, "Flow"));
    let listed = client.raw("GET", "/jobs?workflow_id=flow", &[], None).await;
    assert_eq!(listed.string("/items/0/id"), job.string("/id"), "{}", listed.text);
    let path = format!("/jobs/{}/rerun", job.string("/id"));
    let again = client.raw("POST", &path, &[("prefer", "wait=30")], Some(json!({}))).await;
    assert_eq!(again.string("/workflow_id"), "flow", "a rerun is one of its jobs too");
    let other = run("nobody").await;
    assert_eq!(
        (other.status, other.string("/code").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused")
    );
    let body = json!({"document": document, "workflow_id": "nobody"});
    let unknown = client.raw("POST", "/workflows/run", &[], Some(body)).await;
    assert_eq!(unknown.string("/errors/0/pointer"), "/workflow_id", "{}", unknown.text);
    client.stop.cancel();
}

#[tokio::test]
async fn a_key_that_was_used_for_another_version_is_refused() {
    let client = RecordingClient::admin().await;
    save(&client, "one").await;
    save(&client, "two").await;
    let key = [("idempotency-key", "k")];
    let first = client.raw("POST", "/workflow/flow/run", &key, Some(json!({"version": 1}))).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let other = client.raw("POST", "/workflow/flow/run", &key, Some(json!({"version": 2}))).await;
    assert_ne!(other.status, StatusCode::ACCEPTED, "{}", other.text);
    let same = client.raw("POST", "/workflow/flow/run", &key, Some(json!({"version": 1}))).await;
    assert_eq!(same.string("/id"), first.string("/id"));
}

#[tokio::test]
async fn a_token_with_scopes_runs_the_newest_version_only() {
    let mut client = RecordingClient::admin().await;
    save(&client, "one").await;
    let scopes = json!([{"run": {"workflows": ["flow"]}}]);
    let token = client.raw("POST", "/user/tokens", &[], Some(json!({"name": "t", "scopes": scopes}))).await;
    client.token(Some(&token.string("/token")));
    for (method, path, body) in [
        ("POST", "/workflow/flow/run", Some(json!({"version": 1}))),
        ("GET", "/workflows/flow/versions", None),
        ("GET", "/workflows/flow/versions/1", None),
        ("POST", "/workflows/flow/versions/1/restore", None),
    ] {
        let reply = client.raw(method, path, &[], body).await;
        assert_eq!((reply.status, reply.string("/code").as_str()), (StatusCode::FORBIDDEN, "scope_required"), "{path}");
    }
    let newest = client.raw("POST", "/workflow/flow/run", &[], Some(json!({}))).await;
    assert_eq!(newest.status, StatusCode::ACCEPTED, "{}", newest.text);
}

#[tokio::test]
async fn versions_end_with_their_workflow() {
    let client = RecordingClient::admin().await;
    save(&client, "one").await;
    save(&client, "two").await;
    assert_eq!(client.raw("DELETE", "/workflows/flow", &[], None).await.status, StatusCode::NO_CONTENT);
    save(&client, "three").await;
    assert_eq!(list_numbers(&client).await, [1]);
}
