//! Results that are cached for other runs.

use serde_json::{Value, json};

use super::fixtures::{Subject, commit, create_claimed, empty_turn, ending_turn, fenced_error};
use crate::ports::{CachedResult, Commit};

super::list_cases![
    a_kept_result_is_given_to_every_job,
    a_later_result_replaces_the_one_before_and_its_expiry,
    the_last_of_several_results_under_one_key_counts,
    an_expired_result_is_not_given,
    a_fenced_commit_keeps_no_result,
    results_kept_at_once_do_not_disturb_each_other,
    a_kept_result_outlives_its_job,
];

/// Does not end during a case.
const HOUR_S: u64 = 3_600;

fn cached_result(key: &str, value: Value, ttl_s: u64) -> CachedResult {
    CachedResult { key: key.to_owned(), value, ttl_s }
}

async fn commit_cached(store: &Subject, job: &str, version: u64, cached: Vec<CachedResult>) -> u64 {
    commit(store, Commit { cached, ..empty_turn(job, version) }).await
}

async fn check_cached(store: &Subject, key: &str, expected: Option<Value>) {
    assert_eq!(store.read_cached_result(key).await, Ok(expected), "under `{key}`");
}

async fn a_kept_result_is_given_to_every_job(store: Subject) {
    check_cached(&store, "k", None).await;
    let version = create_claimed(&store, "a").await;
    let value = json!({"z": 1, "a": ["ü", null, 2.5]});
    let rows = vec![
        cached_result("k", value.clone(), HOUR_S),
        cached_result("null", Value::Null, HOUR_S),
        cached_result("ever", json!(1), u64::MAX),
    ];
    commit_cached(&store, "a", version, rows).await;
    check_cached(&store, "k", Some(value)).await;
    let read = store.read_cached_result("k").await.expect("a result is read").expect("it is kept");
    assert_eq!(read.to_string(), r#"{"z":1,"a":["ü",null,2.5]}"#, "the order of keys is kept");
    check_cached(&store, "null", Some(Value::Null)).await;
    check_cached(&store, "ever", Some(json!(1))).await;
    check_cached(&store, "K", None).await;
}

async fn a_later_result_replaces_the_one_before_and_its_expiry(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let version = commit_cached(
        &store,
        "a",
        version,
        vec![cached_result("k", json!(1), 0), cached_result("l", json!(1), HOUR_S)],
    )
    .await;
    commit_cached(&store, "a", version, vec![cached_result("k", json!(2), HOUR_S)]).await;
    let version = create_claimed(&store, "b").await;
    commit_cached(&store, "b", version, vec![cached_result("l", json!(2), 0)]).await;
    check_cached(&store, "k", Some(json!(2))).await;
    check_cached(&store, "l", None).await;
}

async fn the_last_of_several_results_under_one_key_counts(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let rows = vec![
        cached_result("k", json!(1), 0),
        cached_result("l", json!(9), HOUR_S),
        cached_result("k", json!(2), HOUR_S),
    ];
    commit_cached(&store, "a", version, rows).await;
    check_cached(&store, "k", Some(json!(2))).await;
    check_cached(&store, "l", Some(json!(9))).await;
}

async fn an_expired_result_is_not_given(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit_cached(&store, "a", version, vec![cached_result("k", json!(1), 0)]).await;
    check_cached(&store, "k", None).await;
}

async fn a_fenced_commit_keeps_no_result(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let old = Commit { cached: vec![cached_result("k", json!(1), HOUR_S)], ..empty_turn("a", version - 1) };
    assert_eq!(store.commit_turn(old).await, fenced_error("a"));
    check_cached(&store, "k", None).await;
}

async fn results_kept_at_once_do_not_disturb_each_other(store: Subject) {
    const JOB_COUNT: u64 = 12;
    let mut held = Vec::new();
    for index in 0..JOB_COUNT {
        let job = format!("job-{index:02}");
        let version = create_claimed(&store, &job).await;
        held.push((job, version));
    }
    let turns = held.iter().zip(0..JOB_COUNT).map(|((job, version), index)| {
        // Neighbouring commits write the same keys in a different order; every third commit is fenced.
        let cached = [index + 1, index].map(|key| cached_result(&format!("k{key}"), json!(index), HOUR_S)).to_vec();
        store.commit_turn(Commit { cached, ..empty_turn(job, version - u64::from(index % 3 == 2)) })
    });
    let done = futures_util::future::join_all(turns).await;
    for ((done, (job, version)), index) in done.into_iter().zip(&held).zip(0..JOB_COUNT) {
        assert_eq!(done, if index % 3 == 2 { fenced_error(job) } else { Ok(version + 1) });
    }
    for key in 0..JOB_COUNT {
        let writers: Vec<u64> =
            [key.checked_sub(1), Some(key)].into_iter().flatten().filter(|writer| writer % 3 != 2).collect();
        let value = store
            .read_cached_result(&format!("k{key}"))
            .await
            .expect("a result is read")
            .and_then(|value| value.as_u64());
        assert!(value.is_some_and(|value| writers.contains(&value)), "k{key} is {value:?}, written by {writers:?}");
    }
}

async fn a_kept_result_outlives_its_job(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let version = commit_cached(&store, "a", version, vec![cached_result("k", json!(1), HOUR_S)]).await;
    commit(&store, ending_turn("a", version)).await;
    store.delete_job("a").await.expect("an ended job is removed");
    check_cached(&store, "k", Some(json!(1))).await;
}
