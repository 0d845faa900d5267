//! What keeps a Postgres from its work is named, and all goes on without a restart of the store when it has passed.

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/disk.rs"]
mod disk;
#[path = "common/new_job.rs"]
mod new_job;

use std::time::Duration;

use apiflow_core::ports::{Created, JobJournal, JobQueue, JobRecords, NewJob, StoreError, StoreFault};
use apiflow_store::PostgresStore;
use cluster::Cluster;
use disk::SmallDisk;
use new_job::new_job;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

const LARGE: usize = 1024 * 1024;
const LONG: Duration = Duration::from_hours(1);

/// A job whose input has `bytes`.
fn job(id: &str, bytes: usize) -> NewJob {
    // A text that is not compressed to nothing.
    let blocks: Vec<String> =
        (0..bytes / 8).map(|number| format!("{:08x}", number.wrapping_mul(2_654_435_761))).collect();
    new_job(id, json!(blocks.concat()))
}

async fn execute(cluster: &Cluster, statements: &[&str]) {
    let mut connection = PgConnection::connect(&cluster.url()).await.expect("the database is reached");
    for statement in statements {
        connection.execute(AssertSqlSafe((*statement).to_owned())).await.expect("the statement is executed");
    }
    connection.close().await.expect("the connection is closed");
}

#[track_caller]
fn assert_fault<T: std::fmt::Debug>(outcome: Result<T, StoreError>, expected: &[StoreFault]) {
    let error = outcome.expect_err("the database cannot do it");
    assert!(error.fault().is_some_and(|fault| expected.contains(&fault)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_database_is_survived() {
    let Some(mut cluster) = Cluster::start() else { return };
    let store = PostgresStore::connect_to(&cluster.url()).await.expect("the database is opened");
    store.create_job(job("a", 10), None).await.expect("it is up");
    let claim = store.claim_due_jobs("worker", 10, LONG).await.expect("it is up").remove(0);
    for _ in 0..2 {
        tokio::task::block_in_place(|| cluster.stop());
        assert_fault(store.verify_writable().await, &[StoreFault::Unreachable]);
        assert_fault(
            store.deliver_message("a", "key", json!(1), None).await,
            &[StoreFault::Busy, StoreFault::Unreachable],
        );
        tokio::task::block_in_place(|| cluster.resume());
        assert_eq!(store.verify_writable().await, Ok(()));
    }
    assert_eq!(store.deliver_message("a", "key", json!(1), None).await, Ok(true), "the first one that was kept");
    let held = store.renew_leases("worker", &["a".to_owned()], LONG).await.expect("it is up");
    assert_eq!((held.len(), held[0].job.as_str()), (1, claim.job.as_str()), "the lease is still held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_read_and_works_when_it_takes_them_again() {
    let Some(cluster) = Cluster::start() else { return };
    let store = PostgresStore::connect_to(&cluster.url()).await.expect("the database is opened");
    store.create_job(job("a", 10), None).await.expect("it takes writes");
    let read_only = "ALTER SYSTEM SET default_transaction_read_only = on";
    execute(&cluster, &[read_only, "SELECT pg_reload_conf()"]).await;
    // The sessions learn of it a moment later.
    while store.verify_writable().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_fault(store.create_job(job("b", 10), None).await, &[StoreFault::ReadOnly]);
    assert_fault(store.deliver_message("a", "key", json!(1), None).await, &[StoreFault::ReadOnly]);
    assert!(store.read_job("a").await.expect("it can be read").is_some());
    let writable = ["SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only"];
    execute(&cluster, &[writable[0], writable[1], "SELECT pg_reload_conf()"]).await;
    while store.verify_writable().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.create_job(job("b", 10), None).await, Ok(Created::New { claim: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_postgres_is_named_and_survived() {
    let Some(cluster) = Cluster::start() else { return };
    let Some(disk) = SmallDisk::mount(16 * 1024) else { return };
    cluster.give_to_user(disk.path());
    let place = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
    execute(&cluster, &[place.as_str()]).await;
    let url = format!("{}?options=-c%20default_tablespace%3Dsmall", cluster.url());
    let store = PostgresStore::connect_to(&url).await.expect("the database is opened");
    store.create_job(job("first", 10), None).await.expect("there is room");
    disk.fill();
    for round in 0..3 {
        assert_fault(store.create_job(job(&format!("large-{round}"), LARGE), None).await, &[StoreFault::Full]);
    }
    assert!(store.read_job("first").await.expect("what is there can be read").is_some());
    disk.free();
    assert_eq!(store.create_job(job("large", LARGE), None).await, Ok(Created::New { claim: None }));
    assert_eq!(store.verify_writable().await, Ok(()));
    // The server closes its files there before they go.
    drop(store);
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_connections_are_all_taken_is_busy() {
    let Some(cluster) = Cluster::start() else { return };
    let store = PostgresStore::connect_to(&cluster.url()).await.expect("the database is opened");
    store.create_job(job("a", 10), None).await.expect("there are connections");
    execute(&cluster, &["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"]).await;
    let mut taken = Vec::new();
    while let Ok(connection) = PgConnection::connect(&cluster.url()).await {
        taken.push(connection);
    }
    assert_fault(store.create_job(job("b", 10), None).await, &[StoreFault::Busy]);
    assert_fault(store.verify_writable().await, &[StoreFault::Busy]);
    drop(taken);
    while store.verify_writable().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.create_job(job("b", 10), None).await, Ok(Created::New { claim: None }));
}
