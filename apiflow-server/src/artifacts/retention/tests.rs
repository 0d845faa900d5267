//! The limits on a real SQLite file and a real folder.

use apiflow_core::artifacts::ArtifactSettings;
use apiflow_core::catalog::ValueType;
use apiflow_core::ports::{
    ArtifactFilter, Artifacts as _, Commit, EventRow, JobBundle, JobState, JobStatus, LeaseChange, NewArtifact, NewJob,
    Provenance,
};
use apiflow_core::runtime::clock::SystemClock;
use apiflow_store::{Document, DocumentKind, Precondition};
use async_trait::async_trait;
use axum::body::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A clock that runs ahead.
struct ClockAhead(AtomicU64);

#[async_trait]
impl Clock for ClockAhead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.0.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, _: Timestamp) {}
}

/// A server's storage.
struct Storage {
    stores: Stores,
    artifacts: Arc<StoredArtifacts>,
    clock: Arc<ClockAhead>,
    counters: Arc<RetentionCounters>,
    folder: TempDir,
}

impl Storage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("apiflow.db").display());
        let stores = apiflow_store::open(&url).await.expect("the database opens");
        let clock = Arc::new(ClockAhead(AtomicU64::new(0)));
        let artifacts = StoredArtifacts::in_folder(
            &folder.path().join("artifacts"),
            stores.artifacts.clone(),
            clock.clone(),
            ArtifactSettings::new("x/"),
        );
        let artifacts = Arc::new(artifacts.expect("a folder is opened"));
        Self { stores, artifacts, clock, counters: Arc::default(), folder }
    }

    async fn put(&self, id: &str, job: Option<&str>) {
        let provenance = job.map(|job| Provenance {
            job: job.to_owned(),
            step: 1,
            step_id: "a".to_owned(),
            provider: "p".to_owned(),
            link: None,
            link_expires_at: None,
        });
        let new = NewArtifact {
            id: id.to_owned(),
            value_type: ValueType::File,
            mime: None,
            name: None,
            owner: None,
            provenance,
        };
        let content = Bytes::from(format!("{id:100}"));
        self.artifacts.put(new, Box::pin(futures_util::stream::iter([Ok(content)]))).await.expect("it is stored");
    }

    async fn create_job(&self, id: &str) {
        self.create_job_of(id, None).await;
    }

    async fn create_job_of(&self, id: &str, workflow: Option<&str>) {
        let job = NewJob {
            id: id.to_owned(),
            name: String::new(),
            workflow_id: workflow.map(str::to_owned),
            workflow_version: None,
            node_id: None,
            rerun_of: None,
            created_by: None,
            created_at: self.clock.now(),
            bundle: JobBundle::default().into(),
            priority: 0,
            concurrency: None,
            events: vec![EventRow { seq: 1, at: Timestamp(1), body: json!({}), value: Some(json!(1)), item: None }],
            idempotency: None,
            max_bytes_in_flight: None,
            webhook: None,
        };
        self.stores.store.create_job(job, None).await.expect("a job is created");
    }

    async fn save_workflow(&self, id: &str, retention: Value) {
        let document = Document {
            kind: DocumentKind::Workflow,
            id: id.to_owned(),
            body: json!({"retention": retention}),
            references: Vec::new(),
            author: None,
            by_admin: false,
            saved_by: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            version: 0,
        };
        self.stores.documents.save_document(document, Precondition::None).await.expect("a workflow is saved");
    }

    async fn end_jobs(&self) {
        for claim in self.stores.store.claim_due_jobs("w", 100, Duration::from_mins(1)).await.expect("a claim works") {
            let state =
                JobState { status: JobStatus::Completed, finished_at: Some(self.clock.now()), ..JobState::new(1) };
            let release = LeaseChange::Release { wake_at: None };
            let turn = Commit::new(&claim.job, claim.version, self.clock.now(), state, release);
            self.stores.store.commit_turn(turn).await.expect("a job ends");
        }
    }

    /// Lets time pass, applies limits, and returns the artifacts that are left.
    async fn apply(&self, days: u64, settings: RetentionSettings) -> Vec<String> {
        self.clock.0.fetch_add(days * DAY_MS, Ordering::Relaxed);
        let (clock, counters) = (self.clock.clone(), self.counters.clone());
        let retention = Retention::new(self.artifacts.clone(), &self.stores, clock, settings, counters);
        retention.apply_limits().await.expect("the limits are applied");
        let rows = self.artifacts.records().list_artifacts(&ArtifactFilter::default(), None, 100).await;
        let mut left: Vec<String> = rows.expect("a list").into_iter().map(|row| row.id).collect();
        left.sort();
        left
    }

    fn count_files(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.path().join("artifacts/blobs")).expect("the folder is there");
        folders.map(|folder| std::fs::read_dir(folder.expect("an entry").path()).expect("a folder").count()).sum()
    }
}

fn no_limits() -> RetentionSettings {
    RetentionSettings {
        max_artifact_bytes: 1 << 20,
        artifact_quota_bytes: None,
        artifact_days: None,
        max_stored_bytes: None,
        link_seconds: 60,
        job_days: None,
        max_ended_jobs: None,
        call_days: 30,
        max_calls: 1_000_000,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_artifacts_go_unless_an_active_job_uses_them() {
    let storage = Storage::new().await;
    storage.create_job("j").await;
    storage.put("output", Some("j")).await;
    storage.put("old", None).await;
    assert_eq!(storage.apply(2, no_limits()).await, ["old", "output"]);
    storage.put("new", None).await;
    let limits = RetentionSettings { artifact_days: Some(1), ..no_limits() };
    assert_eq!(storage.apply(0, limits.clone()).await, ["new", "output"]);
    storage.end_jobs().await;
    assert_eq!(storage.apply(0, limits).await, ["new"]);
    assert_eq!((storage.count_files(), storage.counters.collected_files.load(Ordering::Relaxed)), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_overrides_how_long_its_jobs_and_outputs_are_kept() {
    let storage = Storage::new().await;
    for (id, retention) in [("short", json!({"artifacts_days": 1, "jobs_days": 4})), ("long", json!({"jobs_days": 9}))]
    {
        storage.save_workflow(id, retention).await;
        storage.create_job_of(id, Some(id)).await;
        storage.put(id, Some(id)).await;
    }
    storage.create_job("other").await;
    storage.put("other", Some("other")).await;
    storage.end_jobs().await;
    let limits = RetentionSettings { job_days: Some(7), ..no_limits() };
    assert_eq!(storage.apply(2, limits.clone()).await, ["long", "other"]);
    let jobs = async || {
        let mut left = Vec::new();
        for id in ["short", "long", "other"] {
            if storage.stores.store.read_job(id).await.expect("a job is read").is_some() {
                left.push(id);
            }
        }
        left
    };
    assert_eq!(jobs().await, ["short", "long", "other"]);
    assert_eq!(storage.apply(3, limits.clone()).await, ["long", "other"]);
    assert_eq!(jobs().await, ["long", "other"]);
    assert_eq!(storage.apply(3, limits.clone()).await, ["long"]);
    assert_eq!(jobs().await, ["long"]);
    assert_eq!(storage.apply(2, limits).await, [""; 0]);
    assert_eq!((jobs().await, storage.count_files()), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_recently_used_go_when_there_is_too_much() {
    let storage = Storage::new().await;
    for id in ["a", "b", "c"] {
        storage.put(id, None).await;
        storage.apply(1, no_limits()).await;
    }
    let limits = RetentionSettings { max_stored_bytes: Some(250), ..no_limits() };
    assert_eq!(storage.apply(0, limits.clone()).await, ["b", "c"]);
    assert_eq!(storage.apply(0, limits).await, ["b", "c"]);
    assert_eq!(storage.counters.expired_artifacts.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_jobs_take_their_outputs_along() {
    let storage = Storage::new().await;
    for id in ["a", "b", "c"] {
        storage.create_job(id).await;
        storage.put(id, Some(id)).await;
    }
    storage.end_jobs().await;
    storage.create_job("active").await;
    let limits = RetentionSettings { max_ended_jobs: Some(2), ..no_limits() };
    assert_eq!(storage.apply(0, limits).await, ["b", "c"]);
    let limits = RetentionSettings { job_days: Some(3), ..no_limits() };
    assert_eq!(storage.apply(2, limits.clone()).await, ["b", "c"]);
    assert_eq!(storage.apply(2, limits).await, [""; 0]);
    assert_eq!((storage.count_files(), storage.counters.expired_jobs.load(Ordering::Relaxed)), (0, 3));
    assert!(storage.stores.store.read_job("active").await.is_ok_and(|job| job.is_some()));
}
