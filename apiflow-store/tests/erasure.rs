//! What is erased is gone from the SQLite file, once it is compacted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::catalog::{Connector, Node};
use apiflow_core::ports::{
    EvaluationError, Evaluator, HttpClient, HttpError, HttpReply, HttpRequest, JobBundle, JobJournal, MemoryHold,
    RequestBody, Script,
};
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::memory_artifacts::MemoryArtifacts;
use apiflow_core::runtime::{JobRequest, Runtime, RuntimeParts, RuntimeSettings};
use apiflow_store::SqliteStore;
use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Stands where the network would be, and answers with what it was sent.
struct Echo;

#[async_trait]
impl HttpClient for Echo {
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
        let RequestBody::Text(text) = &request.body else { return Err(HttpError::Reply("no body".to_owned())) };
        Ok(HttpReply {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: text.clone().into_bytes(),
            url: request.url.clone(),
            memory: MemoryHold::default(),
        })
    }
}

/// The document names plain paths only, which need no JavaScript.
struct NoJavaScript;

#[async_trait]
impl Evaluator for NoJavaScript {
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError> {
        panic!("`{}` is no plain path", script.source)
    }
}

fn bundle(erased: bool) -> JobBundle {
    let document = json!({"summary": "", "value": {"delete_after_use": erased, "modules": [
        {"id": "call", "value": {"type": "script", "path": "node/echo", "input_transforms": {
            "text": {"type": "javascript", "expr": "flow_input.text"}}}},
        {"id": "sleep", "value": {"type": "identity"}, "sleep": {"type": "static", "value": 0.01}},
        {"id": "again", "value": {"type": "script", "path": "node/echo", "input_transforms": {
            "text": {"type": "javascript", "expr": "results.call.text"}}}},
    ]}});
    let mut bundle = JobBundle { document, ..JobBundle::default() };
    let connector = json!({"id": "echo", "name": "Echo", "base_url": "http://echo.test", "method": "POST"});
    let connector: Connector = serde_json::from_value(connector).expect("a connector");
    bundle.catalog.connectors.insert("echo".to_owned(), connector);
    let node: Node =
        serde_json::from_value(json!({"id": "echo", "name": "Echo", "connector_id": "echo"})).expect("a node");
    bundle.catalog.nodes.insert("echo".to_owned(), node);
    bundle
}

const JOBS: usize = 24;

/// Every third job is kept; the texts are short, longer than a page of the file, and between.
fn text(index: usize) -> String {
    format!("canary-{index:02}-").repeat([1, 30, 700][index / 3 % 3])
}

fn is_erased(index: usize) -> bool {
    !index.is_multiple_of(3)
}

/// Whether a file or its log holds a text.
fn holds(path: &Path, text: &str) -> bool {
    let log = path.with_extension("db-wal");
    let files = [path, log.as_path()].into_iter().filter(|file| file.exists());
    files
        .map(|file| std::fs::read(file).expect("the file is read"))
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_gone_from_the_file_once_it_is_compacted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("jobs.db");
    let store = Arc::new(SqliteStore::open(&path).await.expect("a file is opened"));
    let parts = RuntimeParts {
        store: store.clone(),
        artifacts: Arc::new(MemoryArtifacts::new()),
        http: Arc::new(Echo),
        evaluator: Arc::new(NoJavaScript),
        clock: Arc::new(SystemClock),
    };
    let runtime = Runtime::new(parts, RuntimeSettings::new("tests"));
    for index in 0..JOBS {
        let run = JobRequest::new(format!("job-{index:02}"), 1, bundle(is_erased(index)), json!({"text": text(index)}));
        runtime.submit_job(run).await.expect("the job is made");
    }
    let canary = |index: usize| format!("canary-{index:02}-");
    assert!((0..JOBS).all(|index| holds(&path, &canary(index))), "all of it was written");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = runtime.clone();
    let working = tokio::spawn(async move { worker.run_worker(async { drop(stopped.await) }).await });
    for index in 0..JOBS {
        let id = format!("job-{index:02}");
        for tries in 0.. {
            let job = store.read_job(&id).await.expect("the store answers").expect("the job is there");
            if job.state.status.is_final() && job.state.erase_at.is_none() {
                assert_eq!(job.state.status.as_str(), "completed", "{:?}", job.state.error);
                break;
            }
            assert!(tries < 3_000, "job `{id}` is not erased: {:?}", job.state);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    drop(stop);
    working.await.expect("the worker ends");
    drop(runtime);
    store.close().await;
    // SQLite overwrites what is deleted, but not the copies in the unused space of pages that it rearranged before.
    let mut file = SqliteConnectOptions::new().filename(&path).connect().await.expect("the file is opened");
    sqlx::query("VACUUM").execute(&mut file).await.expect("the file is compacted");
    file.close().await.expect("the file is closed");
    for index in 0..JOBS {
        assert_eq!(holds(&path, &canary(index)), !is_erased(index), "job {index}");
    }
}
