//! Reading and cancelling predictions; models and versions.

use serde_json::{Value, json};

use crate::bench::Bench;

async fn check_end(end: &str, error: Value, has_output: bool) {
    let bench = Bench::start(json!({"delay_ms": 60, "end": end, "error": "it broke"})).await;
    let created = bench.create(&[]).await.json();
    let running = bench.read_until(&created["id"], |object| object["status"] != "starting").await;
    assert_eq!(running["status"], "processing");
    assert!(running["logs"].as_str().is_some_and(|logs| logs.contains("0%|")), "{running}");
    let ended = bench.ended(&created["id"]).await;
    assert_eq!((&ended["status"], &ended["error"], !ended["output"].is_null()), (&json!(end), &error, has_output));
    assert_eq!((&ended["created_at"], &ended["urls"]), (&created["created_at"], &created["urls"]));
    assert_eq!(ended["metrics"], json!({"total_time": 0.06, "predict_time": 0.03}));
}

#[tokio::test]
async fn each_end_is_reached_through_the_running_states() {
    check_end("succeeded", Value::Null, true).await;
    check_end("failed", json!("it broke"), false).await;
    check_end("canceled", Value::Null, false).await;
    check_end("aborted", Value::Null, false).await;
}

#[tokio::test]
async fn states_that_nobody_knows_can_be_passed() {
    let bench = Bench::start(json!({"delay_ms": 60_000, "states": ["limbo"]})).await;
    let created = bench.create(&[]).await.json();
    assert_eq!(bench.read_until(&created["id"], |_| true).await["status"], "limbo");
}

#[tokio::test]
async fn a_cancel_ends_what_runs_and_nothing_else() {
    let bench = Bench::start(json!({"delay_ms": 60_000})).await;
    let running = bench.create(&[]).await.json();
    bench.replicate.adjust(|behaviour| behaviour.delay_ms = 0);
    let ended = bench.create(&[]).await.json();
    for (created, status) in [(running, "canceled"), (ended, "succeeded")] {
        let path = format!("/predictions/{}/cancel", created["id"].as_str().expect("an id is a text"));
        let reply = bench.post(&path, &[], json!({})).await;
        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!(status)));
        assert_eq!(bench.ended(&created["id"]).await["status"], status);
    }
    assert_eq!(bench.replicate.requests()["POST /v1/predictions/{id}/cancel"], 2);
}

#[tokio::test]
async fn a_deadline_is_kept_from_the_moment_of_creation() {
    let bench = Bench::start(json!({"delay_ms": 60_000})).await;
    let created = bench.create(&[("cancel-after", "1m")]).await.json();
    let (start, deadline) = (created["created_at"].as_str(), created["deadline"].as_str());
    assert!(start.is_some() && deadline > start, "{created}");
}

#[tokio::test]
async fn unknown_predictions_are_404() {
    let bench = Bench::start(json!({})).await;
    assert_eq!(bench.get("/predictions/nothing").await.status, 404);
    assert_eq!(bench.post("/predictions/nothing/cancel", &[], json!({})).await.status, 404);
}

#[tokio::test]
async fn data_is_gone_after_its_time() {
    let bench = Bench::start(json!({"delay_ms": 0, "data_removed_after_ms": 1})).await;
    let created = bench.create(&[]).await.json();
    let removed = bench.read_until(&created["id"], |object| object["data_removed"] == true).await;
    assert_eq!((&removed["input"], &removed["output"], &removed["logs"]), (&json!({}), &Value::Null, &json!("")));
    assert_eq!(removed["status"], "succeeded");
}

#[tokio::test]
async fn models_and_versions_have_schemas_in_the_form_of_cog() {
    let bench = Bench::start(json!({})).await;
    let model = bench.get("/models/black-forest-labs/flux-kontext-pro").await.json();
    let version = &model["latest_version"];
    let path =
        format!("/models/black-forest-labs/flux-kontext-pro/versions/{}", version["id"].as_str().expect("an id"));
    assert_eq!(&bench.get(&path).await.json(), version);
    let versions = bench.get("/models/black-forest-labs/flux-kontext-pro/versions").await.json();
    assert_eq!(&versions["results"][0], version);
    let schemas = &version["openapi_schema"]["components"]["schemas"];
    assert_eq!(schemas["Output"], json!({"type": "string", "title": "Output", "format": "uri"}));
    assert_eq!(schemas["Input"]["required"], json!(["prompt"]));
    assert_eq!(schemas["Input"]["properties"]["output_format"]["enum"], json!(["jpg", "png"]));
    for missing in ["/models/nobody/nothing", "/models/stability-ai/sdxl/versions/1", "/models/a/b/versions"] {
        assert_eq!(bench.get(missing).await.status, 404, "{missing}");
    }
    assert_eq!(bench.get("/account").await.json()["username"], "acme");
}
