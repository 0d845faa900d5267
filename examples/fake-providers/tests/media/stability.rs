use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_providers::Provider;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::bench::{Bench, Reply, is_png, receive};

const CORE: &str = "/v2beta/stable-image/generate/core";

async fn start(patch: Value) -> Bench {
    Bench::start(Provider::Stability, patch).await
}

async fn post(bench: &Bench, path: &str, accept: &str, form: Form) -> Reply {
    receive(bench.request(Method::POST, path).header("accept", accept).multipart(form)).await
}

fn prompt() -> Form {
    Form::new().text("prompt", "a hat")
}

#[tokio::test]
async fn accept_chooses_bytes_or_json() {
    let bench = start(json!({"delay_ms": 0})).await;
    let bytes = post(&bench, CORE, "image/*", prompt()).await;
    assert_eq!((bytes.header("content-type"), is_png(&bytes.body)), ("image/png", true));
    assert_eq!((bytes.header("finish-reason"), bytes.header("seed")), ("SUCCESS", "42"));
    let reply = post(&bench, CORE, "application/json", prompt()).await.json();
    let image = STANDARD.decode(reply["image"].as_str().expect("a text")).expect("base64");
    assert_eq!((image, &reply["finish_reason"]), (bytes.body, &json!("SUCCESS")));
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let bench = start(json!({"delay_ms": 0})).await;
    let reply = bench.post(CORE, json!({"prompt": "a hat"})).await;
    assert_eq!((reply.status, &reply.json()["name"]), (400, &json!("bad_request")));
    assert_eq!(post(&bench, CORE, "image/*", Form::new().text("x", "y")).await.status, 400);
}

#[tokio::test]
async fn moderation_is_403() {
    let bench = start(json!({"delay_ms": 0, "outcome": "moderated"})).await;
    let reply = post(&bench, CORE, "image/*", prompt()).await;
    assert_eq!((reply.status, &reply.json()["name"]), (403, &json!("content_moderation")));
}

#[tokio::test]
async fn asynchronous_work_tells_its_state_by_http_status() {
    let bench = start(json!({"delay_ms": 100})).await;
    let picture = Part::bytes(vec![1, 2, 3]).file_name("a.png").mime_str("image/png").expect("a MIME type");
    let form = prompt().part("image", picture);
    let created = post(&bench, "/v2beta/stable-image/upscale/creative", "image/*", form).await.json();
    let path = format!("/v2beta/results/{}", created["id"].as_str().expect("an id"));
    let read = || receive(bench.request(Method::GET, &path).header("accept", "image/*"));
    assert_eq!(read().await.status, 202);
    let mut reply = read().await;
    while reply.status == 202 {
        reply = read().await;
    }
    assert_eq!((reply.status, is_png(&reply.body)), (200, true));
    assert_eq!(bench.get("/v2beta/results/unknown").await.status, 404);
}
