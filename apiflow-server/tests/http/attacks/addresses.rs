//! Private addresses in all spellings, through each door that takes an address from a user or a provider.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiflow_server::settings::WebSettings;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::trap::Trap;
use crate::recording_client::{LONG_PASSWORD, RecordingClient};

/// What a refusal may say; nothing else counts as one.
const REFUSALS: [&str; 13] = [
    "APIFLOW_ALLOW_HOSTS",
    "not an absolute URL",
    "must be an absolute http or https URL",
    "must not contain credentials",
    "must not have a fragment",
    "a user name or password",
    "is not an http or https link",
    "is not an http, https or data URL",
    "is not a valid link",
    "reply has no `status_url`",
    "reply has no `response_url`",
    "which is another host",
    "is not allowed: use http or https",
];

/// Returns the addresses, with the port of the trap.
fn read_addresses(port: u16) -> Vec<String> {
    let table: Vec<(String, String)> = serde_json::from_str(include_str!("addresses.json")).expect("the table is JSON");
    table.into_iter().map(|(url, _)| url.replace("{port}", &port.to_string())).collect()
}

/// The addresses of webhooks that the provider was told, by the number of the call.
type Hooks = Arc<Mutex<BTreeMap<usize, String>>>;

/// Starts a provider whose replies contain the address that a call asks for by its number.
async fn start_provider(addresses: Vec<String>) -> (String, Hooks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let origin = format!("http://{}", listener.local_addr().expect("it has an address"));
    let moved = format!("{origin}/moved");
    let of = {
        let addresses = addresses.clone();
        move |index: usize| addresses[index].clone()
    };
    let own = format!("{origin}/v1/working");
    let operation = {
        let (of, own) = (of.clone(), own.clone());
        move |index: usize, place: &str| {
            let mut reply = json!({"request_id": "w", "status": "IN_QUEUE", "status_url": own, "response_url": own,
                "cancel_url": own});
            reply[place] = json!(of(index));
            Json(reply)
        }
    };
    let poll = operation.clone();
    let cancel = operation.clone();
    let result = {
        let own = own.clone();
        async move |Path(index): Path<usize>| {
            Json(json!({"request_id": "w", "status": "IN_QUEUE", "status_url": format!("{own}/{index}")}))
        }
    };
    let ended = {
        let of = of.clone();
        async move |Path(index): Path<usize>| Json(json!({"status": "COMPLETED", "response_url": of(index)}))
    };
    let upload = {
        let of = of.clone();
        async move |Json(body): Json<Value>| {
            let name = body["name"].as_str().and_then(|name| name.strip_suffix(".txt")).expect("the file's name");
            Json(json!({"upload_url": of(name.parse().expect("a number")), "file_url": "https://files.example/a"}))
        }
    };
    let link = {
        let of = of.clone();
        async move |Path(index): Path<usize>| Json(json!({"url": of(index)}))
    };
    let hooks = Hooks::default();
    let told = Arc::clone(&hooks);
    let hooked = {
        let operation = operation.clone();
        async move |Path(index): Path<usize>, Query(query): Query<BTreeMap<String, String>>| {
            told.lock().expect("not poisoned").insert(index, query["hook"].clone());
            operation(index, "unused")
        }
    };
    let redirected = async move |Path(index): Path<usize>| Json(json!({"url": format!("{moved}/{index}")}));
    let redirect = async move |Path(index): Path<usize>| -> Response {
        let mut reply = StatusCode::FOUND.into_response();
        // Control characters can't be in a header.
        if let Ok(location) = HeaderValue::from_bytes(of(index).as_bytes()) {
            reply.headers_mut().insert(header::LOCATION, location);
        }
        reply
    };
    let router = Router::new()
        .route("/v1/link/{index}", post(link))
        .route("/v1/redirected/{index}", post(redirected))
        .route("/moved/{index}", any(redirect.clone()))
        .route("/v1/moved/{index}", any(redirect))
        .route("/v1/poll/{index}", post(async move |Path(index): Path<usize>| poll(index, "status_url")))
        .route("/v1/cancel/{index}", post(async move |Path(index): Path<usize>| cancel(index, "cancel_url")))
        .route("/v1/result/{index}", post(result))
        .route("/v1/hooked/{index}", post(hooked))
        .route("/v1/working/{index}", any(ended))
        .route("/v1/working", any(async || Json(json!({"status": "IN_PROGRESS"}))))
        .route("/v1/upload", post(upload))
        .route("/v1/use/{index}", post(async || Json(json!({"text": "used"}))));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (origin, hooks)
}

/// Returns the hosts of addresses, as far as `hosts` of a connector may list them.
fn listed_hosts(addresses: &[String]) -> Vec<String> {
    let hosts = addresses.iter().filter_map(|url| url.split_once("//")?.1.split(['/', '?', '#']).next());
    hosts.filter(|host| !host.is_empty() && !host.contains(['@', ' '])).map(str::to_owned).collect()
}

/// A server that may call the provider and nothing else, with a connector that follows links to all hosts of the table.
async fn start(addresses: &[String], settings: WebSettings) -> (RecordingClient, String, Hooks) {
    let (origin, hooks) = start_provider(addresses.to_vec()).await;
    let allowed = origin.trim_start_matches("http://").to_owned();
    let is_local = settings.public_url.contains("localhost");
    let mut client = RecordingClient::with_outgoing(settings, &allowed).await;
    client.log_in("admin", if is_local { "admin" } else { LONG_PASSWORD }).await;
    let upload = json!({"start": {"url": "/upload", "body": {"name": "{{ file.name }}"}},
        "send": {"url": "upload_url"}, "value": "file_url"});
    let connector = json!({"id": "c", "name": "C", "base_url": format!("{origin}/v1"),
        "data": {"hosts": listed_hosts(addresses), "upload": upload}});
    put(&client, "/connectors/c", connector).await;
    (client, origin, hooks)
}

async fn put(client: &RecordingClient, path: &str, body: Value) {
    let reply = client.raw("PUT", path, &[], Some(body)).await;
    assert!(reply.status.is_success(), "{path}: {}", reply.text);
}

fn assert_refused(door: &str, address: &str, text: &str) {
    assert!(REFUSALS.iter().any(|refusal| text.contains(refusal)), "{door}: {address}: {text}");
}

/// Runs a node with each address; returns the ended jobs.
async fn run_all(client: &RecordingClient, node: &str, inputs: Vec<Value>) -> Vec<Value> {
    let wait = [("prefer", "wait=60")];
    let path = format!("/node/{node}/run");
    let runs = inputs.into_iter().map(|input| client.raw("POST", &path, &wait, Some(json!({"input": input}))));
    join_all(runs).await.iter().map(crate::recording_client::Reply::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_of_a_reply_leads_to_a_private_address() {
    let trap = Trap::set();
    let addresses = read_addresses(trap.port);
    let (client, ..) = start(&addresses, WebSettings::default()).await;
    client.work();
    let file = json!([{"name": "made", "type": "file", "mapping": "url"}]);
    let text = json!([{"name": "text", "type": "string", "mapping": "text"}]);
    for (door, output, operation) in [
        ("link", &file, Value::Null),
        ("redirected", &file, Value::Null),
        ("poll", &text, json!("fal")),
        ("result", &text, json!("fal")),
    ] {
        let mut data = json!({"path": format!("/{door}/{{{{ input.index }}}}")});
        if !operation.is_null() {
            data["operation"] = operation;
        }
        let node = json!({"id": door, "name": door, "connector_id": "c", "data": data, "output": output,
            "input": [{"name": "index", "type": "integer"}]});
        put(&client, &format!("/nodes/{door}"), node).await;
        let inputs = (0..addresses.len()).map(|index| json!({"index": index})).collect();
        for (job, address) in run_all(&client, door, inputs).await.iter().zip(&addresses) {
            assert_eq!(job["status"], "failed", "{door}: {address}: {job}");
            let error = job["error"].to_string();
            // A redirect whose location is no text is none; other spellings are paths at the provider.
            let stays = ["302", "404"].iter().any(|status| error.contains(&format!("the provider answered {status}")));
            if !(door == "redirected" && stays) {
                assert_refused(door, address, &error);
            }
        }
        trap.assert_untouched(door);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_upload_and_no_cancellation_goes_to_a_private_address() {
    let trap = Trap::set();
    let addresses = read_addresses(trap.port);
    let (client, ..) = start(&addresses, WebSettings::default()).await;
    client.work();
    let node = json!({"id": "use", "name": "use", "connector_id": "c", "data": {"path": "/use/1"},
        "input": [{"name": "file", "type": "file", "as": "upload"}]});
    put(&client, "/nodes/use", node).await;
    let mut inputs = Vec::new();
    for index in 0..addresses.len() {
        let body = Body::from(format!("file {index}"));
        let (status, _, reply) = client.exchange("PUT", &format!("/artifacts?name={index}.txt"), &[], body).await;
        assert_eq!(status, StatusCode::CREATED);
        let artifact: Value = serde_json::from_slice(&reply).expect("the reply is JSON");
        inputs.push(json!({"file": artifact}));
    }
    for (job, address) in run_all(&client, "use", inputs).await.iter().zip(&addresses) {
        assert_eq!(job["status"], "failed", "upload: {address}: {job}");
    }
    trap.assert_untouched("upload");

    let node = json!({"id": "cancel", "name": "cancel", "connector_id": "c",
        "data": {"path": "/cancel/{{ input.index }}", "operation": "fal"},
        "input": [{"name": "index", "type": "integer"}]});
    put(&client, "/nodes/cancel", node).await;
    let cancelled = (0..addresses.len()).map(async |index| {
        let started = client.raw("POST", "/node/cancel/run", &[], Some(json!({"input": {"index": index}}))).await;
        let job = format!("/jobs/{}", started.string("/id"));
        wait_for(&client, &job, |job| job["steps"][0]["provider_id"] == "w").await;
        let reply = client.raw("POST", &format!("{job}/cancel"), &[], None).await;
        assert!(reply.status.is_success(), "{}", reply.text);
        wait_for(&client, &job, |job| job["status"] == "cancelled").await;
        // The last request may follow the end.
        let calls = format!("{job}/steps/run/calls");
        wait_for(&client, &calls, |calls| calls.to_string().contains("\"cancel\"")).await
    });
    for (calls, address) in join_all(cancelled).await.iter().zip(&addresses) {
        assert!(calls.to_string().contains("it may continue and be charged"), "cancel: {address}: {calls}");
    }
    trap.assert_untouched("cancel");
}

async fn wait_for(client: &RecordingClient, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let waiting = async {
        loop {
            let found = client.raw("GET", path, &[], None).await.json();
            if holds(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| panic!("{path} stays as it is"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connector_leads_to_a_private_address() {
    let trap = Trap::set();
    let addresses = read_addresses(trap.port);
    let (client, origin, _) = start(&addresses, WebSettings::default()).await;
    client.work();
    put(&client, "/secrets/CLIENT_SECRET", json!({"value": "canary-of-the-client"})).await;
    for (index, address) in addresses.iter().enumerate() {
        let auth = json!({"auth": {"kind": "oauth2_client_credentials", "token_url": address, "client_id": "a",
            "client_secret": "$CLIENT_SECRET"}});
        let moved = format!("{origin}/v1/moved/{index}");
        for (door, base_url, data) in
            [("base_url", address, json!({})), ("token_url", &origin, auth), ("redirect", &moved, json!({}))]
        {
            let connector = json!({"id": "x", "name": "X", "base_url": base_url, "data": data});
            let saved = client.raw("PUT", "/connectors/x", &[], Some(connector)).await;
            if !saved.status.is_success() {
                assert_eq!(saved.status, StatusCode::UNPROCESSABLE_ENTITY, "{door}: {address}: {}", saved.text);
                continue;
            }
            let reply = client.raw("GET", "/proxy/x", &[], None).await;
            // A redirect whose location is no text is none; other spellings are paths at the provider.
            if door == "redirect" && [StatusCode::FOUND, StatusCode::NOT_FOUND].contains(&reply.status) {
                continue;
            }
            let is_refused = [StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY].contains(&reply.status);
            assert!(is_refused, "{door}: {address}: {} {}", reply.status, reply.text);
            assert_refused(door, address, &reply.text);
            assert!(!reply.text.contains("canary"), "{}", reply.text);
            trap.assert_untouched(door);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_keys_are_read_from_a_private_address() {
    let trap = Trap::set();
    let addresses = read_addresses(trap.port);
    let settings = WebSettings { public_url: "https://flow.example.com".to_owned(), ..WebSettings::default() };
    let (client, _, hooks) = start(&addresses, settings).await;
    client.work();
    for (index, address) in addresses.iter().enumerate() {
        let webhook = json!({"query": "hook", "kind": "ed25519_jwks", "jwks_url": address});
        let operation = json!({"preset": "fal", "webhook": webhook});
        let node = json!({"id": "n", "name": "N", "connector_id": "c",
            "data": {"path": format!("/hooked/{index}"), "operation": operation}});
        let saved = client.raw("PUT", "/nodes/n", &[], Some(node)).await;
        if !saved.status.is_success() {
            assert_eq!(saved.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}: {}", saved.text);
            continue;
        }
        let started = client.raw("POST", "/node/n/run", &[], Some(json!({}))).await;
        assert_eq!(started.status, StatusCode::ACCEPTED, "{address}: {}", started.text);
        let job = format!("/jobs/{}", started.string("/id"));
        wait_for(&client, &job, |job| job["steps"][0]["provider_id"] == "w").await;
        let hook = hooks.lock().expect("not poisoned").get(&index).cloned().expect("it was told with the submit");
        let path = hook.strip_prefix("https://flow.example.com/api/v1").expect("our address");
        let signature = [
            ("x-fal-webhook-request-id", "w"),
            ("x-fal-webhook-user-id", "u"),
            ("x-fal-webhook-timestamp", "1"),
            ("x-fal-webhook-signature", "00"),
        ];
        let reply = client.raw("POST", path, &signature, Some(json!({"request_id": "w"}))).await;
        assert!(!reply.status.is_success(), "{address}: {}", reply.text);
        trap.assert_untouched("jwks_url");
        let reply = client.raw("POST", &format!("{job}/cancel"), &[], None).await;
        assert!(reply.status.is_success(), "{}", reply.text);
    }
}
