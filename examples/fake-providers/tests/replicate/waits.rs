//! Creates with `Prefer: wait`.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, KONTEXT, prompt, receive};

/// A create with a `Prefer` header: HTTP status, status, whether there is an output, `Preference-Applied`.
async fn check(patch: Value, prefer: &str, expected: (u16, &str, bool, &str)) {
    let bench = Bench::start(patch.clone()).await;
    let reply = bench.create(&[("prefer", prefer)]).await;
    let object = reply.json();
    let status = object["status"].as_str().unwrap_or_default();
    let found = (reply.status, status, !object["output"].is_null(), reply.header("preference-applied"));
    assert_eq!(found, expected, "{patch} {prefer}");
}

#[tokio::test]
async fn a_prediction_that_ends_in_time_is_the_reply() {
    check(json!({"delay_ms": 30}), "wait", (201, "succeeded", true, "wait")).await;
    check(json!({"delay_ms": 30}), "wait=10", (201, "succeeded", true, "wait=10")).await;
    check(json!({"delay_ms": 30, "end": "failed"}), "wait", (201, "failed", false, "wait")).await;
    check(json!({"delay_ms": 30, "end": "aborted"}), "wait", (201, "aborted", false, "wait")).await;
    check(json!({"delay_ms": 30, "preference_applied": false}), "wait", (201, "succeeded", true, "")).await;
}

#[tokio::test]
async fn a_prediction_that_is_too_slow_is_shown_as_starting_and_goes_on() {
    let bench = Bench::start(json!({"delay_ms": 1400, "states": ["processing"]})).await;
    let start = Instant::now();
    let reply = bench.create(&[("prefer", "wait=1")]).await;
    assert!(start.elapsed() >= Duration::from_secs(1));
    let object = reply.json();
    assert_eq!((reply.status, &object["status"], &object["output"]), (202, &json!("starting"), &Value::Null));
    assert_eq!(
        bench.get(&format!("/predictions/{}", object["id"].as_str().expect("an id"))).await.json()["status"],
        "processing"
    );
    assert_eq!(bench.ended(&object["id"]).await["status"], "succeeded");
    assert_eq!(bench.replicate.creates().len(), 1);
}

#[tokio::test]
async fn the_traps_of_the_real_reply() {
    let full = json!({"delay_ms": 20, "prefer_wait": "processing_with_output"});
    check(full, "wait", (201, "processing", true, "wait")).await;
    check(
        json!({"delay_ms": 20, "prefer_wait": "processing_with_output", "end": "failed"}),
        "wait",
        (201, "failed", false, "wait"),
    )
    .await;
    check(json!({"delay_ms": 20, "prefer_wait": "processing_null"}), "wait", (201, "processing", false, "wait")).await;
    check(json!({"delay_ms": 5000, "prefer_wait": "processing_null"}), "wait=1", (202, "processing", false, "wait=1"))
        .await;
}

#[tokio::test]
async fn other_preferences_do_not_wait() {
    for prefer in ["respond-async", "wait=0", "wait=soon"] {
        check(json!({"delay_ms": 60_000}), prefer, (201, "starting", false, "")).await;
    }
}

#[tokio::test]
async fn a_cancel_ends_the_wait() {
    let bench = Bench::start(json!({"delay_ms": 60_000})).await;
    let create = receive(bench.request(Method::POST, KONTEXT, &[("prefer", "wait")]).json(&prompt("p")));
    let create = tokio::spawn(create);
    let stats = bench.until(|stats| stats.accepted == 1).await;
    let id = stats.predictions[0]["id"].as_str().expect("an id is a text");
    assert_eq!(bench.post(&format!("/predictions/{id}/cancel"), &[], json!({})).await.json()["status"], "canceled");
    let reply = create.await.expect("the call does not panic").expect("the stand-in answers");
    assert_eq!((reply.status, &reply.json()["status"]), (201, &json!("canceled")));
}
