//! The rules of [`Documents`], [`Accounts`] and [`SecretStore`](crate::SecretStore) as test cases for any implementation; those of
//! [`Store`](apiflow_core::ports::Store) are in [`apiflow_core::runtime::conformance`].

mod accounts;
mod admins;
mod artifacts;
mod checks;
mod documents;
mod removal;
mod retention;
mod secrets;
mod tokens;
mod versions;

use std::pin::Pin;
use std::sync::Arc;

use crate::{Accounts, Documents, Stores};

/// A running case.
type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One rule, checked on an empty store of the port `P`.
struct Case<P: ?Sized> {
    name: &'static str,
    run: fn(Arc<P>) -> Running,
}

/// Runs all cases of [`Documents`], each on an empty store of its own that `make` returns.
///
/// # Panics
/// After all have run, naming the cases that failed.
pub async fn run_documents(make: impl AsyncFn() -> Arc<dyn Documents>) {
    run(make, &[documents::CASES, removal::CASES, checks::CASES, versions::CASES]).await;
}

/// Runs all cases of [`Accounts`], each on an empty store of its own that `make` returns.
///
/// # Panics
/// After all have run, naming the cases that failed.
pub async fn run_accounts(make: impl AsyncFn() -> Arc<dyn Accounts>) {
    run(make, &[accounts::CASES, admins::CASES, tokens::CASES]).await;
}

/// Runs all cases of [`SecretStore`](crate::SecretStore), and of what [`Documents`] and [`Accounts`] do to secrets, each on an empty store of
/// its own that `make` returns.
///
/// # Panics
/// After all have run, naming the cases that failed.
pub async fn run_secrets(make: impl AsyncFn() -> Stores) {
    run(async || Arc::new(make().await), &[secrets::CASES]).await;
}

/// Runs all cases of [`ArtifactRecords`](apiflow_core::ports::ArtifactRecords), and of what jobs do to artifacts, each on an empty store of
/// its own that `make` returns.
///
/// # Panics
/// After all have run, naming the cases that failed.
pub async fn run_artifacts(make: impl AsyncFn() -> Stores) {
    run(async || Arc::new(make().await), &[artifacts::CASES, retention::CASES]).await;
}

async fn run<P: ?Sized>(make: impl AsyncFn() -> Arc<P>, cases: &[&[Case<P>]]) {
    let mut failed = Vec::new();
    for case in cases.iter().copied().flatten() {
        let store = make().await;
        // A task of its own keeps a panic from ending the others.
        if tokio::spawn((case.run)(store)).await.is_err() {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "the store breaks {} rules: {}", failed.len(), failed.join(", "));
}

/// Lists functions as cases of a port, each named after its function.
macro_rules! list_cases {
    ($port:ty: $($name:ident),+ $(,)?) => {
        pub(super) const CASES: &[super::Case<$port>] =
            &[$(super::Case { name: stringify!($name), run: |store| Box::pin($name(store)) }),+];
    };
}
use list_cases;
