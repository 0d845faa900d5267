//! What would be sent, and what is answered.

use apiflow_core::catalog::{Catalog, parse_connector, parse_node};
use apiflow_core::dry_run::{Outcome, ResultSource};
use serde_json::{Value, json};

use super::{Given, catalog, flow, ran, report, step, tried};

/// The node that the founding workflows name.
const NODE: &str = "replicate_flux_kontext_pro_node_id";

fn founding(name: &str) -> Value {
    let path = format!("{}/tests/conformance/founding/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn founding_catalog() -> Catalog {
    let (mut connector, mut node) = (founding("connector.json"), founding("node.json"));
    connector["id"] = json!("replicate");
    node["id"] = json!(NODE);
    node["connector_id"] = json!("replicate");
    node["data"] =
        json!({"path": "/models/black-forest-labs/flux-kontext-pro/predictions", "body": {"input": "{{ input }}"}});
    let mut catalog = Catalog::default();
    catalog.connectors.insert("replicate".to_owned(), parse_connector(&connector).unwrap());
    catalog.nodes.insert(NODE.to_owned(), parse_node(&node).unwrap());
    catalog
}

fn document(name: &str) -> Value {
    founding(name)["nodes"].take()
}

#[tokio::test]
async fn requests_are_shown_as_they_would_be_sent_with_secrets_as_their_names() {
    let found = report(
        &document("workflow.json"),
        &founding_catalog(),
        founding("run_workflow.json")["input"].take(),
        Value::Null,
    )
    .await;
    assert_eq!(found.status.as_str(), "completed", "{:?}", found.error);
    let [first, second] = &found.steps[..] else { panic!("{:?}", ran(&found)) };
    let request = &first.requests[0].request;
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], "https://api.replicate.com/v1/models/black-forest-labs/flux-kontext-pro/predictions");
    assert_eq!(request["headers"]["Authorization"], "Bearer $REPLICATE_API_TOKEN");
    assert_eq!(request["body"]["input"]["prompt"], "Add a Hat to person");
    // What the first step gives is made up, and sent on by the second.
    assert_eq!(first.requests[0].answered_by, Some(ResultSource::Sample));
    assert_eq!(first.output, json!({"output_image": "sample of output_image"}));
    assert_eq!(second.requests[0].request["body"]["input"]["input_image"], "sample of output_image");
}

#[tokio::test]
async fn the_branch_that_is_taken_is_told() {
    for (kind, branch, step) in
        [("cartoon", "0", "cartoon_node"), ("vintage", "1", "vintage_node"), ("other", "default", "default_processing")]
    {
        let input = json!({"input_image": "https://example.com/a.png", "processing_type": kind});
        let found = report(&document("workflow_conditional.json"), &founding_catalog(), input, Value::Null).await;
        let taken: Vec<_> = found.steps.iter().map(|step| (step.id.as_str(), step.branch.as_deref())).collect();
        assert_eq!(taken, [("conditional_processing", Some(branch)), (step, None)], "{kind}");
    }
}

#[tokio::test]
async fn a_function_is_asked_first_then_mocks_then_the_declared_outputs() {
    let catalog =
        catalog(&[json!({"id": "n", "data": {"path": "/n"}, "output": [{"name": "text", "type": "string"}]})]);
    let steps = json!([step("a", "n", &[]), step("b", "n", &[]), step("c", "n", &[])]);
    let mocks = json!({"a": {"text": "mocked"}, "b": {"text": "mocked"}});
    let mut asked = Vec::new();
    let found = tried(&flow(steps), &catalog, Given { mocks, ..Given::default() }, |sending| {
        asked.push(format!("{} {} {}", sending.step_id, sending.node, sending.request["url"]));
        (sending.step_id == "a").then(|| Outcome::Result(json!({"text": "told"})))
    })
    .await
    .unwrap();
    let url = "\"https://c.test/v1/n\"";
    assert_eq!(asked, [format!("a node/n {url}"), format!("b node/n {url}"), format!("c node/n {url}")]);
    let given: Vec<_> =
        found.steps.iter().map(|step| (step.output["text"].clone(), step.requests[0].answered_by)).collect();
    assert_eq!(
        given,
        [
            (json!("told"), Some(ResultSource::Function)),
            (json!("mocked"), Some(ResultSource::Mock)),
            (json!("sample of text"), Some(ResultSource::Sample)),
        ]
    );
}

#[tokio::test]
async fn every_attempt_has_its_request_and_its_mock() {
    let node = json!({"id": "n", "data": {"path": "/n/{{ step.attempt }}"}});
    let mut retried = step("a", "n", &[]);
    retried["retry"] = json!({"constant": {"attempts": 3, "seconds": 60}});
    let mocks = json!({"a": {"attempts": [{"error": "busy"}, {"error": {"name": "rate_limited"}}, {"ok": true}]}});
    let found = report(&flow(json!([retried])), &catalog(&[node]), json!({}), mocks).await;
    assert_eq!((found.status.as_str(), found.retry_count, found.duration_ms), ("completed", 2, 120_000));
    assert_eq!(found.output, json!({"ok": true}));
    let sent: Vec<_> =
        found.steps[0].requests.iter().map(|sent| (sent.attempt, sent.at_ms, sent.request["url"].clone())).collect();
    let url = |attempt: u32| json!(format!("https://c.test/v1/n/{attempt}"));
    assert_eq!(sent, [(1, 0, url(1)), (2, 60_000, url(2)), (3, 120_000, url(3))]);
}

#[tokio::test]
async fn what_cannot_be_sent_fails_as_it_would() {
    let node =
        json!({"id": "n", "data": {"path": "/n"}, "input": [{"name": "size", "type": "integer", "required": true}]});
    let document = flow(json!([step("a", "n", &[("size", "flow_input.size")])]));
    let found = report(&document, &catalog(&[node]), json!({"size": "large"}), Value::Null).await;
    assert_eq!(found.status.as_str(), "failed");
    let error = found.error.unwrap();
    assert_eq!((&error["name"], &error["step_id"]), (&json!("invalid_input"), &json!("a")));
    assert!(error["message"].as_str().unwrap().contains("size"), "{error}");
    assert!(found.steps[0].requests.is_empty());
}

#[tokio::test]
async fn an_artifact_is_accepted_as_media_as_in_a_run() {
    let node = json!({"id": "n", "data": {"path": "/n"},
        "input": [{"name": "input_image", "type": "image", "required": true}],
        "output": [{"name": "output_image", "type": "image"}]});
    let steps = json!([
        step("first", "n", &[("input_image", "flow_input.picture")]),
        step("second", "n", &[("input_image", "results.first.output_image")])
    ]);
    // As the artifact of an upload, of an earlier job, and from an older client that keeps its id alone.
    for picture in [
        json!({"artifact": "a1", "url": "/api/v1/artifacts/a1", "mime": "image/png", "size_bytes": 3,
            "sha256": "0".repeat(64), "name": null, "width": 512, "height": 512}),
        json!({"artifact": "a1", "url": "https://example.com/api/v1/artifacts/a1", "mime": "image/png"}),
        json!({"artifact": "a1"}),
    ] {
        let input = json!({"picture": picture});
        let found = report(&flow(steps.clone()), &catalog(std::slice::from_ref(&node)), input, Value::Null).await;
        assert_eq!(found.status.as_str(), "completed", "{picture}: {:?}", found.error);
        assert_eq!(found.steps.iter().map(|step| step.requests.len()).collect::<Vec<_>>(), [1, 1], "{picture}");
    }
}

#[tokio::test]
async fn parallel_calls_are_all_sent_before_the_first_is_answered() {
    let node = json!({"id": "n", "data": {"path": "/n"}});
    let branch = |id: &str| json!({"modules": [step(id, "n", &[])]});
    let all = json!([{"id": "all", "value": {"type": "branchall", "parallel": true, "branches": [branch("a"), branch("b")]}}]);
    let found = report(&flow(all), &catalog(&[node]), json!({}), json!({"a": {"error": "no"}})).await;
    assert_eq!(found.status.as_str(), "failed");
    let sent: Vec<_> = found.steps.iter().map(|step| (step.id.as_str(), step.requests.len())).collect();
    assert_eq!(sent, [("all", 0), ("a", 1), ("b", 1)]);
}
