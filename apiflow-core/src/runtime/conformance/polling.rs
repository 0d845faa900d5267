//! Polls of providers' operations.

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, FAR, LEASE_TIMEOUT, PAST, Subject, commit, create, create_claimed, empty_turn, ending_turn,
    poll, releasing_turn, step_row,
};
use crate::ports::{Commit, DuePoll, Poll, ProviderWorkClaim, Timestamp};

super::list_cases![
    polls_are_taken_when_due_oldest_first_up_to_the_limit,
    a_taken_poll_is_hidden_until_its_lease_ends,
    a_poll_put_back_counts_its_try_and_keeps_progress,
    a_poll_that_is_over_is_not_put_back,
    a_poll_is_replaced_under_its_effect,
    an_ended_job_polls_no_more,
    a_providers_work_is_one_attempts,
];

async fn with_polls(store: &Subject, id: &str, polls: Vec<Poll>) -> u64 {
    let version = create_claimed(store, id).await;
    commit(store, Commit { polls, steps: vec![step_row(2)], ..empty_turn(id, version) }).await
}

async fn take_due_polls(store: &Subject, limit: u32, lease: std::time::Duration) -> Vec<(String, u64)> {
    let polls = store.take_due_polls(limit, lease).await.expect("polls are taken");
    polls.into_iter().map(|due| (due.job, due.poll.effect)).collect()
}

fn owned_names(polls: &[(&str, u64)]) -> Vec<(String, u64)> {
    polls.iter().map(|(job, effect)| ((*job).to_owned(), *effect)).collect()
}

async fn polls_are_taken_when_due_oldest_first_up_to_the_limit(store: Subject) {
    with_polls(&store, "a", vec![poll(2, Timestamp(3_000)), poll(3, FAR), poll(4, Timestamp(1_000))]).await;
    with_polls(&store, "b", vec![poll(2, Timestamp(2_000))]).await;
    assert_eq!(take_due_polls(&store, 2, LEASE_TIMEOUT).await, owned_names(&[("a", 4), ("b", 2)]));
    assert_eq!(take_due_polls(&store, 10, LEASE_TIMEOUT).await, owned_names(&[("a", 2)]));
    assert_eq!(take_due_polls(&store, 10, LEASE_TIMEOUT).await, owned_names(&[]));
}

async fn a_taken_poll_is_hidden_until_its_lease_ends(store: Subject) {
    with_polls(&store, "a", vec![poll(2, PAST)]).await;
    assert_eq!(take_due_polls(&store, 1, EXPIRED_LEASE_TIMEOUT).await, owned_names(&[("a", 2)]));
    let again = store.take_due_polls(1, LEASE_TIMEOUT).await;
    let expected = DuePoll { job: "a".to_owned(), tries: 0, poll: poll(2, PAST) };
    assert_eq!(again, Ok(vec![expected]), "a poll is given as it was written");
    assert_eq!(take_due_polls(&store, 1, LEASE_TIMEOUT).await, owned_names(&[]));
}

async fn a_poll_put_back_counts_its_try_and_keeps_progress(store: Subject) {
    with_polls(&store, "a", vec![poll(7, PAST)]).await;
    assert_eq!(take_due_polls(&store, 1, LEASE_TIMEOUT).await, owned_names(&[("a", 7)]));
    let next = Timestamp(2_000);
    assert_eq!(store.reschedule_poll("a", 7, next, Some((2, 0.375))).await, Ok(()));
    let steps = store.list_steps("a", 0, 10).await.expect("steps are read");
    assert_eq!(steps[0].progress, Some(0.375));
    let again = store.take_due_polls(1, LEASE_TIMEOUT).await;
    assert_eq!(again, Ok(vec![DuePoll { job: "a".to_owned(), tries: 1, poll: poll(7, next) }]));
    assert_eq!(store.reschedule_poll("a", 7, FAR, None).await, Ok(()));
    assert_eq!(take_due_polls(&store, 1, LEASE_TIMEOUT).await, owned_names(&[]));
    let steps = store.list_steps("a", 0, 10).await.expect("steps are read");
    assert_eq!(steps[0].progress, Some(0.375), "no progress told leaves what was told before");
    assert_eq!(store.reschedule_poll("a", 7, FAR, Some((2, 0.25))).await, Ok(()));
    let shown = store.list_steps_in_progress("a", 10).await.expect("steps are read");
    let shown: Vec<_> = shown.iter().map(|step| (step.ordinal, step.progress)).collect();
    assert_eq!(shown, [(2, Some(0.375))], "progress never falls");
    assert_eq!(store.list_steps_in_progress("missing", 10).await, Ok(Vec::new()));
    let ticket = serde_json::json!({"seen": "running"});
    assert_eq!(store.replace_poll_ticket("a", 7, ticket.clone()).await, Ok(()));
    assert_eq!(store.replace_poll_ticket("a", 8, ticket.clone()).await, Ok(()), "it may have ended");
    assert_eq!(store.reschedule_poll("a", 7, PAST, None).await, Ok(()));
    let taken = store.take_due_polls(1, LEASE_TIMEOUT).await.expect("polls are taken");
    assert_eq!(taken.into_iter().map(|due| due.poll.ticket).collect::<Vec<_>>(), [ticket]);
}

async fn a_poll_that_is_over_is_not_put_back(store: Subject) {
    let version = with_polls(&store, "a", vec![poll(2, PAST)]).await;
    assert_eq!(take_due_polls(&store, 1, LEASE_TIMEOUT).await, owned_names(&[("a", 2)]));
    commit(&store, Commit { polls_cleared: vec![2], ..releasing_turn("a", version, None) }).await;
    assert_eq!(store.reschedule_poll("a", 2, PAST, Some((2, 0.5))).await, Ok(()));
    assert_eq!(store.reschedule_poll("missing", 2, PAST, None).await, Ok(()));
    assert_eq!(take_due_polls(&store, 1, LEASE_TIMEOUT).await, owned_names(&[]));
    let steps = store.list_steps("a", 0, 10).await.expect("steps are read");
    assert_eq!(steps[0].progress, None);
}

async fn a_poll_is_replaced_under_its_effect(store: Subject) {
    let version = with_polls(&store, "a", vec![poll(2, FAR), poll(3, PAST)]).await;
    store.reschedule_poll("a", 3, PAST, None).await.expect("a poll is put back");
    // An attempt's poll may be cleared and added in one turn: the added one stays.
    let polls = vec![poll(2, PAST), Poll { ticket: serde_json::json!("new"), ..poll(3, Timestamp(2_000)) }];
    commit(&store, Commit { polls: polls.clone(), polls_cleared: vec![3], ..releasing_turn("a", version, None) }).await;
    let due = store.take_due_polls(10, LEASE_TIMEOUT).await.expect("polls are taken");
    assert_eq!(due.iter().map(|due| (due.tries, &due.poll)).collect::<Vec<_>>(), [(0, &polls[0]), (0, &polls[1])]);
}

async fn an_ended_job_polls_no_more(store: Subject) {
    let version = with_polls(&store, "a", vec![poll(2, PAST)]).await;
    commit(&store, Commit { polls: vec![poll(3, PAST)], ..ending_turn("a", version) }).await;
    assert_eq!(take_due_polls(&store, 10, LEASE_TIMEOUT).await, owned_names(&[]));
    assert_eq!(store.read_next_due_at().await, Ok(None));
}

async fn a_providers_work_is_one_attempts(store: Subject) {
    for id in ["a", "b"] {
        create(&store, id).await;
    }
    for (provider, provider_id, job, effect, is_own) in [
        ("one", "p", "a", 2, true),
        ("one", "p", "a", 2, true),
        ("one", "p", "a", 3, false),
        ("one", "p", "b", 2, false),
        ("one", "q", "b", 2, true),
        ("two", "p", "b", 2, true),
    ] {
        let (provider, provider_id, job) = (provider.to_owned(), provider_id.to_owned(), job.to_owned());
        let following = ProviderWorkClaim { provider, provider_id, job, effect };
        assert_eq!(store.claim_provider_work(following.clone()).await, Ok(is_own), "{following:?}");
    }
}
