//! Creating predictions, and what is refused.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, KONTEXT, prompt, receive};

const SDXL: &str = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b";

#[tokio::test]
async fn a_create_is_answered_at_once_with_every_field() {
    let bench = Bench::start(json!({"delay_ms": 0})).await;
    let reply = bench.create(&[]).await;
    assert_eq!((reply.status, reply.header("content-type")), (201, "application/json"));
    assert_eq!((reply.header("ratelimit-remaining"), reply.header("ratelimit-reset")), ("599", "1"));
    let object = reply.json();
    let id = object["id"].as_str().expect("an id is a text");
    assert_eq!(id.len(), 26);
    let links = format!("{}/predictions/{id}", bench.replicate.base_url());
    let expected = json!({
        "id": id,
        "model": "black-forest-labs/flux-kontext-pro",
        "version": "hidden",
        "input": {"prompt": "a hat"},
        "logs": "",
        "output": null,
        "data_removed": false,
        "error": null,
        "source": "api",
        "status": "starting",
        "created_at": object["created_at"],
        "started_at": null,
        "completed_at": null,
        "deadline": null,
        "deployment": null,
        "metrics": {},
        "urls": {"cancel": format!("{links}/cancel"), "get": links, "web": format!("https://replicate.com/p/{id}")},
    });
    assert_eq!(object, expected);
}

async fn check_route(path: &str, body: Value, model: &str, version: &str, deployment: Value) {
    let bench = Bench::start(json!({"models": ["me/mine"]})).await;
    let reply = bench.post(path, &[("x-trace", "7")], body.clone()).await;
    let object = reply.json();
    assert_eq!(reply.status, 201, "{object}");
    assert_eq!((&object["model"], &object["version"]), (&json!(model), &json!(version)));
    assert_eq!(object["deployment"], deployment);

    let creates = bench.replicate.creates();
    let [create] = creates.as_slice() else { panic!("one create was sent: {creates:?}") };
    assert_eq!((create.method.as_str(), &create.path, &create.body), ("POST", &format!("/v1{path}"), &body));
    assert_eq!((create.headers["authorization"].as_str(), create.headers["x-trace"].as_str()), ("Bearer r8_test", "7"));
    assert_eq!(create.prediction.as_deref(), object["id"].as_str());
}

#[tokio::test]
async fn each_route_makes_a_prediction_and_is_recorded() {
    let versioned = |version: &str| json!({"version": version, "input": {"prompt": "p"}});
    let (sdxl, kontext) = ("stability-ai/sdxl", "black-forest-labs/flux-kontext-pro");
    check_route(KONTEXT, prompt("p"), kontext, "hidden", Value::Null).await;
    check_route("/predictions", versioned(SDXL), sdxl, SDXL, Value::Null).await;
    check_route("/predictions", versioned(&format!("{sdxl}:{SDXL}")), sdxl, SDXL, Value::Null).await;
    check_route("/predictions", versioned(kontext), kontext, "hidden", Value::Null).await;
    check_route("/deployments/acme/kontext/predictions", prompt("p"), kontext, "hidden", json!("acme/kontext")).await;
    check_route("/models/me/mine/predictions", json!({"input": {"x": [1]}}), "me/mine", "hidden", Value::Null).await;
}

async fn check_refused(path: &str, body: Value, expected: Value) {
    let bench = Bench::start(json!({})).await;
    let reply = bench.post(path, &[], body).await;
    assert_eq!((json!(reply.status), reply.json()), (expected["status"].clone(), expected), "POST {path}");
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(bench.replicate.stats().accepted, 0);
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let missing = json!({"detail": "The requested resource could not be found.", "status": 404});
    for path in ["", "/", "/models/black-forest-labs", "/models/nobody/nothing/predictions", "/images/generations"] {
        check_refused(path, prompt("p"), missing.clone()).await;
    }
    check_refused("/deployments/acme/nothing/predictions", prompt("p"), missing.clone()).await;
    // Only official models can be called by name.
    check_refused("/models/stability-ai/sdxl/predictions", prompt("p"), missing).await;
}

#[tokio::test]
async fn a_wrong_version_is_422() {
    let expected = json!({
        "title": "Invalid version or not permitted",
        "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
        "status": 422,
    });
    for version in ["latest", "stability-ai/sdxl", "stability-ai/sdxl:latest", &"0".repeat(64)] {
        check_refused("/predictions", json!({"version": version, "input": {}}), expected.clone()).await;
    }
}

#[tokio::test]
async fn wrong_input_is_422_and_names_the_field() {
    let invalid = |detail: &str, fields: Value| json!({"title": "Input validation failed", "detail": detail, "status": 422, "invalid_fields": fields});
    check_refused(
        KONTEXT,
        json!({"input": {}}),
        invalid(
            "- input: prompt is required\n",
            json!([{"type": "required", "field": "input", "description": "prompt is required"}]),
        ),
    )
    .await;
    let description = "output_format must be one of the following: \"jpg\", \"png\"";
    check_refused(
        KONTEXT,
        json!({"input": {"prompt": "p", "output_format": "webp"}}),
        invalid(
            &format!("- input.output_format: {description}\n"),
            json!([{"type": "enum", "field": "input.output_format", "description": description}]),
        ),
    )
    .await;
    check_refused(
        KONTEXT,
        json!({"input": {"prompt": "p"}, "version": SDXL}),
        invalid(
            "- Additional property version is not allowed\n",
            json!([{"type": "additional_property_not_allowed", "field": "", "description": "Additional property version is not allowed"}]),
        ),
    )
    .await;
    check_refused(
        "/predictions",
        json!({"model": "m", "input": {}}),
        invalid(
            "- version is required\n- Additional property model is not allowed\n",
            json!([
                {"type": "required", "field": "", "description": "version is required"},
                {"type": "additional_property_not_allowed", "field": "", "description": "Additional property model is not allowed"},
            ]),
        ),
    )
    .await;
}

#[tokio::test]
async fn input_checks_can_be_switched_off_but_the_body_stays_closed() {
    let bench = Bench::start(json!({"validate_input": false})).await;
    assert_eq!(bench.post(KONTEXT, &[], json!({"input": {}})).await.status, 201);
    assert_eq!(bench.post(KONTEXT, &[], json!({"input": {}, "prompt": "p"})).await.status, 422);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_400() {
    let bench = Bench::start(json!({})).await;
    for body in ["", "{", "[]", "null"] {
        let reply = receive(bench.request(Method::POST, KONTEXT, &[]).body(body)).await.expect("the stand-in answers");
        assert_eq!((reply.status, reply.header("content-type")), (400, "application/problem+json"), "{body:?}");
    }
    assert_eq!(bench.create(&[("cancel-after", "2s")]).await.status, 400);
    assert_eq!(bench.replicate.stats().accepted, 0);
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let bench = Bench::start(json!({})).await;
    let reply = bench.post("/models/black-forest-labs/flux-kontext-pro", &[], prompt("p")).await;
    assert_eq!((reply.status, reply.header("content-type")), (405, "application/problem+json"));
}

async fn check_token(required: Option<&str>, authorization: Option<&str>, status: u16, detail: &str) {
    let bench = Bench::start(json!({"require_token": required})).await;
    for (method, path) in [(Method::POST, KONTEXT), (Method::GET, "/predictions"), (Method::GET, "/account")] {
        let url = format!("{}{path}", bench.replicate.base_url());
        let mut request = bench.http.request(method.clone(), url).json(&prompt("p"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let reply = receive(request).await.expect("the stand-in answers");
        let expected = if status == 401 {
            (401, json!("Unauthenticated"), json!(detail))
        } else {
            (if method == Method::POST { 201 } else { 200 }, Value::Null, Value::Null)
        };
        let body = reply.json();
        assert_eq!(
            (reply.status, body["title"].clone(), body["detail"].clone()),
            expected,
            "{method} {authorization:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_wanted() {
    let (none, wrong) = ("You did not pass an authentication token", "You did not pass a valid authentication token");
    check_token(None, None, 401, none).await;
    check_token(None, Some("Bearer "), 401, none).await;
    check_token(None, Some("Basic cjg6"), 401, none).await;
    check_token(None, Some("Bearer anything"), 201, "").await;
    check_token(Some("r8_right"), Some("Bearer r8_wrong"), 401, wrong).await;
    check_token(Some("r8_right"), Some("Bearer r8_right"), 201, "").await;
}
