//! The rules of all three ports on SQLite.

use std::sync::Arc;

use apiflow_store::{SqliteStore, conformance};
use tempfile::TempDir;

/// Files of the stores that a test makes; gone with it.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    async fn empty(&self) -> Arc<SqliteStore> {
        let (_, path) = tempfile::NamedTempFile::new_in(&self.0)
            .expect("a temporary file")
            .keep()
            .expect("the folder is removed, not the file");
        Arc::new(SqliteStore::open(path).await.expect("a new file is opened"))
    }
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
