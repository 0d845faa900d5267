//! Creating jobs.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, FAR, LEASE_TIMEOUT, PAST, Subject, call_record, claim_one, commit, create, empty_turn,
    ending_turn, event_row, event_with, fenced_error, job_state, keyed_job, limited_job, list_ids, new_job,
    nothing_is_due, poll, read_everything, read_row, releasing_turn, step_row,
};
use crate::catalog::{Catalog, Connector};
use crate::ports::{
    CachedResult, Claim, Commit, Created, EventRow, JobBundle, JobFilter, JobStart, JobState, JobStatus, LeaseChange,
    NewJob, SnapshotRow, Timestamp,
};

super::list_cases![
    a_job_reads_back_as_it_was_made,
    a_job_id_is_taken_once,
    a_repeated_key_finds_the_first_job,
    an_expired_key_is_free_again,
    one_of_many_creations_at_once_with_one_key_wins,
    a_job_is_created_and_claimed_at_once,
    a_claim_at_creation_ends_with_its_lease,
    a_first_turn_is_committed_as_if_after_creation_and_claim,
    a_first_turn_decides_when_its_job_is_due,
    a_job_that_exists_is_not_claimed_at_creation,
    a_job_is_claimed_at_creation_only_with_its_slot,
    a_job_claimed_at_creation_counts_in_its_window,
];

async fn a_job_reads_back_as_it_was_made(store: Subject) {
    let mut catalog = Catalog::default();
    let connector: Connector =
        serde_json::from_value(json!({"id": "c", "name": "C", "base_url": "https://example.com", "method": "POST"}))
            .expect("a connector");
    catalog.connectors.insert("c".to_owned(), connector);
    let asked = NewJob {
        workflow_id: Some("portrait".to_owned()),
        workflow_version: Some(7),
        node_id: Some("flux".to_owned()),
        rerun_of: Some("first".to_owned()),
        created_by: Some("ada".to_owned()),
        bundle: JobBundle {
            document: json!({"zeta": 1, "alpha": {"y": 1, "b": [2.5, null, "ü"]}}),
            catalog,
            ..JobBundle::default()
        }
        .into(),
        events: vec![event_with(1, json!({"z": 1, "a": 2})), event_row(2)],
        ..new_job("a")
    };
    assert_eq!(store.create_job(asked.clone(), None).await, Ok(Created::New { claim: None }));
    let job = read_row(&store, "a").await;
    assert_eq!(
        (job.id, job.name, job.workflow_id, job.workflow_version, job.node_id, job.rerun_of, job.created_by),
        (asked.id, asked.name, asked.workflow_id, Some(7), asked.node_id, asked.rerun_of, asked.created_by)
    );
    assert_eq!((job.created_at, job.updated_at, job.last_seq), (Timestamp(4_000), Timestamp(4_000), 2));
    assert_eq!(job.state, super::fixtures::job_state(JobStatus::Pending));
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!(loaded.job, read_row(&store, "a").await);
    assert_eq!(loaded.bundle, asked.bundle);
    let text = |value: &serde_json::Value| value.to_string();
    assert_eq!(text(&loaded.bundle.document), text(&asked.bundle.document), "the order of keys is kept");
    assert_eq!((loaded.snapshot, loaded.inbox), (None, Vec::new()));
    assert_eq!(loaded.events, [event_row(1), event_row(2)], "events are loaded without their values");
    let values = store.read_values("a", &[1]).await.expect("values are read");
    assert_eq!(values[0].as_ref().map(text), Some(r#"{"z":1,"a":2}"#.to_owned()));
    assert_eq!(store.read_job("b").await, Ok(None));
}

async fn a_job_id_is_taken_once(store: Subject) {
    create(&store, "a").await;
    let again = NewJob { name: "another".to_owned(), ..new_job("a") };
    assert!(store.create_job(again, None).await.is_err(), "an id is taken once");
    assert_eq!(read_row(&store, "a").await.name, "job a");
}

async fn a_repeated_key_finds_the_first_job(store: Subject) {
    let make = |id, key, print| store.create_job(keyed_job(id, key, print, FAR), None);
    assert_eq!(store.find_job_by_key("ada:1").await, Ok(None));
    assert_eq!(make("a", "ada:1", "x").await, Ok(Created::New { claim: None }));
    assert_eq!(store.find_job_by_key("ada:1").await, Ok(Some(("a".to_owned(), "x".to_owned()))));
    let first = Ok(Created::Existing { job: "a".to_owned(), fingerprint: "x".to_owned() });
    assert_eq!(make("b", "ada:1", "x").await, first);
    assert_eq!(make("c", "ada:1", "y").await, first, "the first fingerprint is given");
    assert_eq!(make("d", "ada:2", "x").await, Ok(Created::New { claim: None }));
    assert_eq!(list_ids(&store, &JobFilter::default(), None, 10).await, ["d", "a"]);
}

async fn an_expired_key_is_free_again(store: Subject) {
    assert_eq!(store.create_job(keyed_job("a", "ada:1", "x", PAST), None).await, Ok(Created::New { claim: None }));
    assert_eq!(store.find_job_by_key("ada:1").await, Ok(None));
    assert_eq!(store.create_job(keyed_job("b", "ada:1", "y", FAR), None).await, Ok(Created::New { claim: None }));
    let second = Ok(Created::Existing { job: "b".to_owned(), fingerprint: "y".to_owned() });
    assert_eq!(store.create_job(keyed_job("c", "ada:1", "z", FAR), None).await, second);
}

async fn one_of_many_creations_at_once_with_one_key_wins(store: Subject) {
    let asked = (0..8).map(|index| store.create_job(keyed_job(&format!("job-{index}"), "ada:1", "x", FAR), None));
    let created: Vec<Created> = join_all(asked).await.into_iter().collect::<Result<_, _>>().expect("no creation fails");
    assert_eq!(created.iter().filter(|created| **created == Created::New { claim: None }).count(), 1);
    let made = list_ids(&store, &JobFilter::default(), None, 10).await;
    assert_eq!(made.len(), 1);
    for found in created {
        assert!(match found {
            Created::New { .. } => true,
            Created::Existing { job, .. } => job == made[0],
            Created::OverLimit { .. } => false,
        });
    }
}

fn start_on(worker: &str, lease: Duration) -> JobStart {
    JobStart { worker: worker.to_owned(), lease, turn: None }
}

/// Creates a job and claims it; returns the claim.
async fn create_and_claim(store: &Subject, job: NewJob, lease: Duration) -> Option<Claim> {
    match store.create_job(job, Some(start_on("worker", lease))).await.expect("a new job is made") {
        Created::New { claim } => claim,
        refused @ (Created::Existing { .. } | Created::OverLimit { .. }) => {
            panic!("the job is not created: {refused:?}")
        }
    }
}

async fn a_job_is_created_and_claimed_at_once(store: Subject) {
    let job = keyed_job("a", "ada:1", "x", FAR);
    let claim = create_and_claim(&store, job.clone(), LEASE_TIMEOUT).await.expect("it is due at once");
    assert_eq!((claim.job.as_str(), claim.tries), ("a", 1));
    nothing_is_due(&store).await;
    assert_eq!(store.load_job("a").await, Ok(job.into_loaded()), "what its maker knows is what would be loaded");
    commit(&store, releasing_turn("a", claim.version, Some(PAST))).await;
    claim_one(&store, "another", "a").await;
}

async fn a_claim_at_creation_ends_with_its_lease(store: Subject) {
    let claim = create_and_claim(&store, new_job("a"), EXPIRED_LEASE_TIMEOUT).await.expect("it is due at once");
    let held = super::fixtures::claim(&store, "another", 1, LEASE_TIMEOUT).await.remove(0);
    assert!(held.version > claim.version && held.tries == 2, "{held:?}");
    assert_eq!(store.commit_turn(empty_turn("a", claim.version)).await, fenced_error("a"));
}

/// Returns a turn that writes data of every kind.
fn full_turn(job: &str, version: u64, status: JobStatus, lease: LeaseChange) -> Commit {
    let state = JobState {
        status,
        priority: 3,
        retry_count: 2,
        started_at: Some(Timestamp(5_001)),
        finished_at: status.is_final().then_some(Timestamp(5_002)),
        error: status.is_final().then(|| json!({"name": "failed"})),
        erase_at: status.is_final().then_some(FAR),
        ..job_state(status)
    };
    Commit {
        events: vec![event_with(2, json!("v")), EventRow { item: Some((2, 0)), ..event_row(3) }],
        steps: vec![step_row(2), step_row(3)],
        calls: vec![call_record(2, 1), call_record(3, 1)],
        polls: if status.is_final() { Vec::new() } else { vec![poll(3, FAR)] },
        cached: vec![CachedResult { key: "k".to_owned(), value: json!(job), ttl_s: 3_600 }],
        snapshot: Some(SnapshotRow { seq: 3, state: json!({"z": 1}) }),
        state,
        lease,
        ..empty_turn(job, version)
    }
}

async fn a_first_turn_is_committed_as_if_after_creation_and_claim(store: Subject) {
    let cases = [
        (JobStatus::Running, LeaseChange::Keep),
        (JobStatus::Suspended, LeaseChange::Release { wake_at: Some(FAR) }),
        (JobStatus::Failed, LeaseChange::Release { wake_at: None }),
    ];
    for (index, (status, lease)) in cases.into_iter().enumerate() {
        let (one, other) = (format!("one-{index}"), format!("two-{index}"));
        let of_user = |job: &str| NewJob { created_by: Some(format!("user-{job}")), ..new_job(job) };
        let start =
            JobStart { turn: Some(full_turn(&one, 0, status, lease).into()), ..start_on("worker", LEASE_TIMEOUT) };
        let created = store.create_job(of_user(&one), Some(start)).await.expect("a new job is made");
        let first = create_and_claim(&store, of_user(&other), LEASE_TIMEOUT).await.expect("it is due at once");
        let version = commit(&store, full_turn(&other, first.version, status, lease)).await;
        let claim = Claim { job: one.clone(), version, tries: 1 };
        assert_eq!(created, Created::New { claim: Some(claim) });
        let mut expected = read_everything(&store, &other).await;
        expected.rename_job(&one);
        assert_eq!(read_everything(&store, &one).await, expected, "{status:?}");
        assert_eq!(store.read_cached_result("k").await, Ok(Some(json!(other))), "the later one replaced it");
        let bytes = async |job: &str| store.read_bytes_in_flight(&format!("user-{job}")).await;
        let in_flight = bytes(&one).await.expect("bytes are read");
        assert_eq!((Ok(in_flight), in_flight > 0), (bytes(&other).await, !status.is_final()), "{status:?}");
        let renewed = store.renew_leases("worker", &[one, other], LEASE_TIMEOUT).await.expect("leases are renewed");
        assert_eq!(renewed.len(), if lease == LeaseChange::Keep { 2 } else { 0 }, "{status:?}");
    }
    nothing_is_due(&store).await;
    let polls = store.take_due_polls(10, LEASE_TIMEOUT).await;
    assert_eq!(polls, Ok(Vec::new()), "polls are due when the turn says so");
}

async fn a_first_turn_decides_when_its_job_is_due(store: Subject) {
    let start = |turn: Commit| JobStart { turn: Some(turn.into()), ..start_on("worker", LEASE_TIMEOUT) };
    let due = releasing_turn("due", 0, Some(PAST));
    store.create_job(new_job("due"), Some(start(due))).await.expect("a new job is made");
    claim_one(&store, "another", "due").await;
    store.create_job(new_job("held"), Some(start(empty_turn("held", 0)))).await.expect("a new job is made");
    nothing_is_due(&store).await;
}

async fn a_job_that_exists_is_not_claimed_at_creation(store: Subject) {
    store.create_job(keyed_job("a", "ada:1", "x", FAR), None).await.expect("a new job is made");
    let turn = full_turn("b", 0, JobStatus::Running, LeaseChange::Keep);
    let start = JobStart { turn: Some(turn.into()), ..start_on("worker", LEASE_TIMEOUT) };
    let again = store.create_job(keyed_job("b", "ada:1", "x", FAR), Some(start)).await;
    assert_eq!(again, Ok(Created::Existing { job: "a".to_owned(), fingerprint: "x".to_owned() }));
    assert_eq!(store.read_cached_result("k").await, Ok(None), "the first turn was not committed");
    claim_one(&store, "another", "a").await;
}

async fn a_job_is_claimed_at_creation_only_with_its_slot(store: Subject) {
    let first =
        create_and_claim(&store, limited_job("a", "k", 1, None), LEASE_TIMEOUT).await.expect("its slot is free");
    assert_eq!(create_and_claim(&store, limited_job("b", "k", 1, None), LEASE_TIMEOUT).await, None, "no slot is free");
    nothing_is_due(&store).await;
    commit(&store, ending_turn("a", first.version)).await;
    assert_eq!(create_and_claim(&store, limited_job("c", "k", 1, None), LEASE_TIMEOUT).await, None, "none overtakes");
    claim_one(&store, "another", "b").await;
    nothing_is_due(&store).await;
}

async fn a_job_claimed_at_creation_counts_in_its_window(store: Subject) {
    let first =
        create_and_claim(&store, limited_job("a", "k", 1, Some(3_600)), LEASE_TIMEOUT).await.expect("its slot is free");
    commit(&store, ending_turn("a", first.version)).await;
    assert_eq!(create_and_claim(&store, limited_job("b", "k", 1, Some(3_600)), LEASE_TIMEOUT).await, None);
    nothing_is_due(&store).await;
}
