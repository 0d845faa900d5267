//! Commits of turns.

use serde_json::json;

use super::fixtures::{
    FAR, LEASE_TIMEOUT, PAST, Subject, call_record, claim_one, commit, create_claimed, empty_turn, event_row,
    event_with, nothing_is_due, poll, read_row, releasing_turn, step_row,
};
use crate::money::{Amount, Cost};
use crate::ports::{Commit, EventRow, JobState, JobStatus, SnapshotRow, StepRow, StepStatus, Timestamp, ValueRef};

super::list_cases![
    a_commit_records_all_its_parts,
    a_step_is_written_again_under_its_ordinal,
    only_the_last_snapshot_and_later_events_are_loaded,
    a_released_job_is_due_at_its_wake_up,
    a_release_with_a_waiting_message_is_due_at_once,
    a_release_with_all_messages_taken_in_waits,
];

fn cost_of_one() -> Cost {
    Cost { amounts: [("USD".to_owned(), Amount::from_units(40_000_000))].into(), unknown: 2 }
}

async fn a_commit_records_all_its_parts(store: Subject) {
    let version = create_claimed(&store, "a").await;
    store.deliver_message("a", "fact", json!({"n": 1}), None).await.expect("a message is delivered");
    let consumed =
        store.load_job("a").await.expect("the job is loaded").inbox.into_iter().map(|found| found.id).collect();
    let state = JobState {
        status: JobStatus::Suspended,
        priority: -3,
        retry_count: 3,
        cost: cost_of_one(),
        started_at: Some(Timestamp(5_001)),
        finished_at: Some(Timestamp(5_002)),
        output: Some(ValueRef::Row(2)),
        error: Some(json!({"name": "moderated", "message": "no"})),
        erase_at: Some(Timestamp(5_003)),
    };
    let events = vec![event_with(2, json!("v")), EventRow { item: Some((2, 0)), ..event_row(3) }];
    let done = Commit {
        events: events.clone(),
        steps: vec![step_row(2), step_row(3)],
        calls: vec![call_record(2, 1), call_record(3, 1)],
        polls: vec![poll(3, PAST)],
        consumed,
        snapshot: Some(SnapshotRow { seq: 2, state: json!({"z": 1, "a": 2}) }),
        state: state.clone(),
        ..empty_turn("a", version)
    };
    commit(&store, done).await;
    let job = read_row(&store, "a").await;
    assert_eq!((job.state, job.last_seq, job.updated_at), (state, 3, Timestamp(6_000)));
    assert_eq!(store.read_events("a", 1, 10).await, Ok(vec![event_row(2), events[1].clone()]));
    assert_eq!(store.read_values("a", &[2, 3]).await, Ok(vec![Some(json!("v")), None]));
    assert_eq!(store.read_list("a", 2).await, Ok(vec![event_row(3).body]));
    assert_eq!(store.list_steps("a", 0, 10).await, Ok(vec![step_row(2), step_row(3)]));
    assert_eq!(store.list_calls("a", 3).await, Ok(vec![call_record(3, 1)]));
    assert_eq!(store.read_inbox("a").await, Ok(Vec::new()));
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!(loaded.snapshot, Some(SnapshotRow { seq: 2, state: json!({"z": 1, "a": 2}) }));
    assert_eq!((loaded.events, loaded.inbox), (vec![events[1].clone()], Vec::new()));
    let polls = store.take_due_polls(10, LEASE_TIMEOUT).await.expect("polls are taken");
    assert_eq!(
        polls.into_iter().map(|due| (due.job, due.tries, due.poll)).collect::<Vec<_>>(),
        [("a".to_owned(), 0, poll(3, PAST))]
    );
}

async fn a_step_is_written_again_under_its_ordinal(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let version = commit(&store, Commit { steps: vec![step_row(2), step_row(5)], ..empty_turn("a", version) }).await;
    let ended = StepRow {
        status: StepStatus::Failed,
        attempt: 2,
        finished_at: Some(Timestamp(5_005)),
        output: Some(ValueRef::Row(4)),
        error: Some(json!({"name": "rate_limited"})),
        progress: Some(0.25),
        provider_id: None,
        retry_at: Some(Timestamp(5_006)),
        cost: Some(cost_of_one()),
        fallback: Some("node/other".to_owned()),
        ..step_row(2)
    };
    commit(&store, Commit { steps: vec![ended.clone()], ..empty_turn("a", version) }).await;
    assert_eq!(store.list_steps("a", 0, 10).await, Ok(vec![ended, step_row(5)]));
}

async fn only_the_last_snapshot_and_later_events_are_loaded(store: Subject) {
    let mut version = create_claimed(&store, "a").await;
    for seq in [2, 3] {
        let snapshot = Some(SnapshotRow { seq, state: json!({"at": seq}) });
        version = commit(&store, Commit { events: vec![event_row(seq)], snapshot, ..empty_turn("a", version) }).await;
    }
    commit(&store, Commit { events: vec![event_row(4), event_row(5)], ..empty_turn("a", version) }).await;
    let loaded = store.load_job("a").await.expect("the job is loaded");
    assert_eq!(loaded.snapshot, Some(SnapshotRow { seq: 3, state: json!({"at": 3}) }));
    assert_eq!(loaded.events, [event_row(4), event_row(5)]);
}

async fn a_released_job_is_due_at_its_wake_up(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, releasing_turn("a", version, Some(FAR))).await;
    nothing_is_due(&store).await;
    assert_eq!(store.read_next_due_at().await, Ok(Some(FAR)));
    let version = create_claimed(&store, "b").await;
    commit(&store, releasing_turn("b", version, Some(PAST))).await;
    let again = claim_one(&store, "another", "b").await;
    assert!(again > version + 1, "a claim raises the version");
}

async fn a_release_with_a_waiting_message_is_due_at_once(store: Subject) {
    for (id, wake_at) in [("a", None), ("b", Some(FAR))] {
        let version = create_claimed(&store, id).await;
        store.deliver_message(id, "seen", json!(1), None).await.expect("a message is delivered");
        let consumed =
            store.read_inbox(id).await.expect("an inbox is read").into_iter().map(|found| found.id).collect();
        store.deliver_message(id, "unseen", json!(2), None).await.expect("a message is delivered");
        nothing_is_due(&store).await;
        commit(&store, Commit { consumed, ..releasing_turn(id, version, wake_at) }).await;
        claim_one(&store, "another", id).await;
    }
}

async fn a_release_with_all_messages_taken_in_waits(store: Subject) {
    let version = create_claimed(&store, "a").await;
    for key in ["one", "two"] {
        store.deliver_message("a", key, json!(1), None).await.expect("a message is delivered");
    }
    let inbox = store.read_inbox("a").await.expect("an inbox is read");
    let version = commit(&store, Commit { consumed: vec![inbox[0].id], ..empty_turn("a", version) }).await;
    commit(&store, Commit { consumed: vec![inbox[1].id], ..releasing_turn("a", version, None) }).await;
    nothing_is_due(&store).await;
}
