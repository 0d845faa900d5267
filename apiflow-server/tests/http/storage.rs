//! What callers are told while the database cannot do its work.

use apiflow_server::settings::WebSettings;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::recording_client::{RecordingClient, Reply};

/// A server whose database may have so many pages of 4 KiB, with an admin logged in.
async fn limited(folder: &tempfile::TempDir, pages: u32) -> RecordingClient {
    let url = format!("sqlite:{}?max_page_count={pages}", folder.path().join("limited.db").display());
    let mut client = RecordingClient::on(Some(url), WebSettings::default(), "").await;
    client.log_in("admin", "admin").await;
    client
}

async fn run(client: &RecordingClient, bytes: usize) -> Reply {
    let document = json!({"value": {"modules": [{"id": "a", "value": {"type": "identity"}}]}});
    let body = json!({"document": document, "input": {"text": "x".repeat(bytes)}});
    client.raw("POST", "/workflows/run", &[], Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_jobs_hold_too_much_gets_no_further_ones_until_some_have_ended() {
    let settings = WebSettings { max_user_bytes: 100_000, ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", "admin").await;
    let first = run(&client, 60_000).await;
    assert_eq!(run(&client, 60_000).await.status, StatusCode::ACCEPTED, "it was below the limit");
    let refused = run(&client, 10).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30".to_owned()));
    assert_eq!(refused.string("/code"), "too_many_bytes_in_flight");
    let detail = refused.string("/detail");
    assert!(detail.contains("the limit is 100000 (APIFLOW_MAX_USER_BYTES)"), "{detail}");
    // Another user is not concerned.
    let other = json!({"username": "ada", "password": "correct horse"});
    assert_eq!(client.raw("POST", "/users", &[], Some(other)).await.status, StatusCode::CREATED);
    client.log_in("ada", "correct horse").await;
    assert_eq!(run(&client, 10).await.status, StatusCode::ACCEPTED);
    client.log_in("admin", "admin").await;
    client.work();
    let first = format!("/jobs/{}", first.string("/id"));
    while client.raw("GET", &first, &[], None).await.json()["finished_at"].is_null() {
        tokio::task::yield_now().await;
    }
    while run(&client, 10).await.status != StatusCode::ACCEPTED {
        tokio::task::yield_now().await;
    }
    client.stop.cancel();
}

#[track_caller]
fn assert_full(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::INSUFFICIENT_STORAGE, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.header("retry-after"), "5");
    let expected: Value = json!({"type": "about:blank", "title": "Insufficient Storage", "status": 507,
        "detail": "the disk of the database is full; free some space or raise its quota", "code": "storage_full"});
    assert_eq!(reply.json(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_is_507_and_works_again_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let client = limited(&folder, 500).await;
    let stop = CancellationToken::new();
    let working = client.work_until(stop.clone());
    let ballast = run(&client, 1024 * 1024).await;
    // A free worker may have ended it before the answer.
    assert!(ballast.status.is_success(), "{}", ballast.text);
    let id = ballast.string("/id");
    // It ends while there is room: only what has ended can be removed from a full database.
    crate::runs::follow(&client, &id).await;
    // No worker frees or takes room from now on.
    stop.cancel();
    working.await.expect("the worker ends");
    for _ in 0..3 {
        assert_full(&run(&client, 1024 * 1024).await);
    }
    while run(&client, 1_000).await.status == StatusCode::ACCEPTED {}
    assert_full(&run(&client, 10_000).await);
    let nodes = json!({"summary": "x".repeat(20_000), "value": {"modules": []}});
    assert_full(&client.raw("POST", "/workflows", &[], Some(json!({"name": "large", "nodes": nodes}))).await);
    let unready = client.raw("GET", "!/readyz", &[], None).await;
    assert_eq!((unready.status, unready.string("/code")), (StatusCode::SERVICE_UNAVAILABLE, "storage_full".to_owned()));
    // What is there can be read, and be removed.
    assert_eq!(client.raw("GET", &format!("/jobs/{id}"), &[], None).await.status, StatusCode::OK);
    let removed = client.raw("DELETE", &format!("/jobs/{id}"), &[], None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
    assert_eq!(run(&client, 10_000).await.status, StatusCode::ACCEPTED);
    // The last answer stays good for a second.
    while client.raw("GET", "!/readyz", &[], None).await.status != StatusCode::OK {
        tokio::task::yield_now().await;
    }
}
