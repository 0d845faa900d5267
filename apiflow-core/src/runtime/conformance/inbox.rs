//! Messages that are delivered without a lease.

use std::iter::repeat_with;

use futures_util::future::join_all;
use serde_json::json;

use super::fixtures::{
    FAR, LEASE_TIMEOUT, PAST, Subject, claim_one, commit, create, create_claimed, empty_turn, ending_turn, inbox_keys,
    missing_error, nothing_is_due, poll, releasing_turn,
};
use crate::ports::Commit;

super::list_cases![
    a_message_is_kept_once_per_key,
    messages_come_in_order_of_arrival_until_taken_in,
    a_message_wakes_a_waiting_job,
    a_message_leaves_a_lease_alone,
    an_ended_job_takes_no_message,
    a_missing_job_takes_no_message,
    a_message_ends_a_poll,
    of_deliveries_at_once_with_one_key_one_is_new,
    deliveries_at_once_all_arrive,
];

async fn a_message_is_kept_once_per_key(store: Subject) {
    let version = create_claimed(&store, "a").await;
    create(&store, "b").await;
    assert_eq!(store.deliver_message("a", "k", json!({"n": 1}), None).await, Ok(true));
    assert_eq!(store.deliver_message("a", "k", json!({"n": 2}), None).await, Ok(false));
    assert_eq!(store.deliver_message("b", "k", json!({"n": 3}), None).await, Ok(true), "a key is one job's own");
    let inbox = store.read_inbox("a").await.expect("an inbox is read");
    assert_eq!(inbox.iter().map(|found| &found.payload).collect::<Vec<_>>(), [&json!({"n": 1})]);
    commit(&store, Commit { consumed: vec![inbox[0].id], ..empty_turn("a", version) }).await;
    assert_eq!(store.deliver_message("a", "k", json!({"n": 4}), None).await, Ok(false), "also after it was taken in");
    assert_eq!((inbox_keys(&store, "a").await.len(), inbox_keys(&store, "b").await.len()), (0, 1));
}

async fn messages_come_in_order_of_arrival_until_taken_in(store: Subject) {
    let version = create_claimed(&store, "a").await;
    for key in ["z", "m", "a"] {
        assert_eq!(store.deliver_message("a", key, json!(key), None).await, Ok(true));
    }
    assert_eq!(inbox_keys(&store, "a").await, ["z", "m", "a"]);
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!(Ok(loaded.inbox.clone()), store.read_inbox("a").await);
    commit(&store, Commit { consumed: vec![loaded.inbox[1].id], ..empty_turn("a", version) }).await;
    assert_eq!(inbox_keys(&store, "a").await, ["z", "a"]);
}

async fn a_message_wakes_a_waiting_job(store: Subject) {
    for (id, wake_at) in [("a", None), ("b", Some(FAR)), ("c", Some(PAST))] {
        let version = create_claimed(&store, id).await;
        commit(&store, releasing_turn(id, version, wake_at)).await;
        assert_eq!(store.deliver_message(id, "k", json!(1), None).await, Ok(true));
        claim_one(&store, "another", id).await;
    }
}

async fn a_message_leaves_a_lease_alone(store: Subject) {
    create_claimed(&store, "a").await;
    assert_eq!(store.deliver_message("a", "k", json!(1), None).await, Ok(true));
    nothing_is_due(&store).await;
}

async fn an_ended_job_takes_no_message(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, ending_turn("a", version)).await;
    assert_eq!(store.deliver_message("a", "k", json!(1), Some(1)).await, Ok(false));
    assert_eq!(store.read_inbox("a").await, Ok(Vec::new()));
    nothing_is_due(&store).await;
}

async fn a_missing_job_takes_no_message(store: Subject) {
    assert_eq!(store.deliver_message("a", "k", json!(1), None).await, missing_error("a"));
    assert_eq!(store.read_inbox("a").await, Ok(Vec::new()));
}

async fn a_message_ends_a_poll(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let polls = vec![poll(2, PAST), poll(3, PAST)];
    commit(&store, Commit { polls, ..releasing_turn("a", version, None) }).await;
    assert_eq!(store.deliver_message("a", "k", json!(1), None).await, Ok(true));
    assert_eq!(store.deliver_message("a", "k", json!(1), Some(2)).await, Ok(false), "a repetition ends the poll too");
    assert_eq!(store.reschedule_poll("a", 2, PAST, None).await, Ok(()), "a poll that is over stays over");
    let left = store.take_due_polls(10, LEASE_TIMEOUT).await.expect("polls are taken");
    assert_eq!(left.into_iter().map(|due| due.poll.effect).collect::<Vec<_>>(), [3]);
}

async fn of_deliveries_at_once_with_one_key_one_is_new(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, releasing_turn("a", version, None)).await;
    let done = join_all(repeat_with(|| store.deliver_message("a", "k", json!(1), None)).take(8)).await;
    assert_eq!(done.iter().filter(|done| **done == Ok(true)).count(), 1);
    assert_eq!(done.iter().filter(|done| **done == Ok(false)).count(), 7);
    let inbox = store.read_inbox("a").await.expect("an inbox is read");
    assert_eq!(inbox.len(), 1);
    let version = claim_one(&store, "another", "a").await;
    commit(&store, Commit { consumed: vec![inbox[0].id], ..releasing_turn("a", version, None) }).await;
    nothing_is_due(&store).await;
}

async fn deliveries_at_once_all_arrive(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let sent: Vec<String> = (0..20).map(|index| format!("k{index:02}")).collect();
    let deliveries = join_all(sent.iter().map(|key| store.deliver_message("a", key, json!(key), None)));
    let (done, released) =
        futures_util::future::join(deliveries, store.commit_turn(releasing_turn("a", version, None))).await;
    assert!(done.iter().all(|done| *done == Ok(true)) && released.is_ok());
    let mut arrived = inbox_keys(&store, "a").await;
    arrived.sort();
    assert_eq!(arrived, sent);
    claim_one(&store, "another", "a").await;
}
