//! Runs a row against its script.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::artifact::artifact_id_of;
use apiflow_core::catalog::{Catalog, parse_connector, parse_node};
use apiflow_core::http::{Http, HttpLimits, OutgoingPolicy};
use apiflow_core::ports::{Artifacts, JobBundle, JobRow};
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::memory::MemoryStore;
use apiflow_core::runtime::memory_artifacts::MemoryArtifacts;
use apiflow_core::runtime::secrets::StaticSecrets;
use apiflow_core::runtime::{JobRequest, Runtime, RuntimeParts, RuntimeSettings};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::row::{Expected, Routes, Row};
use super::scripted_provider::{ScriptedProvider, fill_in, sample};

/// The time that a row may take.
const ROW_TIMEOUT: Duration = Duration::from_mins(1);

/// A job of one step, in progress.
pub(crate) struct MatrixRun {
    provider: ScriptedProvider,
    runtime: Runtime,
    artifacts: Arc<MemoryArtifacts>,
    stop: oneshot::Sender<()>,
    working: JoinHandle<()>,
}

/// A job that has ended.
pub(crate) struct EndedRun {
    provider: ScriptedProvider,
    job: JobRow,
    output: Value,
    /// The bytes of the output's artifacts, by id.
    files: BTreeMap<String, Vec<u8>>,
}

impl MatrixRun {
    /// Starts the provider, and a job of one step that calls it.
    pub(crate) async fn start(row: &Row, routes: &Routes) -> Self {
        let provider = ScriptedProvider::start(routes).await;
        let port = provider.address.port();
        let declare = |declaration: &Value| -> Value {
            serde_json::from_str(&fill_in(&declaration.to_string(), port)).expect("still JSON")
        };
        let connector = parse_connector(&declare(&row.connector));
        let connector = connector.unwrap_or_else(|found| panic!("{}: {found:?}", row.name));
        let node = parse_node(&declare(&row.node)).unwrap_or_else(|found| panic!("{}: {found:?}", row.name));
        let input = declare(&row.input);
        let inputs = input.as_object().expect("the input is an object").iter();
        let transforms: serde_json::Map<String, Value> =
            inputs.map(|(name, value)| (name.clone(), json!({"type": "static", "value": value}))).collect();
        let path = format!("node/{}", node.id);
        let document = json!({"summary": row.name, "value": {"modules": [
            {"id": "call", "value": {"type": "script", "path": path, "input_transforms": transforms}}]}});
        let catalog = Catalog {
            connectors: BTreeMap::from([(connector.id.clone(), connector)]),
            nodes: BTreeMap::from([(node.id.clone(), node)]),
            ..Catalog::default()
        };
        let artifacts = Arc::new(MemoryArtifacts::new());
        let clock = Arc::new(SystemClock);
        let secrets = StaticSecrets::new().with_secret("KEY", "canary-key-of-the-matrix", &[]);
        let policy = OutgoingPolicy::parse(&format!("127.0.0.1:{port},localhost:{port}")).expect("addresses");
        let http = Http::new(policy, Arc::new(secrets), HttpLimits::default()).expect("a client");
        let parts = RuntimeParts {
            store: Arc::new(MemoryStore::new(clock.clone())),
            artifacts: artifacts.clone(),
            http: Arc::new(http),
            evaluator: Arc::new(BoaEvaluator::new()),
            clock,
        };
        let runtime = Runtime::new(parts, RuntimeSettings::new("matrix"));
        let (stop, stopped) = oneshot::channel();
        let worker = runtime.clone();
        let working = tokio::spawn(async move { worker.run_worker(async { drop(stopped.await) }).await });
        let bundle = JobBundle { document, catalog, ..JobBundle::default() };
        runtime.submit_job(JobRequest::new("job", 1, bundle, json!({}))).await.expect("the job is created");
        Self { provider, runtime, artifacts, stop, working }
    }

    /// Returns once the provider was asked at a route.
    pub(crate) async fn wait_for_call(&self, route: &str) -> Result<(), String> {
        tokio::time::timeout(ROW_TIMEOUT, self.provider.wait_for(route))
            .await
            .map_err(|_| format!("`{route}` was not called; calls: {:?}", routes_of(&self.provider)))
    }

    /// Cancels the job, and waits for its end.
    pub(crate) async fn cancel(self) -> EndedRun {
        self.runtime.cancel_job("job", "no longer wanted", None).await.expect("the job is cancelled");
        self.finish().await
    }

    /// Waits for the end of the job.
    pub(crate) async fn finish(self) -> EndedRun {
        let job =
            self.runtime.wait_for_job("job", ROW_TIMEOUT).await.expect("the store answers").expect("the job exists");
        let output = match &job.state.output {
            Some(output) => self.runtime.resolve_reference("job", output).await.expect("the output is there"),
            None => Value::Null,
        };
        let mut files = BTreeMap::new();
        for id in artifact_ids(&output) {
            let mut reader = self.artifacts.get(&id, None).await.expect("the artifact is kept");
            let mut bytes = Vec::new();
            while let Some(part) = reader.bytes.next().await {
                bytes.extend_from_slice(&part.expect("the artifact can be read"));
            }
            files.insert(id, bytes);
        }
        drop(self.stop);
        self.working.await.expect("the worker ends");
        EndedRun { provider: self.provider, job, output, files }
    }
}

fn artifact_ids(value: &Value) -> Vec<String> {
    if let Some(id) = artifact_id_of(value) {
        return vec![id.to_owned()];
    }
    match value {
        Value::Array(items) => items.iter().flat_map(artifact_ids).collect(),
        Value::Object(fields) => fields.values().flat_map(artifact_ids).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn routes_of(provider: &ScriptedProvider) -> Vec<String> {
    provider.received().into_iter().map(|one| one.route).collect()
}

impl EndedRun {
    /// Checks that the job completed with these outputs, media byte by byte.
    pub(crate) fn check_outputs(&self, outputs: &BTreeMap<String, Value>) -> Result<(), String> {
        self.check_status("completed")?;
        for (name, wanted) in outputs {
            self.check_value(&self.output[name], wanted).map_err(|fault| format!("output `{name}` {fault}"))?;
        }
        Ok(())
    }

    fn check_value(&self, found: &Value, wanted: &Value) -> Result<(), String> {
        if let Some(items) = wanted.as_array() {
            let found = found.as_array().filter(|found| found.len() == items.len());
            let found = found.ok_or_else(|| format!("is not an array of {} values", items.len()))?;
            return found.iter().zip(items).try_for_each(|(found, wanted)| self.check_value(found, wanted));
        }
        let Some(name) = wanted.get("media").and_then(Value::as_str) else {
            return if found == wanted { Ok(()) } else { Err(format!("is {found}, not {wanted}")) };
        };
        let id = artifact_id_of(found).ok_or_else(|| format!("is {found}, not an artifact"))?;
        let sample = sample(name);
        let bytes = &self.files[id];
        if *bytes != sample.bytes {
            return Err(format!("has {} bytes that are not those of the {name}", bytes.len()));
        }
        let mime = found["mime"].as_str().unwrap_or_default();
        let family = |mime: &str| mime.split('/').next().unwrap_or_default().to_owned();
        if family(mime) == family(sample.mime) {
            Ok(())
        } else {
            Err(format!("has the type {mime}, not {}", sample.mime))
        }
    }

    /// Checks the status of the job.
    pub(crate) fn check_status(&self, status: &str) -> Result<(), String> {
        let found = self.job.state.status.as_str();
        if found == status {
            return Ok(());
        }
        let error = self.job.state.error.clone().unwrap_or_default();
        Err(format!("the job is {found}, not {status}: {error}; calls: {:?}", routes_of(&self.provider)))
    }

    /// Checks that the job failed with an error of this class, and what its message contains.
    pub(crate) fn check_error(&self, class: &str, message: Option<&str>) -> Result<(), String> {
        self.check_status("failed")?;
        let error = self.job.state.error.clone().unwrap_or_default();
        let says = message.is_none_or(|message| error["message"].as_str().unwrap_or_default().contains(message));
        if error["name"] == class && says { Ok(()) } else { Err(format!("the error is {error}")) }
    }

    /// Checks how often a route was called.
    pub(crate) fn check_call_count(&self, route: &str, count: usize) -> Result<(), String> {
        let routes = routes_of(&self.provider);
        let found = routes.iter().filter(|one| *one == route).count();
        if found == count {
            Ok(())
        } else {
            Err(format!("`{route}` was called {found} times, not {count}: {routes:?}"))
        }
    }

    /// Checks the first request, which is the submit.
    pub(crate) fn check_submit(&self, expected: &Expected) -> Result<(), String> {
        let received = self.provider.received();
        let submit = received.first().ok_or("nothing was called")?;
        for (name, value) in &expected.headers {
            let found = submit.headers.get(name);
            if !found.is_some_and(|found| found.starts_with(value.as_str())) {
                return Err(format!("header `{name}` is {found:?}, not `{value}`"));
            }
        }
        let text = String::from_utf8_lossy(&submit.body);
        if let Some(json) = &expected.json {
            let found: Value = serde_json::from_str(&text).map_err(|error| format!("the body is not JSON: {error}"))?;
            if found != *json {
                return Err(format!("the body is {found}, not {json}"));
            }
        }
        match expected.contains.iter().find(|part| !text.contains(part.as_str())) {
            Some(part) => Err(format!("the body lacks `{part}`: {text}")),
            None => Ok(()),
        }
    }
}
