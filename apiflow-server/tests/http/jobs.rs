//! Jobs as the store has them: lists, steps, calls, events.

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::money::{Amount, Cost};
use apiflow_core::ports::{
    CallRecord, Commit, EventRow, JobBundle, JobState, JobStatus, LeaseChange, NewJob, StepRow, StepStatus, Timestamp,
};
use apiflow_core::runtime::node_bundle;
use axum::http::StatusCode;
use serde_json::json;
use std::time::Duration;

use crate::recording_client::{RecordingClient, settle};

const AT: Timestamp = Timestamp(1_800_000_000_000);

fn id(number: u32) -> String {
    format!("01900000-0000-7000-8000-{number:012}")
}

fn event(seq: u64) -> EventRow {
    let value = (seq == 1).then(|| json!({"text": "hello"}));
    EventRow { seq, at: AT.plus_ms(seq * 1000), body: json!({"kind": format!("event {seq}")}), value, item: None }
}

async fn make(client: &RecordingClient, number: u32, workflow: Option<&str>) -> String {
    make_of(client, number, workflow, JobBundle::default()).await
}

async fn make_of(client: &RecordingClient, number: u32, workflow: Option<&str>, bundle: JobBundle) -> String {
    let job = NewJob {
        id: id(number),
        name: format!("Job {number}"),
        workflow_id: workflow.map(str::to_owned),
        workflow_version: None,
        node_id: None,
        rerun_of: None,
        created_by: None,
        created_at: AT.plus_ms(u64::from(number) * 1000),
        bundle: bundle.into(),
        priority: 0,
        concurrency: None,
        events: vec![event(1)],
        idempotency: None,
        max_bytes_in_flight: None,
        webhook: None,
    };
    client.stores.store.create_job(job, None).await.expect("the job is made");
    id(number)
}

fn step(ordinal: u64, name: &str) -> StepRow {
    StepRow {
        ordinal,
        step_id: name.to_owned(),
        path: String::new(),
        status: StepStatus::Completed,
        attempt: 1,
        started_at: AT,
        finished_at: Some(AT.plus_ms(500)),
        input: None,
        output: None,
        error: None,
        progress: Some(0.5),
        queue_position: None,
        preview: None,
        log_bytes: 0,
        provider_id: Some("p1".to_owned()),
        retry_at: None,
        approval: None,
        cost: None,
        fallback: None,
    }
}

/// Commits one turn: `steps` steps from ordinal 2 on, an event for each, and this status.
async fn turn(client: &RecordingClient, job: &str, steps: u64, status: JobStatus) {
    let store = &client.stores.store;
    let claims = store.claim_due_jobs("test", 10, Duration::from_secs(30)).await.expect("jobs can be claimed");
    let claim = claims.into_iter().find(|claim| claim.job == job).expect("the job is due");
    let call = CallRecord {
        step: 2,
        attempt: 1,
        purpose: "submit".to_owned(),
        at: AT,
        duration_ms: 12,
        request: json!({"method": "POST", "url": "https://echo.example/v1", "headers": [["Authorization", "Bearer $KEY"]]}),
        reply: json!({"status": 200}),
    };
    let failed = status == JobStatus::Failed;
    let state = JobState {
        status,
        priority: 0,
        retry_count: 2,
        cost: Cost { amounts: [("USD".to_owned(), Amount::from_units(40_000_000))].into(), unknown: 1 },
        started_at: Some(AT),
        finished_at: status.is_final().then_some(AT.plus_ms(60_000)),
        output: None,
        error: failed.then(|| json!({"name": "http", "message": "no", "step_id": "first"})),
        erase_at: None,
    };
    let commit = Commit {
        events: (2..2 + steps).map(event).collect(),
        steps: (2..2 + steps).map(|ordinal| step(ordinal, if ordinal == 2 { "first" } else { "other" })).collect(),
        calls: vec![call],
        ..Commit::new(job, claim.version, AT.plus_ms(60_000), state, LeaseChange::Release { wake_at: None })
    };
    store.commit_turn(commit).await.expect("the turn is committed");
}

#[tokio::test]
async fn a_job_whose_secrets_nobody_checked_is_not_run_again() {
    let client = RecordingClient::admin().await;
    let connector = json!({"id": "c", "name": "C", "base_url": "http://127.0.0.1:1"});
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"body": {"webhook": "$ENV_KEY"}}});
    let connector = parse_connector(&connector).expect("it is sound");
    let node = parse_node(&node).expect("it is sound");
    for (number, secrets_checked, expected) in [(1, false, StatusCode::CONFLICT), (2, true, StatusCode::ACCEPTED)] {
        let bundle = JobBundle { secrets_checked, ..node_bundle(node.clone(), connector.clone()) };
        let job = make_of(&client, number, None, bundle).await;
        turn(&client, &job, 1, JobStatus::Completed).await;
        let again = client.raw("POST", &format!("/jobs/{job}/rerun"), &[], Some(json!({"input": {}}))).await;
        assert_eq!(again.status, expected, "{}", again.text);
    }
}

#[tokio::test]
async fn a_job_is_read_with_its_steps_and_calls() {
    let mut client = RecordingClient::admin().await;
    let job = make(&client, 1, Some("flow")).await;
    client.get(&format!("/jobs/{job}")).await;
    client.delete(&format!("/jobs/{job}")).await;
    turn(&client, &job, 2, JobStatus::Failed).await;
    client.get(&format!("/jobs/{job}")).await;
    client.get(&format!("/jobs/{job}/steps?limit=1")).await;
    client.get(&format!("/jobs/{job}/steps/2/calls")).await;
    client.get(&format!("/jobs/{job}/steps/first/calls")).await;
    client.get(&format!("/jobs/{job}/steps/nobody/calls")).await;
    client.delete(&format!("/jobs/{job}")).await;
    client.get(&format!("/jobs/{job}")).await;
    client.get("/jobs/nobody/steps").await;
    client.post("/jobs/nobody/cancel", json!({})).await;
    settle!(client);
}

#[tokio::test]
async fn a_job_holds_200_steps_and_the_rest_follows() {
    let client = RecordingClient::admin().await;
    let job = make(&client, 1, None).await;
    turn(&client, &job, 450, JobStatus::Completed).await;
    let body = client.raw("GET", &format!("/jobs/{job}"), &[], None).await.json();
    let mut ordinals: Vec<_> =
        body["steps"].as_array().expect("steps").iter().filter_map(|step| step["ordinal"].as_u64()).collect();
    assert_eq!(ordinals.len(), 200);
    let mut next = body["steps_next"].as_str().map(str::to_owned);
    while let Some(cursor) = next {
        let page = client.raw("GET", &format!("/jobs/{job}/steps?cursor={cursor}&limit=200"), &[], None).await.json();
        ordinals.extend(page["items"].as_array().expect("items").iter().filter_map(|step| step["ordinal"].as_u64()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(ordinals, (2..452).collect::<Vec<_>>());
}

#[tokio::test]
async fn lists_are_filtered_and_lean() {
    let mut client = RecordingClient::admin().await;
    let first = make(&client, 1, Some("flow")).await;
    turn(&client, &first, 1, JobStatus::Failed).await;
    for number in 2..5 {
        make(&client, number, (number == 3).then_some("other")).await;
    }
    client.get("/jobs?status=failed").await;
    client.get("/workflow/other/jobs").await;
    let count = async |query: &str| {
        let page = client.raw("GET", &format!("/jobs?{query}"), &[], None).await.json();
        page["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|job| job["name"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(count("").await, ["Job 4", "Job 3", "Job 2", "Job 1"]);
    assert_eq!(count("status=pending&limit=2").await, ["Job 4", "Job 3"]);
    assert_eq!(count("order=newest&limit=1").await, ["Job 4"]);
    assert_eq!(count("order=oldest&status=pending&limit=2").await, ["Job 2", "Job 3"]);
    let oldest = client.raw("GET", "/jobs?order=oldest&limit=3", &[], None).await;
    assert_eq!(count(&format!("order=oldest&cursor={}", oldest.string("/next"))).await, ["Job 4"]);
    assert_eq!(count("workflow_id=flow").await, ["Job 1"]);
    assert_eq!(count("node_id=flow").await, Vec::<String>::new());
    assert_eq!(count("created_after=2027-01-15T08:00:03Z").await, ["Job 4", "Job 3"]);
    assert_eq!(count("created_before=2027-01-15T09:00:03%2B01:00").await, ["Job 2", "Job 1"]);
    client.get("/jobs?created_after=yesterday").await;
    settle!(client);
}

#[tokio::test]
async fn events_of_an_ended_job_are_told_and_the_stream_ends() {
    let mut client = RecordingClient::admin().await;
    let job = make(&client, 1, None).await;
    turn(&client, &job, 3, JobStatus::Completed).await;
    let path = format!("/jobs/{job}/events");
    client.get(&path).await;
    client.say("GET", &path, &[("last-event-id", "3")], None).await;
    client.say("GET", &path, &[("last-event-id", "4")], None).await;
    client.say("GET", &path, &[("last-event-id", "soon")], None).await;
    client.get("/jobs/nobody/events").await;
    settle!(client);
}

#[tokio::test]
async fn a_stream_of_many_events_is_whole() {
    let client = RecordingClient::admin().await;
    let job = make(&client, 1, None).await;
    turn(&client, &job, 999, JobStatus::Completed).await;
    let reply = client.raw("GET", &format!("/jobs/{job}/events"), &[], None).await;
    assert_eq!(reply.status, StatusCode::OK);
    let ids: Vec<u64> = reply.text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert_eq!(ids, (1..=1000).collect::<Vec<_>>());
}
