//! Erasing data that must not be kept after a job's end.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, FAR, LEASE_TIMEOUT, PAST, Subject, call_record, commit, create_claimed, empty_turn,
    ending_turn, event_row, event_with, inbox_keys, job_state, missing_error, read_everything, read_row, step_row,
};
use crate::ports::{
    Commit, DueErasure, ErasedJob, Erasure, EventRow, JobBundle, JobState, JobStatus, ReusedResult, SnapshotRow,
    StepRow, StoreError, Timestamp, ValueRef,
};

super::list_cases![
    an_ended_job_is_to_be_erased_when_its_moment_has_come,
    erasures_are_taken_earliest_first_up_to_the_limit,
    a_taken_erasure_is_hidden_until_its_lease_ends,
    erasures_taken_at_once_go_to_one_each,
    what_is_named_is_erased_and_all_else_is_kept,
    an_erasure_takes_snapshot_and_messages_with_it,
    an_erasure_said_again_changes_nothing,
    the_last_part_says_what_is_left_and_when_more_is_erased,
    a_job_at_work_is_not_erased,
    the_next_due_moment_knows_of_erasures,
];

/// Creates an ended job with a value in every place, of which some are due for erasure at `erase_at`.
async fn create_ended_job(store: &Subject, job: &str, erase_at: Option<Timestamp>) {
    let version = create_claimed(store, job).await;
    store.deliver_message(job, "taken", json!("canary"), None).await.expect("a message is delivered");
    let consumed = store.read_inbox(job).await.expect("an inbox is read").into_iter().map(|found| found.id).collect();
    store.deliver_message(job, "left", json!("canary"), None).await.expect("a message is delivered");
    let told = |ordinal| StepRow { error: Some(json!({"name": "http", "message": "canary"})), ..step_row(ordinal) };
    let full = Commit {
        events: vec![
            event_with(2, json!("canary")),
            EventRow {
                body: json!({"type": "noted", "error": "canary"}),
                item: Some((2, 0)),
                ..event_with(3, json!([1]))
            },
            event_row(4),
        ],
        steps: vec![told(2), step_row(3)],
        calls: vec![call_record(2, 1), call_record(2, 2), call_record(3, 1)],
        consumed,
        snapshot: Some(SnapshotRow { seq: 3, state: json!("canary") }),
        ..empty_turn(job, version)
    };
    let version = commit(store, full).await;
    let end = JobState { erase_at, output: Some(ValueRef::Row(2)), ..job_state(JobStatus::Completed) };
    commit(store, Commit { state: end, ..ending_turn(job, version) }).await;
}

async fn take_due_erasures(store: &Subject, limit: u32, lease: std::time::Duration) -> Vec<(String, i64)> {
    let due = store.take_due_erasures(limit, lease).await.expect("erasures are taken");
    due.into_iter().map(|due| (due.job, due.due_at.0)).collect()
}

fn owned_names(due: &[(&str, i64)]) -> Vec<(String, i64)> {
    due.iter().map(|(job, at)| ((*job).to_owned(), *at)).collect()
}

/// Erases the erasable data of step 2, and the error of event 3.
fn erase_part(job: &str) -> Erasure {
    Erasure {
        job: job.to_owned(),
        values: vec![2, 4, 99],
        events: vec![(3, json!({"type": "noted", "error": "erased"}))],
        steps: vec![StepRow { input: Some(ValueRef::Erased), ..step_row(2) }],
        calls: vec![2],
        rest: None,
    }
}

fn erase_rest(job: &str, erase_at: Option<Timestamp>) -> Erasure {
    let left = ErasedJob { output: Some(ValueRef::Erased), error: Some(json!({"name": "x"})), erase_at, bundle: None };
    Erasure { job: job.to_owned(), rest: Some(left), ..Erasure::default() }
}

async fn an_ended_job_is_to_be_erased_when_its_moment_has_come(store: Subject) {
    let version = create_claimed(&store, "at_work").await;
    let early = JobState { erase_at: Some(PAST), ..job_state(JobStatus::Running) };
    commit(&store, Commit { state: early, ..empty_turn("at_work", version) }).await;
    create_ended_job(&store, "never", None).await;
    create_ended_job(&store, "later", Some(FAR)).await;
    assert_eq!(take_due_erasures(&store, 10, LEASE_TIMEOUT).await, owned_names(&[]));
    create_ended_job(&store, "now", Some(PAST)).await;
    assert_eq!(read_row(&store, "now").await.state.erase_at, Some(PAST));
    let due = DueErasure { job: "now".to_owned(), due_at: PAST };
    assert_eq!(store.take_due_erasures(10, LEASE_TIMEOUT).await, Ok(vec![due]));
}

async fn erasures_are_taken_earliest_first_up_to_the_limit(store: Subject) {
    for (job, at) in [("a", 3_000), ("b", 1_000), ("c", 2_000)] {
        create_ended_job(&store, job, Some(Timestamp(at))).await;
    }
    assert_eq!(take_due_erasures(&store, 2, LEASE_TIMEOUT).await, owned_names(&[("b", 1_000), ("c", 2_000)]));
    assert_eq!(take_due_erasures(&store, 2, LEASE_TIMEOUT).await, owned_names(&[("a", 3_000)]));
    assert_eq!(take_due_erasures(&store, 2, LEASE_TIMEOUT).await, owned_names(&[]));
}

async fn a_taken_erasure_is_hidden_until_its_lease_ends(store: Subject) {
    create_ended_job(&store, "a", Some(PAST)).await;
    assert_eq!(take_due_erasures(&store, 1, EXPIRED_LEASE_TIMEOUT).await, owned_names(&[("a", PAST.0)]));
    // If its taker is gone, it is returned again with its original due time, even after a part was erased.
    store.erase_job_data(erase_part("a")).await.expect("a part is erased");
    assert_eq!(take_due_erasures(&store, 1, LEASE_TIMEOUT).await, owned_names(&[("a", PAST.0)]));
    assert_eq!(take_due_erasures(&store, 1, LEASE_TIMEOUT).await, owned_names(&[]));
}

async fn erasures_taken_at_once_go_to_one_each(store: Subject) {
    const JOB_COUNT: usize = 12;
    for index in 0..JOB_COUNT {
        create_ended_job(&store, &format!("job-{index:02}"), Some(PAST)).await;
    }
    let takers = join_all((0..4).map(|_| take_due_erasures(&store, 3, LEASE_TIMEOUT))).await;
    let mut all: Vec<(String, i64)> = takers.into_iter().flatten().collect();
    // What a taker skipped because another one was reading it is left for the next.
    all.extend(take_due_erasures(&store, 12, LEASE_TIMEOUT).await);
    all.sort();
    assert!(
        all.iter()
            .map(|(job, _)| job)
            .eq((0..JOB_COUNT).map(|index| format!("job-{index:02}")).collect::<Vec<_>>().iter())
    );
}

async fn what_is_named_is_erased_and_all_else_is_kept(store: Subject) {
    create_ended_job(&store, "b", Some(PAST)).await;
    let untouched = read_everything(&store, "b").await;
    create_ended_job(&store, "a", Some(PAST)).await;
    let before = read_row(&store, "a").await;
    assert_eq!(store.erase_job_data(erase_part("a")).await, Ok(()));
    let values = store.read_values("a", &[1, 2, 3, 4]).await;
    assert_eq!(values, Ok(vec![Some(json!({"input": "a"})), Some(json!({})), Some(json!([1])), None]));
    let bodies: Vec<Value> =
        store.read_events("a", 1, 10).await.expect("events are read").into_iter().map(|event| event.body).collect();
    assert_eq!(bodies, [event_row(2).body, json!({"type": "noted", "error": "erased"}), event_row(4).body]);
    assert_eq!(store.read_list("a", 2).await, Ok(vec![json!({"type": "noted", "error": "erased"})]));
    assert_eq!(
        store.list_steps("a", 0, 10).await,
        Ok(vec![StepRow { input: Some(ValueRef::Erased), ..step_row(2) }, step_row(3)])
    );
    assert_eq!(store.list_calls("a", 2).await, Ok(Vec::new()));
    assert_eq!(store.list_calls("a", 3).await, Ok(vec![call_record(3, 1)]));
    assert_eq!(read_row(&store, "a").await, before, "its row is left as it was");
    assert_eq!(read_everything(&store, "b").await, untouched, "other jobs keep what is theirs");
}

async fn an_erasure_takes_snapshot_and_messages_with_it(store: Subject) {
    create_ended_job(&store, "a", Some(PAST)).await;
    assert_eq!(inbox_keys(&store, "a").await, ["left"]);
    store.erase_job_data(Erasure { job: "a".to_owned(), ..Erasure::default() }).await.expect("nothing more is erased");
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!((loaded.snapshot, loaded.inbox), (None, Vec::new()));
    assert_eq!(loaded.events.len(), 4, "without a snapshot the job is folded from its first event");
}

async fn an_erasure_said_again_changes_nothing(store: Subject) {
    create_ended_job(&store, "a", Some(PAST)).await;
    for erasure in [erase_part("a"), erase_rest("a", Some(FAR))] {
        store.erase_job_data(erasure.clone()).await.expect("it is erased");
        let once = read_everything(&store, "a").await;
        store.erase_job_data(erasure).await.expect("it is erased again");
        assert_eq!(read_everything(&store, "a").await, once);
    }
}

async fn the_last_part_says_what_is_left_and_when_more_is_erased(store: Subject) {
    create_ended_job(&store, "a", Some(PAST)).await;
    let before = read_row(&store, "a").await;
    assert_eq!(take_due_erasures(&store, 1, LEASE_TIMEOUT).await, owned_names(&[("a", PAST.0)]));
    store.erase_job_data(erase_rest("a", Some(Timestamp(2_000)))).await.expect("it is erased");
    let after = read_row(&store, "a").await;
    let left = JobState {
        output: Some(ValueRef::Erased),
        error: Some(json!({"name": "x"})),
        erase_at: Some(Timestamp(2_000)),
        ..before.state.clone()
    };
    assert_eq!((after.state, after.updated_at, after.last_seq), (left, before.updated_at, before.last_seq));
    assert_eq!(
        take_due_erasures(&store, 1, LEASE_TIMEOUT).await,
        owned_names(&[("a", 2_000)]),
        "the next part is due although the first was leased"
    );
    let reused = ReusedResult { seq: 2, error: Some(json!("erased")) };
    let bundle = JobBundle { reused_results: [("draw".to_owned(), reused)].into(), ..JobBundle::default() };
    let left = ErasedJob { output: None, error: None, erase_at: None, bundle: Some(bundle.clone()) };
    store
        .erase_job_data(Erasure { job: "a".to_owned(), rest: Some(left), ..Erasure::default() })
        .await
        .expect("it is erased");
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!((loaded.bundle.into_bundle(), loaded.job.state.output, loaded.job.state.error), (bundle, None, None));
    assert_eq!(take_due_erasures(&store, 1, LEASE_TIMEOUT).await, owned_names(&[]));
}

async fn a_job_at_work_is_not_erased(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let full =
        Commit { events: vec![event_with(2, json!(1))], calls: vec![call_record(2, 1)], ..empty_turn("a", version) };
    commit(&store, full).await;
    store.deliver_message("a", "k", json!(1), None).await.expect("a message is delivered");
    let before = read_everything(&store, "a").await;
    assert_eq!(store.erase_job_data(erase_part("a")).await, Err(StoreError::Active { job: "a".to_owned() }));
    assert_eq!(read_everything(&store, "a").await, before);
    assert_eq!(store.erase_job_data(erase_part("missing")).await, missing_error("missing"));
}

async fn the_next_due_moment_knows_of_erasures(store: Subject) {
    create_ended_job(&store, "a", Some(FAR)).await;
    assert_eq!(store.read_next_due_at().await, Ok(Some(FAR)));
    store.erase_job_data(erase_rest("a", None)).await.expect("it is erased");
    assert_eq!(store.read_next_due_at().await, Ok(None));
    create_ended_job(&store, "b", Some(FAR)).await;
    store.delete_job("b").await.expect("an ended job is removed");
    assert_eq!(store.read_next_due_at().await, Ok(None));
}
