//! A full disk refuses what does not fit, and nothing more: as soon as there is room, all goes on without a restart.

#[path = "common/disk.rs"]
mod disk;
#[path = "common/new_job.rs"]
mod new_job;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::money::Cost;
use apiflow_core::ports::{
    Commit, Created, EventRow, JobJournal, JobQueue, JobRecords, JobState, JobStatus, LeaseChange, NewJob, StoreError,
    StoreFault, Timestamp,
};
use apiflow_store::{DocumentKind, Documents, Precondition, RecordError, SqliteStore};
use disk::SmallDisk;
use new_job::new_job;
use serde_json::{Value, json};
use tempfile::TempDir;

const LARGE: usize = 1024 * 1024;
const LONG: Duration = Duration::from_hours(1);

/// A job whose input has `bytes`.
fn job(id: &str, bytes: usize) -> NewJob {
    new_job(id, json!("x".repeat(bytes)))
}

fn turn(job: &str, version: u64, status: JobStatus, value: Value) -> Commit {
    let state = JobState {
        status,
        priority: 0,
        retry_count: 0,
        cost: Cost::default(),
        started_at: None,
        finished_at: None,
        output: None,
        error: None,
        erase_at: None,
    };
    Commit {
        events: vec![EventRow { seq: 2, at: Timestamp(2), body: json!({}), value: Some(value), item: None }],
        ..Commit::new(job, version, Timestamp(2), state, LeaseChange::Keep)
    }
}

#[track_caller]
fn assert_full<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    let error = outcome.expect_err("there is no room");
    assert_eq!(error.fault(), Some(StoreFault::Full), "{error}");
    assert!(error.to_string().starts_with("the disk of the database is full; free some space"), "{error}");
}

/// A store whose file may have so many pages of 4 KiB.
async fn limited(folder: &TempDir, pages: u32) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open_within(folder.path().join("jobs.db"), Some(pages)).await.expect("a file is opened"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Ends the only job that is due, and removes it.
async fn remove(store: &SqliteStore, id: &str) {
    let claims = store.claim_due_jobs("worker", 10, LONG).await.expect("a claim needs no room");
    let claim = claims.iter().find(|claim| claim.job == id).expect("the job is due");
    let end = Commit { events: Vec::new(), ..turn(id, claim.version, JobStatus::Completed, Value::Null) };
    store.commit_turn(end).await.expect("an end without values needs no room");
    store.delete_job(id).await.expect("a job that has ended is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_system_is_survived_without_a_restart() {
    let Some(disk) = SmallDisk::mount(4 * 1024) else { return };
    let store = SqliteStore::open(disk.path().join("jobs.db")).await.expect("a file is opened");
    store.create_job(job("first", 10), None).await.expect("there is room");
    let claim = store.claim_due_jobs("worker", 10, LONG).await.expect("there is room").remove(0);
    disk.fill();
    for round in 0..3 {
        assert_full(store.create_job(job(&format!("large-{round}"), LARGE), None).await);
        assert_full(
            store.commit_turn(turn("first", claim.version, JobStatus::Running, json!("x".repeat(LARGE)))).await,
        );
        assert_full(store.deliver_message("first", "key", json!("x".repeat(LARGE)), None).await);
    }
    assert!(store.read_job("first").await.expect("what is there can be read").is_some());
    disk.free();
    assert_eq!(store.verify_writable().await, Ok(()));
    assert_eq!(store.create_job(job("large", LARGE), None).await, Ok(Created::New { claim: None }));
    let committed = store.commit_turn(turn("first", claim.version, JobStatus::Running, json!("x".repeat(LARGE)))).await;
    assert_eq!(committed, Ok(claim.version + 1), "what was refused changed nothing");
    assert_eq!(store.deliver_message("first", "key", json!(1), None).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_survived_without_a_restart() {
    let folder = folder();
    let store = limited(&folder, 400).await;
    store.create_job(job("ballast", LARGE), None).await.expect("there is room");
    for round in 0..3 {
        assert_full(store.create_job(job(&format!("large-{round}"), LARGE), None).await);
    }
    remove(&store, "ballast").await;
    assert_eq!(store.create_job(job("large", LARGE), None).await, Ok(Created::New { claim: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_fails_alone_among_writes_that_are_asked_together() {
    let folder = folder();
    let store = limited(&folder, 400).await;
    store.create_job(job("a", 10), None).await.expect("there is room");
    store.create_job(job("b", 10), None).await.expect("there is room");
    let claims = store.claim_due_jobs("worker", 10, LONG).await.expect("there is room");
    let version = |id: &str| claims.iter().find(|claim| claim.job == id).expect("it was claimed").version;
    let together = async |round: u32| {
        let large = store.create_job(job(&format!("large-{round}"), 2 * LARGE), None);
        let small = store.create_job(job(&format!("small-{round}"), 10), None);
        let message = format!("key-{round}");
        let delivery = store.deliver_message("a", &message, json!(1), None);
        tokio::join!(large, small, delivery)
    };
    // Of one of these at least all three are asked while another transaction is written.
    for round in 0..20 {
        let (large, small, delivery) = together(round).await;
        assert_full(large);
        assert_eq!((small, delivery), (Ok(Created::New { claim: None }), Ok(true)), "they fit");
    }
    let large = store.commit_turn(turn("a", version("a"), JobStatus::Running, json!("x".repeat(2 * LARGE))));
    let small = store.commit_turn(turn("b", version("b"), JobStatus::Running, json!(1)));
    let (large, small) = tokio::join!(large, small);
    assert_full(large);
    assert_eq!(small, Ok(version("b") + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_tells_that_there_is_no_room_and_that_there_is_again() {
    let folder = folder();
    let store = limited(&folder, 400).await;
    assert_eq!(store.verify_writable().await, Ok(()));
    assert_eq!(store.verify_writable().await, Ok(()), "what an earlier probe left needs no room");
    store.create_job(job("ballast", LARGE), None).await.expect("there is room");
    let mut number = 0;
    while store.create_job(job(&format!("small-{number}"), 1_000), None).await.is_ok() {
        number += 1;
    }
    assert_full(store.verify_writable().await);
    let document = apiflow_store::Document {
        kind: DocumentKind::Workflow,
        id: "w".to_owned(),
        body: json!({"text": "x".repeat(20_000)}),
        references: Vec::new(),
        author: None,
        by_admin: false,
        saved_by: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        version: 0,
    };
    let refused = store.save_document(document.clone(), Precondition::None).await.expect_err("there is no room");
    assert!(matches!(refused, RecordError::Unavailable { fault: StoreFault::Full, .. }), "{refused}");
    remove(&store, "ballast").await;
    assert_eq!(store.verify_writable().await, Ok(()));
    store.save_document(document, Precondition::None).await.expect("there is room again");
}

async fn says_that_the_disk_is_full(path: &Path, max_page_count: Option<u32>) {
    let error = SqliteStore::open_within(path, max_page_count).await.err().expect("there is no room").to_string();
    let expected =
        format!("cannot open the database `sqlite:{}`: the disk of the database is full; free", path.display());
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_room_says_so() {
    let folder = folder();
    says_that_the_disk_is_full(&folder.path().join("jobs.db"), Some(8)).await;
    let Some(disk) = SmallDisk::mount(256) else { return };
    disk.fill();
    says_that_the_disk_is_full(&disk.path().join("jobs.db"), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_a_parameter_of_the_url() {
    let folder = folder();
    let path: PathBuf = folder.path().join("jobs.db");
    let stores = apiflow_store::open(&format!("sqlite:{}?max_page_count=200", path.display())).await;
    let stores = stores.expect("a file is opened");
    assert_full(stores.store.create_job(job("large", LARGE), None).await);
    assert!(path.exists(), "the parameter is no part of the path");
    for wrong in ["max_page_count=", "max_page_count=0", "max_page_count=many", "mode=ro"] {
        let error = apiflow_store::open(&format!("sqlite:{}?{wrong}", path.display())).await.err();
        let error = error.expect("there is no such parameter").to_string();
        assert!(error.contains("the only parameter of a SQLite URL is `max_page_count`"), "{error}");
    }
}
