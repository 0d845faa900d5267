//! Which of several jobs run, and when: limits and windows of a flow's concurrency.

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::{JobJournal, JobQueue, JobRecords, JobRow, JobStatus, Timestamp};
use apiflow_core::runtime::RuntimeSettings;
use apiflow_core::runtime::clock::ManualClock;
use fake_providers::Behaviour;
use serde_json::{Value, json};

use super::{Bench, fast};

/// One call of the stand-in, and at most one run at a time.
fn calling() -> Value {
    json!({"summary": "", "value": {"concurrent_limit": 1, "modules": [{"id": "draw", "value": {
        "type": "script", "path": "node/replicate_flux_kontext_pro_node_id",
        "input_transforms": {"input_image": {"type": "static", "value": "https://example.com/a.png"}},
    }}]}})
}

async fn submit(bench: &Bench, ids: &[&str], document: &Value) {
    for id in ids {
        bench.submit_as(id, bench.bundle(document.clone()), json!({})).await;
    }
}

async fn job(bench: &Bench, id: &str) -> JobRow {
    bench.store.read_job(id).await.expect("the store answers").expect("the job is there")
}

async fn ended(bench: &Bench, id: &str) -> JobRow {
    let job = bench.runtime.wait_for_job(id, Duration::from_secs(30)).await.expect("the store answers");
    let job = job.expect("the job is there");
    assert!(job.state.status.is_final(), "job `{id}` is still {}", job.state.status.as_str());
    job
}

/// Asks again until it holds, with a bound.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..3_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never holds that {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_over_the_limit_wait_for_the_end_of_those_before_them() {
    let bench = Bench::start(fast()).await;
    submit(&bench, &["a", "b", "c"], &calling()).await;
    let mut before = Timestamp(0);
    for id in ["a", "b", "c"] {
        let job = ended(&bench, id).await;
        assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
        let started_at = job.state.started_at.expect("it has begun");
        assert!(started_at >= before, "`{id}` began at {started_at:?}, and the one before it ended at {before:?}");
        before = job.state.finished_at.expect("it has ended");
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_another_is_cancelled_at_once() {
    let bench = Bench::start(Behaviour { delay_ms: 600_000, ..fast() }).await;
    submit(&bench, &["a", "b", "c"], &calling()).await;
    let runs = async |id| job(&bench, id).await.state.status == JobStatus::Running;
    until("the first one runs", async || runs("a").await).await;
    assert_eq!(bench.runtime.cancel_job("b", "not needed", None).await, Ok(true));
    let cancelled = ended(&bench, "b").await;
    assert_eq!(cancelled.state.status, JobStatus::Cancelled);
    assert_eq!(cancelled.state.error.expect("an error")["name"], "cancelled");
    assert_eq!(bench.store.list_steps("b", 0, 10).await, Ok(Vec::new()), "no step of it began");
    assert!(runs("a").await && job(&bench, "c").await.state.status == JobStatus::Pending);
    // The one that runs is cancelled, and its slot goes to the last.
    assert_eq!(bench.runtime.cancel_job("a", "not needed", None).await, Ok(true));
    assert_eq!(ended(&bench, "a").await.state.status, JobStatus::Cancelled);
    until("the last one runs", async || runs("c").await).await;
    assert_eq!(bench.runtime.cancel_job("b", "again", None).await, Ok(false));
    assert_eq!(bench.runtime.cancel_job("c", "not needed", None).await, Ok(true));
    assert_eq!(ended(&bench, "c").await.state.status, JobStatus::Cancelled);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_runs_start_within_a_window_than_the_limit() {
    let start = Timestamp(1_000_000);
    let clock = Arc::new(ManualClock::new(start));
    let settings = RuntimeSettings { lease: Duration::from_secs(1_000_000), ..RuntimeSettings::new("tests") };
    let bench = Bench::start_at(fast(), clock.clone(), settings).await;
    let document = json!({"summary": "", "value": {
        "concurrent_limit": 2, "concurrency_time_window_s": 10, "concurrency_key": "$args[user]",
        "modules": [{"id": "same", "value": {"type": "identity"}}],
    }});
    let ids = ["a", "b", "c", "d", "e"];
    submit(&bench, &ids, &document).await;
    bench.submit_as("other", bench.bundle(document), json!({"user": "ada"})).await;
    let over = async |count: usize| {
        let mut jobs = Vec::new();
        for id in ids {
            jobs.push(job(&bench, id).await);
        }
        jobs.iter().filter(|job| job.state.status == JobStatus::Completed).count() == count
    };
    // Before the time goes on: it begins at once, and the time is read from its row.
    ended(&bench, "other").await;
    for (done, next) in [(2, 10_000), (4, 20_000)] {
        until("the runs of this window have ended", async || over(done).await).await;
        let due = Some(start.plus_ms(next));
        until("the next window is waited for", async || bench.store.read_next_due_at().await == Ok(due)).await;
        clock.advance_to(start.plus_ms(next));
    }
    until("all runs have ended", async || over(5).await).await;
    let mut began = Vec::new();
    for id in ids {
        began.push(job(&bench, id).await.state.started_at.expect("it has begun").since_ms(start));
    }
    assert_eq!(began, [0, 0, 10_000, 10_000, 20_000]);
    let other = ended(&bench, "other").await.state.started_at;
    assert_eq!(other, Some(start), "another key's runs are counted by themselves");
    bench.finish().await;
}
