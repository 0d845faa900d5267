//! Slots that jobs with the same concurrency key share.

use serde_json::json;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, FAR, LEASE_TIMEOUT, PAST, Subject, claim, claim_one, commit, create_claimed, ending_turn,
    inbox_keys, job_state, limited_job, new_job, nothing_is_due, read_row, releasing_turn,
};
use crate::ports::{Commit, JobStatus, NewJob, Timestamp};

super::list_cases![
    no_more_jobs_of_a_key_have_a_slot_than_the_limit,
    the_end_of_a_job_gives_its_slot_to_the_next,
    slots_go_by_priority_then_age,
    a_job_that_waits_or_is_suspended_keeps_its_slot,
    a_job_whose_worker_is_gone_keeps_its_slot,
    keys_and_jobs_without_a_key_do_not_disturb_each_other,
    each_job_has_its_own_limit_and_none_overtakes,
    a_message_does_not_wake_a_job_that_waits_for_its_slot,
    a_job_is_let_through_without_a_slot,
    letting_through_changes_nothing_where_a_job_does_not_wait,
    a_removed_job_has_no_slot,
    no_more_jobs_start_within_a_window_than_the_limit,
    a_removed_job_counts_in_its_window,
    a_job_that_never_started_does_not_count_in_its_window,
    waiting_for_a_window_says_when_it_ends,
];

/// A window that does not end during a case.
const HOUR_S: Option<u64> = Some(3_600);

async fn create(store: &Subject, job: NewJob) {
    store.create_job(job, None).await.expect("a new job is made");
}

async fn end_job(store: &Subject, job: &str, version: u64, status: JobStatus) {
    commit(store, Commit { state: job_state(status), ..ending_turn(job, version) }).await;
}

async fn no_more_jobs_of_a_key_have_a_slot_than_the_limit(store: Subject) {
    for id in ["a", "b"] {
        create(&store, limited_job(id, "k", 2, None)).await;
    }
    claim(&store, "worker", 2, LEASE_TIMEOUT).await;
    let leases_end = store.read_next_due_at().await;
    create(&store, limited_job("c", "k", 2, None)).await;
    nothing_is_due(&store).await;
    assert_eq!(read_row(&store, "c").await.state.status, JobStatus::Pending);
    assert_eq!(store.read_next_due_at().await, leases_end, "nobody needs to look again before something happens");
}

async fn the_end_of_a_job_gives_its_slot_to_the_next(store: Subject) {
    let ends = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];
    for id in ["a", "b", "c", "d"] {
        create(&store, limited_job(id, "k", 1, None)).await;
    }
    for (id, status) in ["a", "b", "c"].into_iter().zip(ends) {
        let version = claim_one(&store, "worker", id).await;
        nothing_is_due(&store).await;
        end_job(&store, id, version, status).await;
        let next = store.read_next_due_at().await.expect("a moment is read").expect("a slot is free");
        assert!(next < FAR, "a claim finds something at once");
    }
    claim_one(&store, "worker", "d").await;
}

async fn slots_go_by_priority_then_age(store: Subject) {
    create(&store, limited_job("first", "k", 1, None)).await;
    let version = claim_one(&store, "worker", "first").await;
    for (id, priority, at) in [("young", 1, 30), ("late", 0, 40), ("old", 1, 20), ("b", 0, 50), ("a", 0, 50)] {
        create(&store, NewJob { priority, created_at: Timestamp(at), ..limited_job(id, "k", 1, None) }).await;
    }
    nothing_is_due(&store).await;
    end_job(&store, "first", version, JobStatus::Completed).await;
    for id in ["old", "young", "late", "a", "b"] {
        let version = claim_one(&store, "worker", id).await;
        nothing_is_due(&store).await;
        end_job(&store, id, version, JobStatus::Completed).await;
    }
}

async fn a_job_that_waits_or_is_suspended_keeps_its_slot(store: Subject) {
    for id in ["a", "b"] {
        create(&store, limited_job(id, "k", 1, None)).await;
    }
    let version = claim_one(&store, "worker", "a").await;
    commit(&store, releasing_turn("a", version, Some(PAST))).await;
    let version = claim_one(&store, "worker", "a").await;
    commit(&store, Commit { state: job_state(JobStatus::Suspended), ..releasing_turn("a", version, None) }).await;
    nothing_is_due(&store).await;
    store.deliver_message("a", "k", json!(1), None).await.expect("a message is delivered");
    let version = claim_one(&store, "worker", "a").await;
    nothing_is_due(&store).await;
    end_job(&store, "a", version, JobStatus::Completed).await;
    claim_one(&store, "worker", "b").await;
}

async fn a_job_whose_worker_is_gone_keeps_its_slot(store: Subject) {
    for id in ["a", "b"] {
        create(&store, limited_job(id, "k", 1, None)).await;
    }
    claim(&store, "killed", 1, EXPIRED_LEASE_TIMEOUT).await;
    let version = claim_one(&store, "worker", "a").await;
    nothing_is_due(&store).await;
    end_job(&store, "a", version, JobStatus::Failed).await;
    claim_one(&store, "worker", "b").await;
}

async fn keys_and_jobs_without_a_key_do_not_disturb_each_other(store: Subject) {
    create(&store, limited_job("a", "k", 1, None)).await;
    create(&store, limited_job("b", "K", 1, None)).await;
    create(&store, limited_job("c", "k", 1, None)).await;
    create(&store, new_job("d")).await;
    let mut held: Vec<String> =
        claim(&store, "worker", 3, LEASE_TIMEOUT).await.into_iter().map(|held| held.job).collect();
    held.sort();
    assert_eq!(held, ["a", "b", "d"]);
    nothing_is_due(&store).await;
}

async fn each_job_has_its_own_limit_and_none_overtakes(store: Subject) {
    for (id, limit) in [("a", 2), ("b", 1), ("c", 2), ("d", 2)] {
        create(&store, limited_job(id, "k", limit, None)).await;
    }
    let version = claim_one(&store, "worker", "a").await;
    nothing_is_due(&store).await;
    end_job(&store, "a", version, JobStatus::Completed).await;
    let held = claim(&store, "worker", 2, LEASE_TIMEOUT).await;
    let versions: Vec<(&str, u64)> = held.iter().map(|held| (held.job.as_str(), held.version)).collect();
    assert!(versions.iter().any(|(job, _)| *job == "b") && versions.iter().any(|(job, _)| *job == "c"));
    nothing_is_due(&store).await;
    for (job, version) in versions {
        end_job(&store, job, version, JobStatus::Completed).await;
    }
    claim_one(&store, "worker", "d").await;
}

async fn a_message_does_not_wake_a_job_that_waits_for_its_slot(store: Subject) {
    for id in ["a", "b"] {
        create(&store, limited_job(id, "k", 1, None)).await;
    }
    let version = claim_one(&store, "worker", "a").await;
    assert_eq!(store.deliver_message("b", "k", json!(1), None).await, Ok(true));
    nothing_is_due(&store).await;
    end_job(&store, "a", version, JobStatus::Completed).await;
    claim_one(&store, "worker", "b").await;
    assert_eq!(inbox_keys(&store, "b").await, ["k"]);
}

async fn a_job_is_let_through_without_a_slot(store: Subject) {
    for id in ["a", "b", "c"] {
        create(&store, limited_job(id, "k", 1, None)).await;
    }
    let first = claim_one(&store, "worker", "a").await;
    assert_eq!(store.waive_slot("b").await, Ok(()));
    let version = claim_one(&store, "worker", "b").await;
    nothing_is_due(&store).await;
    // After its release it still needs no slot.
    commit(&store, releasing_turn("b", version, Some(PAST))).await;
    let version = claim_one(&store, "worker", "b").await;
    end_job(&store, "b", version, JobStatus::Cancelled).await;
    nothing_is_due(&store).await;
    end_job(&store, "a", first, JobStatus::Completed).await;
    claim_one(&store, "worker", "c").await;
}

async fn letting_through_changes_nothing_where_a_job_does_not_wait(store: Subject) {
    assert_eq!(store.waive_slot("missing").await, Ok(()));
    let version = create_claimed(&store, "plain").await;
    assert_eq!(store.waive_slot("plain").await, Ok(()));
    commit(&store, releasing_turn("plain", version, Some(FAR))).await;
    assert_eq!(store.waive_slot("plain").await, Ok(()));
    create(&store, limited_job("a", "k", 1, None)).await;
    create(&store, limited_job("b", "k", 1, None)).await;
    let version = claim_one(&store, "worker", "a").await;
    assert_eq!(store.waive_slot("a").await, Ok(()));
    nothing_is_due(&store).await;
    end_job(&store, "a", version, JobStatus::Completed).await;
    assert_eq!(store.waive_slot("a").await, Ok(()));
    claim_one(&store, "worker", "b").await;
    nothing_is_due(&store).await;
}

async fn a_removed_job_has_no_slot(store: Subject) {
    for id in ["a", "b"] {
        create(&store, limited_job(id, "k", 1, None)).await;
    }
    let version = claim_one(&store, "worker", "a").await;
    end_job(&store, "a", version, JobStatus::Failed).await;
    store.delete_job("a").await.expect("an ended job is removed");
    let version = claim_one(&store, "worker", "b").await;
    // An id that is used again waits like any other.
    create(&store, limited_job("a", "k", 1, None)).await;
    nothing_is_due(&store).await;
    end_job(&store, "b", version, JobStatus::Completed).await;
    claim_one(&store, "worker", "a").await;
}

async fn no_more_jobs_start_within_a_window_than_the_limit(store: Subject) {
    for id in ["a", "b", "c"] {
        create(&store, limited_job(id, "k", 2, HOUR_S)).await;
    }
    for held in claim(&store, "worker", 2, LEASE_TIMEOUT).await {
        end_job(&store, &held.job, held.version, JobStatus::Completed).await;
    }
    nothing_is_due(&store).await;
    assert_eq!(read_row(&store, "c").await.state.status, JobStatus::Pending);
    // Another key has its own window.
    create(&store, limited_job("d", "other", 1, HOUR_S)).await;
    claim_one(&store, "worker", "d").await;
}

async fn a_removed_job_counts_in_its_window(store: Subject) {
    create(&store, limited_job("a", "k", 1, HOUR_S)).await;
    let version = claim_one(&store, "worker", "a").await;
    end_job(&store, "a", version, JobStatus::Completed).await;
    store.delete_job("a").await.expect("an ended job is removed");
    create(&store, limited_job("b", "k", 1, HOUR_S)).await;
    nothing_is_due(&store).await;
}

async fn a_job_that_never_started_does_not_count_in_its_window(store: Subject) {
    for id in ["a", "b", "c"] {
        create(&store, limited_job(id, "k", 2, HOUR_S)).await;
    }
    let held = claim(&store, "worker", 2, LEASE_TIMEOUT).await;
    assert_eq!(store.waive_slot("c").await, Ok(()));
    let version = claim_one(&store, "worker", "c").await;
    end_job(&store, "c", version, JobStatus::Cancelled).await;
    for held in held {
        end_job(&store, &held.job, held.version, JobStatus::Completed).await;
    }
    create(&store, limited_job("d", "k", 2, HOUR_S)).await;
    nothing_is_due(&store).await;
    assert_eq!(store.waive_slot("d").await, Ok(()));
    create(&store, limited_job("e", "k", 3, HOUR_S)).await;
    let mut held: Vec<String> =
        claim(&store, "worker", 2, LEASE_TIMEOUT).await.into_iter().map(|held| held.job).collect();
    held.sort();
    assert_eq!(held, ["d", "e"], "two have started in the window, and the third is let in");
}

async fn waiting_for_a_window_says_when_it_ends(store: Subject) {
    create(&store, limited_job("a", "k", 1, HOUR_S)).await;
    let version = claim_one(&store, "worker", "a").await;
    let lease_ends = store.read_next_due_at().await.expect("a moment is read").expect("a lease ends");
    end_job(&store, "a", version, JobStatus::Completed).await;
    create(&store, limited_job("b", "k", 1, HOUR_S)).await;
    nothing_is_due(&store).await;
    // The lease was as long as the window.
    let next = store.read_next_due_at().await.expect("a moment is read").expect("a window ends");
    let apart = next.since_ms(lease_ends) + lease_ends.since_ms(next);
    assert!(apart < 60_000, "the window ends {apart} ms from an hour after its start");
}
