//! The progress of a provider's work shows while it runs.

use std::time::Duration;

use apiflow_core::ports::{JobJournal as _, JobRecords as _, JobStatus};
use fake_providers::{Behaviour, End};
use serde_json::json;

use super::{Bench, fast, input, one_step};

#[tokio::test(flavor = "multi_thread")]
async fn percentages_in_a_log_show_while_the_work_runs() {
    let bench = Bench::start(Behaviour { delay_ms: 6_000, ..Behaviour::default() }).await;
    bench.submit(one_step(), input()).await;
    let mut seen = vec![0.0];
    while bench.store.read_job("job").await.expect("the store answers").is_some_and(|job| !job.state.status.is_final())
    {
        if let Some(step) = bench.steps().await.first()
            && let Some(progress) = step.progress
        {
            assert!(progress >= *seen.last().expect("not empty"), "{progress} after {seen:?}");
            seen.push(progress);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?} {}", job.state.error, json!(seen));
    assert!(seen.iter().any(|progress| (0.2..0.9).contains(progress)), "{seen:?}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_failed_work_is_kept_and_its_end_is_in_the_error() {
    let behaviour = Behaviour { end: End::Failed, error: "out of memory".to_owned(), ..fast() };
    let bench = Bench::start(behaviour).await;
    bench.submit(one_step(), input()).await;
    let job = bench.ended().await;
    let error = job.state.error.expect("it failed");
    let step = bench.steps().await.remove(0);
    let log = bench.store.read_step_log("job", step.ordinal).await.expect("the store answers").expect("a log");
    assert!(log.tail.text.contains('%') && log.attempt == step.attempt, "{log:?}");
    assert_eq!(error["logs"].as_str(), Some(log.tail.text.trim_end()), "{error}");
    assert_eq!(step.log_bytes, log.tail.total_bytes);
}
