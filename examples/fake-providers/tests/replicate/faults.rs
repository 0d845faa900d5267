//! Faults that the stand-in can simulate, and the counts that show how a client reacted.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::bench::{Bench, KONTEXT, LIMIT, assert_reset, behaviour, prompt, receive};

async fn check_failure(fail_with: Value, content_type: &str, body: &str, header: (&str, &str)) {
    let bench = Bench::start(json!({"skip_creates": 1, "fail_first": 2, "fail_with": fail_with})).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let reply = bench.create(&[]).await;
        statuses.push(json!(reply.status));
        if reply.status != 201 {
            assert_eq!((reply.header("content-type"), reply.header(header.0)), (content_type, header.1), "{fail_with}");
            assert!(reply.text.contains(body), "{fail_with}: {}", reply.text);
        }
    }
    let failed = &fail_with["status"];
    assert_eq!(statuses, [json!(201), failed.clone(), failed.clone(), json!(201)]);
    let stats = bench.replicate.stats();
    assert_eq!((stats.creates, stats.accepted), (4, 2));
    let made: Vec<bool> = bench.replicate.creates().iter().map(|create| create.prediction.is_some()).collect();
    assert_eq!(made, [true, false, false, true]);
}

#[tokio::test]
async fn creates_fail_as_often_as_asked_and_then_succeed() {
    let (problem, none) = ("application/problem+json", ("retry-after", ""));
    check_failure(json!({"status": 500}), problem, "\"status\":500", none).await;
    check_failure(
        json!({"status": 503, "headers": {"retry-after": "3"}}),
        problem,
        "\"status\":503",
        ("retry-after", "3"),
    )
    .await;
    check_failure(json!({"status": 402}), problem, "Insufficient credit", none).await;
    check_failure(json!({"status": 429}), problem, "Your rate limit resets in ~30s.", ("ratelimit-reset", "1")).await;
    let limited = json!({"status": 429, "headers": {"ratelimit-reset": "30", "ratelimit-remaining": "0"}});
    check_failure(limited, problem, "throttled", ("ratelimit-reset", "30")).await;
    check_failure(json!({"status": 502}), "text/html", "<h1>502 Bad Gateway</h1>", none).await;
    check_failure(json!({"status": 504, "body": "<html>slow</html>"}), "text/html", "<html>slow</html>", none).await;
    check_failure(json!({"status": 500, "body": {"detail": "E1000"}}), problem, r#"{"detail":"E1000"}"#, none).await;
}

async fn check_dropped(patch: Value, accepted: usize) {
    let bench = Bench::start(patch).await;
    assert_reset(receive(bench.request(Method::POST, KONTEXT, &[]).json(&prompt("p"))).await);
    let stats = bench.replicate.stats();
    assert_eq!((stats.creates, stats.accepted), (1, accepted));
    assert_eq!(bench.create(&[]).await.status, 201);
}

#[tokio::test]
async fn connections_break_before_the_job_is_accepted() {
    check_dropped(json!({"drop_before_accept": 1}), 0).await;
}

#[tokio::test]
async fn connections_break_after_the_job_is_accepted() {
    check_dropped(json!({"drop_after_accept": 1}), 1).await;
}

#[tokio::test]
async fn a_held_create_is_accepted_and_answered_when_released() {
    let bench = Bench::start(json!({"hold_create_ms": 60_000})).await;
    let create = tokio::spawn(receive(bench.request(Method::POST, KONTEXT, &[]).json(&prompt("p"))));
    let stats = bench.until(|stats| stats.held == 1).await;
    assert_eq!((stats.creates, stats.accepted), (1, 1));
    assert!(!create.is_finished());
    bench.replicate.release();
    let reply = create.await.expect("the call does not panic").expect("the stand-in answers");
    assert_eq!((reply.status, &reply.json()["id"]), (201, &stats.predictions[0]["id"]));
    bench.until(|stats| stats.held == 0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_while_held_leaves_a_prediction_that_runs_on() {
    let bench = Bench::start(json!({"hold_create_ms": 60_000, "delay_ms": 20})).await;
    let create = tokio::spawn(receive(bench.request(Method::POST, KONTEXT, &[]).json(&prompt("p"))));
    let stats = bench.until(|stats| stats.held == 1).await;
    create.abort();
    bench.until(|stats| stats.held == 0).await;
    assert_eq!(bench.ended(&stats.predictions[0]["id"]).await["status"], "succeeded");
}

#[tokio::test]
async fn a_hold_is_over_by_itself() {
    let bench = Bench::start(json!({"hold_create_ms": 30})).await;
    let start = std::time::Instant::now();
    assert_eq!(bench.create(&[]).await.status, 201);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn predictions_fail_as_often_as_asked() {
    let bench =
        Bench::start(json!({"delay_ms": 5, "fail_predictions": 1, "error": "flagged as sensitive (E005)"})).await;
    let mut ends = Vec::new();
    for _ in 0..2 {
        let created = bench.create(&[]).await.json();
        let ended = bench.ended(&created["id"]).await;
        ends.push((ended["status"].clone(), ended["error"].clone(), ended["output"].is_null()));
    }
    let failed = (json!("failed"), json!("flagged as sensitive (E005)"), true);
    assert_eq!(ends, [failed, (json!("succeeded"), Value::Null, false)]);
}

#[tokio::test]
async fn reads_fail_and_break_as_often_as_asked() {
    let bench = Bench::start(json!({"drop_polls": 1, "fail_polls": 2, "fail_with": {"status": 502}})).await;
    let path = format!("/predictions/{}", bench.create(&[]).await.json()["id"].as_str().expect("an id is a text"));
    assert_reset(receive(bench.request(Method::GET, &path, &[])).await);
    let statuses = [bench.get(&path).await.status, bench.get(&path).await.status, bench.get(&path).await.status];
    assert_eq!(statuses, [502, 502, 200]);
    assert_eq!(bench.replicate.requests()["GET /v1/predictions/{id}"], 4);
}

#[tokio::test]
async fn knobs_are_set_and_read_by_other_processes() {
    let bench = Bench::start(json!({"delay_ms": 7})).await;
    let control = |method, path: &str, body: Option<Value>| {
        let request = bench.http.request(method, format!("{}/_control{path}", bench.replicate.origin()));
        receive(match body {
            Some(body) => request.json(&body),
            None => request,
        })
    };
    let set = control(Method::POST, "", Some(json!({"fail_first": 1, "end": "aborted"}))).await.expect("it answers");
    assert_eq!((set.status, &set.json()["delay_ms"], &set.json()["end"]), (200, &json!(7), &json!("aborted")));
    assert_eq!(bench.replicate.behaviour(), behaviour(json!({"delay_ms": 7, "fail_first": 1, "end": "aborted"})));
    let wrong = control(Method::POST, "", Some(json!({"fail_frist": 1}))).await.expect("it answers");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("fail_frist"), "{}", wrong.text);

    assert_eq!([bench.create(&[]).await.status, bench.create(&[]).await.status], [500, 201]);
    let left = control(Method::GET, "", None).await.expect("it answers").json();
    assert_eq!(left["fail_first"], 0);
    let stats = control(Method::GET, "/stats", None).await.expect("it answers");
    assert!(!stats.text.contains("r8_test"), "the token stays inside");
    let stats = stats.json();
    assert_eq!((&stats["creates"], &stats["accepted"], &stats["held"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(stats["by_path"], json!({"POST /v1/models/{owner}/{name}/predictions": 2}));
    assert_eq!(stats["predictions"][0]["input"], json!({"prompt": "a hat"}));
    assert_eq!(stats["create_calls"][1]["prediction"], stats["predictions"][0]["id"]);

    assert_eq!(control(Method::POST, "/reset", None).await.expect("it answers").status, 204);
    let stats = bench.replicate.stats();
    assert_eq!((stats.creates, stats.accepted, stats.by_path.len()), (0, 0, 0));
    assert_eq!(bench.replicate.behaviour(), behaviour(json!({"delay_ms": 7})));

    bench.replicate.configure(behaviour(json!({"hold_create_ms": 60_000})));
    let create = tokio::spawn(receive(bench.request(Method::POST, KONTEXT, &[]).json(&prompt("p"))));
    bench.until(|stats| stats.held == 1).await;
    assert_eq!(control(Method::POST, "/release", None).await.expect("it answers").status, 204);
    assert_eq!(create.await.expect("the call does not panic").expect("the stand-in answers").status, 201);
}

#[tokio::test]
async fn dropping_it_breaks_open_connections_and_frees_the_port() {
    let bench = Bench::start(json!({"hold_create_ms": 60_000})).await;
    let address = bench.replicate.address();
    let mut idle = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let create = tokio::spawn(receive(bench.request(Method::POST, KONTEXT, &[]).json(&prompt("p"))));
    bench.until(|stats| stats.held == 1).await;
    drop(bench.replicate);
    assert_reset(create.await.expect("the call does not panic"));
    let read = tokio::time::timeout(LIMIT, idle.read(&mut [0])).await.expect("the idle connection ends too");
    assert!(!matches!(read, Ok(1..)), "{read:?}");
    let start = std::time::Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(start.elapsed() < LIMIT, "the port is still open");
        tokio::task::yield_now().await;
    }
}
