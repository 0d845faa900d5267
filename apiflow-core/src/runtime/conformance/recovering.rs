//! Jobs that crash their workers, and jobs that are reopened.

use serde_json::json;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, LEASE_TIMEOUT, PAST, Subject, claim_one, commit, create_claimed, empty_turn, event_row,
    job_state, limited_job, nothing_is_due, poll, releasing_turn,
};
use crate::ports::{Commit, EventRow, JobStatus, LeaseChange, StoreError};

super::list_cases![
    begins_alone_are_counted_until_a_commit,
    a_job_that_has_ended_can_be_put_back_to_work,
    a_job_that_is_put_back_to_work_has_its_slot_again,
    of_items_with_one_index_the_last_counts,
];

async fn begins_alone_are_counted_until_a_commit(store: Subject) {
    let version = create_claimed(&store, "a").await;
    assert_eq!(store.record_solo_start("a", version).await, Ok(1));
    assert_eq!(store.record_solo_start("a", version).await, Ok(2));
    assert_eq!(store.record_solo_start("a", version + 1).await, Err(StoreError::Fenced { job: "a".to_owned() }));
    assert_eq!(store.undo_solo_start("a", version + 1).await, Ok(()));
    assert_eq!(store.record_solo_start("a", version).await, Ok(3), "another version forgets nothing");
    assert_eq!(store.undo_solo_start("a", version).await, Ok(()));
    assert_eq!(store.record_solo_start("a", version).await, Ok(1));
    let version = commit(&store, empty_turn("a", version)).await;
    assert_eq!(store.record_solo_start("a", version).await, Ok(1), "a commit forgets them");
}

async fn a_job_that_has_ended_can_be_put_back_to_work(store: Subject) {
    let version = create_claimed(&store, "a").await;
    assert_eq!(store.claim_ended_job("w", "a", LEASE_TIMEOUT).await, Ok(None), "it has not ended");
    commit(&store, Commit { state: job_state(JobStatus::Failed), ..empty_turn("a", version) }).await;
    let version =
        store.claim_ended_job("w", "a", LEASE_TIMEOUT).await.expect("the store answers").expect("it has ended");
    assert_eq!(store.claim_ended_job("other", "a", LEASE_TIMEOUT).await, Ok(None), "somebody has it");
    let reopened = Commit {
        events: vec![event_row(2)],
        polls: vec![poll(3, PAST)],
        state: job_state(JobStatus::Running),
        lease: LeaseChange::Release { wake_at: Some(PAST) },
        ..empty_turn("a", version)
    };
    commit(&store, reopened).await;
    let version = claim_one(&store, "w", "a").await;
    assert_eq!(store.take_due_polls(10, LEASE_TIMEOUT).await.expect("polls are taken").len(), 1);
    assert_eq!(store.deliver_message("a", "fact", json!(1), None).await, Ok(true), "it takes messages again");
    commit(&store, Commit { state: job_state(JobStatus::Completed), ..empty_turn("a", version) }).await;
    nothing_is_due(&store).await;
    // A worker that claimed the job and died before reopening it leaves it unchanged.
    store.claim_ended_job("w", "a", EXPIRED_LEASE_TIMEOUT).await.expect("the store answers").expect("it has ended");
    let version = claim_one(&store, "w", "a").await;
    let again = Commit { state: job_state(JobStatus::Completed), ..releasing_turn("a", version, None) };
    commit(&store, again).await;
    nothing_is_due(&store).await;
}

async fn a_job_that_is_put_back_to_work_has_its_slot_again(store: Subject) {
    store.create_job(limited_job("a", "key", 1, None), None).await.expect("it is made");
    let version = claim_one(&store, "w", "a").await;
    commit(&store, Commit { state: job_state(JobStatus::Failed), ..empty_turn("a", version) }).await;
    let version =
        store.claim_ended_job("w", "a", LEASE_TIMEOUT).await.expect("the store answers").expect("it has ended");
    commit(&store, Commit { state: job_state(JobStatus::Running), ..releasing_turn("a", version, None) }).await;
    store.create_job(limited_job("b", "key", 1, None), None).await.expect("it is made");
    nothing_is_due(&store).await;
}

async fn of_items_with_one_index_the_last_counts(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let item = |seq: u64, index: u64| EventRow { item: Some((2, index)), ..event_row(seq) };
    commit(&store, Commit { events: vec![item(2, 0), item(3, 1), item(4, 0)], ..empty_turn("a", version) }).await;
    assert_eq!(store.read_list("a", 2).await, Ok(vec![event_row(4).body, event_row(3).body]));
}
