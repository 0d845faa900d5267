//! The driver on tokio: claims jobs, performs the engine's effects, and records the answers.
//!
//! Architecture invariant: a worker only sends attempts that it journalled itself. A call is sent by the drive whose
//! commit contains the attempt; every other open attempt waits for its deadline and is then settled by the provider's
//! own list, or ends as `submit_unknown`.

mod abandon;
#[cfg(feature = "boa")]
pub mod boa_evaluator;
pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod drive;
mod due_times;
mod erasure;
mod inbox_payload;
mod intake;
mod job_ends;
pub mod local;
pub mod memory;
pub mod memory_artifacts;
mod notifier;
mod prepared_jobs;
mod provider;
mod proxied_calls;
mod requested_recovery;
mod rerun;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod secrets;
mod store_health;
mod unrecorded;
#[cfg(feature = "http")]
mod webhooks;
mod worker;

pub use job_ends::{EndWatch, EndedJob, StepWithValues};
pub use notifier::Watch;
pub use proxied_calls::{CallRefusal, CallToPass, OpenCall, PassedEnd, ProxiedPrice};
pub use requested_recovery::RecoverError;
pub use rerun::{TakenOver, taken_over};
#[cfg(feature = "http")]
pub use webhooks::{ReceiveError, WebhookMessage, WebhookOutcome};

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::catalog::{Connector, Node};
use crate::engine::{Event, Fact, GateSelector, Recorded, Run, RunLimits};
use crate::evaluate::ValueCache;
use crate::ports::{
    Artifacts, Clock, Created, Evaluator, EventRow, HttpClient, Idempotency, JobBundle, JobRow, JobWebhook, NewJob,
    SharedBundle, StepRow, StepStatus, Store, StoreError, Timestamp, ValueRef,
};
use crate::prepared::Prepared;
use drive::NewDrive;
use due_times::DueKind;
use inbox_payload::InboxPayload;
use intake::Intake;
use notifier::Notifier;
use prepared_jobs::PreparedJobs;
use store_health::StoreHealth;
use unrecorded::UnrecordedAnswers;

/// The ports of a runtime.
#[derive(Clone)]
pub struct RuntimeParts {
    /// The store that keeps jobs.
    pub store: Arc<dyn Store>,
    /// The store that keeps media.
    pub artifacts: Arc<dyn Artifacts>,
    /// The client that sends calls.
    pub http: Arc<dyn HttpClient>,
    /// The evaluator of JavaScript.
    pub evaluator: Arc<dyn Evaluator>,
    /// The clock that provides the time.
    pub clock: Arc<dyn Clock>,
}

/// Settings of a runtime.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Name of this worker, unique among all processes.
    pub worker: String,
    /// Maximum number of jobs that run at the same time.
    pub concurrency: u32,
    /// Duration of a lease, unless it is renewed.
    pub lease: Duration,
    /// Interval at which an idle worker asks the store for work.
    pub idle: Duration,
    /// Added to an attempt's deadline before its fate counts as unknown. After a lost connection, work may take twice
    /// as long to appear in the provider's list.
    pub grace: Duration,
    /// Maximum size of a step's result, in bytes of JSON.
    pub max_result_bytes: usize,
    /// Maximum number of iterations of a while loop, after which the loop fails.
    pub max_while_iterations: u64,
    /// Maximum number of events of a job, after which the job fails.
    pub max_events: u64,
    /// Maximum size of a job's values (inputs, results, replies), in bytes of JSON, after which the job fails.
    pub max_job_bytes: u64,
    /// How often a job may crash its worker while it is started alone, without a commit in between, before it is
    /// abandoned.
    pub max_tries: u32,
    /// Maximum number of providers' answers that wait in memory while the store cannot record them; further ones are
    /// dropped, and found again in the provider's list if it has one.
    pub max_unrecorded_answers: usize,
    /// Maximum size of those answers, in bytes of JSON.
    pub max_unrecorded_bytes: usize,
    /// Whether submits tell providers an address that they may call ([`Runtime::receive_webhook`]). The secrets of the
    /// HTTP client must then resolve [`WEBHOOK_ADDRESS`](crate::call::WEBHOOK_ADDRESS) of the owner `JOB.ATTEMPT`.
    pub webhooks: bool,
}

impl RuntimeSettings {
    /// Returns settings for a single process: 64 jobs at a time, leases of 15 s, results of up to 1 MiB.
    pub fn new(worker: impl Into<String>) -> Self {
        Self {
            worker: worker.into(),
            concurrency: 64,
            lease: Duration::from_secs(15),
            idle: Duration::from_millis(500),
            grace: Duration::from_secs(5),
            max_result_bytes: 1024 * 1024,
            max_while_iterations: 10_000,
            max_events: 1_000_000,
            max_job_bytes: 256 * 1024 * 1024,
            max_tries: 5,
            max_unrecorded_answers: 10_000,
            max_unrecorded_bytes: 256 * 1024 * 1024,
            webhooks: false,
        }
    }
}

impl RuntimeSettings {
    fn run_limits(&self) -> RunLimits {
        RunLimits { max_loop_iterations: self.max_while_iterations, max_events: self.max_events }
    }

    fn grace_ms(&self) -> u64 {
        u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A job to create.
#[derive(Debug, Clone)]
pub struct JobRequest {
    /// Id, a UUIDv7 or another id that sorts by time.
    pub id: String,
    /// Seed of the job's pseudo-random numbers (the jitter of retries).
    pub seed: u64,
    /// Name of the workflow or node.
    pub name: String,
    /// Id of the workflow, if it is a saved one.
    pub workflow_id: Option<String>,
    /// Version of the saved workflow, if the host counts versions.
    pub workflow_version: Option<u64>,
    /// Id of the node, if the job runs a single one.
    pub node_id: Option<String>,
    /// Id of the job that it reruns.
    pub rerun_of: Option<String>,
    /// Id of the user who creates the job.
    pub created_by: Option<String>,
    /// What the job runs.
    pub source: JobSource,
    /// Input of the job, already validated, with defaults filled in.
    pub input: Value,
    /// Whether the document's preprocessor, if it has one, first converts `input` to the flow's input.
    pub preprocess: bool,
    /// Whether results that earlier runs have cached (`cache_ttl`) are not used.
    pub fresh: bool,
    /// Results taken over from an earlier run.
    pub taken_over: TakenOver,
    /// Makes a repeated request find the first job.
    pub idempotency: Option<Idempotency>,
    /// Refuses the job if the values of its user's jobs that have not ended take this many bytes of JSON, or more.
    pub max_bytes_in_flight: Option<u64>,
    /// Where the job is announced; the host sends the messages that the store queues.
    pub webhook: Option<JobWebhook>,
}

/// What a job runs: a document with everything that it refers to.
#[derive(Debug, Clone)]
pub enum JobSource {
    /// A document that was prepared earlier, and is shared with other jobs.
    Prepared(Arc<Prepared>),
    /// A bundle that is prepared when the job is created; if the document cannot be parsed, the job fails when it runs.
    Bundle(SharedBundle),
}

impl From<JobBundle> for JobSource {
    fn from(bundle: JobBundle) -> Self {
        Self::Bundle(bundle.into())
    }
}

impl From<SharedBundle> for JobSource {
    fn from(bundle: SharedBundle) -> Self {
        Self::Bundle(bundle)
    }
}

impl From<Arc<Prepared>> for JobSource {
    fn from(prepared: Arc<Prepared>) -> Self {
        Self::Prepared(prepared)
    }
}

/// An answer to a gate (`suspend`).
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The gate that is meant.
    pub target: GateSelector,
    /// Name of the approver, as the job shows it.
    pub approver: Option<String>,
    /// Whom the answer counts for (a user, a link): a gate counts one answer of each, however early it arrived. `None`
    /// counts always.
    pub counts_for: Option<String>,
    /// Whether it is a disapproval.
    pub disapproves: bool,
    /// Payload of the answer: `resume` in the module after the gate.
    pub payload: Value,
}

impl JobRequest {
    /// Creates a request to run a document that is not saved, without a user.
    pub fn new(id: impl Into<String>, seed: u64, source: impl Into<JobSource>, input: Value) -> Self {
        Self {
            id: id.into(),
            seed,
            name: String::new(),
            workflow_id: None,
            workflow_version: None,
            node_id: None,
            rerun_of: None,
            created_by: None,
            source: source.into(),
            input,
            preprocess: false,
            fresh: false,
            taken_over: TakenOver::default(),
            idempotency: None,
            max_bytes_in_flight: None,
            webhook: None,
        }
    }
}

/// Runs jobs. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    parts: RuntimeParts,
    settings: RuntimeSettings,
    notifier: Notifier,
    prepared: PreparedJobs,
    /// The worker of this process that accepts new jobs, if one is running.
    intake: Mutex<Option<Arc<Intake>>>,
    /// Held by the job that is started although it may have crashed workers.
    suspects: Arc<Semaphore>,
    health: StoreHealth,
    unrecorded: UnrecordedAnswers,
    /// Whether a job of this process has called a provider with limits.
    uses_submit_slots: AtomicBool,
    #[cfg(feature = "http")]
    webhook_keys: webhooks::PublishedKeys,
    /// Wakes calls of this process that wait for a slot of a provider's limits.
    slots_given: Notify,
    #[cfg(feature = "http")]
    webhook_secrets: webhooks::FetchedSecrets,
    /// The uploads of files that are under way.
    uploads: provider::RunningUploads,
}

impl Runtime {
    /// Creates a runtime without a running worker.
    pub fn new(parts: RuntimeParts, settings: RuntimeSettings) -> Self {
        let unrecorded = UnrecordedAnswers::new(settings.max_unrecorded_answers, settings.max_unrecorded_bytes);
        Self {
            inner: Arc::new(Inner {
                parts,
                settings,
                health: StoreHealth::default(),
                unrecorded,
                uploads: provider::RunningUploads::default(),
                notifier: Notifier::new(),
                prepared: PreparedJobs::default(),
                intake: Mutex::default(),
                suspects: Arc::new(Semaphore::new(1)),
                uses_submit_slots: AtomicBool::new(false),
                slots_given: Notify::new(),
                #[cfg(feature = "http")]
                webhook_keys: webhooks::PublishedKeys::default(),
                #[cfg(feature = "http")]
                webhook_secrets: webhooks::FetchedSecrets::default(),
            }),
        }
    }

    /// Creates a job, which is due immediately or when the document's concurrency limit permits; returns whether it is
    /// new. If a worker of this process has a free seat, it starts the job immediately.
    pub async fn submit_job(&self, request: JobRequest) -> Result<Created, StoreError> {
        let inner = &self.inner;
        let now = inner.parts.clock.now();
        let (bundle, prepared) = inner.prepare(request.source);
        let mut events = Run::create(request.seed, request.preprocess, request.input, now);
        if request.fresh {
            Run::ignore_cached_results(&mut events);
        }
        let queue = prepared.as_ref().map(|prepared| prepared.queue());
        let input = events.first().and_then(|created| created.value.as_ref()).unwrap_or(&Value::Null);
        let workflow = request.workflow_id.as_deref();
        let concurrency = queue.and_then(|queue| queue.concurrency(workflow, input));
        let priority = queue.map_or(0, |queue| queue.priority);
        // A job with results of an earlier run needs its own bundle.
        let direct = prepared.filter(|_| request.taken_over.is_empty()).zip(inner.take_seat(now));
        let bundle = request.taken_over.write_events(now, &mut events, bundle);
        let recorded = if direct.is_some() { events.clone() } else { Vec::new() };
        let mut job = NewJob {
            id: request.id,
            name: request.name,
            workflow_id: request.workflow_id,
            workflow_version: request.workflow_version,
            node_id: request.node_id,
            rerun_of: request.rerun_of,
            created_by: request.created_by,
            created_at: now,
            priority,
            concurrency,
            bundle,
            events: events.into_iter().map(event_row).collect(),
            idempotency: request.idempotency,
            max_bytes_in_flight: request.max_bytes_in_flight,
            webhook: request.webhook,
        };
        if let Some((prepared, (intake, seat))) = direct {
            let (created, outcome) = oneshot::channel();
            let new = Box::new(NewDrive { job, prepared, events: recorded, created });
            match inner.spawn_new_drive(&intake, new, seat) {
                Ok(()) => return outcome.await.unwrap_or_else(|_| Err(stopped_meanwhile())),
                // The worker has been stopped in the meantime: another one may take the job.
                Err(new) => job = new.job,
            }
        }
        let created = inner.parts.store.create_job(job, None).await?;
        if matches!(created, Created::New { .. }) {
            inner.notifier.notify_work();
        }
        Ok(created)
    }

    /// Requests the cancellation of a job; returns whether the job was still active and the request is the first one. A
    /// job that waits for other runs to end stops waiting.
    pub async fn cancel_job(&self, job: &str, reason: &str, by: Option<&str>) -> Result<bool, StoreError> {
        let fact = Fact::Cancel { reason: reason.to_owned(), by: by.map(str::to_owned) };
        let new = self.inner.deliver_fact(job, "cancel", fact).await?;
        // Even for a repeated request: the first one may have failed between the two calls.
        self.inner.parts.store.waive_slot(job).await?;
        self.inner.notifier.notify_work();
        Ok(new)
    }

    /// Delivers an approval or disapproval to a job; returns whether it is new and the job still active. `key`
    /// identifies repetitions of the same approval.
    pub async fn approve_gate(&self, job: &str, key: &str, approval: Approval) -> Result<bool, StoreError> {
        let Approval { target, approver, counts_for, disapproves, payload } = approval;
        let fact = Fact::Approval { target, approver, counts_for, disapproves, payload };
        self.inner.deliver_fact(job, &format!("approval-{key}"), fact).await
    }

    /// Returns the job once it has ended, or its state after `limit`; `None` if it does not exist.
    pub async fn wait_for_job(&self, job: &str, limit: Duration) -> Result<Option<JobRow>, StoreError> {
        let clock = &self.inner.parts.clock;
        let end = clock.now().plus_ms(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let mut watch = self.watch_end(job);
        loop {
            let row = self.inner.parts.store.read_job(job).await?;
            let left = end.since_ms(clock.now());
            if left == 0 || row.as_ref().is_none_or(|row| row.state.status.is_final()) {
                return Ok(row);
            }
            let pause = Duration::from_millis(left).min(self.inner.settings.idle);
            tokio::select! {
                ended = watch.wait_for_end() => {
                    if let Some(ended) = ended {
                        return Ok(Some(ended.row.clone()));
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Returns the result of the step that is returned early to waiting callers (`early_return`), once it exists.
    pub async fn early_return(&self, job: &str, step_id: &str) -> Result<Option<Value>, StoreError> {
        let mut after = 0;
        loop {
            let rows = self.inner.parts.store.list_steps(job, after, 500).await?;
            let Some(last) = rows.last() else { return Ok(None) };
            after = last.ordinal;
            let done = |row: &&StepRow| {
                let has_result =
                    matches!(row.status, StepStatus::Completed | StepStatus::Skipped | StepStatus::Suspended);
                row.path.is_empty() && row.step_id == step_id && has_result
            };
            if let Some(output) = rows.iter().find(done).and_then(|row| row.output.as_ref()) {
                return self.resolve_reference(job, output).await.map(Some);
            }
        }
    }

    /// Returns the client that sends calls, for requests that belong to no job.
    pub fn http_client(&self) -> &Arc<dyn HttpClient> {
        &self.inner.parts.http
    }

    /// Returns the evaluator of the jobs' expressions.
    pub fn evaluator(&self) -> &dyn Evaluator {
        self.inner.parts.evaluator.as_ref()
    }

    /// Watches the jobs that this process works on, from now on. Notifications are hints: the store is authoritative.
    pub fn watch_jobs(&self) -> Watch {
        self.inner.notifier.watch_jobs()
    }

    /// Watches for the end of a job in this process, from now on. A watch created before the job is submitted misses
    /// nothing.
    pub fn watch_end(&self, job: &str) -> EndWatch {
        self.inner.notifier.ends.watch_end(job)
    }

    /// Returns the value behind a reference that a job's or step's row holds.
    pub async fn resolve_reference(&self, job: &str, reference: &ValueRef) -> Result<Value, StoreError> {
        ValueCache::new(Some(self.inner.parts.store.clone()), job).resolve_reference(reference).await
    }

    /// Returns the values behind references, in order, with few reads from the store; see [`Self::resolve_reference`].
    pub async fn resolve_all(&self, job: &str, references: &[ValueRef]) -> Result<Vec<Value>, StoreError> {
        ValueCache::new(Some(self.inner.parts.store.clone()), job).resolve_all(references).await
    }

    /// Runs a worker until `stop` completes: claims jobs, drives them, polls providers; then finishes the turns in
    /// progress.
    pub async fn run_worker(&self, stop: impl Future<Output = ()> + Send) {
        worker::run_worker(&self.inner, stop).await;
    }
}

impl Inner {
    /// Returns the bundle of a job, and the prepared document; `None` if it cannot be parsed.
    fn prepare(&self, source: JobSource) -> (SharedBundle, Option<Arc<Prepared>>) {
        match source {
            JobSource::Prepared(prepared) => (prepared.bundle().clone(), Some(prepared)),
            JobSource::Bundle(bundle) => (bundle.clone(), self.prepared.of_bundle(bundle).ok()),
        }
    }

    /// Takes a free seat of this process's worker, unless other jobs are waiting for one or the store is unavailable.
    fn take_seat(&self, now: Timestamp) -> Option<(Arc<Intake>, OwnedSemaphorePermit)> {
        let others_wait = self.notifier.due.is_due(DueKind::Jobs, now);
        if others_wait || self.notifier.is_stopping() || self.health.paused_until(now).is_some() {
            return None;
        }
        let intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let seat = intake.take_seat()?;
        Some((intake, seat))
    }

    /// Creates and drives a job in a seat of the worker; returns the job if the worker accepts no more.
    fn spawn_new_drive(
        self: &Arc<Self>,
        intake: &Intake,
        new: Box<NewDrive>,
        seat: OwnedSemaphorePermit,
    ) -> Result<(), Box<NewDrive>> {
        let inner = self.clone();
        intake.spawn_drive(new, |new| async move {
            inner.drive_in_seat(drive::drive_new_job(&inner, *new), Some(seat)).await;
        })
    }

    /// Sets the worker that accepts new jobs.
    fn set_intake(&self, intake: Option<Arc<Intake>>) {
        *self.intake.lock().unwrap_or_else(PoisonError::into_inner) = intake;
    }

    /// Delivers a fact to a job's inbox and wakes the worker that drives the job.
    async fn deliver_fact(&self, job: &str, key: &str, fact: Fact) -> Result<bool, StoreError> {
        let payload = InboxPayload::from(fact).to_json();
        let new = self.parts.store.deliver_message(job, key, payload, None).await?;
        self.notifier.notify_mail(job);
        Ok(new)
    }
}

/// Returns the error for a caller whose job's worker was stopped before it could answer.
fn stopped_meanwhile() -> StoreError {
    StoreError::Backend("the worker stopped while it created the job: the job may exist".to_owned())
}

/// Converts an event to the row that the store keeps.
fn event_row(recorded: Recorded) -> EventRow {
    let item = if let Event::FrameClosed { list: Some(list), slot, .. } = &recorded.event {
        Some((*list, *slot))
    } else {
        None
    };
    EventRow {
        seq: recorded.seq,
        at: recorded.at,
        body: serde_json::to_value(&recorded.event).expect("an event is plain data"),
        value: recorded.value,
        item,
    }
}

/// Creates the bundle of a single-node run: one step, `run`, whose input is the job's input.
pub fn node_bundle(node: Node, connector: Connector) -> JobBundle {
    let module = serde_json::json!({
        "id": "run",
        "summary": node.name,
        "value": {"type": "script", "path": format!("node/{}", node.id), "pass_flow_input_directly": true},
    });
    let mut bundle = JobBundle {
        document: serde_json::json!({"summary": node.name, "value": {"modules": [module]}}),
        ..JobBundle::default()
    };
    bundle.catalog.connectors.insert(connector.id.clone(), connector);
    bundle.catalog.nodes.insert(node.id.clone(), node);
    bundle
}
