//! What people try who have no business here, or none any more.

use std::net::SocketAddr;
use std::time::Duration;

use apiflow_core::ports::Clock as _;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_server::settings::WebSettings;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::runs::furnished;
use crate::talk::{LONG_PASSWORD, Talk};

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
async fn add_user(talk: &mut Talk, name: &str, lifetime_ms: Option<u64>) -> (String, String, String) {
    talk.log_in("admin", "admin").await;
    let id = talk.as_new_user(name).await;
    let expires_at = lifetime_ms.map(|lifetime| SystemClock.now().plus_ms(lifetime).to_rfc3339());
    let body = json!({"name": "stream", "expires_at": expires_at});
    let reply = talk.raw("POST", "/user/tokens", &[], Some(body)).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    (id, reply.string("/token"), reply.string("/id"))
}

/// A stream whose token expires while it is open.
async fn open_expiring(talk: &mut Talk, job: &str) -> Body {
    // A slow machine may need longer until the stream is open.
    for lifetime_ms in [3_000, 10_000, 60_000] {
        let name = format!("expires{lifetime_ms}");
        let (_, token, _) = add_user(talk, &name, Some(lifetime_ms)).await;
        if let Some(stream) = talk.open_stream(job, &token).await {
            return stream;
        }
    }
    panic!("no token lived until its stream was open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let (mut talk, provider) = furnished().await;
    let run = json!({"input": {"text": "x"}});
    let job = talk.raw("POST", "/node/endless/run", &[], Some(run)).await.string("/id");
    provider.called.notified().await;

    let (_, kept, _) = add_user(&mut talk, "keeps", None).await;
    let (_, removed, removed_id) = add_user(&mut talk, "removes", None).await;
    let removing = talk.open_stream(&job, &removed).await.expect("the token is valid");
    assert!(talk.raw("DELETE", &format!("/user/tokens/{removed_id}"), &[], None).await.status.is_success());

    let session = talk.log_in("keeps", "correct horse").await;
    let logging_out = talk.open_stream(&job, &session).await.expect("the token is valid");
    assert!(talk.raw("POST", "/logout", &[], None).await.status.is_success());

    let session = talk.log_in("removes", "correct horse").await;
    let changing = talk.open_stream(&job, &session).await.expect("the token is valid");
    let change = json!({"password": "another horse", "current_password": "correct horse"});
    assert!(talk.raw("PATCH", "/user", &[], Some(change)).await.status.is_success());

    let (deleted, token, _) = add_user(&mut talk, "deleted", None).await;
    let deleting = talk.open_stream(&job, &token).await.expect("the token is valid");
    talk.log_in("admin", "admin").await;
    assert!(talk.raw("DELETE", &format!("/user/{deleted}"), &[], None).await.status.is_success());

    let (reset, _, _) = add_user(&mut talk, "reset", None).await;
    let session = talk.log_in("reset", "correct horse").await;
    let resetting = talk.open_stream(&job, &session).await.expect("the token is valid");
    talk.log_in("admin", "admin").await;
    assert!(talk.raw("POST", &format!("/user/{reset}/reset_token"), &[], None).await.status.is_success());

    let expiring = open_expiring(&mut talk, &job).await;

    let valid = talk.open_stream(&job, &kept).await.expect("the token is valid");
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
    let talk = Talk::with(public(), "").await;
    let login = json!({"username": "admin", "password": LONG_PASSWORD});
    let reply = talk.raw("POST", "/login", &[], Some(login)).await;
    let set = reply.header("set-cookie");
    assert!(set.starts_with("__Host-apiflow_session=af_"), "{set}");
    assert!(set.contains("; Path=/; ") && set.ends_with("; Secure") && !set.contains("Domain"), "{set}");
    let token = reply.string("/token");
    for (name, expected) in [("apiflow_session", StatusCode::UNAUTHORIZED), ("__Host-apiflow_session", StatusCode::OK)]
    {
        let cookie = format!("{name}={token}");
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
        let reply = talk.raw("GET", "/user", &headers, None).await;
        assert_eq!(reply.status, expected, "{name}: {}", reply.text);
    }
    let local = Talk::new().await;
    let login = json!({"username": "admin", "password": "admin"});
    let set = local.raw("POST", "/login", &[], Some(login)).await.header("set-cookie");
    assert!(set.starts_with("apiflow_session=af_"), "browsers refuse the prefix on http: {set}");
}

#[tokio::test]
async fn a_request_is_named_by_short_visible_text_alone() {
    let talk = Talk::new().await;
    let long = "x".repeat(129);
    for id in [long.as_str(), "", "two words", "tab\there", "a\u{e4}"] {
        let reply = talk.raw("GET", "!/healthz", &[("x-request-id", id)], None).await;
        let given = reply.headers.get("x-request-id").map(axum::http::HeaderValue::as_bytes);
        assert_eq!(given.map(<[u8]>::len), Some(36), "{id:?} is not taken");
    }
    let twice = talk.raw("GET", "!/healthz", &[("x-request-id", "one"), ("x-request-id", "two")], None).await;
    assert_eq!(twice.header("x-request-id").len(), 36);
    let fit = "r".repeat(128);
    let reply = talk.raw("GET", "!/healthz", &[("x-request-id", &fit)], None).await;
    assert_eq!(reply.header("x-request-id"), fit);
}

async fn check_metrics(talk: &mut Talk, peer: [u8; 4], headers: &[(&str, &str)], expected: StatusCode) {
    talk.peer = SocketAddr::from((peer, 40_000));
    let reply = talk.raw("GET", "!/metrics", headers, None).await;
    assert_eq!(reply.status, expected, "{peer:?} {headers:?}: {}", reply.text);
    assert_eq!(reply.text.contains("apiflow_jobs"), expected == StatusCode::OK, "{}", reply.text);
}

#[tokio::test]
async fn metrics_are_not_for_others() {
    const NEAR: [u8; 4] = [127, 0, 0, 1];
    const FAR: [u8; 4] = [203, 0, 113, 9];
    let mut talk = Talk::new().await;
    check_metrics(&mut talk, NEAR, &[], StatusCode::OK).await;
    check_metrics(&mut talk, FAR, &[], StatusCode::FORBIDDEN).await;
    check_metrics(&mut talk, FAR, &[("x-forwarded-for", "127.0.0.1")], StatusCode::FORBIDDEN).await;
    check_metrics(&mut talk, FAR, &[("authorization", "Bearer ")], StatusCode::FORBIDDEN).await;
    // A proxy on this machine that nobody declared.
    check_metrics(&mut talk, NEAR, &[("x-forwarded-for", "127.0.0.1")], StatusCode::FORBIDDEN).await;
    check_metrics(&mut talk, NEAR, &[("x-real-ip", "203.0.113.9")], StatusCode::FORBIDDEN).await;
    let token = talk.log_in("admin", "admin").await;
    check_metrics(&mut talk, FAR, &[], StatusCode::FORBIDDEN).await;

    let settings = WebSettings { metrics_token: Some("scrape-me".to_owned()), ..WebSettings::default() };
    let mut talk = Talk::with(settings, "").await;
    check_metrics(&mut talk, NEAR, &[], StatusCode::OK).await;
    check_metrics(&mut talk, FAR, &[], StatusCode::UNAUTHORIZED).await;
    for guess in ["scrape-m", "scrape-me ", "scrape-mf", token.as_str()] {
        let guess = format!("Bearer {guess}x");
        check_metrics(&mut talk, FAR, &[("authorization", &guess)], StatusCode::UNAUTHORIZED).await;
    }
    check_metrics(&mut talk, FAR, &[("authorization", "Bearer scrape-me")], StatusCode::OK).await;
}

#[tokio::test]
async fn an_admins_password_is_not_short_where_others_can_reach_the_server() {
    let mut talk = Talk::with(public(), "").await;
    talk.log_in("admin", LONG_PASSWORD).await;
    let refused = async |talk: &Talk, method: &str, path: &str, body: Value| {
        let reply = talk.raw(method, path, &[], Some(body.clone())).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", reply.text);
        assert_eq!(reply.string("/errors/0/pointer"), "/password", "{}", reply.text);
        assert!(reply.text.contains("12"), "{}", reply.text);
    };
    let short = "eleven char";
    let user = |name: &str, role: &str| json!({"username": name, "password": short, "role": role});
    refused(&talk, "POST", "/users", user("eve", "admin")).await;
    let made = talk.raw("POST", "/users", &[], Some(user("bob", "user"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "a user's may be shorter: {}", made.text);
    let bob = format!("/user/{}", made.string("/id"));
    // What it is cannot be told from its hash.
    refused(&talk, "PATCH", &bob, json!({"role": "admin"})).await;
    refused(&talk, "PATCH", &bob, json!({"role": "admin", "password": short})).await;
    let promoted = json!({"role": "admin", "password": "twelve chars"});
    let reply = talk.raw("PATCH", &bob, &[], Some(promoted)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    refused(&talk, "PATCH", &bob, json!({"password": short})).await;
    refused(&talk, "PATCH", "/user", json!({"password": short, "current_password": LONG_PASSWORD})).await;
    let again = talk.raw("PATCH", &bob, &[], Some(json!({"role": "admin", "email": "bob@apiflow.example"}))).await;
    assert_eq!(again.status, StatusCode::OK, "who is one already needs no new one: {}", again.text);

    let local = Talk::admin().await;
    let reply = local.raw("POST", "/users", &[], Some(user("eve", "admin"))).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
}
