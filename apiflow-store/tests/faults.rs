//! A fault of the database in the middle of a claim, an erasure or a commit leaves everything as it was before.

#[path = "common/new_job.rs"]
mod new_job;

use std::path::PathBuf;
use std::time::Duration;

use apiflow_core::money::Cost;
use apiflow_core::ports::{
    CachedResult, CallRecord, Claim, Commit, Concurrency, Created, Erasure, EventRow, JobJournal, JobQueue, JobRecords,
    JobState, JobStatus, LeaseChange, NewJob, Timestamp,
};
use apiflow_store::SqliteStore;
use new_job::new_job;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use tempfile::TempDir;

const LONG: Duration = Duration::from_hours(1);

/// A store, and a second way into its file.
struct Opened {
    store: SqliteStore,
    path: PathBuf,
    _folder: TempDir,
}

impl Opened {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).await.expect("a file is opened");
        Self { store, path, _folder: folder }
    }

    async fn execute(&self, statement: String) {
        let url = format!("sqlite:{}", self.path.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("the file is opened again");
        connection.execute(AssertSqlSafe(statement)).await.expect("the statement is executed");
        connection.close().await.expect("the connection is closed");
    }

    /// Makes what is described fail, until [`Self::mend`].
    async fn break_on(&self, what: &str) {
        self.execute(format!("CREATE TRIGGER fault BEFORE {what} BEGIN SELECT RAISE(ABORT, 'a fault'); END")).await;
    }

    async fn mend(&self) {
        self.execute("DROP TRIGGER fault".to_owned()).await;
    }

    async fn count(&self, table: &str) -> i64 {
        let url = format!("sqlite:{}", self.path.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("the file is opened again");
        let count = sqlx::query_as(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")));
        let (count,): (i64,) = count.fetch_one(&mut connection).await.expect("rows are counted");
        connection.close().await.expect("the connection is closed");
        count
    }

    async fn create(&self, id: &str, concurrency: Option<Concurrency>) {
        let job = NewJob { concurrency, events: vec![event(1, json!("input"))], ..new_job(id, json!("input")) };
        assert_eq!(self.store.create_job(job, None).await, Ok(Created::New { claim: None }));
    }

    async fn claim_one(&self) -> Claim {
        let mut claims = self.store.claim_due_jobs("worker", 10, LONG).await.expect("a claim works");
        assert_eq!(claims.len(), 1, "one job is due");
        claims.remove(0)
    }
}

fn event(seq: u64, value: Value) -> EventRow {
    EventRow { seq, at: Timestamp(1), body: json!({"type": "noted"}), value: Some(value), item: None }
}

fn limit_of_one() -> Concurrency {
    Concurrency { key: "k".to_owned(), limit: 1, window_s: None }
}

fn turn(claim: &Claim, status: JobStatus) -> Commit {
    let state = JobState {
        status,
        priority: 0,
        retry_count: 0,
        cost: Cost::default(),
        started_at: None,
        finished_at: None,
        output: None,
        error: None,
        erase_at: Some(Timestamp(3)),
    };
    Commit::new(&claim.job, claim.version, Timestamp(2), state, LeaseChange::Keep)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_while_slots_are_given_gives_none() {
    let opened = Opened::new().await;
    opened.create("a", Some(limit_of_one())).await;
    opened.create("b", Some(limit_of_one())).await;
    opened.break_on("UPDATE OF due_at ON jobs").await;
    let error = opened.store.claim_due_jobs("worker", 10, LONG).await.expect_err("the database fails");
    assert!(error.to_string().contains("a fault"), "{error}");
    opened.mend().await;
    assert_eq!(opened.claim_one().await, Claim { job: "a".to_owned(), version: 1, tries: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_the_middle_of_a_claim_claims_nothing() {
    let opened = Opened::new().await;
    opened.create("a", Some(limit_of_one())).await;
    opened.create("b", None).await;
    opened.break_on("UPDATE OF started_at ON job_slots").await;
    opened.store.claim_due_jobs("worker", 10, LONG).await.expect_err("the database fails");
    opened.mend().await;
    let claims = opened.store.claim_due_jobs("worker", 10, LONG).await.expect("a claim works");
    assert!(claims.iter().all(|claim| claim.version == 1) && claims.len() == 2, "{claims:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_the_end_of_a_job_keeps_its_slot() {
    let opened = Opened::new().await;
    opened.create("a", Some(limit_of_one())).await;
    opened.create("b", Some(limit_of_one())).await;
    let claim = opened.claim_one().await;
    opened.break_on("UPDATE OF state ON job_slots").await;
    opened.store.commit_turn(turn(&claim, JobStatus::Completed)).await.expect_err("the database fails");
    opened.mend().await;
    assert_eq!(opened.store.claim_due_jobs("worker", 10, LONG).await, Ok(Vec::new()));
    opened.store.commit_turn(turn(&claim, JobStatus::Completed)).await.expect("the owner commits");
    assert_eq!(opened.claim_one().await.job, "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_the_middle_of_an_erasure_erases_nothing() {
    let opened = Opened::new().await;
    opened.create("a", None).await;
    let claim = opened.claim_one().await;
    let call = CallRecord {
        step: 2,
        attempt: 1,
        purpose: "submit".to_owned(),
        at: Timestamp(2),
        duration_ms: 1,
        request: json!({}),
        reply: json!({}),
    };
    let end =
        Commit { events: vec![event(2, json!("value"))], calls: vec![call.clone()], ..turn(&claim, JobStatus::Failed) };
    opened.store.commit_turn(end).await.expect("the owner commits");
    let erasure = Erasure { job: "a".to_owned(), values: vec![1, 2], calls: vec![2], ..Erasure::default() };
    opened.break_on("DELETE ON job_calls").await;
    opened.store.erase_job_data(erasure.clone()).await.expect_err("the database fails");
    let values = opened.store.read_values("a", &[1, 2]).await;
    assert_eq!(values, Ok(vec![Some(json!("input")), Some(json!("value"))]));
    assert_eq!(opened.store.list_calls("a", 2).await, Ok(vec![call]));
    opened.mend().await;
    let due = opened.store.take_due_erasures(10, LONG).await.expect("erasures are taken");
    assert_eq!(due.len(), 1, "it is still to be erased");
    opened.store.erase_job_data(erasure).await.expect("it is erased");
    assert_eq!(opened.store.read_values("a", &[1, 2]).await, Ok(vec![Some(json!({})), Some(json!({}))]));
    assert_eq!(opened.store.list_calls("a", 2).await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_results_and_slots_that_are_over_do_not_pile_up() {
    let opened = Opened::new().await;
    opened.create("a", Some(limit_of_one())).await;
    let mut claim = opened.claim_one().await;
    for round in 0..3 {
        let kept = |index: u64| CachedResult {
            key: format!("{round}-{index}"),
            value: json!(index),
            ttl_s: if index == 0 { 3_600 } else { 0 },
        };
        let cached = (0..100).map(kept).collect();
        let commit = Commit { cached, ..turn(&claim, JobStatus::Running) };
        claim.version = opened.store.commit_turn(commit).await.expect("the owner commits");
    }
    assert_eq!(opened.count("cached_results").await, 3, "one of each round has not expired");
    opened.store.commit_turn(turn(&claim, JobStatus::Completed)).await.expect("the owner commits");
    assert_eq!(opened.store.claim_due_jobs("worker", 10, LONG).await, Ok(Vec::new()));
    assert_eq!(opened.count("job_slots").await, 0);
}
