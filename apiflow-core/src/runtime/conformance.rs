//! Conformance suite: the rules of [`Store`] as test cases for any implementation.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use apiflow_core::ports::Store;
//! # async fn example(my_store: impl AsyncFn() -> Arc<dyn Store>) {
//! apiflow_core::runtime::conformance::run(my_store).await;
//! # }
//! ```
//!
//! The clock of the store under test must be between 1970 and 2100. Cases never wait for a lease to end: leases of zero
//! length end immediately, and effects that a store may apply slightly later are polled for, with a limit.

mod caching;
mod claiming;
mod committing;
mod creating;
mod deleting;
mod erasing;
mod fencing;
mod fixtures;
mod inbox;
mod pausing;
mod polling;
mod proxying;
mod reading;
mod recovering;
mod reporting;
mod sharing;
mod sizing;
mod slots;
mod spending;
mod submit_slots;
mod uploading;
mod webhook_deliveries;

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::ports::Store;

/// A running case.
type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A rule, tested on an empty store.
#[derive(Clone, Copy)]
pub struct Case {
    /// Name of the rule, in snake case.
    pub name: &'static str,
    run: fn(Arc<dyn Store>) -> Running,
}

impl Case {
    /// Runs the case on an empty store.
    ///
    /// # Panics
    /// If the store violates the rule.
    pub async fn run(&self, store: Arc<dyn Store>) {
        (self.run)(store).await;
    }
}

/// Returns all cases of the suite, in a fixed order.
pub fn all_cases() -> Vec<Case> {
    [
        creating::CASES,
        claiming::CASES,
        slots::CASES,
        committing::CASES,
        caching::CASES,
        fencing::CASES,
        inbox::CASES,
        pausing::CASES,
        uploading::CASES,
        polling::CASES,
        reading::CASES,
        deleting::CASES,
        erasing::CASES,
        recovering::CASES,
        reporting::CASES,
        sizing::CASES,
        spending::CASES,
        submit_slots::CASES,
        proxying::CASES,
        webhook_deliveries::CASES,
    ]
    .concat()
}

/// Runs all cases, each on a new empty store that `make` returns.
///
/// # Panics
/// After all cases have run, naming those that failed.
pub async fn run(make: impl AsyncFn() -> Arc<dyn Store>) {
    let mut failed = Vec::new();
    for case in all_cases() {
        let store = make().await;
        if AssertUnwindSafe(case.run(store)).catch_unwind().await.is_err() {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "the store breaks {} rules: {}", failed.len(), failed.join(", "));
}

/// Tests with two stores of the same empty database that workers of several processes share its jobs.
///
/// # Panics
/// If a turn is lost or taken twice, a slot is given twice, or the work does not end.
pub async fn run_shared(stores: [Arc<dyn Store>; 2]) {
    sharing::workers_that_steal_jobs_finish_each_once(stores.clone()).await;
    sharing::stores_that_race_for_slots_give_no_more_than_there_are(stores.clone()).await;
    spending::stores_that_race_for_a_budget_spend_no_more_than_it_allows(stores.clone()).await;
    submit_slots::stores_that_race_for_submit_slots_give_no_more_than_there_are(stores.clone()).await;
    webhook_deliveries::stores_that_race_for_deliveries_take_each_once(stores).await;
}

/// Lists functions as cases, named after the functions.
macro_rules! list_cases {
    ($($name:ident),+ $(,)?) => {
        pub(super) const CASES: &[super::Case] =
            &[$(super::Case { name: stringify!($name), run: |store| Box::pin($name(store)) }),+];
    };
}
use list_cases;
