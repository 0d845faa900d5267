//! OpenFlow's cases as data, run by the real driver on any store.
//!
//! `node/echo`, `node/fail` and `node/flaky` are answered by a client that stands where the network would be.

#[path = "cases.rs"]
pub(crate) mod cases;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use apiflow_core::catalog::{Connector, Node};
use apiflow_core::engine::GateSelector;
use apiflow_core::ports::{
    Clock, Evaluator, HttpClient, HttpError, HttpReply, HttpRequest, JobBundle, JobRow, JobStatus, MemoryHold,
    RequestBody, Store,
};
use apiflow_core::runtime::memory_artifacts::MemoryArtifacts;
use apiflow_core::runtime::{Approval, JobRequest, Runtime, RuntimeParts, RuntimeSettings};
use async_trait::async_trait;
use serde_json::{Value, json};

use cases::{Answer, Case, Observed};

/// A lease that never runs out: whatever is due sooner is a wait of the job's own.
pub(crate) const LEASE: Duration = Duration::from_secs(1_000_000_000);

/// The three nodes that the cases name.
#[derive(Default)]
struct Nodes {
    /// How often a step's node ran, by job and step.
    runs: Mutex<BTreeMap<(String, String), u64>>,
}

#[async_trait]
impl HttpClient for Nodes {
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let RequestBody::Text(text) = &request.body else { return Err(HttpError::Reply("no body".to_owned())) };
        let mut input: Value = serde_json::from_str(text).map_err(|error| HttpError::Reply(error.to_string()))?;
        let run = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            let count = runs.entry((header("X-Job"), header("X-Step"))).or_default();
            *count += 1;
            *count
        };
        let fails = match request.url.rsplit('/').next() {
            Some("fail") => true,
            Some("flaky") => run <= input["fail_times"].as_u64().unwrap_or_default(),
            _ => false,
        };
        let (status, body) = if fails {
            let message = input["message"].take();
            (500, json!({"message": if message.is_null() { json!("flaky") } else { message }}))
        } else {
            (200, input)
        };
        Ok(HttpReply {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
            url: request.url.clone(),
            memory: MemoryHold::default(),
        })
    }
}

/// The case's document with the three nodes.
pub(crate) fn bundle(flow: &Value) -> JobBundle {
    let mut bundle = JobBundle { document: flow.clone(), ..JobBundle::default() };
    let connector: Connector = serde_json::from_value(json!({
        "id": "cases", "name": "Cases", "base_url": "http://cases.test", "method": "POST",
        "header": {"X-Job": "{{ job.id }}", "X-Step": "{{ step.id }}"}
    }))
    .expect("a connector");
    bundle.catalog.connectors.insert("cases".to_owned(), connector);
    for id in ["echo", "fail", "flaky"] {
        let node = json!({"id": id, "name": id, "connector_id": "cases", "data": {"path": format!("/{id}")}});
        let node: Node = serde_json::from_value(node).expect("a node");
        bundle.catalog.nodes.insert(id.to_owned(), node);
    }
    bundle
}

/// What came of a case.
pub(crate) struct Outcome {
    pub(crate) job: JobRow,
    pub(crate) result: Value,
    runs: BTreeMap<String, u64>,
    early: Option<Value>,
}

/// A worker on a store.
pub(crate) struct Engine {
    runtime: Runtime,
    nodes: Arc<Nodes>,
    stop: tokio::sync::oneshot::Sender<()>,
    working: tokio::task::JoinHandle<()>,
}

impl Engine {
    pub(crate) fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, evaluator: Arc<dyn Evaluator>) -> Self {
        let nodes = Arc::new(Nodes::default());
        let artifacts = Arc::new(MemoryArtifacts::new());
        let parts = RuntimeParts { store, artifacts, http: nodes.clone(), evaluator, clock };
        let runtime = Runtime::new(parts, RuntimeSettings { lease: LEASE, ..RuntimeSettings::new("cases") });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = runtime.clone();
        let working = tokio::spawn(async move {
            worker
                .run_worker(async {
                    let _closed = stopped.await;
                })
                .await;
        });
        Self { runtime, nodes, stop, working }
    }

    pub(crate) async fn end(self) {
        let _ended = self.stop.send(());
        self.working.await.expect("the worker ends");
    }

    /// Runs a case to its end as the job `id`. `pass` lets time pass while nothing is to be done but wait.
    pub(crate) async fn run(&self, case: &Case, id: &str, pass: impl AsyncFn()) -> Outcome {
        let runtime = &self.runtime;
        let new =
            JobRequest { name: case.name.clone(), ..JobRequest::new(id, 7, bundle(&case.flow), case.input.clone()) };
        runtime.submit_job(new).await.expect("the job is made");
        let early_step = case.flow["value"]["early_return"].as_str();
        let mut early = None;
        let mut given = 0;
        let deadline = Instant::now() + Duration::from_mins(1);
        let job = loop {
            let job =
                runtime.wait_for_job(id, Duration::ZERO).await.expect("the store answers").expect("the job is there");
            if let (Some(step), None) = (early_step, &early) {
                early = runtime.early_return(id, step).await.expect("the store answers");
            }
            if job.state.status.is_final() {
                break job;
            }
            assert!(Instant::now() < deadline, "case `{}` does not end", case.name);
            match case.events.get(given) {
                Some(event) if job.state.status == JobStatus::Suspended => {
                    runtime.approve_gate(id, &given.to_string(), event.approval()).await.expect("the store answers");
                    given += 1;
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                None => pass().await,
            }
        };
        let result = match &job.state.output {
            Some(output) => runtime.resolve_reference(id, output).await.expect("the output is there"),
            None => Value::Null,
        };
        let runs = self.nodes.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = runs.iter().filter(|((job, _), _)| job == id).map(|((_, step), count)| (step.clone(), *count));
        Outcome { runs: runs.collect(), job, result, early }
    }
}

impl Answer {
    fn approval(&self) -> Approval {
        Approval {
            target: GateSelector::Step(self.step.clone()),
            approver: self.approver.clone(),
            counts_for: None,
            disapproves: self.r#type == "cancel",
            payload: self.payload.clone(),
        }
    }
}

impl Outcome {
    /// What of a case did not come out as expected.
    pub(crate) fn list_differences(&self, case: &Case) -> Vec<String> {
        let state = &self.job.state;
        case.expect.list_differences(&Observed {
            status: state.status.as_str(),
            result: &renamed(&self.result),
            runs: &self.runs,
            skipped: None,
            duration_ms: state.finished_at.map_or(0, |end| end.since_ms(self.job.created_at)),
            early_return: self.early.as_ref(),
        })
    }
}

/// A failed node's error is named after its class here, and says who answered; in the cases it is `Error`.
fn renamed(result: &Value) -> Value {
    let text = result.to_string().replace("\"unavailable\"", "\"Error\"").replace("Cases answered 500: ", "");
    serde_json::from_str(&text).expect("still JSON")
}
