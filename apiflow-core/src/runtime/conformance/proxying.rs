//! Calls without a job: their slots, reservations, records and leases.

use std::time::Duration;

use super::fixtures::{EXPIRED_LEASE_TIMEOUT, LEASE_TIMEOUT, Subject, create_claimed};
use super::spending::{NOW, amount, budget, charge, is_granted, put, request};
use super::submit_slots::{ask, assign, end_attempts, in_flight, per_hour};
use crate::money::Cost;
use crate::ports::{
    AttemptCharge, AttemptOwner, BudgetScope, ProxiedCall, ProxiedCallFilter, Reservation, SlotWaiter, SubmitLimits,
    SubmitSlotRequest, Timestamp, UsageFilter, UsageGroup, day_of,
};

super::list_cases![
    calls_and_steps_share_slots,
    a_call_that_waits_gets_its_slot_by_asking,
    the_lease_of_a_call_ends_its_slot,
    a_renewed_call_keeps_its_slot,
    calls_count_in_the_window_after_they_ended,
    calls_and_steps_share_budgets,
    the_end_of_a_call_is_recorded_and_charged_once,
    a_lost_call_is_charged_what_was_at_risk,
    calls_are_listed_newest_first_by_filter,
    old_calls_are_deleted_and_open_ones_kept,
];

fn slot_of_call(limits: SubmitLimits, id: &str, user: &str, lease: Duration) -> SubmitSlotRequest {
    let waiter = SlotWaiter::Call { id: id.to_owned(), user: user.to_owned(), lease };
    SubmitSlotRequest { key: "k".to_owned(), limits, waiter }
}

async fn ask_for_call(store: &Subject, limits: SubmitLimits, id: &str, lease: Duration) -> bool {
    store.request_submit_slot(slot_of_call(limits, id, "ada", lease)).await.expect("a slot is requested")
}

fn call(id: &str) -> ProxiedCall {
    ProxiedCall {
        id: id.to_owned(),
        connector_id: "replicate".to_owned(),
        node_id: None,
        user: "ada".to_owned(),
        method: "POST".to_owned(),
        path: "/v1/predictions?key=…".to_owned(),
        started_at: NOW,
        finished_at: None,
        status: None,
        bytes_sent: 0,
        bytes_received: 0,
        cost: None,
        error: None,
    }
}

fn ended(id: &str) -> ProxiedCall {
    let (bytes_sent, bytes_received) = (12, 3_000_000_000);
    let finished_at = Some(NOW.plus_ms(40));
    ProxiedCall { finished_at, status: Some(201), bytes_sent, bytes_received, ..call(id) }
}

async fn begin(store: &Subject, id: &str, at_risk: Option<AttemptCharge>, lease: Duration) {
    store.begin_proxied_call(call(id), at_risk, lease).await.expect("a call is recorded");
}

async fn end(store: &Subject, call: ProxiedCall, charge: Option<AttemptCharge>) {
    store.end_proxied_call(call, charge).await.expect("the end of a call is recorded");
}

async fn list(store: &Subject, filter: &ProxiedCallFilter) -> Vec<ProxiedCall> {
    store.list_proxied_calls(filter, None, 100).await.expect("calls are listed")
}

fn reservation(id: &str, price: &str) -> Reservation {
    let owner = AttemptOwner::Call { id: id.to_owned(), user: "ada".to_owned() };
    Reservation { owner, ..request("", 0, price) }
}

async fn calls_and_steps_share_slots(store: Subject) {
    let version = create_claimed(&store, "a").await;
    assert!(ask(&store, in_flight(2), "a", 2).await);
    assert!(ask_for_call(&store, in_flight(2), "c1", LEASE_TIMEOUT).await);
    assert!(ask_for_call(&store, in_flight(2), "c1", LEASE_TIMEOUT).await, "it has it");
    assert!(!ask_for_call(&store, in_flight(2), "c2", LEASE_TIMEOUT).await);
    assert!(!ask(&store, in_flight(2), "a", 3).await);
    end_attempts(&store, "a", version, &[2]).await;
    assert_eq!(assign(&store).await, ["a"], "the call waits longer, but its user has a slot");
    assert!(!ask_for_call(&store, in_flight(2), "c2", LEASE_TIMEOUT).await);
    end(&store, ended("c1"), None).await;
    assert_eq!(store.holds_submit_slot("c2").await, Ok(false));
    assert_eq!(assign(&store).await, Vec::<String>::new(), "calls get no messages");
    assert_eq!(store.holds_submit_slot("c2").await, Ok(true));
    assert!(ask_for_call(&store, in_flight(2), "c2", LEASE_TIMEOUT).await);
}

async fn a_call_that_waits_gets_its_slot_by_asking(store: Subject) {
    assert!(ask_for_call(&store, in_flight(1), "c1", LEASE_TIMEOUT).await);
    assert!(!ask_for_call(&store, in_flight(1), "c2", LEASE_TIMEOUT).await);
    assert!(!ask_for_call(&store, in_flight(1), "c3", LEASE_TIMEOUT).await);
    end(&store, ended("c1"), None).await;
    assert!(!ask_for_call(&store, in_flight(1), "c3", LEASE_TIMEOUT).await, "the other one waits longer");
    assert!(ask_for_call(&store, in_flight(1), "c2", LEASE_TIMEOUT).await);
    end(&store, ended("c2"), None).await;
    end(&store, ended("c3"), None).await;
    assert!(ask_for_call(&store, in_flight(1), "c4", LEASE_TIMEOUT).await, "one that gave up does not wait");
}

async fn the_lease_of_a_call_ends_its_slot(store: Subject) {
    create_claimed(&store, "a").await;
    assert!(ask_for_call(&store, in_flight(1), "lost", EXPIRED_LEASE_TIMEOUT).await);
    assert!(!ask_for_call(&store, in_flight(1), "gone", EXPIRED_LEASE_TIMEOUT).await);
    assert!(!ask(&store, in_flight(1), "a", 2).await);
    assert_eq!(assign(&store).await, ["a"], "neither of them holds or waits any more");
}

async fn a_renewed_call_keeps_its_slot(store: Subject) {
    create_claimed(&store, "a").await;
    assert!(ask_for_call(&store, in_flight(1), "c", EXPIRED_LEASE_TIMEOUT).await);
    begin(&store, "c", None, EXPIRED_LEASE_TIMEOUT).await;
    store.renew_proxied_call("c", LEASE_TIMEOUT).await.expect("a lease is renewed");
    assert!(!ask(&store, in_flight(1), "a", 2).await);
    assert_eq!(assign(&store).await, Vec::<String>::new());
    assert_eq!(store.end_lost_proxied_calls(NOW).await, Ok(0));
    end(&store, ended("c"), None).await;
    assert_eq!(assign(&store).await, ["a"]);
}

async fn calls_count_in_the_window_after_they_ended(store: Subject) {
    for id in ["c1", "c2"] {
        assert!(ask_for_call(&store, per_hour(2), id, LEASE_TIMEOUT).await);
        end(&store, ended(id), None).await;
    }
    assert!(!ask_for_call(&store, per_hour(2), "c3", LEASE_TIMEOUT).await);
    assert_eq!(assign(&store).await, Vec::<String>::new());
    assert!(!ask_for_call(&store, per_hour(2), "c3", LEASE_TIMEOUT).await);
}

async fn calls_and_steps_share_budgets(store: Subject) {
    put(&store, budget("all", BudgetScope::All, "1")).await;
    put(&store, budget("of-flow", BudgetScope::Workflow("flow".to_owned()), "0")).await;
    put(&store, budget("of-bob", BudgetScope::User("bob".to_owned()), "0")).await;
    create_claimed(&store, "a").await;
    assert!(is_granted(&store, request("a", 2, "0.4")).await);
    assert!(is_granted(&store, reservation("c1", "0.5")).await);
    assert!(is_granted(&store, reservation("c1", "0.6")).await, "its own reservation is replaced");
    assert!(!is_granted(&store, reservation("c2", "0.1")).await);
    end(&store, ended("c1"), Some(charge("n", Some("0.2")))).await;
    assert!(is_granted(&store, reservation("c2", "0.4")).await, "0.2 were spent, and 0.4 are reserved");
    end(&store, ended("c2"), None).await;
    let states = store.list_budgets(NOW).await.expect("budgets are listed");
    assert_eq!((states[0].spent, states[0].reserved), (amount("0.2"), amount("0.4")));
}

async fn usage_by_node(store: &Subject) -> Vec<(String, String, u64, u64)> {
    let day = day_of(NOW);
    let filter =
        UsageFilter { group: UsageGroup::Node, user: Some("ada".to_owned()), from_day: day, to_day: day, limit: 100 };
    let rows = store.read_usage(&filter).await.expect("usage is read").into_iter();
    rows.map(|row| (row.key, row.amount.to_string(), row.attempts, row.unknown)).collect()
}

async fn the_end_of_a_call_is_recorded_and_charged_once(store: Subject) {
    begin(&store, "c1", Some(charge("n", None)), LEASE_TIMEOUT).await;
    assert_eq!(list(&store, &ProxiedCallFilter::default()).await, [call("c1")]);
    let paid = charge("n", Some("0.25"));
    let last = ProxiedCall { cost: Some(Cost::of_attempt(&paid.cost)), ..ended("c1") };
    end(&store, last.clone(), Some(paid.clone())).await;
    end(&store, ProxiedCall { status: Some(500), ..last.clone() }, Some(paid)).await;
    let refused = ProxiedCall { node_id: Some("n".to_owned()), error: Some("no".to_owned()), ..ended("c2") };
    end(&store, refused.clone(), None).await;
    assert_eq!(list(&store, &ProxiedCallFilter::default()).await, [refused, last]);
    assert_eq!(usage_by_node(&store).await, [("n".to_owned(), "0.25".to_owned(), 1, 0)]);
}

async fn a_lost_call_is_charged_what_was_at_risk(store: Subject) {
    put(&store, budget("all", BudgetScope::All, "1")).await;
    begin(&store, "c1", Some(charge("proxy/replicate", None)), EXPIRED_LEASE_TIMEOUT).await;
    begin(&store, "c2", None, EXPIRED_LEASE_TIMEOUT).await;
    begin(&store, "c3", Some(charge("n", None)), LEASE_TIMEOUT).await;
    assert!(is_granted(&store, reservation("c1", "0.5")).await);
    assert_eq!(store.end_lost_proxied_calls(NOW).await, Ok(2));
    assert_eq!(store.end_lost_proxied_calls(NOW).await, Ok(0));
    let calls = list(&store, &ProxiedCallFilter::default()).await;
    let ends: Vec<(Option<Timestamp>, Option<&str>)> =
        calls.iter().map(|call| (call.finished_at, call.error.as_deref())).collect();
    let lost = (Some(NOW), Some(ProxiedCall::LOST));
    assert_eq!(ends, [(None, None), lost, lost]);
    assert_eq!(calls[2].cost.as_ref().map(|cost| cost.unknown), Some(1));
    assert_eq!(calls[1].cost, None);
    assert_eq!(usage_by_node(&store).await, [("proxy/replicate".to_owned(), "0".to_owned(), 1, 1)]);
    let state = store.list_budgets(NOW).await.expect("budgets are listed").remove(0);
    assert_eq!(state.reserved, amount("0.5"), "it is held, and reserved no more");
    end(&store, ended("c1"), Some(charge("n", Some("1")))).await;
    assert_eq!(usage_by_node(&store).await.len(), 1, "a late end changes nothing");
}

async fn calls_are_listed_newest_first_by_filter(store: Subject) {
    for index in 0..6_u16 {
        let call = ProxiedCall {
            connector_id: if index % 2 == 0 { "even" } else { "odd" }.to_owned(),
            user: if index < 3 { "ada" } else { "bob" }.to_owned(),
            status: Some(200 + 100 * (index % 3)),
            started_at: NOW.plus_ms(u64::from(index) * 1_000),
            ..ended(&format!("c{index}"))
        };
        end(&store, call, None).await;
    }
    let all = ProxiedCallFilter::default();
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (all.clone(), "543210"),
        (ProxiedCallFilter { connector_id: text("odd"), ..all.clone() }, "531"),
        (ProxiedCallFilter { user: text("ada"), ..all.clone() }, "210"),
        (ProxiedCallFilter { min_status: Some(300), max_status: Some(399), ..all.clone() }, "41"),
        (ProxiedCallFilter { started_after: Some(NOW.plus_ms(2_000)), ..all.clone() }, "5432"),
        (ProxiedCallFilter { started_before: Some(NOW.plus_ms(2_000)), ..all.clone() }, "10"),
        (ProxiedCallFilter { user: text("ada"), connector_id: text("odd"), ..all.clone() }, "1"),
    ] {
        let ids: String = list(&store, &filter).await.iter().map(|call| call.id[1..].to_owned()).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
    let page = store.list_proxied_calls(&all, Some("c4"), 2).await.expect("calls are listed");
    assert_eq!(page.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["c3", "c2"]);
}

async fn old_calls_are_deleted_and_open_ones_kept(store: Subject) {
    begin(&store, "c0", None, LEASE_TIMEOUT).await;
    for index in 1..8_u64 {
        let started_at = NOW.plus_ms(index * 1_000);
        end(&store, ProxiedCall { started_at, ..ended(&format!("c{index}")) }, None).await;
    }
    let before = Some(NOW.plus_ms(3_000));
    assert_eq!(store.delete_old_proxied_calls(before, None, 100).await, Ok(2));
    assert_eq!(store.delete_old_proxied_calls(None, Some(5), 100).await, Ok(0), "the oldest one is at work");
    end(&store, ended("c0"), None).await;
    assert_eq!(store.delete_old_proxied_calls(before, Some(3), 100).await, Ok(3));
    let left = list(&store, &ProxiedCallFilter::default()).await;
    assert_eq!(left.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["c7", "c6", "c5"]);
}
