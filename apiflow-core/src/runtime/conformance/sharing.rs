//! Several processes on one database: none reverts what another holds or has committed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::json;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, LEASE_TIMEOUT, PAST, Subject, commit, create, ending_turn, event_row, fenced_error,
    limited_job, releasing_turn,
};
use crate::ports::{Claim, Commit, JobFilter, JobStatus};

const JOB_COUNT: usize = 24;
/// Sequence number of the last event of each job.
const MAX_SEQ: u64 = 12;
/// Number of rounds without work after which a worker gives up.
const MAX_IDLE_ROUNDS: u32 = 1_000;

/// Four workers, two on each store, steal jobs from each other until all have ended.
pub(super) async fn workers_that_steal_jobs_finish_each_once(stores: [Subject; 2]) {
    for index in 0..JOB_COUNT {
        create(&stores[index % 2], &format!("job-{index:02}")).await;
    }
    let [one, other] = &stores;
    let workers = [
        (one, "w0", EXPIRED_LEASE_TIMEOUT),
        (other, "w1", EXPIRED_LEASE_TIMEOUT),
        (one, "w2", LEASE_TIMEOUT),
        (other, "w3", LEASE_TIMEOUT),
    ];
    let committed: Vec<u64> = join_all(workers.map(|(store, worker, lease)| work_until_done(store, worker, lease)))
        .await
        .into_iter()
        .collect();
    assert_eq!(committed.iter().sum::<u64>(), JOB_COUNT as u64 * (MAX_SEQ - 1), "each event is committed once");
    for index in 0..JOB_COUNT {
        let job = format!("job-{index:02}");
        let events = stores[0].read_events(&job, 0, 100).await.expect("events are read");
        assert!(events.iter().map(|event| event.seq).eq(1..=MAX_SEQ), "the journal of `{job}` has no gap");
    }
}

/// Works until all jobs have ended; returns the number of committed turns.
async fn work_until_done(store: &Subject, worker: &str, lease: Duration) -> u64 {
    let (mut committed, mut idle) = (0, 0);
    while idle < MAX_IDLE_ROUNDS {
        let claims = store.claim_due_jobs(worker, 3, lease).await.expect("a claim works");
        if claims.is_empty() {
            if has_finished(store).await {
                return committed;
            }
            idle += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for claim in claims {
            committed += u64::from(commit_turn(store, worker, claim).await);
        }
    }
    panic!("`{worker}` finds nothing to do, but not all jobs have ended")
}

async fn has_finished(store: &Subject) -> bool {
    let ended = JobFilter { status: Some(JobStatus::Completed), ..JobFilter::default() };
    store.list_jobs(&ended, None, 100).await.expect("a list is read").len() == JOB_COUNT
}

/// Consumes the waiting messages, adds an event, and delivers a message; returns whether the worker still owned the
/// turn.
async fn commit_turn(store: &Subject, worker: &str, claim: Claim) -> bool {
    let loaded = store.load_job(&claim.job).await.expect("the job is loaded");
    let seq = loaded.job.last_seq + 1;
    let held = std::slice::from_ref(&claim.job);
    store.renew_leases(worker, held, EXPIRED_LEASE_TIMEOUT).await.expect("a renewal works");
    let key = format!("{worker}-{seq}");
    store.deliver_message(&claim.job, &key, json!(seq), None).await.expect("a message is delivered");
    let base = if seq == MAX_SEQ {
        ending_turn(&claim.job, claim.version)
    } else {
        releasing_turn(&claim.job, claim.version, Some(PAST))
    };
    let consumed = loaded.inbox.iter().map(|message| message.id).collect();
    let done = store.commit_turn(Commit { events: vec![event_row(seq)], consumed, ..base }).await;
    assert!(done.is_ok() || done == fenced_error(&claim.job), "a turn is taken or lost: {done:?}");
    done.is_ok()
}

const RACER_COUNT: usize = 24;
/// Maximum number of concurrent jobs of the racers' key.
const SLOT_LIMIT: usize = 3;

/// Workers on both stores claim the jobs of one key; then both stores race for the last slot of a new one.
pub(super) async fn stores_that_race_for_slots_give_no_more_than_there_are(stores: [Subject; 2]) {
    let made = (0..RACER_COUNT).map(|index| {
        let job = limited_job(&format!("racer-{index:02}"), "race", SLOT_LIMIT as u64, None);
        stores[index % 2].create_job(job, None)
    });
    assert!(join_all(made).await.iter().all(Result::is_ok), "jobs are made");
    let (running, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let [one, other] = &stores;
    let workers = [(one, "w0"), (other, "w1"), (one, "w2"), (other, "w3")];
    join_all(workers.map(|(store, worker)| race_for_jobs(store, worker, &running, &ended))).await;
    for round in 0..10 {
        let [first, second] =
            [0, 1].map(|place| limited_job(&format!("last-{round}-{place}"), &format!("last-{round}"), 1, None));
        let made = join(one.create_job(first, None), other.create_job(second, None)).await;
        assert!(made.0.is_ok() && made.1.is_ok(), "jobs are made");
        let mut held = Vec::new();
        for _ in 0..3 {
            let claims =
                join(one.claim_due_jobs("w0", 5, LEASE_TIMEOUT), other.claim_due_jobs("w1", 5, LEASE_TIMEOUT)).await;
            held.extend(claims.0.expect("a claim works").into_iter().chain(claims.1.expect("a claim works")));
        }
        assert_eq!(held.len(), 1, "one slot is given once: {held:?}");
    }
}

/// Claims and ends jobs, and counts how many run at the same time, until all have ended.
async fn race_for_jobs(store: &Subject, worker: &str, running: &AtomicUsize, ended: &AtomicUsize) {
    let mut idle = 0;
    while ended.load(Ordering::SeqCst) < RACER_COUNT {
        let claims = store.claim_due_jobs(worker, 2, LEASE_TIMEOUT).await.expect("a claim works");
        if claims.is_empty() {
            idle += 1;
            assert!(idle < MAX_IDLE_ROUNDS, "`{worker}` finds nothing to do, but not all jobs have ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let now = running.fetch_add(claims.len(), Ordering::SeqCst) + claims.len();
        assert!(now <= SLOT_LIMIT, "{now} jobs run at the same time");
        for claim in claims {
            tokio::time::sleep(Duration::from_millis(2)).await;
            // A job stops counting as running before its end is visible.
            running.fetch_sub(1, Ordering::SeqCst);
            commit(store, ending_turn(&claim.job, claim.version)).await;
            ended.fetch_add(1, Ordering::SeqCst);
        }
    }
}
