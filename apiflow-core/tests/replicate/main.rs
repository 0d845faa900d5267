//! The driver against a stand-in for Replicate, over real HTTP.

mod calls;
mod downloads;
mod erasure;
mod fallback;
mod faults;
mod founding;
mod given_up;
mod growth;
mod hostile;
mod media;
mod operations;
mod parallel;
mod progress;
mod queue;
mod recovery;
mod reply_media;
mod scripted;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::http::{Http, HttpLimits, OutgoingPolicy};
use apiflow_core::ports::{Clock, Evaluator, JobBundle, JobRecords, JobRow, StepRow};
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::memory::MemoryStore;
use apiflow_core::runtime::memory_artifacts::MemoryArtifacts;
use apiflow_core::runtime::secrets::StaticSecrets;
use apiflow_core::runtime::{JobRequest, Runtime, RuntimeParts, RuntimeSettings};
use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};

/// A worker on a memory store, and the stand-in that it calls.
struct Bench {
    runtime: Runtime,
    store: Arc<MemoryStore>,
    provider: Replicate,
    parts: RuntimeParts,
    settings: RuntimeSettings,
    working: tokio::task::JoinHandle<()>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Bench {
    async fn start(behaviour: Behaviour) -> Self {
        Self::start_at(behaviour, Arc::new(SystemClock), RuntimeSettings::new("tests")).await
    }

    /// The same, and calls may go to one more address.
    async fn start_allowing(behaviour: Behaviour, address: &str) -> Self {
        Self::start_with(behaviour, Arc::new(SystemClock), RuntimeSettings::new("tests"), address).await
    }

    async fn start_at(behaviour: Behaviour, clock: Arc<dyn Clock>, settings: RuntimeSettings) -> Self {
        Self::start_with(behaviour, clock, settings, "").await
    }

    async fn start_with(behaviour: Behaviour, clock: Arc<dyn Clock>, settings: RuntimeSettings, allowed: &str) -> Self {
        Self::start_whole(behaviour, clock, settings, allowed, Arc::new(BoaEvaluator::new())).await
    }

    async fn start_evaluating(behaviour: Behaviour, settings: RuntimeSettings, evaluator: Arc<dyn Evaluator>) -> Self {
        Self::start_whole(behaviour, Arc::new(SystemClock), settings, "", evaluator).await
    }

    async fn start_whole(
        behaviour: Behaviour,
        clock: Arc<dyn Clock>,
        settings: RuntimeSettings,
        allowed: &str,
        evaluator: Arc<dyn Evaluator>,
    ) -> Self {
        let provider = Replicate::start(behaviour).await.expect("the stand-in starts");
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let policy = OutgoingPolicy::parse(&format!("{},{allowed}", provider.address())).expect("addresses");
        let secrets = Arc::new(StaticSecrets::new().with_secret("REPLICATE_API_TOKEN", "r8_canary", &[]));
        let http = Http::new(
            policy,
            secrets,
            HttpLimits { max_reply_bytes: 1_100_000, max_memory_bytes: 64 * 1024 * 1024, ..HttpLimits::default() },
        )
        .expect("a client");
        let artifacts = Arc::new(MemoryArtifacts::new());
        let http = Arc::new(http.with_artifacts(artifacts.clone()));
        let parts = RuntimeParts { store: store.clone(), artifacts, http, evaluator, clock };
        let runtime = Runtime::new(parts.clone(), settings.clone());
        let (working, stop) = work(&runtime);
        Self { runtime, store, provider, parts, settings, working, stop }
    }

    /// The same store with another worker, which knows nothing but what the store holds.
    async fn restarted(mut self) -> Self {
        self.stop.send_replace(true);
        (&mut self.working).await.expect("the worker ends");
        self.settings = RuntimeSettings::new("after the restart");
        self.restart();
        self
    }

    /// The worker dies, whatever it has under way.
    async fn crash(&mut self) {
        self.working.abort();
        let _cancelled = (&mut self.working).await;
    }

    /// Another worker begins in place of one that died.
    fn restart(&mut self) {
        self.runtime = Runtime::new(self.parts.clone(), self.settings.clone());
        (self.working, self.stop) = work(&self.runtime);
    }

    /// The founding node of the stand-in, and a document, ready to run.
    fn bundle(&self, document: Value) -> JobBundle {
        bundle(self.provider.base_url(), document)
    }

    async fn submit(&self, document: Value, input: Value) {
        self.submit_as("job", self.bundle(document), input).await;
    }

    async fn submit_as(&self, id: &str, bundle: JobBundle, input: Value) {
        let run = JobRequest { name: id.to_owned(), ..JobRequest::new(id, 1, bundle, input) };
        self.runtime.submit_job(run).await.expect("the job is made");
    }

    /// The job, once it has ended.
    async fn ended(&self) -> JobRow {
        let job = self.runtime.wait_for_job("job", Duration::from_mins(2)).await.expect("the store answers");
        let job = job.expect("the job is there");
        assert!(job.state.status.is_final(), "the job is still {}", job.state.status.as_str());
        job
    }

    async fn output(&self, job: &JobRow) -> Value {
        let output = job.state.output.as_ref().expect("an output");
        self.runtime.resolve_reference(&job.id, output).await.expect("the output is there")
    }

    async fn steps(&self) -> Vec<StepRow> {
        self.store.list_steps("job", 0, 500).await.expect("the store answers")
    }

    async fn finish(self) {
        self.stop.send_replace(true);
        self.working.await.expect("the worker ends");
    }
}

/// Lets a runtime work until it is stopped.
fn work(runtime: &Runtime) -> (tokio::task::JoinHandle<()>, tokio::sync::watch::Sender<bool>) {
    let stop = tokio::sync::watch::Sender::new(false);
    let mut stopped = stop.subscribe();
    let worker = runtime.clone();
    let working = tokio::spawn(async move {
        let until = async move {
            let _closed = stopped.wait_for(|stop| *stop).await.map(|_| ());
        };
        worker.run_worker(until).await;
    });
    (working, stop)
}

/// The founding workflow's first step.
fn one_step() -> Value {
    let mut document = founding("workflow.json")["nodes"].take();
    document["value"]["modules"].as_array_mut().expect("modules").truncate(1);
    document
}

/// The founding workflow's first step, three times at once.
fn three_equal_branches() -> Value {
    let module = one_step()["value"]["modules"][0].take();
    let branch = |index| {
        let mut module = module.clone();
        module["id"] = json!(format!("step{index}"));
        json!({"modules": [module]})
    };
    let all = json!({"id": "all", "value": {"type": "branchall", "branches": [branch(0), branch(1), branch(2)]}});
    json!({"summary": "equal", "value": {"modules": [all]}})
}

/// The input of the founding workflow.
fn input() -> Value {
    json!({"input_image": "https://example.com/a.png"})
}

/// A file of the founding document.
fn founding(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/founding").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn bundle(base_url: impl AsRef<str>, document: Value) -> JobBundle {
    let mut connector = founding("connector.json");
    connector["id"] = json!("replicate_connector_id");
    connector["base_url"] = json!(base_url.as_ref());
    let mut node = founding("node.json");
    node["id"] = json!("replicate_flux_kontext_pro_node_id");
    node["data"] = json!({
        "path": "/models/black-forest-labs/flux-kontext-pro/predictions",
        "body": {"input": "{{ input }}"},
        "operation": "replicate",
    });
    let mut bundle = JobBundle { document, ..JobBundle::default() };
    let connector = parse_connector(&connector).expect("the founding connector");
    let node = parse_node(&node).expect("the founding node");
    bundle.catalog.connectors.insert(connector.id.clone(), connector);
    bundle.catalog.nodes.insert(node.id.clone(), node);
    bundle
}

fn fast() -> Behaviour {
    Behaviour { delay_ms: 100, ..Behaviour::default() }
}
