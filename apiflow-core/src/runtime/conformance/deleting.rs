//! Deleting jobs.

use serde_json::json;

use super::fixtures::{
    FAR, PAST, Subject, call_record, claim, claim_one, commit, create, create_claimed, empty_turn, ending_turn,
    event_row, keyed_job, missing_error, poll, read_everything, releasing_turn, step_row,
};
use crate::ports::{Commit, Created, JobFilter, SnapshotRow, StoreError};

super::list_cases![an_active_job_is_not_removed, a_removed_job_is_gone_with_all_that_belongs_to_it];

async fn an_active_job_is_not_removed(store: Subject) {
    let active = Err(StoreError::Active { job: "a".to_owned() });
    create(&store, "a").await;
    assert_eq!(store.delete_job("a").await, active);
    let version = claim_one(&store, "worker", "a").await;
    assert_eq!(store.delete_job("a").await, active);
    commit(&store, releasing_turn("a", version, None)).await;
    assert_eq!(store.delete_job("a").await, active);
    assert!(store.read_job("a").await.is_ok_and(|job| job.is_some()));
    assert_eq!(store.delete_job("b").await, missing_error("b"));
}

async fn a_removed_job_is_gone_with_all_that_belongs_to_it(store: Subject) {
    let other = create_claimed(&store, "b").await;
    commit(&store, Commit { steps: vec![step_row(2)], calls: vec![call_record(2, 1)], ..empty_turn("b", other) }).await;
    let untouched = read_everything(&store, "b").await;
    store.create_job(keyed_job("a", "ada:1", "x", FAR), None).await.expect("a new job is made");
    let version = claim(&store, "worker", 1, super::fixtures::LEASE_TIMEOUT).await.remove(0).version;
    store.deliver_message("a", "k", json!(1), None).await.expect("a message is delivered");
    let turn = Commit {
        events: vec![event_row(2)],
        steps: vec![step_row(2)],
        calls: vec![call_record(2, 1)],
        polls: vec![poll(2, PAST)],
        snapshot: Some(SnapshotRow { seq: 2, state: json!(1) }),
        ..empty_turn("a", version)
    };
    let version = commit(&store, turn).await;
    commit(&store, ending_turn("a", version)).await;
    assert_eq!(store.delete_job("a").await, Ok(()));
    assert_eq!(store.read_job("a").await, Ok(None));
    assert_eq!(store.load_job("a").await, missing_error("a"));
    assert_eq!(store.delete_job("a").await, missing_error("a"));
    assert_eq!(super::fixtures::list_ids(&store, &JobFilter::default(), None, 10).await, ["b"]);
    // A job that is created again with the same id and key finds nothing of the first one.
    assert_eq!(store.create_job(keyed_job("a", "ada:1", "y", FAR), None).await, Ok(Created::New { claim: None }));
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!((loaded.snapshot, loaded.events.len(), loaded.inbox), (None, 1, Vec::new()));
    assert_eq!(store.list_steps("a", 0, 10).await, Ok(Vec::new()));
    assert_eq!(store.list_calls("a", 2).await, Ok(Vec::new()));
    assert_eq!(store.deliver_message("a", "k", json!(1), None).await, Ok(true));
    assert_eq!(read_everything(&store, "b").await, untouched, "other jobs keep what is theirs");
}
