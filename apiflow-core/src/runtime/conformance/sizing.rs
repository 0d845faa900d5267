//! Sizes of the values of a job and of a user's jobs.

use serde_json::{Value, json};

use super::fixtures::{
    FAR, LEASE_TIMEOUT, Subject, claim_one, commit, empty_turn, ending_turn, event_row, event_with, fenced_error,
    new_job,
};
use crate::ports::{Commit, Created, Idempotency, NewJob};

super::list_cases![
    the_values_of_a_job_are_counted_with_each_commit,
    a_users_bytes_are_those_of_jobs_that_have_not_ended,
    a_job_of_a_user_over_the_limit_is_not_created,
    a_fenced_commit_counts_nothing,
    jobs_of_one_user_that_commit_at_once_are_all_counted,
    a_probe_succeeds_however_often_it_is_made,
];

/// Returns a value of ten bytes of JSON.
fn ten_bytes() -> Value {
    json!("12345678")
}

fn of_user(id: &str, user: Option<&str>) -> NewJob {
    NewJob {
        created_by: user.map(str::to_owned),
        events: vec![event_with(1, ten_bytes()), event_row(2)],
        ..new_job(id)
    }
}

async fn create(store: &Subject, id: &str, user: Option<&str>) -> u64 {
    store.create_job(of_user(id, user), None).await.expect("a new job is made");
    claim_one(store, "worker", id).await
}

async fn check_bytes(store: &Subject, user: &str, expected: u64) {
    assert_eq!(store.read_bytes_in_flight(user).await, Ok(expected), "of `{user}`");
}

async fn the_values_of_a_job_are_counted_with_each_commit(store: Subject) {
    let version = create(&store, "a", None).await;
    assert_eq!(store.load_job("a").await.expect("the job is loaded").value_bytes, 10);
    let events = vec![event_row(3), event_with(4, json!({"ü": [1, 2]})), event_with(5, Value::Null)];
    let version = commit(&store, Commit { events, ..empty_turn("a", version) }).await;
    commit(&store, empty_turn("a", version)).await;
    // `{"ü":[1,2]}` and `null`: bytes, not characters.
    assert_eq!(store.load_job("a").await.expect("the job is loaded").value_bytes, 10 + 12 + 4);
}

async fn a_job_of_a_user_over_the_limit_is_not_created(store: Subject) {
    let limited = |id: &str, max| NewJob { max_bytes_in_flight: Some(max), ..of_user(id, Some("ada")) };
    let created = store.create_job(limited("a", 1), None).await;
    assert_eq!(created, Ok(Created::New { claim: None }), "a first job is within every limit");
    let keyed = |id: &str, max| {
        let idempotency = Idempotency { key: "ada:1".to_owned(), fingerprint: "x".to_owned(), expires_at: FAR };
        NewJob { idempotency: Some(idempotency), ..limited(id, max) }
    };
    for refused in [limited("b", 10), keyed("b", 10)] {
        assert_eq!(store.create_job(refused, None).await, Ok(Created::OverLimit { used: 10 }));
    }
    assert_eq!(store.find_job_by_key("ada:1").await, Ok(None), "a job that is refused does not use its key");
    let others = NewJob { created_by: Some("bob".to_owned()), ..limited("c", 10) };
    for accepted in [keyed("b", 11), others, NewJob { created_by: None, ..limited("d", 0) }] {
        let created = store.create_job(accepted.clone(), None).await;
        assert_eq!(created, Ok(Created::New { claim: None }), "{accepted:?}");
    }
    let repeated = Created::Existing { job: "b".to_owned(), fingerprint: "x".to_owned() };
    assert_eq!(store.create_job(keyed("e", 10), None).await, Ok(repeated), "a repetition is answered first");
    check_bytes(&store, "ada", 20).await;
}

async fn a_users_bytes_are_those_of_jobs_that_have_not_ended(store: Subject) {
    check_bytes(&store, "ada", 0).await;
    let first = create(&store, "a", Some("ada")).await;
    let second = create(&store, "b", Some("ada")).await;
    create(&store, "c", Some("bob")).await;
    create(&store, "d", None).await;
    check_bytes(&store, "ada", 20).await;
    let events = vec![event_with(3, ten_bytes()), event_with(4, ten_bytes())];
    let first = commit(&store, Commit { events, ..empty_turn("a", first) }).await;
    check_bytes(&store, "ada", 40).await;
    let events = vec![event_with(5, ten_bytes())];
    commit(&store, Commit { events, ..ending_turn("a", first) }).await;
    check_bytes(&store, "ada", 10).await;
    commit(&store, ending_turn("b", second)).await;
    check_bytes(&store, "ada", 0).await;
    check_bytes(&store, "bob", 10).await;
    assert_eq!(store.load_job("a").await.expect("the job is loaded").value_bytes, 40, "it still takes that room");
    let reopened =
        store.claim_ended_job("worker", "a", LEASE_TIMEOUT).await.expect("it is asked for").expect("it has ended");
    let reopened = commit(&store, empty_turn("a", reopened)).await;
    check_bytes(&store, "ada", 40).await;
    commit(&store, ending_turn("a", reopened)).await;
    check_bytes(&store, "ada", 0).await;
    store.delete_job("a").await.expect("a job that has ended is removed");
    check_bytes(&store, "ada", 0).await;
}

async fn a_fenced_commit_counts_nothing(store: Subject) {
    let version = create(&store, "a", Some("ada")).await;
    let events = vec![event_with(3, ten_bytes())];
    assert_eq!(store.commit_turn(Commit { events, ..empty_turn("a", version + 1) }).await, fenced_error("a"));
    check_bytes(&store, "ada", 10).await;
    assert_eq!(store.load_job("a").await.expect("the job is loaded").value_bytes, 10);
}

async fn jobs_of_one_user_that_commit_at_once_are_all_counted(store: Subject) {
    let mut versions = Vec::new();
    for index in 0..8 {
        let id = format!("job-{index}");
        versions.push((id.clone(), create(&store, &id, Some("ada")).await));
    }
    let mut commits = tokio::task::JoinSet::new();
    for (id, version) in versions {
        let store = store.clone();
        let events = vec![event_with(3, ten_bytes())];
        commits.spawn(async move { commit(&store, Commit { events, ..empty_turn(&id, version) }).await });
    }
    assert_eq!(commits.join_all().await.len(), 8);
    check_bytes(&store, "ada", 160).await;
}

async fn a_probe_succeeds_however_often_it_is_made(store: Subject) {
    for _ in 0..3 {
        assert_eq!(store.verify_writable().await, Ok(()));
    }
    let (one, other) = tokio::join!(store.verify_writable(), store.verify_writable());
    assert_eq!((one, other), (Ok(()), Ok(())));
}
