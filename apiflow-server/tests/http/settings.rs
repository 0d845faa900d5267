//! The settings of the server, as users and admins see them.

use apiflow_server::settings::{OperationSettings, WebSettings};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;

const PATH: &str = "/settings";

async fn furnished() -> RecordingClient {
    let operation = OperationSettings { allowed_hosts: vec!["10.0.0.0/8".to_owned()], ..OperationSettings::default() };
    let settings = WebSettings {
        public_url: "https://flow.example.com".to_owned(),
        metrics_token: Some("canary-of-metrics".to_owned()),
        operation,
        ..WebSettings::default()
    };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", crate::recording_client::LONG_PASSWORD).await;
    client
}

#[tokio::test]
async fn an_admin_reads_limits_and_how_the_server_runs_without_credentials() {
    let client = furnished().await;
    let reply = client.raw("GET", PATH, &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert!(!reply.text.contains("canary"), "{}", reply.text);
    let openapi = serde_json::to_value(apiflow_server::openapi_document()).expect("the document is JSON");
    let schema = json!({"$ref": "#/components/schemas/ServerSettings", "components": openapi["components"]});
    let schema = jsonschema::validator_for(&schema).expect("the document's schemas are valid");
    let found = reply.json();
    let faults: Vec<_> = schema.iter_errors(&found).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, [""; 0], "{found}");
    assert_eq!(found["public_url"], "https://flow.example.com");
    assert_eq!(found["limits"]["request_bytes"], 10 * 1024 * 1024);
    assert_eq!(found["limits"]["artifacts_of_user_bytes"], Value::Null);
    assert_eq!(found["retention"], json!({"job_days": null, "artifact_days": null, "call_days": 30}));
    let operation = &found["operation"];
    assert_eq!(operation["allowed_hosts"], json!(["10.0.0.0/8"]));
    assert_eq!((&operation["database"], &operation["storage"]), (&json!("sqlite"), &json!("folder")));
    assert_eq!((&operation["concurrency"], &operation["runs_jobs"]), (&json!(64), &json!(true)));
}

#[tokio::test]
async fn a_user_reads_what_concerns_all_and_nobody_else_reads_anything() {
    let mut client = furnished().await;
    client.as_new_user("ann").await;
    let reply = client.raw("GET", PATH, &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert_eq!(reply.json()["operation"], Value::Null);
    assert_eq!(reply.json()["limits"]["workflow_steps"], 5_000);
    assert!(!reply.text.contains("10.0.0.0"), "{}", reply.text);
    client.token(None);
    assert_eq!(client.raw("GET", PATH, &[], None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_server_without_a_public_url_says_so() {
    let settings = WebSettings { has_public_url: false, ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", "admin").await;
    assert_eq!(client.raw("GET", PATH, &[], None).await.json()["public_url"], Value::Null);
}
