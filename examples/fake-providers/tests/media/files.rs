//! The traps of links and connections.

use fake_providers::Provider;
use serde_json::{Value, json};

use crate::bench::{Bench, LIMIT, receive};

/// Makes a picture; returns its link.
async fn make(bench: &Bench) -> Value {
    let created = bench.post("/v1/flux-dev", json!({"prompt": "a hat"})).await.json();
    let ready = bench.read_until(&created["polling_url"], |object| object["status"] == "Ready").await;
    ready["result"]["sample"].clone()
}

async fn start(patch: Value) -> Bench {
    let bench = Bench::start(Provider::BlackForestLabs, json!({"delay_ms": 0})).await;
    bench.patch(patch);
    bench
}

#[tokio::test]
async fn a_file_can_be_early_unavailable_cut_off_and_of_a_wrong_type() {
    let bench = start(json!({"early_files": 1, "fail_files": 1, "cut_files": 1, "content_type": "text/html"})).await;
    let link = make(&bench).await;
    assert_eq!(bench.read_file(&link).await.status, 425);
    assert_eq!(bench.read_file(&link).await.status, 503);
    let url = link.as_str().expect("a link");
    let reply = bench.http.get(url).send().await.expect("the head arrives");
    assert!(reply.content_length().is_some_and(|length| length > 100));
    reply.bytes().await.expect_err("the body is cut off");
    let whole = bench.read_file(&link).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, "text/html"));
}

#[tokio::test]
async fn a_link_can_be_relative_or_need_the_key() {
    let bench = start(json!({"relative_links": true, "protected_links": true})).await;
    let link = make(&bench).await;
    let link = json!(format!("{}{}", bench.providers.origin(), link.as_str().expect("a path")));
    assert_eq!(bench.read_file(&link).await.status, 401);
    assert_eq!(bench.get(link.as_str().expect("a link")).await.status, 200);
    let forged = link.as_str().expect("a link").replace("signature=", "signature=x");
    assert_eq!(bench.get(&forged).await.status, 403);
}

#[tokio::test]
async fn a_file_can_be_huge() {
    let bench = start(json!({"file_bytes": 5_000_000})).await;
    let link = make(&bench).await;
    let file = bench.read_file(&link).await;
    assert_eq!((file.body.len(), file.header("content-length")), (5_000_000, "5000000"));
}

#[tokio::test]
async fn a_create_can_be_lost_before_and_after_it_was_accepted() {
    let bench = start(json!({"drop_before_accept": 1, "drop_after_accept": 1})).await;
    for accepted in [0, 1] {
        let request = bench.request(reqwest::Method::POST, "/v1/flux-dev").json(&json!({"prompt": "a hat"}));
        request.send().await.expect_err("the connection is reset");
        let stats = bench.providers.until(bench.provider, LIMIT, |stats| stats.creates == accepted + 1).await;
        assert_eq!(stats.expect("the call arrives").accepted, accepted);
    }
}

#[tokio::test]
async fn switches_are_set_by_another_process() {
    let bench = start(json!({})).await;
    let url = |rest: &str| format!("{}/_control/{rest}", bench.providers.origin());
    let reply = receive(bench.http.post(url("bfl")).json(&json!({"outcome": "failed"}))).await;
    assert_eq!((reply.status, &reply.json()["outcome"]), (200, &json!("failed")));
    assert_eq!(receive(bench.http.post(url("bfl")).json(&json!({"x": 1}))).await.status, 400);
    assert_eq!(receive(bench.http.get(url("acme"))).await.status, 404);
    assert_eq!(receive(bench.http.get(url("bfl/stats"))).await.json()["creates"], 0);
    assert_eq!(receive(bench.http.post(url("bfl/reset"))).await.status, 204);
    assert_eq!(receive(bench.http.get(url("bfl"))).await.json()["outcome"], "succeeded");
}
