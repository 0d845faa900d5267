//! Slots of attempts that share a provider's limits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::fixtures::{
    LEASE_TIMEOUT, Subject, claim, claim_one, commit, create, create_claimed, empty_turn, ending_turn, inbox_keys,
    new_job, nothing_is_due, releasing_turn,
};
use crate::ports::{Commit, NewJob, RequestWindow, SlotWaiter, SubmitLimits, SubmitSlotRequest};

super::list_cases![
    no_more_attempts_of_a_key_have_a_slot_than_the_limit,
    a_slot_that_is_held_is_given_again,
    the_end_of_an_attempt_gives_its_slot_to_the_next,
    an_attempt_that_waits_keeps_its_place_when_it_ends,
    the_end_of_a_job_gives_its_slots_to_others,
    a_job_whose_worker_is_gone_keeps_its_slots,
    users_take_turns,
    no_more_attempts_start_within_a_window_than_the_limit,
    waiting_for_a_window_says_when_it_ends,
];

pub(super) fn in_flight(limit: u64) -> SubmitLimits {
    SubmitLimits { in_flight: Some(limit), requests: None }
}

pub(super) fn per_hour(count: u64) -> SubmitLimits {
    SubmitLimits { in_flight: None, requests: Some(RequestWindow { count, window_s: 3_600 }) }
}

fn request(key: &str, limits: SubmitLimits, job: &str, step: u64) -> SubmitSlotRequest {
    let message = json!({"fact": "slot_granted", "step": step});
    SubmitSlotRequest { key: key.to_owned(), limits, waiter: SlotWaiter::Step { job: job.to_owned(), step, message } }
}

pub(super) async fn ask(store: &Subject, limits: SubmitLimits, job: &str, step: u64) -> bool {
    store.request_submit_slot(request("k", limits, job, step)).await.expect("a slot is requested")
}

pub(super) async fn assign(store: &Subject) -> Vec<String> {
    let mut woken = store.assign_submit_slots().await.expect("slots are assigned");
    woken.sort();
    woken
}

/// Ends the attempts of steps; returns the job's new version.
pub(super) async fn end_attempts(store: &Subject, job: &str, version: u64, steps: &[u64]) -> u64 {
    commit(store, Commit { ended_attempts: steps.to_vec(), ..empty_turn(job, version) }).await
}

async fn no_more_attempts_of_a_key_have_a_slot_than_the_limit(store: Subject) {
    create_claimed(&store, "a").await;
    for (step, expected) in [(2, true), (3, true), (4, false), (5, false)] {
        assert_eq!(ask(&store, in_flight(2), "a", step).await, expected, "step {step}");
    }
    let other = store.request_submit_slot(request("other", in_flight(1), "a", 9)).await;
    assert_eq!(other, Ok(true), "another key has its own slots");
    assert_eq!(assign(&store).await, Vec::<String>::new());
    assert_eq!(inbox_keys(&store, "a").await, Vec::<String>::new());
}

async fn a_slot_that_is_held_is_given_again(store: Subject) {
    create_claimed(&store, "a").await;
    assert!(ask(&store, in_flight(1), "a", 2).await && ask(&store, in_flight(1), "a", 2).await);
    assert!(!ask(&store, in_flight(1), "a", 3).await);
}

async fn the_end_of_an_attempt_gives_its_slot_to_the_next(store: Subject) {
    let version = create_claimed(&store, "a").await;
    create(&store, "b").await;
    let other = claim_one(&store, "worker", "b").await;
    assert!(ask(&store, in_flight(1), "a", 2).await);
    assert!(!ask(&store, in_flight(1), "b", 2).await && !ask(&store, in_flight(1), "b", 3).await);
    commit(&store, releasing_turn("b", other, None)).await;
    nothing_is_due(&store).await;
    end_attempts(&store, "a", version, &[2]).await;
    assert_eq!(assign(&store).await, ["b"]);
    let messages = store.read_inbox("b").await.expect("an inbox is read");
    assert_eq!(messages.len(), 1, "one of the two has its slot");
    assert_eq!(messages[0].payload, json!({"fact": "slot_granted", "step": 2}), "the one that waited longer");
    claim_one(&store, "worker", "b").await;
    assert!(ask(&store, in_flight(1), "b", 2).await, "it is held now");
    assert_eq!(assign(&store).await, Vec::<String>::new());
}

async fn an_attempt_that_waits_keeps_its_place_when_it_ends(store: Subject) {
    let version = create_claimed(&store, "a").await;
    assert!(ask(&store, in_flight(1), "a", 2).await && !ask(&store, in_flight(1), "a", 3).await);
    let version = end_attempts(&store, "a", version, &[3]).await;
    end_attempts(&store, "a", version, &[2]).await;
    assert_eq!(assign(&store).await, ["a"], "only held slots end with an attempt");
}

async fn the_end_of_a_job_gives_its_slots_to_others(store: Subject) {
    let version = create_claimed(&store, "a").await;
    create_claimed(&store, "b").await;
    for step in [2, 3] {
        assert!(ask(&store, in_flight(2), "a", step).await);
    }
    for (job, step) in [("a", 4), ("b", 2), ("b", 3), ("b", 4)] {
        assert!(!ask(&store, in_flight(2), job, step).await);
    }
    commit(&store, ending_turn("a", version)).await;
    assert_eq!(assign(&store).await, ["b", "b"], "the waiting step of the ended job gets none");
}

async fn a_job_whose_worker_is_gone_keeps_its_slots(store: Subject) {
    create(&store, "a").await;
    claim(&store, "gone", 1, Duration::ZERO).await;
    assert!(ask(&store, in_flight(1), "a", 2).await);
    let version = claim_one(&store, "worker", "a").await;
    create_claimed(&store, "b").await;
    assert!(!ask(&store, in_flight(1), "b", 2).await);
    end_attempts(&store, "a", version, &[2]).await;
    assert_eq!(assign(&store).await, ["b"]);
}

async fn users_take_turns(store: Subject) {
    for (job, user) in [("a", "ada"), ("b", "bob")] {
        let created_by = Some(user.to_owned());
        store.create_job(NewJob { created_by, ..new_job(job) }, None).await.expect("a new job is made");
    }
    let mut versions: Vec<(String, u64)> =
        claim(&store, "worker", 2, LEASE_TIMEOUT).await.into_iter().map(|held| (held.job, held.version)).collect();
    assert!(ask(&store, in_flight(1), "a", 2).await);
    for (job, step) in [("a", 3), ("a", 4), ("a", 5), ("b", 2), ("b", 3)] {
        assert!(!ask(&store, in_flight(1), job, step).await);
    }
    let mut order = Vec::new();
    let (mut held, mut step) = ("a".to_owned(), 2);
    let mut served = std::collections::BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
    for _ in 0..5 {
        let version = versions.iter_mut().find(|(job, _)| *job == held).expect("both are claimed");
        version.1 = end_attempts(&store, &held, version.1, &[step]).await;
        let woken = assign(&store).await;
        assert_eq!(woken.len(), 1);
        held.clone_from(&woken[0]);
        let next = served.get_mut(&held).expect("a known job");
        *next += 1;
        step = *next;
        order.push(held.clone());
    }
    assert_eq!(order, ["b", "a", "b", "a", "a"]);
}

async fn no_more_attempts_start_within_a_window_than_the_limit(store: Subject) {
    let version = create_claimed(&store, "a").await;
    assert!(ask(&store, per_hour(2), "a", 2).await && ask(&store, per_hour(2), "a", 3).await);
    assert!(!ask(&store, per_hour(2), "a", 4).await);
    end_attempts(&store, "a", version, &[2, 3]).await;
    assert_eq!(assign(&store).await, Vec::<String>::new(), "ended attempts count in their window");
    let both = SubmitLimits { in_flight: Some(1), requests: Some(RequestWindow { count: 9, window_s: 3_600 }) };
    let other = |step| request("both", both, "a", step);
    assert_eq!(store.request_submit_slot(other(7)).await, Ok(true));
    assert_eq!(store.request_submit_slot(other(8)).await, Ok(false), "both limits hold");
}

async fn waiting_for_a_window_says_when_it_ends(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, releasing_turn("a", version, None)).await;
    assert!(ask(&store, per_hour(1), "a", 2).await);
    assert_eq!(store.read_next_due_at().await, Ok(None));
    assert!(!ask(&store, per_hour(1), "a", 3).await);
    assert!(store.read_next_due_at().await.is_ok_and(|due| due.is_some()));
}

const RACER_COUNT: usize = 20;
const SLOT_LIMIT: u64 = 3;

/// Attempts on both stores race for slots: no more of them are at work than the limit, and all get their turn.
pub(super) async fn stores_that_race_for_submit_slots_give_no_more_than_there_are(stores: [Subject; 2]) {
    let created = (0..RACER_COUNT).map(|index| {
        let id = format!("sender-{index:02}");
        let created_by = Some(format!("user-{}", index % 3));
        stores[0].create_job(NewJob { created_by, ..new_job(&id) }, None)
    });
    assert!(join_all(created).await.iter().all(Result::is_ok), "jobs are made");
    let claims = claim(&stores[0], "worker", RACER_COUNT, LEASE_TIMEOUT).await;
    let running = AtomicUsize::new(0);
    let senders = claims.into_iter().enumerate().map(|(index, held)| {
        let (store, running) = (&stores[index % 2], &running);
        async move {
            let mut has_slot = store
                .request_submit_slot(request("race", in_flight(SLOT_LIMIT), &held.job, 2))
                .await
                .expect("a slot is requested");
            let mut tries = 0;
            while !has_slot {
                tokio::time::sleep(Duration::from_millis(5)).await;
                store.assign_submit_slots().await.expect("slots are assigned");
                has_slot = !store.read_inbox(&held.job).await.expect("an inbox is read").is_empty();
                tries += 1;
                assert!(tries < 2_000, "`{}` never gets its slot", held.job);
            }
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(now <= SLOT_LIMIT as usize, "{now} attempts are at work at the same time");
            tokio::time::sleep(Duration::from_millis(3)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            commit(store, ending_turn(&held.job, held.version)).await;
        }
    });
    join_all(senders).await;
}
