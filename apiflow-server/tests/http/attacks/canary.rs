//! A provider that repeats the key that it was sent, in every way that replies have: no route shows it.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::recording_client::RecordingClient;

/// The key of the provider; each encoding changes it.
const KEY: &str = "canary/of+the\\provider\"4711?=&";

fn percent_encode(text: &str, is_lower: bool) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else if is_lower {
            write!(encoded, "%{byte:02x}").expect("writing to a string cannot fail");
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
        encoded
    })
}

fn json_escape(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Returns the ways in which the key may be written.
fn spellings() -> Vec<(&'static str, String)> {
    let unicode = KEY.chars().fold(String::new(), |text, letter| format!("{text}\\u{:04x}", u32::from(letter)));
    vec![
        ("plain", KEY.to_owned()),
        ("bearer", format!("Bearer {KEY}")),
        ("base64", STANDARD.encode(KEY)),
        ("base64_no_pad", STANDARD_NO_PAD.encode(KEY)),
        ("base64_url", URL_SAFE.encode(KEY)),
        ("base64_url_no_pad", URL_SAFE_NO_PAD.encode(KEY)),
        ("percent", percent_encode(KEY, false)),
        ("percent_lower", percent_encode(KEY, true)),
        ("json", json_escape(KEY)),
        ("json_twice", json_escape(&json_escape(KEY))),
        ("json_solidus", json_escape(KEY).replace('/', "\\/")),
        ("unicode", unicode),
    ]
}

fn assert_hidden(place: &str, text: &str) {
    for (name, spelling) in spellings() {
        // A reply in JSON escapes what it contains.
        for shown in [spelling.clone(), json_escape(&spelling)] {
            assert!(!text.contains(&shown), "{place} shows the key ({name}): {text}");
        }
    }
    assert!(!text.contains("canary"), "{place} shows a part of the key: {text}");
}

/// Starts a provider that repeats the key in its replies.
async fn start_echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let origin = format!("http://{}", listener.local_addr().expect("it has an address"));
    let own = origin.clone();
    let echo = async move |path: Option<Path<String>>, request: Request| -> Response {
        let path = path.map(|Path(path)| path).unwrap_or_default();
        assert_eq!(request.headers().get("x-key").map(HeaderValue::as_bytes), Some(KEY.as_bytes()), "{path}");
        let mut body: Value = spellings().into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect();
        let encoded = percent_encode(KEY, false);
        let mut status = StatusCode::OK;
        let mut location = None;
        match path.as_str() {
            "refuse" => status = StatusCode::BAD_REQUEST,
            "fail" => status = StatusCode::INTERNAL_SERVER_ERROR,
            "text" => return (StatusCode::BAD_GATEWAY, format!("<html>{KEY} {encoded}</html>")).into_response(),
            "odd" => return format!("{{\"plain\": \"{}\", not JSON", json_escape(KEY)).into_response(),
            "redirect" => {
                status = StatusCode::FOUND;
                location = Some(format!("{own}/v1/ok?key={encoded}"));
            }
            "link" => body["url"] = json!(format!("{own}/v1/gone?key={encoded}")),
            "gone" => status = StatusCode::FORBIDDEN,
            "operate" => {
                body["id"] = json!(format!("id-{KEY}"));
                body["status"] = json!("starting");
                body["urls"] =
                    json!({"get": format!("{own}/v1/poll?key={encoded}"), "cancel": format!("{own}/v1/{encoded}")});
            }
            "poll" => {
                body["status"] = json!("failed");
                body["error"] = json!(format!("key {KEY} is wrong"));
                body["logs"] = json!(format!("10% used {KEY}"));
            }
            _ => {}
        }
        let mut response = (status, Json(body)).into_response();
        for (name, text) in [("x-echo", KEY), ("x-echo-encoded", &encoded), ("x-echo-base64", &STANDARD.encode(KEY))] {
            response.headers_mut().insert(name, HeaderValue::from_str(text).expect("it is text"));
        }
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&location).expect("it is text"));
        }
        response
    };
    let router = Router::new().route("/v1/{path}", any(echo.clone())).fallback(any(echo));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("{origin}/v1")
}

/// Sends a request and checks its reply, headers included.
async fn check(client: &RecordingClient, method: &str, path: &str, body: Option<Value>) -> Value {
    let typed = [("content-type", "application/json")];
    let headers: &[(&str, &str)] = if body.is_some() { &typed } else { &[] };
    let sent = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    let (status, headers, bytes) = client.exchange(method, path, headers, sent).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let place = format!("{method} {path} ({status})");
    for (name, value) in &headers {
        assert_hidden(&format!("{place}, header {name}"), &String::from_utf8_lossy(value.as_bytes()));
    }
    // Bodies of the raw proxy are the provider's, as it sent them.
    let is_proxied =
        headers.get("content-security-policy").is_some_and(|policy| policy == "default-src 'none'; sandbox");
    if !(path.starts_with("/proxy/") && is_proxied) {
        assert_hidden(&place, &text);
    }
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Replaces the placeholders of a path by each of the values that fit.
fn fill_path(path: &str, values: &[(&str, &str, Vec<String>)]) -> Vec<String> {
    let Some((start, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let (name, rest) = rest.split_once('}').expect("a placeholder ends");
    let fitting = values.iter().filter(|(of, prefix, _)| *of == name && path.starts_with(prefix));
    let filled: Vec<String> = fitting.flat_map(|(_, _, values)| values).cloned().collect();
    let filled = if filled.is_empty() { vec!["x".to_owned()] } else { filled };
    filled.into_iter().flat_map(|value| fill_path(&format!("{start}{value}{rest}"), values)).collect()
}

/// Declares a node for each way in which the provider repeats the key, runs it, and returns the ids of the jobs.
async fn run_nodes(client: &RecordingClient) -> Vec<String> {
    let mut jobs = Vec::new();
    for (node, output, operation) in [
        ("ok", json!([{"name": "text", "type": "object", "mapping": ""}]), Value::Null),
        ("refuse", json!([]), Value::Null),
        ("fail", json!([]), Value::Null),
        ("text", json!([]), Value::Null),
        ("odd", json!([{"name": "text", "type": "string", "mapping": "plain"}]), Value::Null),
        ("missing", json!([{"name": "text", "type": "string", "mapping": "nothing"}]), Value::Null),
        ("redirect", json!([]), Value::Null),
        ("link", json!([{"name": "made", "type": "image", "mapping": "url"}]), Value::Null),
        ("plain", json!([{"name": "made", "type": "string", "mapping": "base64"}]), Value::Null),
        ("operate", json!([]), json!("replicate")),
    ] {
        let mut data = json!({"path": format!("/{node}")});
        if node == "redirect" {
            data["method"] = json!("GET");
        }
        if !operation.is_null() {
            data["operation"] = operation;
        }
        let declared = json!({"id": node, "name": node, "connector_id": "echo", "data": data, "output": output});
        check(client, "PUT", &format!("/nodes/{node}"), Some(declared)).await;
        let wait = [("prefer", "wait=30")];
        let reply = client.raw("POST", &format!("/node/{node}/run"), &wait, Some(json!({}))).await;
        assert_hidden(&format!("run of {node}"), &reply.text);
        let job = reply.json();
        assert!(job["status"] == "completed" || job["status"] == "failed", "{node}: {job}");
        jobs.push(job["id"].as_str().expect("an id").to_owned());
    }
    jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_shows_a_key_that_a_provider_repeats() {
    let client = RecordingClient::admin().await;
    client.work();
    check(&client, "PUT", "/secrets/KEY", Some(json!({"value": KEY}))).await;
    let connector = json!({"id": "echo", "name": "Echo", "base_url": start_echo().await, "header": {"x-key": "$KEY"}});
    check(&client, "PUT", "/connectors/echo", Some(connector)).await;
    let jobs = run_nodes(&client).await;
    for path in ["ok", "refuse", "fail", "text", "redirect", "operate", "gone"] {
        check(&client, "GET", &format!("/proxy/echo/{path}"), None).await;
        check(&client, "POST", &format!("/proxy/echo/{path}"), Some(json!({}))).await;
    }
    let document = json!({"summary": "x", "value": {"modules": [
        {"id": "a", "value": {"type": "script", "path": "node/ok", "input_transforms": {}}}]}});
    let workflow = json!({"id": "w", "name": "W", "nodes": document});
    check(&client, "PUT", "/workflows/w", Some(workflow)).await;
    for path in ["/workflows/dry_run", "/workflows/validate", "/workflows/run"] {
        check(&client, "POST", path, Some(json!({"document": document, "input": {}}))).await;
    }
    check(&client, "POST", "/hooks/AAAA", Some(json!({}))).await;
    let user = check(&client, "GET", "/user", None).await["id"].as_str().expect("an id").to_owned();
    let library = check(&client, "GET", "/library", None).await["items"][0]["id"].as_str().expect("an id").to_owned();
    let nodes = ["ok", "refuse", "link", "operate"].map(str::to_owned).to_vec();
    let values = [
        ("id", "/jobs/", jobs.clone()),
        ("id", "/nodes/", nodes),
        ("id", "/connectors/", vec!["echo".to_owned()]),
        ("id", "/workflow", vec!["w".to_owned()]),
        ("id", "/user/", vec![user]),
        ("id", "/library/", vec![library]),
        ("step", "/jobs/", vec!["run".to_owned()]),
    ];
    let openapi: Value = serde_json::from_str(include_str!("../../../openapi.json")).expect("the file is JSON");
    let mut checked = 0;
    for (path, methods) in openapi["paths"].as_object().expect("paths") {
        if methods.get("get").is_none() || path.ends_with("/events") {
            continue;
        }
        let path = path.strip_prefix("/api/v1").map_or_else(|| format!("!{path}"), str::to_owned);
        for path in fill_path(&path, &values) {
            check(&client, "GET", &path, None).await;
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} replies were read");
    for job in &jobs {
        let again = check(&client, "POST", &format!("/jobs/{job}/rerun"), Some(json!({"confirm_unknown": true}))).await;
        assert!(again["id"].is_string(), "{again}");
        for action in ["cancel", "steps/run/recover", "resume"] {
            check(&client, "POST", &format!("/jobs/{job}/{action}"), Some(json!({"action": "resume"}))).await;
        }
    }
    for spelling in spellings() {
        assert!(!client.is_on_disk(&spelling.1), "the database contains the key ({})", spelling.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_shows_a_key_that_a_provider_repeats() {
    let mut client = RecordingClient::new().await;
    let token = client.log_in("admin", "admin").await;
    client.work();
    check(&client, "PUT", "/secrets/KEY", Some(json!({"value": KEY}))).await;
    let connector = json!({"id": "echo", "name": "Echo", "base_url": start_echo().await, "header": {"x-key": "$KEY"}});
    check(&client, "PUT", "/connectors/echo", Some(connector)).await;
    for job in run_nodes(&client).await {
        let mut events = client.open_stream(&job, &token).await.expect("the token is valid").into_data_stream();
        let mut text = String::new();
        // The stream of an ended job ends; if it stays open, what there is has arrived soon.
        while let Ok(Some(Ok(part))) = tokio::time::timeout(Duration::from_secs(2), events.next()).await {
            text.push_str(&String::from_utf8_lossy(&part));
        }
        assert!(text.contains("event:") || text.contains("data:"), "{text}");
        assert_hidden("the events", &text);
    }
}
