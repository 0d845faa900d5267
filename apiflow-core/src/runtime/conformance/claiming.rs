//! Claims, leases and due times.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, FAR, LEASE_TIMEOUT, PAST, Subject, claim, claim_one, commit, create, create_claimed,
    empty_turn, ending_turn, fenced_error, job_state, new_job, nothing_is_due, poll, read_row, releasing_turn,
};
use crate::ports::{Commit, JobState, JobStatus, NewJob, RenewedLease, Timestamp};

super::list_cases![
    a_new_job_is_due_at_once,
    jobs_are_claimed_oldest_wake_up_first_up_to_the_limit,
    jobs_of_higher_priority_are_claimed_first,
    a_commit_changes_the_priority,
    a_job_that_waits_is_not_due,
    a_leased_job_is_not_claimed,
    an_ended_lease_is_claimed_again_with_a_raised_version,
    claims_at_once_give_each_job_to_one_worker,
    claims_are_counted_until_a_commit,
    an_ended_job_is_never_claimed,
    renewing_prolongs_only_what_the_worker_holds,
    renewing_tells_of_messages,
    the_next_due_moment_is_the_earliest,
];

async fn a_new_job_is_due_at_once(store: Subject) {
    nothing_is_due(&store).await;
    create(&store, "a").await;
    claim_one(&store, "worker", "a").await;
    nothing_is_due(&store).await;
}

async fn jobs_are_claimed_oldest_wake_up_first_up_to_the_limit(store: Subject) {
    for id in ["a", "b", "c"] {
        create(&store, id).await;
    }
    for held in claim(&store, "worker", 3, LEASE_TIMEOUT).await {
        let wake_at = match held.job.as_str() {
            "a" => 3_000,
            "b" => 1_000,
            _ => 2_000,
        };
        commit(&store, releasing_turn(&held.job, held.version, Some(Timestamp(wake_at)))).await;
    }
    let order: Vec<String> = claim(&store, "worker", 2, LEASE_TIMEOUT).await.into_iter().map(|held| held.job).collect();
    assert_eq!(order, ["b", "c"]);
    claim_one(&store, "worker", "a").await;
}

async fn claims_are_counted_until_a_commit(store: Subject) {
    create(&store, "a").await;
    for tries in 1..=3 {
        let held = claim(&store, "worker", 1, EXPIRED_LEASE_TIMEOUT).await.remove(0);
        assert_eq!(held.tries, tries);
        if tries == 3 {
            commit(&store, releasing_turn("a", held.version, Some(PAST))).await;
        }
    }
    assert_eq!(claim(&store, "worker", 1, LEASE_TIMEOUT).await.remove(0).tries, 1);
}

async fn claim_order(store: &Subject, want: usize) -> Vec<String> {
    claim(store, "worker", want, LEASE_TIMEOUT).await.into_iter().map(|held| held.job).collect()
}

async fn jobs_of_higher_priority_are_claimed_first(store: Subject) {
    for (id, priority) in [("a", 0), ("b", -32_768), ("c", 7), ("d", 32_767), ("e", 7), ("f", 0)] {
        store.create_job(NewJob { priority, ..new_job(id) }, None).await.expect("a new job is made");
        assert_eq!(read_row(&store, id).await.state.priority, priority);
    }
    // A waiting job does not hide others of its own or a lower priority.
    store.create_job(NewJob { priority: 7, ..new_job("g") }, None).await.expect("a new job is made");
    let mut due = claim_order(&store, 1).await;
    assert_eq!(due, ["d"]);
    for wanted in [2, 1] {
        let claimed = claim(&store, "worker", wanted, LEASE_TIMEOUT).await;
        for held in &claimed {
            let waits = Commit { state: with_priority(7), ..releasing_turn(&held.job, held.version, Some(FAR)) };
            commit(&store, waits).await;
        }
        due.extend(claimed.into_iter().map(|held| held.job));
    }
    due.sort();
    assert_eq!(due, ["c", "d", "e", "g"], "those of 7 come before those of 0");
    let zero = claim_order(&store, 2).await.into_iter().collect::<BTreeSet<_>>();
    assert!(zero.iter().eq(["a", "f"]), "{zero:?}");
    assert_eq!(claim_order(&store, 1).await, ["b"]);
}

fn with_priority(priority: i32) -> JobState {
    JobState { priority, ..job_state(JobStatus::Running) }
}

async fn a_commit_changes_the_priority(store: Subject) {
    for id in ["a", "b", "c"] {
        create(&store, id).await;
    }
    for held in claim(&store, "worker", 3, LEASE_TIMEOUT).await {
        let (priority, wake_at) = match held.job.as_str() {
            "a" => (5, 3_000),
            "b" => (-1, 1_000),
            _ => (5, 2_000),
        };
        let turn = releasing_turn(&held.job, held.version, Some(Timestamp(wake_at)));
        commit(&store, Commit { state: with_priority(priority), ..turn }).await;
    }
    assert_eq!(read_row(&store, "b").await.state.priority, -1);
    assert_eq!(claim_order(&store, 1).await, ["c"], "the older wake-up of the higher priority");
    assert_eq!(claim_order(&store, 2).await, ["a", "b"]);
}

async fn a_job_that_waits_is_not_due(store: Subject) {
    for (id, wake_at) in [("a", Some(FAR)), ("b", None)] {
        let version = create_claimed(&store, id).await;
        commit(&store, releasing_turn(id, version, wake_at)).await;
    }
    nothing_is_due(&store).await;
}

async fn a_leased_job_is_not_claimed(store: Subject) {
    let version = create_claimed(&store, "a").await;
    nothing_is_due(&store).await;
    commit(&store, empty_turn("a", version)).await;
    nothing_is_due(&store).await;
}

async fn an_ended_lease_is_claimed_again_with_a_raised_version(store: Subject) {
    create(&store, "a").await;
    let first = claim(&store, "first", 1, EXPIRED_LEASE_TIMEOUT).await.remove(0);
    let second = claim(&store, "second", 1, LEASE_TIMEOUT).await.remove(0);
    assert_eq!(second.job, "a");
    assert!(second.version > first.version, "a claim raises the version");
    assert_eq!(store.commit_turn(empty_turn("a", first.version)).await, fenced_error("a"));
    commit(&store, empty_turn("a", second.version)).await;
}

async fn claims_at_once_give_each_job_to_one_worker(store: Subject) {
    const JOB_COUNT: usize = 40;
    for index in 0..JOB_COUNT {
        create(&store, &format!("job-{index:02}")).await;
    }
    let workers = ["w0", "w1", "w2", "w3"].map(|worker| claim(&store, worker, JOB_COUNT / 4, LEASE_TIMEOUT));
    let claimed: Vec<String> = join_all(workers).await.into_iter().flatten().map(|claim| claim.job).collect();
    let distinct: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (JOB_COUNT, JOB_COUNT), "each job is claimed once");
    nothing_is_due(&store).await;
}

async fn an_ended_job_is_never_claimed(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, ending_turn("a", version)).await;
    let version = create_claimed(&store, "b").await;
    commit(&store, Commit { lease: crate::ports::LeaseChange::Keep, ..ending_turn("b", version) }).await;
    let version = create_claimed(&store, "c").await;
    commit(&store, Commit { lease: releasing_turn("c", version, Some(PAST)).lease, ..ending_turn("c", version) }).await;
    nothing_is_due(&store).await;
    assert_eq!(
        store.renew_leases("worker", &["a".to_owned(), "b".to_owned()], EXPIRED_LEASE_TIMEOUT).await,
        Ok(Vec::new())
    );
    nothing_is_due(&store).await;
    assert_eq!(store.read_next_due_at().await, Ok(None));
}

async fn renewing_prolongs_only_what_the_worker_holds(store: Subject) {
    create(&store, "a").await;
    create(&store, "b").await;
    claim(&store, "first", 2, EXPIRED_LEASE_TIMEOUT).await;
    let asked = ["b".to_owned(), "missing".to_owned()];
    assert_eq!(
        store.renew_leases("second", &asked, LEASE_TIMEOUT).await,
        Ok(Vec::new()),
        "another worker's lease is not prolonged"
    );
    let renewed = store.renew_leases("first", &asked, LEASE_TIMEOUT).await;
    assert_eq!(renewed, Ok(vec![RenewedLease { job: "b".to_owned(), has_messages: false }]));
    claim_one(&store, "second", "a").await;
    nothing_is_due(&store).await;
    assert_eq!(
        store.renew_leases("first", &["a".to_owned()], LEASE_TIMEOUT).await,
        Ok(Vec::new()),
        "a lost lease is lost"
    );
}

async fn renewing_tells_of_messages(store: Subject) {
    let version = create_claimed(&store, "a").await;
    store.deliver_message("a", "k", serde_json::json!(1), None).await.expect("a message is delivered");
    let asked = ["a".to_owned()];
    let renewed = |has_messages| Ok(vec![RenewedLease { job: "a".to_owned(), has_messages }]);
    assert_eq!(store.renew_leases("worker", &asked, LEASE_TIMEOUT).await, renewed(true));
    let consumed =
        store.read_inbox("a").await.expect("an inbox is read").into_iter().map(|message| message.id).collect();
    commit(&store, Commit { consumed, ..empty_turn("a", version) }).await;
    assert_eq!(store.renew_leases("worker", &asked, LEASE_TIMEOUT).await, renewed(false));
}

async fn the_next_due_moment_is_the_earliest(store: Subject) {
    assert_eq!(store.read_next_due_at().await, Ok(None));
    let later = |ms| Timestamp(FAR.0 + ms);
    for (id, wake_at, poll_at) in [("a", Some(later(3)), later(4)), ("b", None, later(2))] {
        let version = create_claimed(&store, id).await;
        commit(&store, Commit { polls: vec![poll(1, poll_at)], ..releasing_turn(id, version, wake_at) }).await;
    }
    assert_eq!(store.read_next_due_at().await, Ok(Some(later(2))));
    store.deliver_message("b", "over", serde_json::Value::Null, Some(1)).await.expect("a message is delivered");
    let version = claim_one(&store, "worker", "b").await;
    commit(&store, ending_turn("b", version)).await;
    assert_eq!(store.read_next_due_at().await, Ok(Some(later(3))));
}
