//! Announcements of jobs: what requests may name, who sees what of them, and the secret that signs them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, Reply};

const RECEIVER: &str = "https://receiver.example:8443/hook?key=canary-of-the-receiver";

/// A document that calls nobody.
fn plain_document() -> Value {
    json!({"summary": "Plain", "value": {"modules": [{"id": "a", "value": {"type": "identity"}}]}})
}

async fn run_plain(client: &RecordingClient, fields: Value) -> Reply {
    let mut body = json!({"document": plain_document(), "input": {"text": "hello"}});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await
}

async fn deliveries(client: &RecordingClient, job: &str) -> Vec<Value> {
    let reply = client.raw("GET", &format!("/jobs/{job}/webhooks"), &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()["items"].as_array().expect("a list").clone()
}

async fn working_admin() -> RecordingClient {
    let client = RecordingClient::admin().await;
    client.work();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_are_not_public_are_refused_by_name() {
    let client = working_admin().await;
    for (url, reason) in [
        ("http://receiver.example/hook", "use https; http is allowed only to hosts in APIFLOW_ALLOW_HOSTS"),
        ("https://127.0.0.1/hook", "`127.0.0.1:443` is a loopback address: add it to APIFLOW_ALLOW_HOSTS"),
        ("http://127.0.0.1:9/hook", "`127.0.0.1:9` is a loopback address"),
        ("https://[::ffff:10.0.0.1]/", "is a private address"),
        ("https://0x7f.1/", "`127.0.0.1:443` is a loopback address"),
        ("https://169.254.169.254/latest", "is a link-local or metadata address"),
        ("https://me:secret@receiver.example/", "a URL must not contain a user name or password"),
        ("ftp://receiver.example/", "scheme `ftp` is not allowed"),
        ("/hook", "not an absolute URL"),
        (&format!("https://receiver.example/{}", "a".repeat(3_000)), "the URL is longer than 2048 bytes"),
    ] {
        let reply = run_plain(&client, json!({"webhook": url})).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}: {}", reply.text);
        let fault = &reply.json()["errors"][0];
        assert_eq!(fault["pointer"], "/webhook", "{fault}");
        assert!(fault["message"].as_str().is_some_and(|message| message.contains(reason)), "{url}: {fault}");
    }
    for (fields, reason) in [
        (json!({"webhook": RECEIVER, "webhook_events_filter": []}), "choose at least one event"),
        (json!({"webhook_events_filter": ["completed"]}), "`webhook_events_filter` needs a `webhook`"),
        (json!({"webhook": RECEIVER, "webhook_events_filter": ["start"]}), "unknown variant `start`"),
    ] {
        let reply = run_plain(&client, fields.clone()).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text);
        assert!(reply.text.contains(reason), "{fields}: {}", reply.text);
    }
    assert_eq!(client.raw("GET", "/jobs", &[], None).await.json()["items"], json!([]), "no job was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_queues_the_chosen_events_for_its_receiver() {
    let client = working_admin().await;
    let job = run_plain(&client, json!({"webhook": RECEIVER})).await.string("/id");
    let found = deliveries(&client, &job).await;
    let [delivery] = found.as_slice() else { panic!("one message: {found:?}") };
    assert!(delivery["id"].as_str().is_some_and(|id| id.starts_with(&format!("msg_{job}_"))), "{delivery}");
    let shown = [&delivery["event"], &delivery["url"], &delivery["state"], &delivery["tries"], &delivery["last_try"]];
    assert_eq!(shown, [&json!("completed"), &json!(RECEIVER), &json!("pending"), &json!(0), &Value::Null]);
    let not_chosen = json!({"webhook": RECEIVER, "webhook_events_filter": ["failed", "approval"]});
    let job = run_plain(&client, not_chosen).await.string("/id");
    assert_eq!(deliveries(&client, &job).await, [] as [Value; 0]);
    let job = run_plain(&client, json!({})).await.string("/id");
    assert_eq!(deliveries(&client, &job).await, [] as [Value; 0]);
    let missing = client.raw("GET", "/jobs/nobody/webhooks", &[], None).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_workflow_are_announced_to_its_receiver_unless_they_name_another() {
    let client = working_admin().await;
    let workflow = json!({"id": "w", "name": "W", "nodes": plain_document(), "webhook": RECEIVER,
        "webhook_events_filter": ["completed"]});
    let bad = json!({"id": "w", "name": "W", "nodes": plain_document(), "webhook": "http://receiver.example/"});
    let refused = client.raw("POST", "/workflows", &[], Some(bad)).await;
    assert_eq!(
        (refused.status, refused.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/webhook")
    );
    let saved = client.raw("POST", "/workflows", &[], Some(workflow)).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text);
    assert_eq!(saved.json()["webhook"], RECEIVER);
    let run = async |body: Value| {
        let reply = client.raw("POST", "/workflow/w/run", &[("prefer", "wait=30")], Some(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.string("/id")
    };
    let job = run(json!({})).await;
    assert_eq!(deliveries(&client, &job).await[0]["url"], RECEIVER);
    let rerun = client.raw("POST", &format!("/jobs/{job}/rerun"), &[("prefer", "wait=30")], Some(json!({}))).await;
    assert_eq!(deliveries(&client, &rerun.string("/id")).await[0]["url"], RECEIVER, "a rerun keeps it");
    let other = run(json!({"webhook": "https://other.example/"})).await;
    let told: Vec<Value> = deliveries(&client, &other).await.into_iter().map(|told| told["url"].clone()).collect();
    assert_eq!(told, ["https://other.example/"]);
    let cleared =
        client.raw("PATCH", "/workflows/w", &[], Some(json!({"webhook": null, "webhook_events_filter": null})));
    assert_eq!(cleared.await.status, StatusCode::OK);
    assert_eq!(deliveries(&client, &run(json!({})).await).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_users_see_the_origin_of_a_receiver_and_may_not_send_to_it() {
    let mut client = working_admin().await;
    let job = run_plain(&client, json!({"webhook": RECEIVER})).await.string("/id");
    let id = deliveries(&client, &job).await[0]["id"].as_str().expect("an id").to_owned();
    let again = format!("/jobs/{job}/webhooks/{id}/send");
    let sent = client.raw("POST", &again, &[], Some(json!({}))).await;
    assert_eq!((sent.status, sent.string("/state").as_str()), (StatusCode::ACCEPTED, "pending"), "{}", sent.text);
    let unknown = client.raw("POST", &format!("/jobs/{job}/webhooks/msg_1/send"), &[], Some(json!({}))).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    client.as_new_user("eve").await;
    let seen = client.raw("GET", &format!("/jobs/{job}/webhooks"), &[], None).await;
    assert!(!seen.text.contains("canary") && !seen.text.contains("/hook"), "{}", seen.text);
    assert_eq!(seen.json()["items"][0]["url"], "https://receiver.example:8443/…");
    assert_eq!(client.raw("POST", &again, &[], Some(json!({}))).await.status, StatusCode::FORBIDDEN);
    client.log_in("admin", "admin").await;
    let deleted = client.raw("DELETE", &format!("/jobs/{job}"), &[], None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(client.stores.store.count_pending_deliveries().await, Ok(0), "messages are deleted with the job");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_has_a_signing_secret_that_is_rotated_on_request() {
    let mut client = RecordingClient::admin().await;
    let secret = async |client: &RecordingClient| client.raw("GET", "/user/webhook_secret", &[], None).await.json();
    let first = secret(&client).await;
    assert!(
        first["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_") && secret.len() == 50),
        "{first}"
    );
    assert_eq!((secret(&client).await, &first["earlier"]), (first.clone(), &Value::Null));
    let rotated = client.raw("POST", "/user/webhook_secret/rotate", &[], Some(json!({}))).await.json();
    assert_ne!(rotated["secret"], first["secret"]);
    assert_eq!(rotated["earlier"]["secret"], first["secret"]);
    assert_eq!(secret(&client).await, rotated);
    client.as_new_user("eve").await;
    let other = secret(&client).await;
    assert!(other["secret"] != rotated["secret"] && other["secret"] != first["secret"], "{other}");
}
