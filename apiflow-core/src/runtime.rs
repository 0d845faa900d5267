//! The tokio driver: it claims jobs, performs what the engine owes, and records the answers.

pub mod clock;
pub mod secrets;
pub mod conformance;
pub mod memory;
#[cfg(feature = "boa")]
pub mod boa;
#[cfg(feature = "sandbox")]
pub mod sandbox;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::ports::{Clock, Created, Evaluator, HttpClient, Idempotency, JobBundle, JobRow, Secrets, Store, StoreError};

/// The ports that a runtime works with.
#[derive(Clone)]
pub struct RuntimeParts {
    /// Keeps jobs.
    pub store: Arc<dyn Store>,
    /// Sends calls.
    pub http: Arc<dyn HttpClient>,
    /// Evaluates JavaScript.
    pub evaluator: Arc<dyn Evaluator>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Knows provider keys.
    pub secrets: Arc<dyn Secrets>,
}

/// How a runtime works.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Name of this worker, unique among all processes.
    pub worker: String,
    /// Jobs at work at the same time.
    pub concurrency: u32,
    /// How long a lease lasts unless renewed.
    pub lease: Duration,
    /// How long an idle worker waits before it looks again.
    pub idle: Duration,
    /// Added to an attempt's deadline before its fate counts as unknown.
    pub grace: Duration,
}

/// A job to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The workflow's or node's name.
    pub name: String,
    /// The workflow that it runs, if a saved one.
    pub workflow_id: Option<String>,
    /// The node that it runs, if a single one.
    pub node_id: Option<String>,
    /// The user who makes it.
    pub created_by: Option<String>,
    /// All that it needs.
    pub bundle: JobBundle,
    /// Its input, checked and filled by the caller.
    pub input: Value,
    /// Makes a repetition find the first job.
    pub idempotency: Option<Idempotency>,
}

/// Runs jobs. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    _parts: RuntimeParts,
    _settings: Arc<RuntimeSettings>,
}

impl Runtime {
    /// A runtime that has not begun to work.
    pub fn new(parts: RuntimeParts, settings: RuntimeSettings) -> Self {
        Self { _parts: parts, _settings: Arc::new(settings) }
    }

    /// Makes a job, due at once; gives its id and whether it is new.
    pub async fn submit(&self, _run: NewRun) -> Result<(String, Created), StoreError> {
        unimplemented!()
    }

    /// Asks for a job's cancellation; says whether it was still active.
    pub async fn cancel(&self, _job: &str, _reason: &str, _by: Option<&str>) -> Result<bool, StoreError> {
        unimplemented!()
    }

    /// Returns the job when it has ended, or as it stands after `limit`; `None` where there is none.
    pub async fn wait(&self, _job: &str, _limit: Duration) -> Result<Option<JobRow>, StoreError> {
        unimplemented!()
    }

    /// Returns when the job may have new events, or after `limit`: a hint, the store is the truth.
    pub async fn changed(&self, _job: &str, _limit: Duration) {
        unimplemented!()
    }

    /// The value behind a reference that a job's or step's row holds.
    pub async fn resolve(&self, _job: &str, _reference: &Value) -> Result<Value, StoreError> {
        unimplemented!()
    }

    /// Works until `stop` is done: claims jobs, drives them, polls providers; then finishes its turns.
    pub async fn work(&self, _stop: impl Future<Output = ()> + Send) {
        unimplemented!()
    }
}

/// The bundle of a single-node run: one step, `run`, whose input is the job's input.
pub fn node_bundle(_node: crate::catalog::Node, _connector: crate::catalog::Connector) -> JobBundle {
    unimplemented!()
}
