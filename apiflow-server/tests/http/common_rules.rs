//! What all routes have in common: problems, limits, headers, health and the page.

use apiflow_server::settings::WebSettings;
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, settle};

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let mut client = RecordingClient::admin().await;
    client.get("/nothing").await;
    client.get("!/api").await;
    client.get("!/api/").await;
    client.get("/jobs?statuss=failed").await;
    client.get("/nodes?page=2").await;
    client.say("DELETE", "/connectors", &[], None).await;
    client.say("POST", "!/healthz", &[], Some(json!({}))).await;
    client.say("POST", "!/some/page", &[], Some(json!({}))).await;
    client.say("POST", "/connectors", &[("content-type", "text/plain")], Some(json!({}))).await;
    client.say("POST", "/connectors", &[], None).await;
    client.get("/jobs?status=done").await;
    client.get("/jobs/%ff").await;
    client.get("!/_app/immutable/old.js").await;
    settle!(client);
}

#[tokio::test]
async fn an_array_is_no_object() {
    let client = RecordingClient::admin().await;
    for (path, body) in [
        ("/login", json!(["admin", "admin"])),
        ("/users", json!(["arr", "password1", null, null])),
        ("/workflows/run", json!([{"value": {"modules": []}}, {}])),
        ("/workflows/validate", json!([1])),
        ("/workflow/x/run", json!([{}])),
        ("/user/tokens", json!(["name"])),
    ] {
        let reply = client.raw("POST", path, &[], Some(body)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", reply.text);
        assert_eq!(reply.string("/detail"), "the body must be an object", "{path}");
    }
}

async fn refuses_control_characters(client: RecordingClient) {
    for path in [
        "/jobs?workflow_id=a%00b",
        "/jobs?cursor=a%00b",
        "/jobs?cursor=AGE",
        "/connectors?cursor=AGE",
        "/users?cursor=AGE",
        "/connectors/a%00b",
        "/jobs/a%00b",
        "/jobs/a%00b/events",
        "/user/a%00b",
        "/workflow/a%00/jobs",
        "/approve/a%0ab",
    ] {
        let reply = client.raw("GET", path, &[], None).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}: {}", reply.text);
        assert_eq!(reply.string("/code"), "malformed", "{path}");
    }
    let document = |summary: &str, id: &str| json!({"summary": summary, "value": {"modules": [{"id": id, "value": {"type": "identity"}}]}});
    let connector = |name: &str| json!({"name": name, "base_url": "https://c.example"});
    for (path, body) in [
        ("/login", json!({"username": "a\u{0}", "password": "x"})),
        ("/users", json!({"username": "a\u{0}", "password": "correct horse"})),
        ("/user/tokens", json!({"name": "a\u{0}"})),
        ("/connectors", connector("a\u{0}")),
        ("/connectors", json!({"id": "a\u{0}", "name": "A", "base_url": "https://c.example"})),
        ("/workflows", json!({"name": "a\u{0}", "nodes": document("s", "a")})),
        ("/workflows", json!({"name": "a", "nodes": document("s", "a\u{0}")})),
        ("/workflows/run", json!({"document": document("a\u{0}", "a")})),
        ("/workflows/run", json!({"document": document("s", "a\u{0}")})),
    ] {
        let reply = client.raw("POST", path, &[], Some(body)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", reply.text);
    }
    // In a value they are data like any other.
    client.work();
    let body = json!({"document": document("s\n", "a"), "input": {"text": "a\u{0}b"}});
    let reply = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await;
    assert_eq!(reply.json()["output"], json!({"text": "a\u{0}b"}), "{}", reply.text);
    client.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_are_refused_where_names_are_meant() {
    refuses_control_characters(RecordingClient::admin().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_are_refused_on_postgres_too() {
    if let Some(client) = RecordingClient::on_postgres().await {
        refuses_control_characters(client).await;
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let settings = WebSettings { body_limit_bytes: 1000, ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", "admin").await;
    client.post("/connectors", json!({"name": "x".repeat(2000)})).await;
    settle!(client);
}

#[tokio::test]
async fn replies_carry_what_keeps_browsers_safe() {
    let client = RecordingClient::new().await;
    for path in ["!/healthz", "/user", "!/", "!/docs/"] {
        let reply = client.raw("GET", path, &[], None).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "same-origin", "{path}");
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(reply.header("x-request-id").len(), 36, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
    assert_eq!(client.raw("GET", "/user", &[], None).await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let cors_origins = vec![HeaderValue::from_static("https://app.example")];
    let client = RecordingClient::with(WebSettings { cors_origins, ..WebSettings::default() }, "").await;
    for (origin, expected) in [("https://app.example", "https://app.example"), ("https://evil.example", "")] {
        let asked = [("origin", origin), ("access-control-request-method", "PUT")];
        let reply = client.raw("OPTIONS", "/connectors/x", &asked, None).await;
        assert_eq!(reply.header("access-control-allow-origin"), expected);
        assert_eq!(reply.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn health_tells_whether_the_server_works() {
    let mut client = RecordingClient::new().await;
    client.get("!/healthz").await;
    client.get("!/readyz").await;
    client.stop.cancel();
    client.get("!/readyz").await;
    settle!(client);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let client = RecordingClient::admin().await;
    client.raw("GET", "/nothing", &[], None).await;
    let reply = client.raw("GET", "!/metrics", &[], None).await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "apiflow_jobs{status=\"pending\"} 0",
        "apiflow_http_responses_total{class=\"4xx\"} 1",
        "apiflow_http_requests_open 1",
        "# TYPE apiflow_store_statements_total counter",
        "# TYPE process_start_time_seconds gauge",
    ] {
        assert!(reply.text.lines().any(|found| found == line), "{line}\n{}", reply.text);
    }
    let is_sample = |line: &str| {
        line.starts_with("# ") || line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok())
    };
    assert!(reply.text.lines().all(is_sample), "{}", reply.text);
}

#[tokio::test]
async fn the_api_is_described_and_browsable() {
    let client = RecordingClient::new().await;
    let document = client.raw("GET", "/openapi.json", &[], None).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let page = client.raw("GET", "!/docs/", &[], None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("swagger"), "{}", page.text);
}

#[tokio::test]
async fn any_other_path_is_the_page() {
    let client = RecordingClient::new().await;
    for path in ["!/", "!/connectors", "!/workflows/x"] {
        let reply = client.raw("GET", path, &[], None).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(reply.header("cache-control"), "no-cache", "{path}");
    }
    for path in ["!/favicon-that-is-not.png", "!/_app/version", "!/assets/../secret.key"] {
        let reply = client.raw("GET", path, &[], None).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn no_problem_of_the_server_tells_its_cause() {
    let client = RecordingClient::admin().await;
    let broken = apiflow_store::Document {
        kind: apiflow_store::DocumentKind::Connector,
        id: "broken".to_owned(),
        body: json!({"name": "canary", "base_url": 5}),
        references: Vec::new(),
        author: None,
        by_admin: false,
        saved_by: None,
        created_at: apiflow_core::ports::Timestamp(0),
        updated_at: apiflow_core::ports::Timestamp(0),
        version: 0,
    };
    client.stores.documents.save_document(broken, apiflow_store::Precondition::None).await.expect("it can be saved");
    let reply = client.raw("GET", "/connectors/broken", &[], None).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    let expected: Value = json!({"type": "about:blank", "title": "Internal Server Error", "status": 500,
        "detail": "internal error; see the server's log for the cause", "code": "internal"});
    assert_eq!(reply.json(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_would_not_be_read_as_it_is_written_is_refused_at_its_places() {
    let client = RecordingClient::admin().await;
    let document = r#"{"summary": "s", "value": {"modules": []}, "value": {"modules": []}}"#;
    for (path, body, pointer) in [
        ("/workflows/validate", format!(r#"{{"document": {document}}}"#), "/document/value"),
        ("/workflows", format!(r#"{{"name": "w", "nodes": {document}}}"#), "/nodes/value"),
        ("/workflows/run", r#"{"document": {}, "input": {"id": 18446744073709551616}}"#.to_owned(), "/input/id"),
        ("/workflows/run", r#"{"document": {}, "input": {"a": 1, "\u0061": 2}}"#.to_owned(), "/input/a"),
        ("/connectors", r#"{"name": "c", "base_url": "http://a", "base_url": "http://b"}"#.to_owned(), "/base_url"),
        (
            "/users",
            r#"{"username": "u", "password": "longer than 12", "role": "user", "role": "admin"}"#.to_owned(),
            "/role",
        ),
    ] {
        let reply = client.raw("POST", path, &[], Some(Value::String(body))).await;
        let said = (reply.status, reply.string("/errors/0/pointer"));
        assert_eq!(said, (StatusCode::UNPROCESSABLE_ENTITY, pointer.to_owned()), "{path}: {}", reply.text);
    }
    // A large one is read elsewhere, and the same is said of it.
    let padding = "x".repeat(100_000);
    let body = format!(r#"{{"document": {{"description": "{padding}", "summary": "a", "summary": "b"}}}}"#);
    let reply = client.raw("POST", "/workflows/validate", &[], Some(Value::String(body))).await;
    assert_eq!(reply.string("/errors/0/pointer"), "/document/summary", "{}", reply.text);
}
