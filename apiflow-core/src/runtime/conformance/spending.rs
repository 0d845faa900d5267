//! What attempts cost: usage, budgets and reservations.

use futures_util::future::join_all;

use super::fixtures::{Subject, claim_one, commit, create_claimed, empty_turn, ending_turn, new_job, read_row};
use crate::money::{Amount, AttemptCost, Cost};
use crate::ports::{
    AttemptCharge, AttemptOwner, Budget, BudgetDecision, BudgetPeriod, BudgetScope, Commit, JobState, NewJob,
    OpenReservation, Reservation, Timestamp, UnknownPrice, UsageFilter, UsageGroup, day_of,
};

super::list_cases![
    without_a_budget_everything_is_granted,
    a_budget_is_used_up_by_reservations_and_charges,
    the_end_of_an_attempt_or_a_job_ends_its_reservation,
    the_reservations_of_a_job_are_listed,
    an_unknown_cost_is_held,
    a_budget_concerns_its_user_or_workflow_and_currency_only,
    a_budget_starts_anew_with_its_period,
    a_price_that_is_not_declared_is_refused_or_allowed,
    budgets_are_listed_replaced_and_deleted,
    usage_is_summed_up_and_outlives_the_job,
    the_cost_of_a_job_is_kept_with_its_row,
];

/// 2027-01-15T08:00:00Z
pub(super) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(super) fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

pub(super) fn budget(id: &str, scope: BudgetScope, limit: &str) -> Budget {
    Budget {
        id: id.to_owned(),
        scope,
        period: BudgetPeriod::Day,
        currency: "USD".to_owned(),
        amount: amount(limit),
        unknown_price: UnknownPrice::Refuse,
    }
}

pub(super) fn request(job: &str, step: u64, price: &str) -> Reservation {
    let currency = Some("USD".to_owned());
    let owner = AttemptOwner::Step { job: job.to_owned(), step };
    Reservation { owner, node_id: "n".to_owned(), currency, amount: Some(amount(price)), at: NOW }
}

pub(super) fn charge(node: &str, cost: Option<&str>) -> AttemptCharge {
    AttemptCharge {
        node_id: node.to_owned(),
        cost: AttemptCost { currency: "USD".to_owned(), amount: cost.map(amount) },
        held: amount("0.5"),
    }
}

pub(super) async fn put(store: &Subject, budget: Budget) {
    store.put_budget(budget).await.expect("a budget is written");
}

pub(super) async fn is_granted(store: &Subject, request: Reservation) -> bool {
    store.reserve_budget(request).await.expect("a decision is made") == BudgetDecision::Granted
}

/// Creates a job of a user and a workflow, and claims it; returns its version.
async fn create_owned(store: &Subject, id: &str, user: &str, workflow: &str) -> u64 {
    let (created_by, workflow_id) = (Some(user.to_owned()), Some(workflow.to_owned()));
    store.create_job(NewJob { workflow_id, created_by, ..new_job(id) }, None).await.expect("a new job is made");
    claim_one(store, "worker", id).await
}

/// Ends an attempt of the step 2 with this charge; returns the job's new version.
async fn end_attempt(store: &Subject, job: &str, version: u64, charges: Vec<AttemptCharge>) -> u64 {
    commit(store, Commit { at: NOW, charges, ended_attempts: vec![2], ..empty_turn(job, version) }).await
}

async fn without_a_budget_everything_is_granted(store: Subject) {
    create_claimed(&store, "a").await;
    assert!(is_granted(&store, request("a", 2, "1000000")).await);
    let unpriced = Reservation { currency: None, amount: None, ..request("a", 2, "0") };
    assert!(is_granted(&store, unpriced).await);
}

async fn a_budget_is_used_up_by_reservations_and_charges(store: Subject) {
    put(&store, budget("b", BudgetScope::All, "1")).await;
    let version = create_claimed(&store, "a").await;
    assert!(is_granted(&store, request("a", 2, "0.6")).await);
    assert!(!is_granted(&store, request("a", 3, "0.5")).await, "0.6 are reserved");
    assert!(is_granted(&store, request("a", 2, "0.7")).await, "the step's own reservation is replaced");
    end_attempt(&store, "a", version, vec![charge("n", Some("0.25"))]).await;
    assert!(is_granted(&store, request("a", 3, "0.75")).await, "only 0.25 were spent");
    let refusal = store.reserve_budget(request("a", 4, "0.000000001")).await.expect("a decision is made");
    let expected = BudgetDecision::Exceeded { budget: budget("b", BudgetScope::All, "1"), used: amount("1") };
    assert_eq!(refusal, expected);
    assert!(is_granted(&store, request("a", 4, "0")).await, "what is free needs no budget");
    let state = store.list_budgets(NOW).await.expect("budgets are listed").remove(0);
    assert_eq!((state.spent, state.reserved), (amount("0.25"), amount("0.75")));
}

async fn the_end_of_an_attempt_or_a_job_ends_its_reservation(store: Subject) {
    put(&store, budget("b", BudgetScope::All, "1")).await;
    let version = create_claimed(&store, "a").await;
    assert!(is_granted(&store, request("a", 2, "0.5")).await && is_granted(&store, request("a", 3, "0.5")).await);
    let version = end_attempt(&store, "a", version, Vec::new()).await;
    assert!(is_granted(&store, request("a", 4, "0.5")).await, "the one of step 2 has ended");
    assert!(!is_granted(&store, request("a", 5, "0.1")).await, "the others have not");
    commit(&store, ending_turn("a", version)).await;
    create_claimed(&store, "c").await;
    assert!(is_granted(&store, request("c", 2, "1")).await, "an ended job has no reservations");
    assert!(is_granted(&store, request("a", 9, "0")).await);
}

async fn the_reservations_of_a_job_are_listed(store: Subject) {
    put(&store, budget("b", BudgetScope::All, "1")).await;
    let version = create_claimed(&store, "a").await;
    for (step, price) in [(2, "0.5"), (3, "0.25")] {
        assert!(is_granted(&store, request("a", step, price)).await);
    }
    let open = |step, price: &str| OpenReservation {
        step,
        node_id: "n".to_owned(),
        currency: "USD".to_owned(),
        amount: amount(price),
    };
    assert_eq!(store.list_reservations("a").await, Ok(vec![open(2, "0.5"), open(3, "0.25")]));
    end_attempt(&store, "a", version, Vec::new()).await;
    assert_eq!(store.list_reservations("a").await, Ok(vec![open(3, "0.25")]));
    assert_eq!(store.list_reservations("b").await, Ok(Vec::new()));
}

async fn an_unknown_cost_is_held(store: Subject) {
    put(&store, budget("b", BudgetScope::All, "1")).await;
    let version = create_claimed(&store, "a").await;
    end_attempt(&store, "a", version, vec![charge("n", None)]).await;
    assert!(!is_granted(&store, request("a", 3, "0.6")).await, "0.5 are held");
    let state = store.list_budgets(NOW).await.expect("budgets are listed").remove(0);
    assert_eq!((state.spent, state.reserved), (Amount::ZERO, amount("0.5")));
}

async fn a_budget_concerns_its_user_or_workflow_and_currency_only(store: Subject) {
    put(&store, budget("of-ada", BudgetScope::User("ada".to_owned()), "1")).await;
    put(&store, budget("of-flow", BudgetScope::Workflow("flow".to_owned()), "2")).await;
    create_owned(&store, "a", "ada", "other").await;
    create_owned(&store, "b", "bob", "flow").await;
    create_owned(&store, "c", "bob", "other").await;
    assert!(is_granted(&store, request("c", 2, "1000")).await, "no budget concerns it");
    assert!(!is_granted(&store, request("a", 2, "1.1")).await);
    assert!(is_granted(&store, request("a", 2, "1")).await);
    assert!(!is_granted(&store, request("b", 2, "2.1")).await);
    assert!(is_granted(&store, request("b", 2, "2")).await);
    let in_euros = Reservation { currency: Some("EUR".to_owned()), ..request("a", 3, "5") };
    assert!(is_granted(&store, in_euros).await, "the budgets are in dollars");
}

async fn a_budget_starts_anew_with_its_period(store: Subject) {
    put(&store, budget("day", BudgetScope::All, "1")).await;
    let monthly = Budget { period: BudgetPeriod::Month, ..budget("month", BudgetScope::All, "1.5") };
    put(&store, monthly).await;
    let version = create_claimed(&store, "a").await;
    end_attempt(&store, "a", version, vec![charge("n", Some("1"))]).await;
    let on_day = |days: u64, price| Reservation { at: NOW.plus_ms(days * 86_400_000), ..request("a", 3, price) };
    assert!(!is_granted(&store, on_day(0, "0.1")).await);
    assert!(is_granted(&store, on_day(1, "0.5")).await, "another day");
    assert!(!is_granted(&store, on_day(1, "0.6")).await, "the same month");
    assert!(is_granted(&store, on_day(17, "1")).await, "another month");
}

async fn a_price_that_is_not_declared_is_refused_or_allowed(store: Subject) {
    create_claimed(&store, "a").await;
    let refuses = budget("b", BudgetScope::All, "1");
    put(&store, refuses.clone()).await;
    let unpriced = Reservation { currency: None, amount: None, ..request("a", 2, "0") };
    let without_maximum = Reservation { amount: None, ..request("a", 2, "0") };
    for asked in [&unpriced, &without_maximum] {
        let refusal = store.reserve_budget(asked.clone()).await.expect("a decision is made");
        assert_eq!(refusal, BudgetDecision::UnknownPrice { budget: refuses.clone() });
    }
    put(&store, Budget { unknown_price: UnknownPrice::Allow, ..refuses }).await;
    for asked in [&unpriced, &without_maximum] {
        assert!(is_granted(&store, asked.clone()).await);
    }
    assert!(is_granted(&store, request("a", 3, "1")).await);
    assert!(!is_granted(&store, unpriced).await, "the budget is used up");
}

async fn budgets_are_listed_replaced_and_deleted(store: Subject) {
    put(&store, budget("b", BudgetScope::User("ada".to_owned()), "2")).await;
    put(&store, budget("a", BudgetScope::All, "1")).await;
    put(&store, budget("b", BudgetScope::Workflow("w".to_owned()), "3")).await;
    let listed: Vec<Budget> =
        store.list_budgets(NOW).await.expect("budgets are listed").into_iter().map(|state| state.budget).collect();
    let expected = [budget("a", BudgetScope::All, "1"), budget("b", BudgetScope::Workflow("w".to_owned()), "3")];
    assert_eq!(listed, expected);
    assert_eq!(store.delete_budget("a").await, Ok(true));
    assert_eq!(store.delete_budget("a").await, Ok(false));
    assert!(store.list_budgets(NOW).await.is_ok_and(|listed| listed.len() == 1));
}

async fn usage_is_summed_up_and_outlives_the_job(store: Subject) {
    let version = create_owned(&store, "a", "ada", "flow").await;
    let charges = vec![charge("n", Some("0.1")), charge("n", None), charge("m", Some("0.2"))];
    let version = end_attempt(&store, "a", version, charges).await;
    let next_day = NOW.plus_ms(86_400_000);
    let turn = Commit { at: next_day, charges: vec![charge("n", Some("0.3"))], ..ending_turn("a", version) };
    commit(&store, turn).await;
    let other = create_owned(&store, "b", "bob", "flow").await;
    end_attempt(&store, "b", other, vec![charge("n", Some("1"))]).await;
    store.delete_job("a").await.expect("an ended job is deleted");
    let today = day_of(NOW);
    let all = UsageFilter { group: UsageGroup::Node, user: None, from_day: 0, to_day: today + 1, limit: 100 };
    let of_ada = UsageFilter { user: Some("ada".to_owned()), ..all.clone() };
    for (filter, expected) in [
        (all.clone(), vec![("m", "0.2", 1, 0), ("n", "1.4", 4, 1)]),
        (of_ada.clone(), vec![("m", "0.2", 1, 0), ("n", "0.4", 3, 1)]),
        (UsageFilter { group: UsageGroup::User, ..all.clone() }, vec![("ada", "0.6", 4, 1), ("bob", "1", 1, 0)]),
        (UsageFilter { group: UsageGroup::Workflow, ..all.clone() }, vec![("flow", "1.6", 5, 1)]),
        (UsageFilter { to_day: today, ..of_ada }, vec![("m", "0.2", 1, 0), ("n", "0.1", 2, 1)]),
        (UsageFilter { limit: 1, ..all.clone() }, vec![("m", "0.2", 1, 0)]),
        (UsageFilter { from_day: today + 2, to_day: today + 9, ..all.clone() }, vec![]),
    ] {
        let rows = store.read_usage(&filter).await.expect("usage is read");
        let rows: Vec<(String, String, u64, u64)> =
            rows.into_iter().map(|row| (row.key, row.amount.to_string(), row.attempts, row.unknown)).collect();
        let expected: Vec<(String, String, u64, u64)> = expected
            .into_iter()
            .map(|(key, sum, calls, unknown)| (key.to_owned(), sum.to_owned(), calls, unknown))
            .collect();
        assert_eq!(rows, expected, "{filter:?}");
    }
    let days = store.read_usage(&UsageFilter { group: UsageGroup::Day, ..all }).await.expect("usage is read");
    let days: Vec<String> = days.into_iter().map(|row| row.key).collect();
    assert_eq!(days, [today.to_string(), (today + 1).to_string()]);
}

async fn the_cost_of_a_job_is_kept_with_its_row(store: Subject) {
    let version = create_claimed(&store, "a").await;
    assert!(read_row(&store, "a").await.state.cost.is_empty());
    let cost =
        Cost { amounts: [("EUR".to_owned(), amount("1.5")), ("USD".to_owned(), amount("0.04"))].into(), unknown: 3 };
    let turn = empty_turn("a", version);
    let state = JobState { cost: cost.clone(), ..turn.state.clone() };
    let version = commit(&store, Commit { state: state.clone(), ..turn }).await;
    assert_eq!(read_row(&store, "a").await.state.cost, cost);
    assert_eq!(store.load_job("a").await.expect("the job is loaded").job.state.cost, cost);
    commit(&store, Commit { state, ..empty_turn("a", version) }).await;
    assert_eq!(read_row(&store, "a").await.state.cost, cost);
}

/// Attempts on both stores race for a budget that is enough for ten of them.
pub(super) async fn stores_that_race_for_a_budget_spend_no_more_than_it_allows(stores: [Subject; 2]) {
    for store in &stores {
        put(store, budget("race", BudgetScope::User("racer".to_owned()), "1")).await;
    }
    let ids: Vec<String> = (0..20).map(|index| format!("spender-{index:02}")).collect();
    for id in &ids {
        let created_by = Some("racer".to_owned());
        stores[0].create_job(NewJob { created_by, ..new_job(id) }, None).await.expect("a new job is made");
    }
    let asked = ids.iter().enumerate().map(|(index, id)| is_granted(&stores[index % 2], request(id, 2, "0.1")));
    let granted = join_all(asked).await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 10, "attempts of 0.1 with a budget of 1");
    assert_eq!(stores[0].delete_budget("race").await, Ok(true));
}
