//! What people try who have no business here, or none any more.

use std::net::SocketAddr;
use std::time::Duration;

use apiflow_core::ports::Clock as _;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_server::settings::WebSettings;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{LONG_PASSWORD, RecordingClient};
use crate::runs::furnished;

/// Longer than any stream without a token lasts.
const PATIENCE: Duration = Duration::from_mins(2);

fn public() -> WebSettings {
    WebSettings { public_url: "https://apiflow.example".to_owned(), ..WebSettings::default() }
}

/// Reads a stream up to its end.
async fn read_to_end(stream: Body) -> String {
    let bytes = tokio::time::timeout(PATIENCE, to_bytes(stream, usize::MAX)).await;
    let bytes = bytes.expect("the stream ends").expect("it can be read");
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// The user's id, and a named token.
async fn add_user(client: &mut RecordingClient, name: &str, lifetime_ms: Option<u64>) -> (String, String, String) {
    client.log_in("admin", "admin").await;
    let id = client.as_new_user(name).await;
    let expires_at = lifetime_ms.map(|lifetime| SystemClock.now().plus_ms(lifetime).to_rfc3339());
    let body = json!({"name": "stream", "expires_at": expires_at});
    let reply = client.raw("POST", "/user/tokens", &[], Some(body)).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    (id, reply.string("/token"), reply.string("/id"))
}

/// A stream whose token expires while it is open.
async fn open_expiring(client: &mut RecordingClient, job: &str) -> Body {
    // A slow machine may need longer until the stream is open.
    for lifetime_ms in [3_000, 10_000, 60_000] {
        let name = format!("expires{lifetime_ms}");
        let (_, token, _) = add_user(client, &name, Some(lifetime_ms)).await;
        if let Some(stream) = client.open_stream(job, &token).await {
            return stream;
        }
    }
    panic!("no token lived until its stream was open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let (mut client, provider) = furnished().await;
    let run = json!({"input": {"text": "x"}});
    let job = client.raw("POST", "/node/endless/run", &[], Some(run)).await.string("/id");
    provider.called.notified().await;

    let (_, kept, _) = add_user(&mut client, "keeps", None).await;
    let (_, removed, removed_id) = add_user(&mut client, "removes", None).await;
    let removing = client.open_stream(&job, &removed).await.expect("the token is valid");
    assert!(client.raw("DELETE", &format!("/user/tokens/{removed_id}"), &[], None).await.status.is_success());

    let session = client.log_in("keeps", "correct horse").await;
    let logging_out = client.open_stream(&job, &session).await.expect("the token is valid");
    assert!(client.raw("POST", "/logout", &[], None).await.status.is_success());

    let session = client.log_in("removes", "correct horse").await;
    let changing = client.open_stream(&job, &session).await.expect("the token is valid");
    let change = json!({"password": "another horse", "current_password": "correct horse"});
    assert!(client.raw("PATCH", "/user", &[], Some(change)).await.status.is_success());

    let (deleted, token, _) = add_user(&mut client, "deleted", None).await;
    let deleting = client.open_stream(&job, &token).await.expect("the token is valid");
    client.log_in("admin", "admin").await;
    assert!(client.raw("DELETE", &format!("/user/{deleted}"), &[], None).await.status.is_success());

    let (reset, _, _) = add_user(&mut client, "reset", None).await;
    let session = client.log_in("reset", "correct horse").await;
    let resetting = client.open_stream(&job, &session).await.expect("the token is valid");
    client.log_in("admin", "admin").await;
    assert!(client.raw("POST", &format!("/user/{reset}/reset_token"), &[], None).await.status.is_success());

    let expiring = open_expiring(&mut client, &job).await;

    let valid = client.open_stream(&job, &kept).await.expect("the token is valid");
    for (how, stream) in [
        ("removed", removing),
        ("logged out", logging_out),
        ("changed", changing),
        ("deleted", deleting),
        ("reset", resetting),
        ("expired", expiring),
    ] {
        let text = read_to_end(stream).await;
        assert!(!text.contains("event: end"), "{how}: the job goes on: {text}");
    }
    provider.release.notify_one();
    let text = read_to_end(valid).await;
    assert!(text.contains("event: end"), "a valid one goes on to the job's end: {text}");
}

#[tokio::test]
async fn a_cookie_that_another_host_of_the_domain_planted_is_no_session() {
    let client = RecordingClient::with(public(), "").await;
    let login = json!({"username": "admin", "password": LONG_PASSWORD});
    let reply = client.raw("POST", "/login", &[], Some(login)).await;
    let set = reply.header("set-cookie");
    assert!(set.starts_with("__Host-apiflow_session=af_"), "{set}");
    assert!(set.contains("; Path=/; ") && set.ends_with("; Secure") && !set.contains("Domain"), "{set}");
    let token = reply.string("/token");
    for (name, expected) in [("apiflow_session", StatusCode::UNAUTHORIZED), ("__Host-apiflow_session", StatusCode::OK)]
    {
        let cookie = format!("{name}={token}");
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
        let reply = client.raw("GET", "/user", &headers, None).await;
        assert_eq!(reply.status, expected, "{name}: {}", reply.text);
    }
    let local = RecordingClient::new().await;
    let login = json!({"username": "admin", "password": "admin"});
    let set = local.raw("POST", "/login", &[], Some(login)).await.header("set-cookie");
    assert!(set.starts_with("apiflow_session=af_"), "browsers refuse the prefix on http: {set}");
}

#[tokio::test]
async fn a_request_is_named_by_short_visible_text_alone() {
    let client = RecordingClient::new().await;
    let long = "x".repeat(129);
    for id in [long.as_str(), "", "two words", "tab\there", "a\u{e4}"] {
        let reply = client.raw("GET", "!/healthz", &[("x-request-id", id)], None).await;
        let given = reply.headers.get("x-request-id").map(axum::http::HeaderValue::as_bytes);
        assert_eq!(given.map(<[u8]>::len), Some(36), "{id:?} is not taken");
    }
    let twice = client.raw("GET", "!/healthz", &[("x-request-id", "one"), ("x-request-id", "two")], None).await;
    assert_eq!(twice.header("x-request-id").len(), 36);
    let fit = "r".repeat(128);
    let reply = client.raw("GET", "!/healthz", &[("x-request-id", &fit)], None).await;
    assert_eq!(reply.header("x-request-id"), fit);
}

async fn check_metrics(client: &mut RecordingClient, peer: [u8; 4], headers: &[(&str, &str)], expected: StatusCode) {
    client.peer = SocketAddr::from((peer, 40_000));
    let reply = client.raw("GET", "!/metrics", headers, None).await;
    assert_eq!(reply.status, expected, "{peer:?} {headers:?}: {}", reply.text);
    assert_eq!(reply.text.contains("apiflow_jobs"), expected == StatusCode::OK, "{}", reply.text);
}

#[tokio::test]
async fn metrics_are_not_for_others() {
    const NEAR: [u8; 4] = [127, 0, 0, 1];
    const FAR: [u8; 4] = [203, 0, 113, 9];
    let mut client = RecordingClient::new().await;
    check_metrics(&mut client, NEAR, &[], StatusCode::OK).await;
    check_metrics(&mut client, FAR, &[], StatusCode::FORBIDDEN).await;
    check_metrics(&mut client, FAR, &[("x-forwarded-for", "127.0.0.1")], StatusCode::FORBIDDEN).await;
    check_metrics(&mut client, FAR, &[("authorization", "Bearer ")], StatusCode::FORBIDDEN).await;
    // A proxy on this machine that nobody declared.
    check_metrics(&mut client, NEAR, &[("x-forwarded-for", "127.0.0.1")], StatusCode::FORBIDDEN).await;
    check_metrics(&mut client, NEAR, &[("x-real-ip", "203.0.113.9")], StatusCode::FORBIDDEN).await;
    let token = client.log_in("admin", "admin").await;
    check_metrics(&mut client, FAR, &[], StatusCode::FORBIDDEN).await;

    let settings = WebSettings { metrics_token: Some("scrape-me".to_owned()), ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    check_metrics(&mut client, NEAR, &[], StatusCode::OK).await;
    check_metrics(&mut client, FAR, &[], StatusCode::UNAUTHORIZED).await;
    for guess in ["scrape-m", "scrape-me ", "scrape-mf", token.as_str()] {
        let guess = format!("Bearer {guess}x");
        check_metrics(&mut client, FAR, &[("authorization", &guess)], StatusCode::UNAUTHORIZED).await;
    }
    check_metrics(&mut client, FAR, &[("authorization", "Bearer scrape-me")], StatusCode::OK).await;
}

#[tokio::test]
async fn an_admins_password_is_not_short_where_others_can_reach_the_server() {
    let mut client = RecordingClient::with(public(), "").await;
    client.log_in("admin", LONG_PASSWORD).await;
    let refused = async |client: &RecordingClient, method: &str, path: &str, body: Value| {
        let reply = client.raw(method, path, &[], Some(body.clone())).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", reply.text);
        assert_eq!(reply.string("/errors/0/pointer"), "/password", "{}", reply.text);
        assert!(reply.text.contains("12"), "{}", reply.text);
    };
    let short = "eleven char";
    let user = |name: &str, role: &str| json!({"username": name, "password": short, "role": role});
    refused(&client, "POST", "/users", user("eve", "admin")).await;
    let made = client.raw("POST", "/users", &[], Some(user("bob", "user"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "a user's may be shorter: {}", made.text);
    let bob = format!("/user/{}", made.string("/id"));
    // What it is cannot be told from its hash.
    refused(&client, "PATCH", &bob, json!({"role": "admin"})).await;
    refused(&client, "PATCH", &bob, json!({"role": "admin", "password": short})).await;
    let promoted = json!({"role": "admin", "password": "twelve chars"});
    let reply = client.raw("PATCH", &bob, &[], Some(promoted)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    refused(&client, "PATCH", &bob, json!({"password": short})).await;
    refused(&client, "PATCH", "/user", json!({"password": short, "current_password": LONG_PASSWORD})).await;
    let again = client.raw("PATCH", &bob, &[], Some(json!({"role": "admin", "email": "bob@apiflow.example"}))).await;
    assert_eq!(again.status, StatusCode::OK, "who is one already needs no new one: {}", again.text);

    let local = RecordingClient::admin().await;
    let reply = local.raw("POST", "/users", &[], Some(user("eve", "admin"))).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
}
