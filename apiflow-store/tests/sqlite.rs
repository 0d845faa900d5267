//! The rules of all three ports on SQLite.

#[path = "common/new_job.rs"]
mod new_job;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::{Commit, JobJournal, JobQueue, JobRecords, JobState, JobStatus, LeaseChange, Timestamp};
use apiflow_store::{Documents, Housekeeping, OpenError, SecretRow, SecretStore, SqliteStore, Stores, conformance};
use new_job::new_job;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Files of the stores that a test makes; gone with it.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    async fn empty(&self) -> Arc<SqliteStore> {
        reopened(&self.path()).await
    }

    fn path(&self) -> PathBuf {
        let (_, path) = tempfile::NamedTempFile::new_in(&self.0)
            .expect("a temporary file")
            .keep()
            .expect("the folder is removed, not the file");
        path
    }
}

async fn reopened(path: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(path).await.expect("a file is opened"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_rule_of_the_store() {
    let files = Files::new();
    apiflow_core::runtime::conformance::run(async || files.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_rule_of_documents() {
    let files = Files::new();
    conformance::run_documents(async || files.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_rule_of_accounts() {
    let files = Files::new();
    conformance::run_accounts(async || files.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_rule_of_secrets() {
    let files = Files::new();
    conformance::run_secrets(async || files.empty().await.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_rule_of_artifacts() {
    let files = Files::new();
    conformance::run_artifacts(async || files.empty().await.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_the_jobs_of_one_file() {
    let files = Files::new();
    let path = files.path();
    let opening = [(); 2].map(|()| {
        let url = format!("sqlite:{}", path.display());
        tokio::spawn(async move { apiflow_store::open(&url).await })
    });
    let [one, other] = opening;
    let open = async |opening: JoinHandle<Result<Stores, OpenError>>| {
        opening.await.expect("no panic").expect("a file is opened").store
    };
    apiflow_core::runtime::conformance::run_shared([open(one).await, open(other).await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_opening_again() {
    let files = Files::new();
    let path = files.path();
    let secret = SecretRow {
        owner: None,
        name: "KEY".to_owned(),
        origins: Vec::new(),
        sealed: vec![1],
        updated_at: Timestamp(1),
        generated_for: None,
    };
    let first = reopened(&path).await;
    first.put_secret(secret.clone()).await.expect("a secret is kept");
    first.close().await;
    assert!(first.list_secrets().await.is_err() && first.read_next_due_at().await.is_err(), "a closed store says so");
    let second = reopened(&path).await;
    assert_eq!(second.secret_row(None, "KEY").await, Ok(Some(secret)));
    assert_eq!(second.read_document(apiflow_store::DocumentKind::Node, "n").await, Ok(None));
}

/// Creates jobs with large inputs.
async fn fill_with_jobs(store: &SqliteStore, count: usize) {
    for index in 0..count {
        let job = new_job(&format!("j{index:03}"), serde_json::Value::from("x".repeat(50_000)));
        store.create_job(job, None).await.expect("a job is created");
    }
}

async fn end_all_jobs(store: &SqliteStore) {
    while !store.count_active_jobs().await.expect("jobs are counted").is_empty() {
        for claim in store.claim_due_jobs("w", 100, Duration::from_mins(1)).await.expect("jobs are claimed") {
            let state = JobState {
                status: JobStatus::Completed,
                finished_at: Some(Timestamp(1_000 + claim.version as i64)),
                ..JobState::new(1)
            };
            let release = LeaseChange::Release { wake_at: None };
            let turn = Commit::new(&claim.job, claim.version, Timestamp(2), state, release);
            store.commit_turn(turn).await.expect("a job ends");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_old_jobs_shrinks_the_file() {
    let files = Files::new();
    let path = files.path();
    let store = reopened(&path).await;
    fill_with_jobs(&store, 40).await;
    end_all_jobs(&store).await;
    let list = async |ended_before: Option<i64>, max_ended: Option<u64>, limit: u32| {
        store.list_expired_jobs(ended_before.map(Timestamp), max_ended, limit).await.expect("jobs are listed")
    };
    assert_eq!(list(None, None, 10).await, [""; 0]);
    assert_eq!(list(Some(1_000), None, 10).await, [""; 0]);
    assert_eq!(list(Some(9_000), None, 2).await, ["j000", "j001"]);
    assert_eq!(list(None, Some(37), 10).await, ["j000", "j001", "j002"]);
    assert_eq!(list(Some(9_000), Some(37), 3).await, ["j000", "j001", "j002"]);
    assert_eq!(list(None, Some(40), 10).await, [""; 0]);
    let size = async |store: &SqliteStore| {
        store.close().await;
        std::fs::metadata(&path).expect("the file is there").len()
    };
    let before = size(&store).await;
    let store = reopened(&path).await;
    for job in store.list_expired_jobs(Some(Timestamp(9_000)), None, 40).await.expect("jobs are listed") {
        store.delete_job(&job).await.expect("a job is deleted");
    }
    let mut reclaimed = 0;
    loop {
        match store.reclaim_space().await.expect("space is given back") {
            0 => break,
            bytes => reclaimed += bytes,
        }
    }
    let after = size(&store).await;
    assert!(reclaimed > 40 * 50_000 && after + 40 * 50_000 < before, "{before} - {reclaimed} = {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_named() {
    let files = Files::new();
    let path = files.path();
    std::fs::write(&path, "a text, and longer than the header of a database; ".repeat(40)).expect("a file is written");
    let error = SqliteStore::open(&path).await.err().expect("a text is no database");
    assert_eq!(error.url, format!("sqlite:{}", path.display()));
    assert!(error.reason.contains("not a database"), "{error}");
}
