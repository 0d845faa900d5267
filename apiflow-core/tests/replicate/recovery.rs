//! Attempts of unknown fate: looked for as long as it takes, never sent again, and taken back in when they are found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::engine::Event;
use apiflow_core::money::Amount;
use apiflow_core::ports::{
    Budget, BudgetPeriod, BudgetScope, Clock, JobJournal, JobQueue, JobRow, JobStatus, Spending, StepStatus,
    UnknownPrice,
};
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::{RecoverError, RuntimeSettings};
use fake_providers::{Behaviour, Failure};
use serde_json::{Value, json};

use super::{Bench, fast, founding, input, one_step, three_equal_branches};

const PATIENCE: Duration = Duration::from_secs(30);

fn short_leases() -> RuntimeSettings {
    RuntimeSettings {
        lease: Duration::from_millis(300),
        idle: Duration::from_millis(50),
        grace: Duration::from_secs(1),
        ..RuntimeSettings::new("tests")
    }
}

async fn start(behaviour: Behaviour) -> Bench {
    Bench::start_at(behaviour, Arc::new(SystemClock), short_leases()).await
}

fn error_name(job: &JobRow) -> String {
    job.state.error.as_ref().and_then(|error| error["name"].as_str()).unwrap_or_default().to_owned()
}

/// A worker that dies while its create is held back: the provider has taken it.
async fn crash_in_create(bench: &mut Bench) {
    bench.submit(one_step(), input()).await;
    let taken = bench.provider.until(PATIENCE, |stats| stats.accepted == 1).await;
    assert!(taken.is_some(), "the create has arrived");
    bench.crash().await;
}

async fn events(bench: &Bench) -> Vec<(i64, Event)> {
    let rows = bench.store.read_events("job", 0, 1_000).await.expect("events");
    let event = |body| serde_json::from_value(body).expect("an event");
    rows.into_iter().map(|row| (row.at.0, event(row.body))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_settles_nothing() {
    for status in [500, 503, 429, 401] {
        let failure = Failure { status, ..Failure::default() };
        let bench = start(Behaviour { drop_after_accept: 1, fail_lists: 3, fail_with: failure, ..fast() }).await;
        bench.submit(one_step(), input()).await;
        let job = bench.ended().await;
        assert_eq!((job.state.status, error_name(&job)), (JobStatus::Completed, String::new()), "{status}");
        assert_eq!(bench.provider.stats().creates, 1);
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_cut_off_in_its_create_is_found_as_soon_as_a_worker_is_there() {
    let mut bench = start(Behaviour { hold_create_ms: 60_000, ..fast() }).await;
    crash_in_create(&mut bench).await;
    bench.restart();
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.provider.stats().creates, 1);
    let events = events(&bench).await;
    let settles_at = events.iter().find_map(|(_, event)| {
        if let Event::RecoveryStarted { settles_at, .. } = event { Some(settles_at.0) } else { None }
    });
    let found_at =
        events.iter().find_map(|(at, event)| matches!(event, Event::OperationAccepted { .. }).then_some(*at));
    assert!(found_at < settles_at, "found at {found_at:?}, before it counts as lost at {settles_at:?}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_after_a_crash_only_delays_the_end() {
    let mut bench = start(Behaviour { hold_create_ms: 60_000, ..fast() }).await;
    crash_in_create(&mut bench).await;
    bench.provider.adjust(|behaviour| behaviour.outage = true);
    bench.restart();
    list_is_asked(&bench, 4).await;
    assert_eq!(
        bench.store.read_job("job").await.expect("a job").expect("it is there").state.status,
        JobStatus::Running
    );
    // What is being looked for is a row: another worker goes on with it. A look under way would hide it for a while.
    let soon = || SystemClock.now().plus_ms(30_000);
    while bench.store.read_next_due_at().await.expect("the store answers").is_none_or(|due| due > soon()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bench.crash().await;
    bench.provider.adjust(|behaviour| behaviour.outage = false);
    bench.restart();
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.provider.stats().creates, 1);
    bench.finish().await;
}

/// Waits until the provider's list has been asked for so often.
async fn list_is_asked(bench: &Bench, times: u64) {
    let asked = |requests: &BTreeMap<String, u64>| requests.get("GET /v1/predictions").copied().unwrap_or_default();
    let seen = bench.provider.until(PATIENCE, |stats| asked(&stats.by_path) >= times).await;
    assert!(seen.is_some(), "the list was asked for {} times", asked(&bench.provider.requests()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_meanwhile_is_passed_on_when_the_work_is_found() {
    let slow = Behaviour { hold_create_ms: 60_000, delay_ms: 600_000, ..Behaviour::default() };
    let mut bench = start(slow).await;
    crash_in_create(&mut bench).await;
    bench.provider.adjust(|behaviour| behaviour.outage = true);
    bench.restart();
    list_is_asked(&bench, 1).await;
    assert!(bench.runtime.cancel_job("job", "not needed", None).await.expect("the store answers"));
    bench.provider.adjust(|behaviour| behaviour.outage = false);
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Cancelled);
    assert_eq!(bench.provider.stats().predictions[0]["status"], "canceled");
    bench.finish().await;
}

/// A bundle whose calls give up after a second.
fn impatient(bench: &Bench, document: Value) -> apiflow_core::ports::JobBundle {
    let mut bundle = bench.bundle(document);
    let node = bundle.catalog.nodes.values_mut().next().expect("the node");
    node.data.as_mut().expect("its data").insert("timeout_s".to_owned(), json!(1));
    bundle
}

/// A job that ended as `submit_unknown` although the provider has its work.
async fn lost_job(document: Value) -> Bench {
    let bench = start(Behaviour { drop_after_accept: 1, fail_lists: 1_000, ..fast() }).await;
    bench.submit_as("job", impatient(&bench, document), input()).await;
    let job = bench.ended().await;
    assert_eq!(error_name(&job), "submit_unknown");
    let message = job.state.error.as_ref().expect("an error")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("could not be read"), "{message}");
    assert_eq!(bench.provider.stats().accepted, 1);
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ended_as_unknown_goes_on_when_its_work_is_found() {
    let bench = lost_job(founding("workflow.json")["nodes"].take()).await;
    let step = bench.steps().await[0].ordinal;
    bench.provider.adjust(|behaviour| behaviour.fail_lists = 0);
    bench.runtime.recover_step("job", step).await.expect("it is looked for again");
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let steps = bench.steps().await;
    assert_eq!(steps.iter().map(|step| step.status).collect::<Vec<_>>(), [StepStatus::Completed; 2]);
    assert_eq!(bench.provider.stats().creates, 2, "one of the first step, one of the second");
    assert!(bench.output(&job).await["output_image"].is_string());
    let known = bench.runtime.recover_step("job", step).await;
    assert!(matches!(known, Err(RecoverError::WentOn)), "{known:?}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_nothing_ends_as_before_and_can_be_repeated() {
    let bench = start(Behaviour { drop_before_accept: 1, ..fast() }).await;
    bench.submit_as("job", impatient(&bench, one_step()), input()).await;
    for _ in 0..2 {
        let job = bench.ended().await;
        assert_eq!((job.state.status, error_name(&job)), (JobStatus::Failed, "submit_unknown".to_owned()));
        let step = bench.steps().await[0].ordinal;
        bench.runtime.recover_step("job", step).await.expect("it is looked for again");
    }
    assert_eq!(error_name(&bench.ended().await), "submit_unknown");
    assert_eq!(bench.provider.stats().creates, 1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_attempts_that_were_lost_together_are_found_together() {
    let bench = start(Behaviour { drop_after_accept: 3, fail_lists: 1_000, ..fast() }).await;
    bench.submit_as("job", impatient(&bench, three_equal_branches()), input()).await;
    assert_eq!(error_name(&bench.ended().await), "submit_unknown");
    bench.provider.adjust(|behaviour| behaviour.fail_lists = 0);
    let step = bench.steps().await.into_iter().find(|step| step.step_id == "step1").expect("a step").ordinal;
    bench.runtime.recover_step("job", step).await.expect("it is looked for again");
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.output(&job).await.as_array().map(Vec::len), Some(3), "each branch has one result");
    assert_eq!(bench.provider.stats().creates, 3);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_handler_does_not_keep_the_work_from_being_taken_in() {
    let mut document = one_step();
    document["value"]["failure_module"] = json!({"id": "failure", "value": {"type": "identity"}});
    let bench = lost_job(document).await;
    bench.provider.adjust(|behaviour| behaviour.fail_lists = 0);
    let step = bench.steps().await[0].ordinal;
    bench.runtime.recover_step("job", step).await.expect("it is looked for again");
    assert_eq!(bench.ended().await.state.status, JobStatus::Completed);
    assert_eq!(bench.provider.stats().creates, 1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_on_or_is_known_is_not_reopened() {
    let mut document = founding("workflow.json")["nodes"].take();
    document["value"]["modules"][0]["continue_on_error"] = json!(true);
    let bench = start(Behaviour { drop_before_accept: 1, ..fast() }).await;
    bench.submit_as("job", impatient(&bench, document), input()).await;
    let job = bench.ended().await;
    let steps = bench.steps().await;
    assert_eq!(steps[0].error.as_ref().expect("an error")["name"], "submit_unknown", "{:?}", job.state.error);
    let went_on = bench.runtime.recover_step("job", steps[0].ordinal).await;
    assert!(matches!(went_on, Err(RecoverError::WentOn)), "{went_on:?}");
    let known = bench.runtime.recover_step("job", steps[1].ordinal).await;
    assert!(matches!(known, Err(RecoverError::NotUnknown)), "{known:?}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_is_asked_for_looks_at_once() {
    let mut bench = start(Behaviour { hold_create_ms: 60_000, ..fast() }).await;
    crash_in_create(&mut bench).await;
    bench.provider.adjust(|behaviour| behaviour.outage = true);
    bench.restart();
    // By now the pauses are long.
    list_is_asked(&bench, 5).await;
    bench.provider.adjust(|behaviour| behaviour.outage = false);
    let step = bench.steps().await[0].ordinal;
    bench.runtime.recover_step("job", step).await.expect("it is looked for at once");
    assert_eq!(bench.ended().await.state.status, JobStatus::Completed);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_faster_than_a_commit_abandon_no_innocent_job() {
    let mut bench = start(fast()).await;
    bench.crash().await;
    for number in 0..20 {
        bench.submit_as(&format!("job{number}"), bench.bundle(one_step()), input()).await;
    }
    // Workers that claim all and die before they have committed anything.
    for _ in 0..8 {
        let claims = bench.store.claim_due_jobs("dead", 64, Duration::from_millis(1)).await.expect("claims");
        assert_eq!(claims.len(), 20);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.restart();
    for number in 0..20 {
        let job = bench
            .runtime
            .wait_for_job(&format!("job{number}"), Duration::from_mins(1))
            .await
            .expect("the store answers");
        let job = job.expect("the job is there");
        assert_eq!(job.state.status, JobStatus::Completed, "job{number}: {:?}", job.state.error);
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_job_ends_its_attempts_as_unknown_and_can_be_recovered() {
    let mut bench = start(Behaviour { hold_create_ms: 60_000, ..fast() }).await;
    crash_in_create(&mut bench).await;
    crash_five_more_workers(&bench).await;
    bench.restart();
    let job = bench.ended().await;
    assert_eq!((job.state.status, error_name(&job)), (JobStatus::Failed, "job_abandoned".to_owned()));
    let step = bench.steps().await.remove(0);
    assert_eq!(step.status, StepStatus::Failed);
    assert_eq!(step.error.as_ref().expect("an error")["name"], "submit_unknown");
    assert!(step.finished_at.is_some());
    bench.runtime.recover_step("job", step.ordinal).await.expect("it is looked for again");
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.provider.stats().creates, 1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_jobs_accepted_work_is_followed_when_it_is_recovered() {
    let mut bench = start(Behaviour { delay_ms: 3_000, ..fast() }).await;
    bench.submit(one_step(), input()).await;
    let accepted = bench.provider.until(PATIENCE, |stats| stats.accepted == 1).await;
    assert!(accepted.is_some(), "the create has arrived");
    while bench.steps().await[0].provider_id.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.crash().await;
    // A message makes the job due, although it waits for its provider.
    bench.store.deliver_message("job", "nudge", json!(null), None).await.expect("it is kept");
    crash_five_more_workers(&bench).await;
    bench.restart();
    assert_eq!(error_name(&bench.ended().await), "job_abandoned");
    let step = bench.steps().await.remove(0);
    let error = step.error.as_ref().expect("an error");
    assert_eq!((&error["name"], error["provider_id"].is_string()), (&json!("submit_unknown"), true), "{error}");
    bench.runtime.recover_step("job", step.ordinal).await.expect("it is followed again");
    assert_eq!(bench.ended().await.state.status, JobStatus::Completed);
    assert_eq!(bench.provider.stats().creates, 1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_abandoned_job_may_have_spent_is_held() {
    let mut bench = start(Behaviour { hold_create_ms: 60_000, ..fast() }).await;
    let budget = Budget {
        id: "b".to_owned(),
        scope: BudgetScope::All,
        period: BudgetPeriod::Month,
        currency: "USD".to_owned(),
        amount: Amount::parse("1").expect("an amount"),
        unknown_price: UnknownPrice::Refuse,
    };
    bench.store.put_budget(budget).await.expect("a budget is written");
    let mut bundle = bench.bundle(one_step());
    for node in bundle.catalog.nodes.values_mut() {
        node.data.get_or_insert_default().insert("price".to_owned(), json!({"currency": "USD", "per_call": 0.4}));
    }
    bench.submit_as("job", bundle, input()).await;
    assert!(bench.provider.until(PATIENCE, |stats| stats.accepted == 1).await.is_some(), "the create has arrived");
    bench.crash().await;
    let reserved = async |bench: &Bench| {
        let now = bench.parts.clock.now();
        bench.store.list_budgets(now).await.expect("budgets are listed").remove(0).reserved.to_string()
    };
    assert_eq!(reserved(&bench).await, "0.4");
    crash_five_more_workers(&bench).await;
    bench.restart();
    assert_eq!(error_name(&bench.ended().await), "job_abandoned");
    assert_eq!(reserved(&bench).await, "0.4", "the work may have been paid for");
    assert_eq!(bench.store.list_reservations("job").await, Ok(Vec::new()));
    bench.finish().await;
}

/// Workers that begin the job alone and die of it.
async fn crash_five_more_workers(bench: &Bench) {
    for _ in 0..5 {
        let claim = loop {
            let claimed = bench.store.claim_due_jobs("dead", 1, Duration::from_millis(1)).await.expect("claims");
            if let Some(claim) = claimed.into_iter().next() {
                break claim;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        bench.store.record_solo_start("job", claim.version).await.expect("it is noted");
    }
}
