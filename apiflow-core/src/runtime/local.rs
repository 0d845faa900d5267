//! Runs workflows in this process until they end: the simplest way to embed apiflow.

mod work;

pub use work::{ProviderWorkState, ProviderWorkStatus};

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

#[cfg(all(feature = "http", feature = "boa"))]
use super::boa_evaluator::BoaEvaluator;
use super::clock::SystemClock;
use super::memory::MemoryStore;
use super::{JobRequest, Runtime, RuntimeParts, RuntimeSettings, Watch};
use crate::catalog::{self, Catalog, parse_connector, parse_node};
use crate::diagnostic::{Diagnostic, Severity, codes, has_errors};
#[cfg(all(feature = "http", feature = "boa"))]
use crate::http::{Http, HttpLimits, OutgoingPolicy};
use crate::json::pointer_push;
#[cfg(all(feature = "http", feature = "boa"))]
use crate::ports::Secrets;
use crate::ports::{
    ArtifactError, Artifacts, Clock, Evaluator, HttpClient, HttpError, JobBundle, JobRow, JobStatus, StepRow, Store,
    StoreError,
};
use crate::prepared::Prepared;
use crate::validate;

/// Number of steps per read.
const STEP_PAGE_SIZE: u32 = 500;

/// Runs workflows in this process, in memory, until they end. Cheap to clone.
///
/// Contains connectors and nodes. `Local::new` (features `http` and `boa`) calls providers under an outgoing policy,
/// and evaluates expressions in this process, without a sandbox; [`Local::with_parts`] takes another client and
/// evaluator. Nothing outlives the process unless [`Local::with_store`] sets a durable store.
#[derive(Clone)]
pub struct Local {
    http: Arc<dyn HttpClient>,
    /// The client of [`Local::new`], which reads the files of requests from the artifacts.
    #[cfg(all(feature = "http", feature = "boa"))]
    own_http: Option<Http>,
    artifacts: Arc<dyn Artifacts>,
    evaluator: Arc<dyn Evaluator>,
    /// The store of runs; without one, each run has a store in memory, which is dropped with it.
    store: Option<Arc<dyn Store>>,
    catalog: Catalog,
}

/// Why a workflow did not return an output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// A declaration or the workflow has errors; nothing was run.
    #[error("{what} has errors: {}", join_error_messages(found))]
    Invalid {
        /// What has errors: ``connector `replicate` ``, `the workflow`.
        what: String,
        /// All findings, including warnings; pointers are relative to what was passed.
        found: Vec<Diagnostic>,
    },
    /// The job failed or was cancelled.
    #[error("the job {status}: {}", error_message(error))]
    Ended {
        /// Status of the job: `failed` or `cancelled`.
        status: &'static str,
        /// Error object: `{"name": class, "message", "step_id", …}`.
        error: Box<Value>,
        /// Output of the job: `{"error": …}` unless a failure handler returned another value.
        output: Box<Value>,
    },
    /// The folder of artifacts cannot be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The client for calls could not be created.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The store or the worker failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Local {
    /// Creates an instance without declarations. `secrets` resolves the `$NAME` of declarations; `policy` lists the
    /// private addresses that calls may reach, by default none.
    ///
    /// # Errors
    /// [`LocalError::Http`] if TLS cannot be set up.
    #[cfg(all(feature = "http", feature = "boa"))]
    pub fn new(secrets: impl Secrets + 'static, policy: OutgoingPolicy) -> Result<Self, LocalError> {
        let http = Http::new(policy, Arc::new(secrets), HttpLimits::default())?;
        let mut local = Self::with_parts(Arc::new(http.clone()), Arc::new(BoaEvaluator::new()));
        local.own_http = Some(http);
        let artifacts = Arc::clone(&local.artifacts);
        Ok(local.with_artifacts(artifacts))
    }

    /// Creates an instance without declarations; `http` sends calls, and `evaluator` evaluates JavaScript.
    pub fn with_parts(http: Arc<dyn HttpClient>, evaluator: Arc<dyn Evaluator>) -> Self {
        Self {
            http,
            #[cfg(all(feature = "http", feature = "boa"))]
            own_http: None,
            artifacts: memory_artifacts(),
            evaluator,
            store: None,
            catalog: Catalog::default(),
        }
    }

    /// Replaces the client that sends calls. It reads the files of requests from artifacts of its own, if it has any.
    pub fn with_http_client(mut self, http: impl HttpClient + 'static) -> Self {
        #[cfg(all(feature = "http", feature = "boa"))]
        {
            self.own_http = None;
        }
        self.http = Arc::new(http);
        self
    }

    /// Sets where media is kept; by default in memory, until the last clone of this instance is dropped.
    pub fn with_artifacts(mut self, artifacts: Arc<dyn Artifacts>) -> Self {
        #[cfg(all(feature = "http", feature = "boa"))]
        if let Some(http) = self.own_http.take() {
            let http = http.with_artifacts(Arc::clone(&artifacts));
            self.http = Arc::new(http.clone());
            self.own_http = Some(http);
        }
        self.artifacts = artifacts;
        self
    }

    /// Keeps media in a folder, which is created if it does not exist, with small JSON files that describe it. Only one
    /// process may use the folder at a time. See [`crate::artifacts`] for other places.
    ///
    /// # Errors
    /// [`LocalError::Artifacts`] if the folder cannot be created or read.
    #[cfg(feature = "artifacts")]
    pub async fn with_artifact_folder(self, folder: impl AsRef<std::path::Path>) -> Result<Self, LocalError> {
        use crate::artifacts::{ArtifactSettings, LocalRecords, StoredArtifacts};
        let folder = folder.as_ref();
        let records = Arc::new(LocalRecords::open_folder(folder).await?);
        let settings = ArtifactSettings::new("artifact:");
        let artifacts = StoredArtifacts::in_folder(folder, records, Arc::new(SystemClock), settings)?;
        Ok(self.with_artifacts(Arc::new(artifacts)))
    }

    /// Sets a store for runs, where they are kept after their end. While a run is in progress, other due jobs of the
    /// store are run, too. An interrupted run is continued by the next one on the same store, or by a [`Runtime`].
    pub fn with_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Declares a connector, in the format of `POST /connectors`; replaces one with the same id.
    ///
    /// # Errors
    /// [`LocalError::Invalid`], with every fault.
    pub fn declare_connector(&mut self, declaration: &Value) -> Result<(), LocalError> {
        let connector =
            parse_connector(declaration).map_err(|found| invalid_declaration("connector", declaration, found))?;
        check_has_id("connector", declaration, &connector.id)?;
        self.catalog.connectors.insert(connector.id.clone(), connector);
        Ok(())
    }

    /// Declares a node, in the format of `POST /nodes`; replaces one with the same id.
    ///
    /// # Errors
    /// [`LocalError::Invalid`], with every fault.
    pub fn declare_node(&mut self, declaration: &Value) -> Result<(), LocalError> {
        let node = parse_node(declaration).map_err(|found| invalid_declaration("node", declaration, found))?;
        check_has_id("node", declaration, &node.id)?;
        self.catalog.nodes.insert(node.id.clone(), node);
        Ok(())
    }

    /// Declares everything in a catalog, including workflows for steps of type `flow`; replaces declarations of the
    /// same kind and id.
    pub fn declare_catalog(&mut self, catalog: Catalog) {
        self.catalog.connectors.extend(catalog.connectors);
        self.catalog.nodes.extend(catalog.nodes);
        self.catalog.workflows.extend(catalog.workflows);
    }

    /// Replaces the evaluator of expressions.
    pub fn with_evaluator(mut self, evaluator: impl Evaluator + 'static) -> Self {
        self.evaluator = Arc::new(evaluator);
        self
    }

    /// Runs an OpenFlow document to its end and returns its output. The input is not validated against the document's
    /// `schema`. If the future is dropped, no further step is started, but calls that were sent are not cancelled.
    ///
    /// # Errors
    /// [`LocalError::Invalid`] before anything is sent, [`LocalError::Ended`] if the job does not complete.
    pub async fn run(&self, document: &Value, input: Value) -> Result<Value, LocalError> {
        self.run_with_progress(document, input, |_| {}).await
    }

    /// Like [`Local::run`], but calls `tell` with the current state of each step that has changed; changes in quick
    /// succession may be reported as one.
    ///
    /// # Errors
    /// Those of [`Local::run`].
    pub async fn run_with_progress(
        &self,
        document: &Value,
        input: Value,
        tell: impl FnMut(&StepRow),
    ) -> Result<Value, LocalError> {
        self.start(document, input).await?.wait_for_output(tell).await
    }

    /// Creates a run of an OpenFlow document; [`LocalRun::wait_for_output`] runs it.
    ///
    /// # Errors
    /// [`LocalError::Invalid`] if the document or a declaration has errors.
    pub async fn start(&self, document: &Value, input: Value) -> Result<LocalRun, LocalError> {
        self.start_prepared(self.prepare_document(document)?, input).await
    }

    /// Creates a run of a document that was prepared earlier, here or by [`crate::prepare_workflow`]; the declarations
    /// of this instance are not used.
    ///
    /// # Errors
    /// [`LocalError::Store`] if the store fails.
    pub async fn start_prepared(&self, prepared: Arc<Prepared>, input: Value) -> Result<LocalRun, LocalError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let parts = RuntimeParts {
            store: self.store.clone().unwrap_or_else(|| Arc::new(MemoryStore::new(Arc::clone(&clock)))),
            artifacts: Arc::clone(&self.artifacts),
            http: Arc::clone(&self.http),
            evaluator: Arc::clone(&self.evaluator),
            clock,
        };
        let run = new_run(prepared, input);
        let job = run.id.clone();
        let runtime = Runtime::new(parts, RuntimeSettings::new(format!("local-{job}")));
        runtime.submit_job(run).await?;
        Ok(LocalRun { runtime, job })
    }

    fn check_document(&self, document: &Value) -> Result<(), LocalError> {
        refuse_errors("the workflow".to_owned(), validate::validate_workflow(document, &self.catalog))?;
        for node in self.catalog.nodes.values() {
            let Some(connector) = self.catalog.connectors.get(&node.connector_id) else { continue };
            refuse_errors(format!("node `{}`", node.id), catalog::check_call(node, connector))?;
        }
        Ok(())
    }

    /// Checks a document with the declarations, and prepares it for any number of runs.
    ///
    /// # Errors
    /// [`LocalError::Invalid`] if the document or a declaration has errors.
    pub fn prepare_document(&self, document: &Value) -> Result<Arc<Prepared>, LocalError> {
        self.check_document(document)?;
        let bundle = JobBundle { document: document.clone(), catalog: self.catalog.clone(), ..JobBundle::default() };
        let prepared = Prepared::compile_bundle(bundle).map_err(|error| LocalError::Invalid {
            what: "the workflow".to_owned(),
            found: vec![Diagnostic::new_error("not-runnable", "", error.to_string())],
        })?;
        Ok(Arc::new(prepared))
    }
}

/// Creates a store of artifacts in memory.
#[cfg(feature = "artifacts")]
fn memory_artifacts() -> Arc<dyn Artifacts> {
    Arc::new(crate::artifacts::StoredArtifacts::in_memory(Arc::new(SystemClock)))
}

/// Creates a store of artifacts in memory, which recognizes no types.
#[cfg(not(feature = "artifacts"))]
fn memory_artifacts() -> Arc<dyn Artifacts> {
    Arc::new(super::memory_artifacts::MemoryArtifacts::new())
}

fn new_run(prepared: Arc<Prepared>, input: Value) -> JobRequest {
    let seed = RandomState::new().hash_one(0);
    // Unguessable and unique among all processes: providers see it in idempotency keys.
    let id = format!("{:012x}-{seed:016x}", SystemClock.now().0);
    let name = prepared.bundle().document["summary"].as_str().unwrap_or_default().to_owned();
    JobRequest { name, ..JobRequest::new(id, seed, prepared, input) }
}

/// A run in this process, which can be cancelled while it is in progress.
pub struct LocalRun {
    runtime: Runtime,
    job: String,
}

impl LocalRun {
    /// Runs to the end and returns the output; reports steps like [`Local::run_with_progress`]. If the future is
    /// dropped, no further step is started, but calls that were sent are not cancelled.
    ///
    /// # Errors
    /// [`LocalError::Ended`] if the job does not complete.
    pub async fn wait_for_output(&self, tell: impl FnMut(&StepRow)) -> Result<Value, LocalError> {
        let job = work_until_ended(&self.runtime, Follower::for_job(&self.runtime, &self.job, tell)).await?;
        let output = match &job.state.output {
            Some(output) => self.runtime.resolve_reference(&self.job, output).await?,
            None => Value::Null,
        };
        if job.state.status == JobStatus::Completed {
            return Ok(output);
        }
        Err(LocalError::Ended {
            status: job.state.status.as_str(),
            error: Box::new(job.state.error.unwrap_or_default()),
            output: Box::new(output),
        })
    }

    /// Requests the cancellation of the run: all work at providers is cancelled, then [`Self::wait_for_output`]
    /// returns. A call without a reply is waited for, because only its reply identifies the work.
    ///
    /// # Errors
    /// [`LocalError::Store`] if the store fails.
    pub async fn cancel_run(&self, reason: &str) -> Result<(), LocalError> {
        self.runtime.cancel_job(&self.job, reason, None).await?;
        Ok(())
    }

    /// Returns the work at providers that has not ended, or that was cancelled.
    ///
    /// # Errors
    /// [`LocalError::Store`] if the store fails.
    pub async fn provider_work(&self) -> Result<Vec<ProviderWorkStatus>, LocalError> {
        Ok(work::provider_work(&self.runtime, &self.job).await?)
    }
}

/// Reports the progress of a job's steps.
struct Follower<'a, F> {
    runtime: &'a Runtime,
    job: &'a str,
    watch: Watch,
    tell: F,
    /// Steps up to this ordinal have ended and were reported.
    over: u64,
    /// Later steps as they were last reported.
    reported: BTreeMap<u64, StepRow>,
}

impl<'a, F: FnMut(&StepRow)> Follower<'a, F> {
    fn for_job(runtime: &'a Runtime, job: &'a str, tell: F) -> Self {
        Self { runtime, job, watch: runtime.watch_jobs(), tell, over: 0, reported: BTreeMap::new() }
    }

    /// Returns once the job has ended and all its steps have been reported.
    async fn follow_to_end(&mut self) -> Result<Option<JobRow>, StoreError> {
        loop {
            let row = self.runtime.inner.parts.store.read_job(self.job).await?;
            self.report_new_steps().await?;
            if row.as_ref().is_none_or(|row| row.state.status.is_final()) {
                return Ok(row);
            }
            tokio::select! {
                () = self.watch.job_changed(self.job) => {}
                () = tokio::time::sleep(self.runtime.inner.settings.idle) => {}
            }
        }
    }

    async fn report_new_steps(&mut self) -> Result<(), StoreError> {
        let mut after = self.over;
        loop {
            let rows = self.runtime.inner.parts.store.list_steps(self.job, after, STEP_PAGE_SIZE).await?;
            let Some(last) = rows.last() else { break };
            after = last.ordinal;
            for row in rows {
                if self.reported.get(&row.ordinal) != Some(&row) {
                    (self.tell)(&row);
                    self.reported.insert(row.ordinal, row);
                }
            }
        }
        while let Some(first) = self.reported.first_entry().filter(|first| first.get().is_over()) {
            self.over = *first.key();
            first.remove();
        }
        Ok(())
    }
}

/// Runs a worker until a job has ended.
async fn work_until_ended<F: FnMut(&StepRow)>(
    runtime: &Runtime,
    mut follower: Follower<'_, F>,
) -> Result<JobRow, LocalError> {
    let job = follower.job;
    // Dropped with this future, which stops the worker, so that it does not outlive the caller.
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = runtime.clone();
    let mut working = tokio::spawn(async move {
        worker.run_worker(async { drop(stopped.await) }).await;
    });
    let broke = || StoreError::Backend("the worker of a local run failed".to_owned());
    let row = tokio::select! {
        row = follower.follow_to_end() => row?,
        _ = &mut working => return Err(broke().into()),
    };
    drop(stop);
    working.await.map_err(|_| broke())?;
    Ok(row.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?)
}

fn invalid_declaration(kind: &str, declaration: &Value, found: Vec<Diagnostic>) -> LocalError {
    let what = match declaration["id"].as_str() {
        Some(id) => format!("{kind} `{id}`"),
        None => format!("a {kind}"),
    };
    LocalError::Invalid { what, found }
}

fn check_has_id(kind: &str, declaration: &Value, id: &str) -> Result<(), LocalError> {
    if !id.is_empty() {
        return Ok(());
    }
    let found = Diagnostic::new_error(
        codes::MISSING_FIELD,
        pointer_push("", "id"),
        "`id` is missing: paths of modules name it",
    );
    Err(invalid_declaration(kind, declaration, vec![found]))
}

fn refuse_errors(what: String, found: Vec<Diagnostic>) -> Result<(), LocalError> {
    if has_errors(&found) { Err(LocalError::Invalid { what, found }) } else { Ok(()) }
}

/// Joins the messages of all errors in one line.
fn join_error_messages(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.severity == Severity::Error);
    errors.map(|found| format!("{} (at {})", found.message, found.pointer)).collect::<Vec<_>>().join("; ")
}

fn error_message(error: &Value) -> &str {
    error["message"].as_str().unwrap_or("no reason is known")
}

#[cfg(all(test, feature = "boa"))]
mod tests {
    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::ports::{HttpReply, HttpRequest, JobJournal as _};
    use crate::runtime::boa_evaluator::BoaEvaluator;

    struct NoCalls;

    #[async_trait]
    impl HttpClient for NoCalls {
        async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
            panic!("nothing is to be sent to {}", request.url)
        }
    }

    #[tokio::test]
    async fn a_prepared_document_runs_again_and_again_and_stays_in_the_store_that_is_given() {
        let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
        let local = Local::with_parts(Arc::new(NoCalls), Arc::new(BoaEvaluator::new())).with_store(store.clone());
        let code = json!({"type": "rawscript", "language": "bun", "content": "export function main(n) { return n + 1 }",
            "input_transforms": {"n": {"type": "javascript", "expr": "flow_input.n"}}});
        let document = json!({"summary": "count", "value": {"modules": [{"id": "a", "value": code}]}});
        let prepared = local.prepare_document(&document).expect("a document without errors");
        for number in 0..2 {
            let run = local.start_prepared(prepared.clone(), json!({"n": number})).await.expect("a run is made");
            assert_eq!(run.wait_for_output(|_| {}).await.expect("it ends"), json!(number + 1));
            let row = store.read_job(&run.job).await.expect("the store is read").expect("the job is there");
            assert_eq!((row.name.as_str(), row.state.status), ("count", JobStatus::Completed));
        }
    }
}
