//! Tokens that may do only what their scopes name.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use apiflow_server::settings::WebSettings;

use crate::artifacts::PNG;
use crate::proxy::start_echo;
use crate::recording_client::{RecordingClient, Reply};
use crate::runs::follow;

/// Operations that need no token, so that scopes do not concern them.
const PUBLIC: [&str; 7] = [
    "POST /api/v1/login",
    "GET /api/v1/approve/{signed}",
    "POST /api/v1/approve/{signed}",
    "POST /api/v1/hooks/{address}",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
];

/// Creates a token with these scopes and goes on with it.
async fn use_scopes(client: &mut RecordingClient, scopes: Value) -> Reply {
    let body = json!({"name": "browser", "scopes": scopes});
    let reply = client.raw("POST", "/user/tokens", &[], Some(body)).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    client.token(Some(&reply.string("/token")));
    reply
}

fn assert_out_of_scope(reply: &Reply, what: &str) {
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{what}: {}", reply.text);
    assert_eq!(reply.string("/code"), "scope_required", "{what}: {}", reply.text);
}

/// A server with workers, a connector `mirror` whose provider returns what it is sent, the nodes `draw` and `send` and the
/// workflow `poster`, which takes a picture from the reply; the plain user ann is logged in.
async fn furnished() -> RecordingClient {
    let provider = crate::provider::Provider::start().await;
    let mut client = RecordingClient::admin().await;
    client.work();
    let node = |id: &str, input: &str, output: &str| {
        json!({"id": id, "name": id, "connector_id": "mirror", "data": {"path": "/mirror"},
            "input": [{"name": "text", "type": input, "required": true, "as": "data_uri"}],
            "output": [{"name": "text", "type": output, "mapping": "text"}]})
    };
    let module = json!({"id": "a", "value": {"type": "script", "path": "node/draw",
        "input_transforms": {"text": {"type": "javascript", "expr": "flow_input.text"}}}});
    let gate = json!({"id": "gate", "suspend": {"required_events": 1}, "value": {"type": "identity"}});
    let poster = |modules: Value| json!({"name": "Poster", "nodes": {"summary": "", "value": {"modules": modules}}});
    for (path, mut body) in [
        ("/connectors/mirror", json!({"id": "mirror", "name": "Mirror", "base_url": provider.url()})),
        ("/nodes/draw", node("draw", "string", "image")),
        ("/nodes/send", node("send", "image", "string")),
        ("/workflows/poster", poster(json!([module]))),
        ("/workflows/gated", poster(json!([gate]))),
    ] {
        if path.starts_with("/nodes/draw") {
            body["input"][0].as_object_mut().expect("it is an object").remove("as");
        }
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    client.as_new_user("ann").await;
    client
}

fn picture() -> Value {
    json!({"input": {"text": format!("data:image/png;base64,{}", STANDARD.encode(PNG))}})
}

async fn run(client: &RecordingClient, path: &str, body: Value) -> Reply {
    client.raw("POST", path, &[("prefer", "wait=30")], Some(body)).await
}

#[tokio::test]
async fn no_route_accepts_a_token_whose_scopes_do_not_name_it() {
    let mut client = RecordingClient::admin().await;
    let document = client.raw("GET", "/openapi.json", &[], None).await.json();
    use_scopes(&mut client, json!([{"run": {"workflows": ["nothing"]}}])).await;
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().expect("there are paths") {
        for method in operations.as_object().expect("there are operations").keys() {
            let name = format!("{} {path}", method.to_uppercase());
            if !["get", "post", "put", "patch", "delete", "head"].contains(&method.as_str())
                || PUBLIC.contains(&name.as_str())
            {
                continue;
            }
            let filled: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "x" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let body = (method != "get").then(|| json!({}));
            let reply = client.raw(&method.to_uppercase(), &format!("!{filled}"), &[], body).await;
            assert_out_of_scope(&reply, &name);
            refused += 1;
        }
    }
    assert!(refused > 60, "the document has all routes: {refused}");
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY"] {
        for path in ["/proxy/x", "/proxy/x/", "/proxy/x/y"] {
            let (status, ..) = client.exchange(method, path, &[], Body::empty()).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_proxy_passes_on_what_a_scope_names() {
    let cors_origins = vec![HeaderValue::from_static("https://app.example")];
    let mut client = RecordingClient::with(WebSettings { cors_origins, ..WebSettings::default() }, "").await;
    client.log_in("admin", "admin").await;
    for id in ["echo", "other"] {
        let connector = json!({"id": id, "name": id, "base_url": start_echo().await});
        client.raw("POST", "/connectors", &[], Some(connector)).await;
    }
    let created = use_scopes(
        &mut client,
        json!([{"proxy": {"connector": "echo", "methods": ["GET", "POST"], "paths": ["v1/models/*", "v1/predictions/**"]}}]),
    )
    .await;
    assert_eq!(created.json()["scopes"][0]["proxy"]["paths"], json!(["v1/models/*", "v1/predictions/**"]));
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,x-stainless-lang"),
    ];
    let preflight = client.raw("OPTIONS", "/proxy/echo/v1/predictions", &asked, None).await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert!(preflight.header("access-control-allow-headers").contains("x-stainless-lang"), "{:?}", preflight.headers);
    let origin = [("origin", "https://app.example")];
    for (method, path) in [("GET", "v1/models/flux"), ("POST", "v1/predictions"), ("GET", "v1/predictions/a/b?c=d")] {
        let reply = client.raw(method, &format!("/proxy/echo/{path}"), &origin, None).await;
        assert_eq!(reply.status, StatusCode::IM_A_TEAPOT, "{method} {path}: {}", reply.text);
        assert_eq!(reply.json()["uri"], format!("/base/{path}"));
        assert_eq!(reply.header("access-control-allow-origin"), "https://app.example");
    }
    for (method, path) in [
        ("DELETE", "echo/v1/models/flux"),
        ("GET", "other/v1/models/flux"),
        ("GET", "echo/v1/models/flux%2Fversions"),
        ("GET", "echo/v1/models/flux%252Fversions"),
        ("GET", "echo/v1//models/flux"),
        ("GET", "echo/v1/models/..;/admin"),
        ("GET", "echo/v1/admin"),
        ("GET", "echo"),
    ] {
        let reply = client.raw(method, &format!("/proxy/{path}"), &origin, None).await;
        // Dot segments are malformed for everybody.
        if reply.status != StatusCode::BAD_REQUEST || !path.contains("..") {
            assert_out_of_scope(&reply, path);
        }
        assert_eq!(reply.header("access-control-allow-origin"), "https://app.example", "a page can read why");
    }
    let overridden = [("x-http-method-override", "DELETE")];
    let reply = client.raw("POST", "/proxy/echo/v1/predictions", &overridden, None).await;
    assert_out_of_scope(&reply, "an override");
    let refused = client.raw("PUT", "/proxy/echo/v1/models/flux", &[], None).await;
    let needed = r#"{"proxy":{"connector":"echo","methods":["PUT"],"paths":["v1/models/flux"]}}"#;
    assert!(refused.string("/detail").contains(needed), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reads_only_jobs_that_it_started_and_their_artifacts() {
    let mut client = furnished().await;
    let session = client.log_in("ann", "correct horse").await;
    let others = run(&client, "/node/draw/run", picture()).await;
    assert_eq!(others.string("/status"), "completed", "{}", others.text);
    let scopes = json!([{"run": {"workflows": ["poster"], "nodes": ["send"]}}]);
    use_scopes(&mut client, scopes).await;

    let keyed = [("prefer", "wait=30"), ("idempotency-key", "k")];
    let job = client.raw("POST", "/workflow/poster/run", &keyed, Some(picture())).await;
    assert_eq!((job.status, job.string("/status").as_str()), (StatusCode::OK, "completed"), "{}", job.text);
    let (id, artifact) = (job.string("/id"), job.string("/output/text/artifact"));
    assert_eq!(client.raw("POST", "/workflow/poster/run", &keyed, Some(picture())).await.string("/id"), id);
    assert!(follow(&client, &id).await.contains("event: end"));
    for (method, path, body) in [
        ("GET", format!("/jobs/{id}"), None),
        ("GET", format!("/jobs/{id}/steps"), None),
        ("GET", format!("/artifacts/{artifact}/info"), None),
        ("POST", format!("/artifacts/{artifact}/links"), Some(json!({}))),
    ] {
        let reply = client.raw(method, &path, &[], body).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    let cancelled = client.raw("POST", &format!("/jobs/{id}/cancel"), &[], None).await;
    assert_eq!(cancelled.string("/code"), "ended", "it may cancel: {}", cancelled.text);
    let (status, _, bytes) = client.exchange("GET", &format!("/artifacts/{artifact}"), &[], Body::empty()).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, PNG));
    let sent = run(&client, "/node/send/run", json!({"input": {"text": {"artifact": artifact}}})).await;
    assert_eq!(sent.string("/status"), "completed", "{}", sent.text);

    let (other, secret) = (others.string("/id"), others.string("/output/text/artifact"));
    for (method, path) in [
        ("GET", format!("/jobs/{other}")),
        ("GET", "/jobs/missing".to_owned()),
        ("GET", format!("/jobs/{other}/steps")),
        ("GET", format!("/jobs/{other}/events")),
        ("POST", format!("/jobs/{other}/cancel")),
        ("GET", format!("/artifacts/{secret}")),
        ("GET", format!("/artifacts/{secret}?w=80")),
        ("GET", format!("/artifacts/{secret}/info")),
        ("GET", format!("/jobs/{id}/steps/a/calls")),
        ("DELETE", format!("/jobs/{id}")),
        ("DELETE", format!("/artifacts/{artifact}")),
        ("GET", "/jobs".to_owned()),
    ] {
        assert_out_of_scope(&client.raw(method, &path, &[], None).await, &path);
    }
    assert_out_of_scope(&run(&client, "/node/draw/run", picture()).await, "another node");
    let named = json!({"input": {"text": "x"}, "webhook": "https://example.com/hook"});
    assert_out_of_scope(&run(&client, "/workflow/poster/run", named).await, "a webhook");
    for input in
        [json!({"artifact": secret}), json!({"artifact": secret, "extra": 1}), others.json()["output"]["text"].clone()]
    {
        let refused = run(&client, "/node/send/run", json!({"input": {"text": input}})).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{input}: {}", refused.text);
    }

    use_scopes_of(&mut client, &session, json!([{"run": {"workflows": ["poster"]}}])).await;
    assert_out_of_scope(&client.raw("GET", &format!("/jobs/{id}"), &[], None).await, "another token's job");
    let repeated = client.raw("POST", "/workflow/poster/run", &keyed, Some(picture())).await;
    assert_ne!(repeated.string("/id"), id, "keys are a token's own");
}

/// The same, created in a session.
async fn use_scopes_of(client: &mut RecordingClient, session: &str, scopes: Value) {
    client.token(Some(session));
    use_scopes(client, scopes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_scope_permits_approvals_or_further_tokens() {
    let mut client = furnished().await;
    let session = client.log_in("ann", "correct horse").await;
    use_scopes(&mut client, json!([{"run": {"workflows": ["*"]}}])).await;
    let job = client.raw("POST", "/workflow/gated/run", &[], Some(json!({}))).await;
    let path = format!("/jobs/{}", job.string("/id"));
    let mut waiting = job;
    while waiting.string("/status") != "suspended" {
        waiting = client.raw("GET", &path, &[], None).await;
        assert!(waiting.status.is_success(), "{}", waiting.text);
    }
    assert!(!waiting.text.contains("/approve/"), "its links answer without an account: {}", waiting.text);
    assert_out_of_scope(&client.raw("POST", &format!("{path}/resume"), &[], Some(json!({}))).await, "resume");
    assert_out_of_scope(&client.raw("GET", "/user/tokens", &[], None).await, "tokens");
    let new = json!({"name": "more"});
    assert_out_of_scope(&client.raw("POST", "/user/tokens", &[], Some(new)).await, "a new token");
    client.token(Some(&session));
    assert!(client.raw("GET", &path, &[], None).await.text.contains("/approve/"));
    let listed = client.raw("GET", "/user/tokens", &[], None).await.json();
    assert_eq!(listed["items"][0]["scopes"], json!([{"run": {"workflows": ["*"]}}]));
    let body = json!({"name": "x", "scopes": [{"run": {"workflows": ["a b"]}}]});
    let invalid = client.raw("POST", "/user/tokens", &[], Some(body)).await;
    assert_eq!(invalid.string("/errors/0/pointer"), "/scopes/0/run/workflows/0", "{}", invalid.text);
}
