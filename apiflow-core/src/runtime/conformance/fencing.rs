//! What a turn must not change if it is fenced.

use std::iter::repeat_with;

use futures_util::future::join_all;
use serde_json::json;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, FAR, LEASE_TIMEOUT, MAX_TRIES, PAST, Subject, call_record, claim, claim_one, commit, create,
    create_claimed, empty_turn, event_row, event_with, fenced_error, missing_error, poll, read_everything, read_row,
    releasing_turn, step_row,
};
use crate::ports::{Commit, JobStatus, SnapshotRow};

super::list_cases![
    a_commit_of_an_old_version_changes_nothing,
    a_claim_fences_the_owner_before_it,
    a_commit_that_fails_changes_nothing,
    a_commit_of_a_missing_job_is_refused,
    of_commits_at_once_with_one_version_one_wins,
    commits_at_once_do_not_disturb_each_other,
];

/// Returns a turn that would change everything.
async fn full_commit(store: &Subject, version: u64) -> Commit {
    let consumed = store.read_inbox("a").await.expect("an inbox is read").into_iter().map(|found| found.id).collect();
    Commit {
        events: vec![event_with(2, json!("other")), event_row(3)],
        steps: vec![step_row(2), step_row(3)],
        calls: vec![call_record(2, 9)],
        polls: vec![poll(3, PAST)],
        polls_cleared: vec![2],
        consumed,
        snapshot: Some(SnapshotRow { seq: 3, state: json!("other") }),
        state: super::fixtures::job_state(JobStatus::Failed),
        ..releasing_turn("a", version, Some(PAST))
    }
}

/// Creates a claimed job with data of every kind; returns its version.
async fn create_full_job(store: &Subject) -> u64 {
    let version = create_claimed(store, "a").await;
    store.deliver_message("a", "k", json!(1), None).await.expect("a message is delivered");
    let turn = Commit {
        events: vec![event_with(2, json!("first"))],
        steps: vec![step_row(2)],
        calls: vec![call_record(2, 1)],
        polls: vec![poll(2, PAST)],
        snapshot: Some(SnapshotRow { seq: 1, state: json!("first") }),
        ..empty_turn("a", version)
    };
    commit(store, turn).await
}

async fn check_unchanged(store: &Subject, refused: Commit, expected: Option<crate::ports::StoreError>) {
    let before = read_everything(store, "a").await;
    let error = store.commit_turn(refused).await.expect_err("the commit is refused");
    if let Some(expected) = expected {
        assert_eq!(error, expected);
    }
    assert_eq!(read_everything(store, "a").await, before, "a refused commit changes nothing");
    super::fixtures::nothing_is_due(store).await;
    assert_eq!(take_polls_unlocked(store).await, [2]);
}

/// Takes the due polls, repeatedly if there are none: a database may report an error slightly before it releases the
/// rows that the refused statement had locked.
async fn take_polls_unlocked(store: &Subject) -> Vec<u64> {
    for _ in 0..MAX_TRIES {
        let polls = store.take_due_polls(10, LEASE_TIMEOUT).await.expect("polls are taken");
        if !polls.is_empty() {
            return polls.into_iter().map(|due| due.poll.effect).collect();
        }
        tokio::task::yield_now().await;
    }
    Vec::new()
}

async fn a_commit_of_an_old_version_changes_nothing(store: Subject) {
    let version = create_full_job(&store).await;
    let old = Commit { events: vec![event_row(3)], ..full_commit(&store, version - 1).await };
    check_unchanged(&store, old, fenced_error("a").err()).await;
    commit(&store, empty_turn("a", version)).await;
}

async fn a_claim_fences_the_owner_before_it(store: Subject) {
    create(&store, "a").await;
    let first = claim(&store, "worker", 1, EXPIRED_LEASE_TIMEOUT).await.remove(0).version;
    let second = claim_one(&store, "worker", "a").await;
    assert_eq!(store.commit_turn(releasing_turn("a", first, None)).await, fenced_error("a"));
    assert_eq!(
        store.commit_turn(empty_turn("a", second + 1)).await,
        fenced_error("a"),
        "a version of the future is not the job's"
    );
    super::fixtures::nothing_is_due(&store).await;
    commit(&store, empty_turn("a", second)).await;
}

async fn a_commit_that_fails_changes_nothing(store: Subject) {
    let version = create_full_job(&store).await;
    let repeated = full_commit(&store, version).await;
    assert_eq!(repeated.events[0].seq, 2, "event 2 is there already");
    check_unchanged(&store, repeated, None).await;
    commit(&store, empty_turn("a", version)).await;
}

async fn a_commit_of_a_missing_job_is_refused(store: Subject) {
    assert_eq!(store.commit_turn(empty_turn("a", 1)).await, missing_error("a"));
    assert_eq!(store.load_job("a").await, missing_error("a"));
}

async fn of_commits_at_once_with_one_version_one_wins(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let turns =
        repeat_with(|| store.commit_turn(Commit { events: vec![event_row(2)], ..empty_turn("a", version) })).take(8);
    let done = join_all(turns).await;
    assert_eq!(done.iter().filter(|done| **done == Ok(version + 1)).count(), 1);
    assert_eq!(done.iter().filter(|done| **done == fenced_error("a")).count(), 7);
    assert_eq!(read_row(&store, "a").await.last_seq, 2);
}

async fn commits_at_once_do_not_disturb_each_other(store: Subject) {
    const JOB_COUNT: usize = 30;
    for index in 0..JOB_COUNT {
        create(&store, &format!("job-{index:02}")).await;
    }
    let held = claim(&store, "worker", JOB_COUNT, LEASE_TIMEOUT).await;
    let turns = held.iter().enumerate().map(|(index, held)| {
        let (version, seq) = match index % 3 {
            0 => (held.version, 2),
            1 => (held.version - 1, 2),
            _ => (held.version, 1),
        };
        let steps = vec![step_row(2)];
        store.commit_turn(Commit {
            events: vec![event_row(seq)],
            steps,
            ..releasing_turn(&held.job, version, Some(FAR))
        })
    });
    for (index, (done, held)) in join_all(turns).await.into_iter().zip(&held).enumerate() {
        let (last_seq, steps) = if index % 3 == 0 { (2, vec![step_row(2)]) } else { (1, Vec::new()) };
        match index % 3 {
            0 => assert_eq!(done, Ok(held.version + 1), "a good commit among bad ones succeeds"),
            1 => assert_eq!(done, fenced_error(&held.job)),
            _ => {
                assert!(done.is_err_and(|error| Err(error) != fenced_error(&held.job)), "a repeated event is an error");
            }
        }
        assert_eq!(read_row(&store, &held.job).await.last_seq, last_seq);
        assert_eq!(store.list_steps(&held.job, 0, 10).await, Ok(steps));
    }
}
