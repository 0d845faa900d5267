//! Operations at their limits: in the queue, running, not known yet, cancelled.

use std::time::Duration;

use apiflow_core::ports::{JobRecords, JobRow, JobStatus};
use serde_json::{Value, json};

use super::scripted::{Reply, Scripted, reply};
use super::{Bench, fast};

fn document() -> Value {
    let step = json!({"id": "draw", "value": {"type": "script", "path": "node/n", "input_transforms": {}}});
    json!({"summary": "case", "value": {"modules": [step]}})
}

fn data(changes: &Value) -> Value {
    let mut operation = json!({
        "id": "id",
        "state": {"path": "status", "queued": ["queued"], "done": ["done"], "missing": ["unknown task"]},
        "poll": {"url": "/works/{{ reply.id }}", "interval_s": 0.05, "max_interval_s": 0.1},
        "cancel": {"method": "DELETE", "url": "/works/{{ reply.id }}"},
    });
    operation.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    json!({"path": "/x", "operation": operation, "timeout_s": 30})
}

fn state(word: &str) -> Reply {
    reply(200, &json!({"id": "w1", "status": word}))
}

async fn start(provider: &Scripted, data: &Value) -> Bench {
    let bench = Bench::start_allowing(fast(), &provider.address).await;
    bench.submit_as("job", provider.bundle(data, &json!([]), document()), json!({})).await;
    bench
}

fn error(job: &JobRow) -> &Value {
    job.state.error.as_ref().expect("the job failed")
}

async fn cancel_record(bench: &Bench) -> Value {
    let steps = bench.steps().await;
    let calls = bench.store.list_calls("job", steps[0].ordinal).await.expect("calls");
    calls.into_iter().find(|call| call.purpose == "cancel").expect("it was cancelled").reply
}

#[tokio::test(flavor = "multi_thread")]
async fn time_in_the_queue_and_running_time_have_limits_of_their_own() {
    for (polls, limit) in [(vec!["queued"], "queue"), (vec!["queued", "queued", "working"], "run")] {
        let script = vec![
            ("POST /v1/x", vec![state("queued")]),
            ("GET /v1/works/w1", polls.into_iter().map(state).collect()),
            ("DELETE /v1/works/w1", vec![state("gone")]),
        ];
        let provider = Scripted::start(script).await;
        let bench = start(&provider, &data(&json!({"queue_timeout_s": 0.8, "run_timeout_s": 0.4}))).await;
        let job = bench.ended().await;
        assert_eq!(
            (&error(&job)["name"], &error(&job)["limit"]),
            (&json!("timeout"), &json!(limit)),
            "{:?}",
            job.state
        );
        assert_eq!(provider.seen("DELETE /v1/works/w1").len(), 1, "it is cancelled");
        let message = error(&job)["message"].as_str().unwrap_or_default();
        assert!(message.contains("may still charge"), "{message}");
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_not_known_yet_is_asked_for_again() {
    for (first, grace_s, expected) in [
        (state("unknown task"), 20, JobStatus::Completed),
        (reply(404, &json!({"detail": "no such task"})), 20, JobStatus::Completed),
        (state("unknown task"), 0, JobStatus::Failed),
    ] {
        let provider = Scripted::start(vec![
            ("POST /v1/x", vec![state("queued")]),
            ("GET /v1/works/w1", vec![first.clone(), state("done")]),
        ])
        .await;
        let bench = start(&provider, &data(&json!({"missing_grace_s": grace_s}))).await;
        let job = bench.ended().await;
        assert_eq!(job.state.status, expected, "{first:?} {:?}", job.state.error);
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_says_what_becomes_of_the_work() {
    for (answer, rule, note) in [
        (state("gone"), json!({}), "may still charge"),
        (state("gone"), json!({"billed": false}), "does not charge"),
        (reply(404, &json!({})), json!({}), "may have ended already"),
        (reply(400, &json!({"status": "ALREADY_COMPLETED"})), json!({"ended": [400]}), "already ended"),
        (reply(403, &json!({})), json!({}), "cancelling it failed: the provider answered 403"),
    ] {
        let provider = Scripted::start(vec![
            ("POST /v1/x", vec![state("queued")]),
            ("GET /v1/works/w1", vec![state("working")]),
            ("DELETE /v1/works/w1", vec![answer.clone()]),
        ])
        .await;
        let mut cancel = json!({"method": "DELETE", "url": "/works/{{ reply.id }}"});
        cancel.as_object_mut().expect("an object").extend(rule.as_object().expect("an object").clone());
        let bench = start(&provider, &data(&json!({"cancel": cancel}))).await;
        provider.until(2).await;
        bench.runtime.cancel_job("job", "enough", None).await.expect("it can be cancelled");
        assert_eq!(bench.ended().await.state.status, JobStatus::Cancelled);
        let record = cancel_record(&bench).await;
        assert!(record["note"].as_str().unwrap_or_default().contains(note), "{record} {answer:?}");
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_submit_that_is_not_over_is_followed() {
    let held = json!({"submit": "hold", "hold": {"header": {"Prefer": "wait=1"}, "wait_s": 1}});
    let script =
        vec![("POST /v1/x", vec![state("working")]), ("GET /v1/works/w1", vec![state("working"), state("done")])];
    let provider = Scripted::start(script).await;
    let bench = start(&provider, &data(&held)).await;
    let job = tokio::time::timeout(Duration::from_secs(20), bench.ended()).await.expect("it ends");
    assert_eq!((job.state.status, provider.seen("POST /v1/x").len()), (JobStatus::Completed, 1));
    bench.finish().await;
}
