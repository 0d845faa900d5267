//! The progress of a provider's work shows while it runs.

use std::time::Duration;

use apiflow_core::ports::{JobJournal as _, JobStatus};
use fake_providers::Behaviour;
use serde_json::json;

use super::{Bench, input, one_step};

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
