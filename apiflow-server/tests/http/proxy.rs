//! The raw proxy: callers' requests with connectors' credentials.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use axum::{Json, Router};
use fake_providers::{Behaviour, MediaProviders, Provider};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::recording_client::RecordingClient;

/// Starts a provider that says what it received, with a cookie and a policy of its own.
pub(crate) async fn start_echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let echo = async |request: Request| {
        let (parts, body) = request.into_parts();
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let key = parts.headers.get("x-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
        let size = to_bytes(body, usize::MAX).await.expect("the body arrives").len();
        let reply =
            json!({"method": parts.method.as_str(), "uri": parts.uri.to_string(), "headers": headers, "size": size});
        let own =
            [("set-cookie", "a=b".to_owned()), ("strict-transport-security", "max-age=1".to_owned()), ("x-echo", key)];
        (StatusCode::IM_A_TEAPOT, own, Json(reply))
    };
    let router = Router::new().fallback(any(echo));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/base")
}

/// A server with a connector `echo` whose key is shared.
async fn start() -> RecordingClient {
    let client = RecordingClient::admin().await;
    client.raw("PUT", "/secrets/ECHO_KEY", &[], Some(json!({"value": "canary-of-the-key"}))).await;
    let connector = json!({"id": "echo", "name": "Echo", "base_url": start_echo().await,
        "header": {"x-key": "$ECHO_KEY", "x-version": "1", "x-mode": "slow"}});
    let saved = client.raw("POST", "/connectors", &[], Some(connector)).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text);
    client
}

fn header_of(reply: &Value, name: &str) -> Vec<String> {
    let headers = reply["headers"].as_array().into_iter().flatten();
    let named = headers.filter(|header| header[0] == name);
    named.map(|header| header[1].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_request_is_passed_on_with_the_connectors_credentials() {
    let mut client = start().await;
    client.as_new_user("ann").await;
    let headers = [("x-mode", "fast"), ("x-key", "mine"), ("cookie", "a=b"), ("x-forwarded-for", "10.0.0.1")];
    let path = "/proxy/echo/v1/a%2Fb//c?x=%2e%2e&y=1";
    let reply = client.raw("PATCH", path, &headers, Some(json!({"a": 1}))).await;
    assert_eq!(reply.status, StatusCode::IM_A_TEAPOT);
    let got = reply.json();
    assert_eq!((&got["method"], &got["uri"]), (&json!("PATCH"), &json!("/base/v1/a%2Fb//c?x=%2e%2e&y=1")));
    assert_eq!((header_of(&got, "x-mode"), header_of(&got, "x-version")), (vec!["fast".into()], vec!["1".into()]));
    assert_eq!(header_of(&got, "x-key"), ["canary-of-the-key"]);
    for name in ["authorization", "cookie", "x-forwarded-for"] {
        assert_eq!(header_of(&got, name), [""; 0], "{name}");
    }
    assert_eq!(got["size"], 7);
    assert_eq!((reply.header("set-cookie"), reply.header("strict-transport-security")), (String::new(), String::new()));
    assert_eq!(reply.header("x-echo"), "$ECHO_KEY");
    assert_eq!(reply.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn a_path_that_leaves_the_base_url_is_refused_and_absolute_urls_are_paths() {
    let client = start().await;
    for path in ["../x", "a/%2e%2e/%2e%2e/x", "%252e%252e/x", "a%5c..%5cx", "..;/x"] {
        let reply = client.raw("GET", &format!("/proxy/echo/{path}"), &[], None).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}: {}", reply.text);
    }
    let reply = client.raw("GET", "/proxy/echo/http://evil.example/x", &[], None).await.json();
    assert_eq!(reply["uri"], "/base/http://evil.example/x");
    let reply = client.raw("GET", "/proxy/echo//evil.example/x", &[], None).await.json();
    assert_eq!(reply["uri"], "/base/evil.example/x");
    assert_eq!(client.raw("GET", "/proxy/echo", &[], None).await.json()["uri"], "/base");
    assert_eq!(client.raw("GET", "/proxy/nothing/x", &[], None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_passes_without_a_token_or_with_anothers_secret() {
    let mut client = start().await;
    client.as_new_user("bob").await;
    client.raw("PUT", "/user/secrets/BOB_KEY", &[], Some(json!({"value": "canary-of-bob"}))).await;
    let own = json!({"id": "bobs", "name": "Bob's", "base_url": start_echo().await, "header": {"x-key": "$BOB_KEY"}});
    client.raw("POST", "/connectors", &[], Some(own)).await;
    assert_eq!(client.raw("GET", "/proxy/bobs/x", &[], None).await.status, StatusCode::IM_A_TEAPOT);
    client.log_in("admin", "admin").await;
    client.as_new_user("eve").await;
    let reply = client.raw("GET", "/proxy/bobs/x", &[], None).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text);
    assert!(!reply.text.contains("canary-of-bob"));
    client.token(None);
    assert_eq!(client.raw("GET", "/proxy/echo/x", &[], None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn failures_say_whether_anything_was_sent() {
    let client = RecordingClient::admin().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let closed = listener.local_addr().expect("it has an address");
    drop(listener);
    for (id, base_url) in [("down", format!("http://{closed}")), ("private", "http://10.1.2.3".to_owned())] {
        let connector = json!({"id": id, "name": id, "base_url": base_url});
        client.raw("POST", "/connectors", &[], Some(connector)).await;
    }
    let down = client.raw("POST", "/proxy/down/x", &[], Some(json!({}))).await;
    assert_eq!((down.status, down.string("/code")), (StatusCode::BAD_GATEWAY, "provider_unreachable".into()));
    let private = client.raw("POST", "/proxy/private/x", &[], Some(json!({}))).await;
    assert_eq!((private.status, private.string("/code")), (StatusCode::FORBIDDEN, "outgoing_refused".into()));

    let providers = MediaProviders::start(Behaviour::default()).await.expect("the stand-ins start");
    let connector = json!({"id": "bfl", "name": "BFL", "base_url": providers.base_url(Provider::BlackForestLabs),
        "header": {"x-key": "literal-key"}});
    client.raw("POST", "/connectors", &[], Some(connector)).await;
    providers.adjust(Provider::BlackForestLabs, |switches| switches.drop_after_accept = 1);
    let lost = client.raw("POST", "/proxy/bfl/v1/flux-dev", &[], Some(json!({"prompt": "a hat"}))).await;
    assert_eq!((lost.status, lost.string("/code")), (StatusCode::BAD_GATEWAY, "provider_no_reply".into()));
    assert_eq!(lost.header("x-should-retry"), "false");
    assert_eq!(providers.stats(Provider::BlackForestLabs).accepted, 1);
}

/// Sends a request to the router, and returns its reply when its head has arrived.
pub(crate) async fn open(
    client: &RecordingClient,
    token: &str,
    path: &str,
    headers: HeaderMap,
    body: Body,
) -> axum::response::Response {
    let mut request = Request::post(format!("/api/v1{path}")).body(body).expect("the request is well formed");
    *request.headers_mut() = headers;
    let bearer = format!("Bearer {token}").parse().expect("a token is visible text");
    request.headers_mut().insert("authorization", bearer);
    request.extensions_mut().insert(ConnectInfo(client.peer));
    client.router.clone().oneshot(request).await.expect("a router always answers")
}

#[tokio::test]
async fn bodies_are_passed_on_while_they_arrive() {
    let mut client = RecordingClient::new().await;
    let token = client.log_in("admin", "admin").await;
    let providers = MediaProviders::start(Behaviour::default()).await.expect("the stand-ins start");
    let connector = json!({"id": "openai", "name": "OpenAI", "base_url": providers.base_url(Provider::OpenAi),
        "header": {"Authorization": "Bearer literal-key"}});
    client.raw("POST", "/connectors", &[], Some(connector)).await;
    providers.adjust(Provider::OpenAi, |switches| {
        switches.delay_ms = 0;
        switches.slow_body_ms = 200;
    });

    // Speech as events: the first one arrives long before the last one is sent.
    let started = std::time::Instant::now();
    let speech = json!({"model": "tts-1", "voice": "alloy", "input": "hello", "stream_format": "sse"});
    let json_type =
        HeaderMap::from_iter([("content-type".parse().expect("a name"), "application/json".parse().expect("a value"))]);
    let reply = open(&client, &token, "/proxy/openai/audio/speech", json_type, Body::from(speech.to_string())).await;
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    let mut events = reply.into_body().into_data_stream();
    let first = futures_util::StreamExt::next(&mut events).await.expect("an event").expect("it arrives");
    assert!(first.starts_with(b"event: speech.audio.delta"), "{first:?}");
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());

    // An upload of unknown size.
    let boundary = "proxy-test";
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--{boundary}\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\ncontent-type: audio/mpeg\r\n\r\n"
    );
    let part = |_| Ok::<_, std::io::Error>(vec![7_u8; 64 * 1024]);
    let parts = std::iter::once(Ok(head.into_bytes())).chain((0..32).map(part));
    let parts = parts.chain([Ok(format!("\r\n--{boundary}--\r\n").into_bytes())]);
    let body = Body::from_stream(futures_util::stream::iter(parts.collect::<Vec<_>>()));
    let mime = format!("multipart/form-data; boundary={boundary}").parse().expect("a value");
    let headers = HeaderMap::from_iter([("content-type".parse().expect("a name"), mime)]);
    let reply = open(&client, &token, "/proxy/openai/audio/transcriptions", headers, body).await;
    let reply = to_bytes(reply.into_body(), usize::MAX).await.expect("the reply arrives");
    let reply: Value = serde_json::from_slice(&reply).expect("it is JSON");
    assert_eq!(reply["text"], format!("You sent {} bytes of a.mp3.", 32 * 64 * 1024));
}
