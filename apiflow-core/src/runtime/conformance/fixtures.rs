//! What the cases share: small jobs, turns, and waits with a limit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ports::{
    CallRecord, Claim, Commit, Concurrency, Created, EventRow, Idempotency, JobBundle, JobFilter, JobRow, JobState,
    JobStatus, LeaseChange, LoadedJob, NewJob, Poll, StepRow, StepStatus, Store, StoreError, Timestamp, ValueRef,
};

pub(super) type Subject = Arc<dyn Store>;

/// A time that every store's clock has passed.
pub(super) const PAST: Timestamp = Timestamp(1_000);
/// A time that no store's clock has reached: the year 2100.
pub(super) const FAR: Timestamp = Timestamp(4_102_444_800_000);
/// Duration of a lease that does not end during a case.
pub(super) const LEASE_TIMEOUT: Duration = Duration::from_hours(1);
/// Duration of a lease that ends immediately.
pub(super) const EXPIRED_LEASE_TIMEOUT: Duration = Duration::ZERO;

pub(super) const MAX_TRIES: u32 = 500;

pub(super) fn event_row(seq: u64) -> EventRow {
    EventRow { seq, at: Timestamp(5_000), body: json!({"type": "noted", "seq": seq}), value: None, item: None }
}

pub(super) fn event_with(seq: u64, value: Value) -> EventRow {
    EventRow { value: Some(value), ..event_row(seq) }
}

pub(super) fn new_job(id: &str) -> NewJob {
    NewJob {
        id: id.to_owned(),
        name: format!("job {id}"),
        workflow_id: None,
        workflow_version: None,
        node_id: None,
        rerun_of: None,
        created_by: None,
        created_at: Timestamp(4_000),
        bundle: JobBundle { document: json!({"value": {"modules": []}}), ..JobBundle::default() }.into(),
        priority: 0,
        concurrency: None,
        events: vec![event_with(1, json!({"input": id}))],
        idempotency: None,
        max_bytes_in_flight: None,
        webhook: None,
    }
}

pub(super) fn keyed_job(id: &str, key: &str, fingerprint: &str, expires_at: Timestamp) -> NewJob {
    let idempotency = Idempotency { key: key.to_owned(), fingerprint: fingerprint.to_owned(), expires_at };
    NewJob { idempotency: Some(idempotency), ..new_job(id) }
}

/// Returns a job that shares `limit` slots with others of its key.
pub(super) fn limited_job(id: &str, key: &str, limit: u64, window_s: Option<u64>) -> NewJob {
    NewJob { concurrency: Some(Concurrency { key: key.to_owned(), limit, window_s }), ..new_job(id) }
}

pub(super) fn job_state(status: JobStatus) -> JobState {
    JobState { status, ..JobState::new(0) }
}

/// Returns a turn without changes, after which the owner continues.
pub(super) fn empty_turn(job: &str, version: u64) -> Commit {
    Commit::new(job, version, Timestamp(6_000), job_state(JobStatus::Running), LeaseChange::Keep)
}

pub(super) fn releasing_turn(job: &str, version: u64, wake_at: Option<Timestamp>) -> Commit {
    Commit { lease: LeaseChange::Release { wake_at }, ..empty_turn(job, version) }
}

pub(super) fn ending_turn(job: &str, version: u64) -> Commit {
    Commit { state: job_state(JobStatus::Completed), ..releasing_turn(job, version, None) }
}

pub(super) fn step_row(ordinal: u64) -> StepRow {
    StepRow {
        ordinal,
        step_id: format!("step_{ordinal}"),
        path: "loop[2]/branch[0]".to_owned(),
        status: StepStatus::Running,
        attempt: 1,
        started_at: Timestamp(5_000),
        finished_at: None,
        input: Some(ValueRef::Row(1)),
        output: None,
        error: None,
        progress: None,
        queue_position: None,
        preview: None,
        log_bytes: 0,
        provider_id: Some("p-1".to_owned()),
        retry_at: None,
        approval: None,
        cost: None,
        fallback: None,
    }
}

pub(super) fn call_record(step: u64, attempt: u32) -> CallRecord {
    CallRecord {
        step,
        attempt,
        purpose: "submit".to_owned(),
        at: Timestamp(5_500),
        duration_ms: 12,
        request: json!({"method": "POST", "url": "https://example.com/v1", "headers": {"authorization": "$KEY"}}),
        reply: json!({"status": 201, "excerpt": "{}"}),
    }
}

pub(super) fn poll(effect: u64, due_at: Timestamp) -> Poll {
    Poll { effect, due_at, ticket: json!({"url": "https://example.com/jobs/1"}) }
}

pub(super) async fn create(store: &Subject, id: &str) {
    let created = store.create_job(new_job(id), None).await.expect("a new job is made");
    assert_eq!(created, Created::New { claim: None }, "job `{id}` is new");
}

/// Claims until `want` jobs are held, with a limit on the number of tries.
pub(super) async fn claim(store: &Subject, worker: &str, want: usize, lease: Duration) -> Vec<Claim> {
    let mut held = Vec::new();
    for _ in 0..MAX_TRIES {
        let limit = u32::try_from(want - held.len()).expect("cases claim few jobs");
        held.extend(store.claim_due_jobs(worker, limit, lease).await.expect("a claim works"));
        if held.len() == want {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("`{worker}` holds {} of {want} jobs that are due", held.len())
}

/// Claims the only due job; returns its version.
pub(super) async fn claim_one(store: &Subject, worker: &str, job: &str) -> u64 {
    let held = claim(store, worker, 1, LEASE_TIMEOUT).await.remove(0);
    assert_eq!(held.job, job, "the job that is due is claimed");
    held.version
}

/// Creates a job and claims it; returns its version.
pub(super) async fn create_claimed(store: &Subject, id: &str) -> u64 {
    create(store, id).await;
    claim_one(store, "worker", id).await
}

pub(super) async fn nothing_is_due(store: &Subject) {
    assert_eq!(store.claim_due_jobs("another", 10, LEASE_TIMEOUT).await, Ok(Vec::new()), "no job is due");
}

pub(super) async fn commit(store: &Subject, commit: Commit) -> u64 {
    let before = commit.version;
    let version = store.commit_turn(commit).await.expect("the owner commits");
    assert_eq!(version, before + 1, "a commit raises the version by one");
    version
}

pub(super) fn fenced_error(job: &str) -> Result<u64, StoreError> {
    Err(StoreError::Fenced { job: job.to_owned() })
}

pub(super) fn missing_error<T>(job: &str) -> Result<T, StoreError> {
    Err(StoreError::NotFound { job: job.to_owned() })
}

pub(super) async fn read_row(store: &Subject, job: &str) -> JobRow {
    store.read_job(job).await.expect("a row is read").expect("the job is there")
}

pub(super) async fn inbox_keys(store: &Subject, job: &str) -> Vec<String> {
    let inbox = store.read_inbox(job).await.expect("an inbox is read");
    inbox.into_iter().map(|message| message.key).collect()
}

pub(super) async fn list_ids(store: &Subject, filter: &JobFilter, before: Option<&str>, limit: u32) -> Vec<String> {
    let jobs = store.list_jobs(filter, before, limit).await.expect("a list is read");
    jobs.into_iter().map(|job| job.id).collect()
}

/// Everything that can be read of a job.
#[derive(Debug, PartialEq)]
pub(super) struct Everything {
    loaded: LoadedJob,
    values: Vec<Option<Value>>,
    steps: Vec<StepRow>,
    calls: Vec<CallRecord>,
}

impl Everything {
    /// Replaces the job's id, for a comparison with another job.
    pub(super) fn rename_job(&mut self, id: &str) {
        let row = &mut self.loaded.job;
        let former = std::mem::replace(&mut row.id, id.to_owned());
        row.name = row.name.replace(&former, id);
        row.created_by = row.created_by.as_ref().map(|user| user.replace(&former, id));
        // The input of a new job contains its id.
        self.values[0] = Some(json!({"input": id}));
    }
}

pub(super) async fn read_everything(store: &Subject, job: &str) -> Everything {
    let loaded = store.load_job(job).await.expect("the job is loaded");
    let seqs: Vec<u64> = (1..=loaded.job.last_seq).collect();
    let steps = store.list_steps(job, 0, 100).await.expect("steps are read");
    let mut calls = Vec::new();
    for step in &steps {
        calls.extend(store.list_calls(job, step.ordinal).await.expect("calls are read"));
    }
    Everything { values: store.read_values(job, &seqs).await.expect("values are read"), loaded, steps, calls }
}
