//! What goes wrong at a provider, and that nothing is paid twice.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::{JobRecords, JobStatus, StepStatus, Store};
use fake_providers::{Behaviour, End, Failure, PreferWait};
use serde_json::json;

use super::{Bench, fast, founding, input, one_step, three_equal_branches};

/// Runs one step; gives the job's status, its error's name, and how many predictions were made.
async fn outcome(behaviour: Behaviour) -> (JobStatus, String, usize) {
    let bench = Bench::start(behaviour).await;
    bench.submit(one_step(), input()).await;
    let job = bench.ended().await;
    let name = job.state.error.map(|error| error["name"].as_str().unwrap_or_default().to_owned()).unwrap_or_default();
    let made = bench.provider.stats().accepted;
    bench.finish().await;
    (job.state.status, name, made)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_of_a_prediction_has_its_outcome() {
    for (end, status, name) in [
        (End::Succeeded, JobStatus::Completed, ""),
        (End::Failed, JobStatus::Failed, "provider_failed"),
        (End::Canceled, JobStatus::Failed, "cancelled"),
        (End::Aborted, JobStatus::Failed, "cancelled"),
    ] {
        let seen = outcome(Behaviour { end, ..fast() }).await;
        assert_eq!(seen, (status, name.to_owned(), 1), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_class() {
    for (status, name) in [
        (401, "auth"),
        (402, "payment"),
        (404, "not_found"),
        (422, "invalid_input"),
        (500, "unavailable"),
        (502, "unavailable"),
    ] {
        let failure = Failure { status, ..Failure::default() };
        let seen = outcome(Behaviour { fail_first: 1, fail_with: failure, ..fast() }).await;
        assert_eq!(seen, (JobStatus::Failed, name.to_owned(), 0), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_after_the_work_was_taken_is_settled_by_the_providers_list() {
    let seen = outcome(Behaviour { drop_after_accept: 1, ..fast() }).await;
    assert_eq!(seen, (JobStatus::Completed, String::new(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_the_work_was_taken_is_not_sent_again() {
    let bench = Bench::start(Behaviour { drop_before_accept: 1, ..fast() }).await;
    let mut document = one_step();
    document["value"]["modules"][0]["retry"] = json!({"constant": {"attempts": 3, "seconds": 0}});
    bench.submit(document, input()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.error.expect("an error")["name"], "submit_unknown");
    assert_eq!((job.state.retry_count, bench.provider.stats().creates), (0, 1));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_calls_whose_connections_are_lost_follow_one_prediction_each() {
    let bench = Bench::start(Behaviour { drop_after_accept: 3, ..fast() }).await;
    bench.submit(three_equal_branches(), input()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let followed: BTreeSet<String> = bench.steps().await.into_iter().filter_map(|step| step.provider_id).collect();
    assert_eq!((followed.len(), bench.provider.stats().accepted), (3, 3));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_another_job_is_not_taken_for_a_lost_ones() {
    let bench = Bench::start(Behaviour { drop_before_accept: 1, ..fast() }).await;
    bench.submit(one_step(), input()).await;
    let sent = bench.provider.until(Duration::from_secs(30), |stats| stats.creates == 1).await;
    assert!(sent.is_some(), "the first call was sent");
    bench.submit_as("other", bench.bundle(one_step()), input()).await;
    let lost = bench.ended().await;
    assert_eq!(lost.state.error.expect("an error")["name"], "submit_unknown");
    let other = bench.runtime.wait_for_job("other", Duration::from_secs(30)).await.expect("the store answers");
    assert_eq!(other.expect("the job is there").state.status, JobStatus::Completed);
    assert_eq!(bench.provider.stats().accepted, 1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_shown_and_its_reply_when_it_came() {
    let bench = Bench::start(Behaviour { hold_create_ms: 4_000, ..fast() }).await;
    bench.submit(one_step(), input()).await;
    let sent = bench.provider.until(Duration::from_secs(30), |stats| stats.creates == 1).await;
    assert!(sent.is_some(), "the call was sent");
    let step = bench.steps().await[0].ordinal;
    let under_way = bench.store.list_calls("job", step).await.expect("calls");
    assert_eq!(under_way.len(), 1);
    assert_eq!((under_way[0].purpose.as_str(), &under_way[0].reply), ("submit", &json!({})));
    assert_eq!(under_way[0].request["method"], "POST");
    assert_eq!(bench.ended().await.state.status, JobStatus::Completed);
    let ended = bench.store.list_calls("job", step).await.expect("calls");
    let submits: Vec<_> = ended.iter().filter(|call| call.purpose == "submit").collect();
    assert_eq!(submits.len(), 1);
    assert_eq!((&submits[0].request, &submits[0].reply["status"]), (&under_way[0].request, &json!(201)));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_that_fail_never_fail_the_work() {
    let seen = outcome(Behaviour { fail_polls: 2, drop_polls: 2, ..fast() }).await;
    assert_eq!(seen, (JobStatus::Completed, String::new(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_reply_without_output_is_never_a_result() {
    for trap in [PreferWait::Honest, PreferWait::ProcessingWithOutput, PreferWait::ProcessingNull] {
        let bench = Bench::start(Behaviour { prefer_wait: trap, ..fast() }).await;
        let mut bundle = bench.bundle(one_step());
        let node = bundle.catalog.nodes.values_mut().next().expect("the node");
        let data = node.data.as_mut().expect("its data");
        data.insert("operation".to_owned(), json!({"preset": "replicate", "submit": "hold"}));
        bench.submit_as("job", bundle, input()).await;
        let job = bench.ended().await;
        assert_eq!(job.state.status, JobStatus::Completed, "{trap:?}: {:?}", job.state.error);
        let output = bench.output(&job).await;
        assert!(output["output_image"].is_string(), "{trap:?}: {output}");
        let creates = bench.provider.creates();
        assert!(creates[0].headers.iter().any(|(name, value)| name == "prefer" && value.starts_with("wait")));
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_job_cancels_the_prediction() {
    let bench = Bench::start(Behaviour { delay_ms: 60_000, ..Behaviour::default() }).await;
    let document = founding("workflow_parallel.json")["nodes"].take();
    bench.submit(document, input()).await;
    let both = bench.provider.until(Duration::from_secs(10), |stats| stats.accepted == 2).await;
    assert!(both.is_some(), "both branches are at work");
    assert!(bench.runtime.cancel_job("job", "not needed", Some("ada")).await.expect("the store answers"));
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Cancelled);
    let stats = bench.provider.stats();
    let states: Vec<String> = stats
        .predictions
        .iter()
        .map(|prediction| prediction["status"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(states, ["canceled", "canceled"]);
    let open = bench.steps().await.into_iter().filter(|step| step.finished_at.is_none()).count();
    assert_eq!(open, 0);
    assert!(!bench.runtime.cancel_job("job", "again", None).await.expect("the store answers"), "it has ended");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trace_of_a_run_holds_the_key() {
    let bench = Bench::start(Behaviour { fail_polls: 1, ..fast() }).await;
    bench.submit(founding("workflow.json")["nodes"].take(), input()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed);
    let store: Arc<dyn Store> = bench.store.clone();
    let mut seen = format!("{job:?}{:?}", store.read_events("job", 0, 1000).await.expect("events"));
    let mut calls = 0;
    for step in bench.steps().await {
        assert_eq!(step.status, StepStatus::Completed);
        let records = store.list_calls("job", step.ordinal).await.expect("calls");
        calls += records.len();
        write!(seen, "{step:?}{records:?}").expect("a string takes all");
    }
    assert!(calls >= 4, "each step has a submit and a last poll: {calls}");
    assert!(seen.contains("$REPLICATE_API_TOKEN"), "the secret's name is shown");
    assert!(!seen.contains("r8_canary"), "its value is not");
    let sent = bench.provider.creates();
    let sent = sent[0].headers.iter().any(|(name, value)| name == "authorization" && value == "Bearer r8_canary");
    assert!(sent, "the provider was given the key");
    bench.finish().await;
}
