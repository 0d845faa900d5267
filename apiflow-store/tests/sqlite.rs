//! The rules of all three ports on SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use apiflow_core::ports::{JobQueue, Timestamp};
use apiflow_store::{Documents, OpenError, SecretRow, SecretStore, SqliteStore, Stores, conformance};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_named() {
    let files = Files::new();
    let path = files.path();
    std::fs::write(&path, "a text, and longer than the header of a database; ".repeat(40)).expect("a file is written");
    let error = SqliteStore::open(&path).await.err().expect("a text is no database");
    assert_eq!(error.url, format!("sqlite:{}", path.display()));
    assert!(error.reason.contains("not a database"), "{error}");
}
