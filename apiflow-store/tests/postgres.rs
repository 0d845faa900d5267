//! The rules of all three ports on Postgres, each store in a schema of its own.

#[path = "common/schemas.rs"]
mod schemas;

use std::sync::Arc;

use apiflow_store::{PostgresStore, conformance};
use schemas::Schemas;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_the_store() {
    let Some(schemas) = Schemas::new("jobs") else { return };
    apiflow_core::runtime::conformance::run(async || schemas.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_documents() {
    let Some(schemas) = Schemas::new("documents") else { return };
    conformance::run_documents(async || schemas.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_accounts() {
    let Some(schemas) = Schemas::new("accounts") else { return };
    conformance::run_accounts(async || schemas.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_secrets() {
    let Some(schemas) = Schemas::new("secrets") else { return };
    conformance::run_secrets(async || schemas.empty().await.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_artifacts() {
    let Some(schemas) = Schemas::new("artifacts") else { return };
    conformance::run_artifacts(async || schemas.empty().await.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_the_jobs_of_one_database() {
    let Some(schemas) = Schemas::new("shared") else { return };
    let url = schemas.url_of_empty().await;
    let open = async || Arc::new(PostgresStore::connect_to(&url).await.expect("a schema is opened")) as _;
    apiflow_core::runtime::conformance::run_shared([open().await, open().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_start_at_once_bring_the_tables_up_to_date_once() {
    let Some(schemas) = Schemas::new("starting") else { return };
    let url = schemas.url_of_empty().await;
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        starting.spawn(async move { PostgresStore::connect_to(&url).await.map(drop) });
    }
    assert!(starting.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_named_without_the_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let url = format!("postgres://ada:canary@{address}/apiflow?password=canary");
    let error = PostgresStore::connect_to(&url).await.err().expect("nobody answers").to_string();
    assert!(error.contains(&format!("postgres://ada:…@{address}/apiflow")), "{error}");
    assert!(!error.contains("canary"), "{error}");
}
