//! Values, lists and pages.

use serde_json::{Value, json};

use super::fixtures::{
    Subject, call_record, claim_one, commit, create, create_claimed, empty_turn, ending_turn, event_row, event_with,
    job_state, list_ids, new_job, step_row,
};
use crate::ports::{CallRecord, Commit, EventRow, JobFilter, JobOrder, JobStatus, NewJob, Timestamp};

super::list_cases![
    values_come_in_the_order_asked,
    values_are_kept_to_the_last_bit,
    a_list_comes_in_order_of_its_index,
    events_are_paged_without_their_values,
    steps_are_paged,
    calls_are_of_one_step_in_order,
    a_reply_completes_the_first_submit_of_its_attempt_that_has_none,
    jobs_are_paged_in_both_orders,
    jobs_are_filtered,
    active_jobs_are_counted_by_status,
    a_missing_job_has_nothing,
];

async fn values_come_in_the_order_asked(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let events = vec![event_with(2, json!("two")), event_row(3), event_with(4, Value::Null)];
    commit(&store, Commit { events, ..empty_turn("a", version) }).await;
    let asked = [4, 2, 3, 9, 2];
    let two = Some(json!("two"));
    let found = store.read_values("a", &asked).await;
    assert_eq!(found, Ok(vec![Some(Value::Null), two.clone(), None, None, two]), "null is a value, none is none");
    assert_eq!(store.read_values("a", &[]).await, Ok(Vec::new()));
}

async fn values_are_kept_to_the_last_bit(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let values = [
        json!({"zeta": 1, "alpha": {"y": 2, "b": 3}, "": null}),
        json!([0.1, 1e300, -0.0, 5e-324, 0.300_000_000_000_000_04, 123_456_789.123_456_79]),
        json!([u64::MAX, i64::MIN, 9_007_199_254_740_993_u64]),
        json!("quote \" backslash \\ nul \u{0} line \n ünï 漢字 🦀 \u{2028}"),
        json!("x".repeat(1_000_000)),
        json!([[], {}, "", [[[[]]]]]),
    ];
    let events = (2..).zip(&values).map(|(seq, value)| event_with(seq, value.clone())).collect();
    commit(&store, Commit { events, ..empty_turn("a", version) }).await;
    let found = store.read_values("a", &[2, 3, 4, 5, 6, 7]).await.expect("values are read");
    for (value, found) in values.iter().zip(found) {
        assert_eq!(found.map(|found| found.to_string()), Some(value.to_string()), "value and order of keys are kept");
    }
}

async fn a_list_comes_in_order_of_its_index(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let items = [(2, (7, 2)), (3, (7, 10)), (4, (8, 0)), (5, (7, 0)), (6, (7, 1))];
    let events = items.map(|(seq, item)| EventRow { item: Some(item), ..event_row(seq) });
    commit(&store, Commit { events: events.to_vec(), ..empty_turn("a", version) }).await;
    let bodies = [5, 6, 2, 3].map(|seq| event_row(seq).body).to_vec();
    assert_eq!(store.read_list("a", 7).await, Ok(bodies));
    assert_eq!(store.read_list("a", 9).await, Ok(Vec::new()));
}

async fn events_are_paged_without_their_values(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let events =
        vec![event_with(2, json!(2)), EventRow { item: Some((1, 0)), ..event_with(3, json!(3)) }, event_row(4)];
    commit(&store, Commit { events, ..empty_turn("a", version) }).await;
    let third = EventRow { item: Some((1, 0)), ..event_row(3) };
    assert_eq!(store.read_events("a", 0, 2).await, Ok(vec![event_row(1), event_row(2)]));
    assert_eq!(store.read_events("a", 2, 2).await, Ok(vec![third, event_row(4)]));
    assert_eq!(store.read_events("a", 4, 2).await, Ok(Vec::new()));
}

async fn steps_are_paged(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, Commit { steps: vec![step_row(12), step_row(3), step_row(5)], ..empty_turn("a", version) }).await;
    assert_eq!(store.list_steps("a", 0, 2).await, Ok(vec![step_row(3), step_row(5)]));
    assert_eq!(store.list_steps("a", 5, 2).await, Ok(vec![step_row(12)]));
}

async fn calls_are_of_one_step_in_order(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let calls = vec![call_record(2, 2), call_record(3, 1), call_record(2, 1)];
    let version = commit(&store, Commit { calls, ..empty_turn("a", version) }).await;
    commit(&store, Commit { calls: vec![call_record(2, 3)], ..empty_turn("a", version) }).await;
    assert_eq!(
        store.list_calls("a", 2).await,
        Ok(vec![call_record(2, 2), call_record(2, 1), call_record(2, 3)]),
        "in order of their writing"
    );
    assert_eq!(store.list_calls("a", 4).await, Ok(Vec::new()));
}

async fn a_reply_completes_the_first_submit_of_its_attempt_that_has_none(store: Subject) {
    let mut version = create_claimed(&store, "a").await;
    let sent = |step, attempt| CallRecord { reply: json!({}), ..call_record(step, attempt) };
    let reply = |step, attempt, status| CallRecord {
        request: Value::Null,
        reply: json!({"status": status}),
        at: Timestamp(5_600),
        ..call_record(step, attempt)
    };
    let whole =
        |step, attempt, status| CallRecord { request: sent(step, attempt).request, ..reply(step, attempt, status) };
    let turns = [
        vec![sent(2, 1), sent(3, 1)],
        vec![reply(3, 1, 300), sent(2, 2), reply(2, 1, 429), sent(2, 1)],
        // The last one is sent and answered within a turn, and the submit of the one before it was not recorded.
        vec![reply(2, 1, 201), reply(4, 1, 404), sent(4, 2), reply(4, 2, 200)],
    ];
    for calls in turns {
        version = commit(&store, Commit { calls, ..empty_turn("a", version) }).await;
    }
    assert_eq!(store.list_calls("a", 2).await, Ok(vec![whole(2, 1, 429), sent(2, 2), whole(2, 1, 201)]));
    assert_eq!(store.list_calls("a", 3).await, Ok(vec![whole(3, 1, 300)]));
    assert_eq!(store.list_calls("a", 4).await, Ok(vec![reply(4, 1, 404), whole(4, 2, 200)]));
}

async fn jobs_are_paged_in_both_orders(store: Subject) {
    for id in ["b", "d", "a", "c"] {
        create(&store, id).await;
    }
    let all = JobFilter::default();
    assert_eq!(list_ids(&store, &all, None, 3).await, ["d", "c", "b"]);
    assert_eq!(list_ids(&store, &all, Some("b"), 3).await, ["a"]);
    assert_eq!(list_ids(&store, &all, Some("bb"), 1).await, ["b"], "the job to go on from may be gone");
    let oldest = JobFilter { order: JobOrder::Oldest, ..JobFilter::default() };
    assert_eq!(list_ids(&store, &oldest, None, 3).await, ["a", "b", "c"]);
    assert_eq!(list_ids(&store, &oldest, Some("c"), 3).await, ["d"]);
    assert_eq!(list_ids(&store, &oldest, Some("aa"), 1).await, ["b"], "the job to go on from may be gone");
    let pending = JobFilter { status: Some(JobStatus::Pending), ..oldest };
    assert_eq!(list_ids(&store, &pending, Some("b"), 3).await, ["c", "d"]);
}

async fn jobs_are_filtered(store: Subject) {
    let jobs = [("a", Some("w1"), None, 1_000), ("b", Some("w2"), None, 2_000), ("c", None, Some("n1"), 3_000)];
    for (id, workflow, node, at) in jobs {
        let job = NewJob {
            workflow_id: workflow.map(str::to_owned),
            node_id: node.map(str::to_owned),
            name: format!("50% of {id}_X"),
            created_by: Some(format!("user-{id}")),
            created_at: Timestamp(at),
            ..new_job(id)
        };
        store.create_job(job, None).await.expect("a new job is made");
        if id == "b" {
            // The others are older and due, too, so all due jobs are claimed, but only `b` ends.
            for held in store.claim_due_jobs("worker", 10, super::fixtures::LEASE_TIMEOUT).await.expect("a claim works")
            {
                if held.job == "b" {
                    commit(&store, ending_turn("b", held.version)).await;
                }
            }
        }
    }
    check_filter(&store, JobFilter { status: Some(JobStatus::Completed), ..JobFilter::default() }, &["b"]).await;
    check_filter(&store, JobFilter { status: Some(JobStatus::Pending), ..JobFilter::default() }, &["c", "a"]).await;
    check_filter(&store, JobFilter { workflow_id: Some("w1".to_owned()), ..JobFilter::default() }, &["a"]).await;
    check_filter(&store, JobFilter { node_id: Some("n1".to_owned()), ..JobFilter::default() }, &["c"]).await;
    check_filter(&store, JobFilter { created_after: Some(Timestamp(2_000)), ..JobFilter::default() }, &["c", "b"])
        .await;
    check_filter(&store, JobFilter { created_before: Some(Timestamp(2_000)), ..JobFilter::default() }, &["a"]).await;
    check_filter(&store, JobFilter { created_by: Some("user-b".to_owned()), ..JobFilter::default() }, &["b"]).await;
    for (text, expected) in
        [("of B_x", &["b"][..]), ("0% OF", &["c", "b", "a"]), ("c", &["c"]), ("0_", &[]), ("0% x", &[]), ("!", &[])]
    {
        check_filter(&store, JobFilter { search: Some(text.to_owned()), ..JobFilter::default() }, expected).await;
    }
    let several = JobFilter {
        status: Some(JobStatus::Pending),
        workflow_id: Some("w2".to_owned()),
        created_after: Some(Timestamp(1)),
        ..JobFilter::default()
    };
    check_filter(&store, several, &[]).await;
}

async fn check_filter(store: &Subject, filter: JobFilter, expected: &[&str]) {
    assert_eq!(list_ids(store, &filter, None, 10).await, expected, "{filter:?}");
}

async fn a_missing_job_has_nothing(store: Subject) {
    create(&store, "a").await;
    claim_one(&store, "worker", "a").await;
    assert_eq!(store.read_job("b").await, Ok(None));
    assert_eq!(store.read_values("b", &[1]).await, Ok(vec![None]));
    assert_eq!(store.read_list("b", 1).await, Ok(Vec::new()));
    assert_eq!(store.read_events("b", 0, 10).await, Ok(Vec::new()));
    assert_eq!(store.list_steps("b", 0, 10).await, Ok(Vec::new()));
    assert_eq!(store.list_calls("b", 1).await, Ok(Vec::new()));
}

async fn active_jobs_are_counted_by_status(store: Subject) {
    assert_eq!(store.count_active_jobs().await, Ok([].into()));
    for (id, status) in [("a", JobStatus::Suspended), ("b", JobStatus::Completed), ("c", JobStatus::Running)] {
        let version = create_claimed(&store, id).await;
        commit(&store, Commit { state: job_state(status), ..empty_turn(id, version) }).await;
    }
    for id in ["d", "e"] {
        create(&store, id).await;
    }
    let expected = [(JobStatus::Pending, 2), (JobStatus::Running, 1), (JobStatus::Suspended, 1)];
    assert_eq!(store.count_active_jobs().await, Ok(expected.into()));
}
