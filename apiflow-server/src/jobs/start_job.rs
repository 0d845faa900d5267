//! Creates jobs from requests: everything that prevents a run is reported before the job is created.

use std::sync::Arc;

use apiflow_core::digest::hash_value;
use apiflow_core::openflow::Selection;
use apiflow_core::ports::{Created, Idempotency, JobBundle, JobWebhook};
use apiflow_core::runtime::{JobRequest, JobSource, TakenOver, node_bundle};
use apiflow_store::DocumentKind;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::artifacts::run_input::{add_artifact_ids, adopt_media};
use crate::documents::declaration_checks::check_node;
use crate::documents::references;
use crate::documents::workflow_versions::find_version;
use crate::http::problem::Problem;
use crate::jobs::prepared_workflows::{check_workflow_input, prepare_document, prepare_saved, refuse_if_errors};
use crate::jobs::views::KnownValues;
use crate::jobs::wait::{StartedJob, Waited};
use crate::jobs::workflow_cache::PreparedWorkflow;
use crate::jobs::{idempotency, input, lookup, views, wait};
use crate::state::AppState;
use crate::users::Caller;
use crate::webhooks::receiver::receiver_of_workflow;

/// A validated job that may be created.
pub(crate) struct JobDraft {
    pub(super) name: String,
    pub(super) workflow_id: Option<String>,
    /// Version of the saved workflow.
    pub(super) workflow_version: Option<u64>,
    pub(super) node_id: Option<String>,
    pub(super) rerun_of: Option<String>,
    pub(super) source: JobSource,
    /// The step whose result answers waiting callers, if the document names one.
    pub(super) early_return: Option<String>,
    pub(super) input: Value,
    pub(super) preprocess: bool,
    /// Whether results that earlier runs have cached are not used.
    pub(super) fresh: bool,
    pub(super) taken_over: TakenOver,
    /// Where the job is announced.
    pub(super) webhook: Option<JobWebhook>,
}

impl JobDraft {
    /// Prepares a run of one node.
    pub(crate) async fn of_node(state: &AppState, id: &str, input: Map<String, Value>) -> Result<Self, Problem> {
        let document = state.cached_documents.read_document(DocumentKind::Node, id).await?;
        let document = references::require_document(document, DocumentKind::Node, id)?;
        let mut node = references::saved_node(&document)?;
        let directory = state.secrets.read_directory().await?;
        let saved_connector = state.cached_documents.read_document(DocumentKind::Connector, &node.connector_id).await?;
        let found = check_node(&directory, &document, saved_connector.as_deref())?;
        refuse_if_errors(&format!("node `{id}`"), found)?;
        let Some(saved_connector) = saved_connector else {
            return Err(Problem::internal(format!("a missing connector of node `{id}` was not found out")));
        };
        // The validated documents are run: none of them is read again.
        let mut connector = references::saved_connector(&saved_connector)?;
        node.own_secrets = directory.own_secrets(&document);
        connector.own_secrets = directory.own_secrets(&saved_connector);
        let plan = apiflow_core::call::compile_call(&node, &connector)
            .map_err(|found| Problem::not_runnable(format!("node `{id}` cannot run"), found))?;
        // The call fills in its own defaults; here they only show whether it can be made.
        plan.fill_arguments(&input).map_err(|error| input::input_problem(&error))?;
        let name = node.name.clone();
        let bundle = JobBundle { secrets_checked: true, ..node_bundle(node, connector) };
        Ok(Self { node_id: Some(id.to_owned()), ..Self::new(name, bundle.into(), None, Value::Object(input)) })
    }

    fn new(name: String, source: JobSource, early_return: Option<String>, input: Value) -> Self {
        Self {
            name,
            workflow_id: None,
            workflow_version: None,
            node_id: None,
            rerun_of: None,
            source,
            early_return,
            input,
            preprocess: false,
            fresh: false,
            taken_over: TakenOver::default(),
            webhook: None,
        }
    }

    /// Returns the draft of a run that uses no cached results, if `fresh`.
    pub(crate) fn with_fresh(self, fresh: bool) -> Self {
        Self { fresh, ..self }
    }

    /// Returns the draft of a run that is announced elsewhere, if `webhook` is given.
    pub(crate) fn with_webhook(self, webhook: Option<JobWebhook>) -> Self {
        Self { webhook: webhook.or(self.webhook), ..self }
    }

    /// Prepares a run of a prepared workflow.
    pub(super) fn of_prepared(name: String, workflow: &PreparedWorkflow, input: Value) -> Self {
        let early_return = workflow.prepared.early_return().map(str::to_owned);
        Self::new(name, Arc::clone(&workflow.prepared).into(), early_return, input)
    }

    /// Prepares a run of a saved workflow.
    pub(crate) async fn of_workflow(
        state: &AppState,
        user: &str,
        id: &str,
        input: Map<String, Value>,
        preprocess: bool,
    ) -> Result<Self, Problem> {
        let workflow = prepare_saved(state, user, id).await?;
        // The input of a preprocessor is not the workflow's own input.
        let input =
            if preprocess { Value::Object(input) } else { check_workflow_input(state, user, &workflow, input).await? };
        let draft = Self::of_prepared(workflow.name.clone(), &workflow, input);
        let webhook = workflow.webhook.clone();
        let workflow_version = workflow.version;
        Ok(Self { workflow_id: Some(id.to_owned()), workflow_version, preprocess, webhook, ..draft })
    }

    /// Prepares a run of an earlier version of a saved workflow. It is announced as the workflow says now.
    pub(crate) async fn of_workflow_version(
        state: &AppState,
        user: &str,
        (id, number): (&str, u64),
        input: Map<String, Value>,
        preprocess: bool,
    ) -> Result<Self, Problem> {
        let saved = state.cached_documents.read_document(DocumentKind::Workflow, id).await?;
        let saved = references::require_document(saved, DocumentKind::Workflow, id)?;
        let receiver = saved.body.as_object().zip(saved.author.as_deref());
        let webhook = receiver.map(|(fields, author)| receiver_of_workflow(&state.settings.outgoing, fields, author));
        let webhook = webhook.transpose()?.flatten();
        let (version, mut content) = find_version(state, id, number).await?;
        let document = content.remove("nodes").unwrap_or_default();
        let name = content.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let draft = Self::of_document(state, user, document, Selection::default(), input, preprocess).await?;
        let (workflow_id, workflow_version) = (Some(id.to_owned()), Some(version.number));
        Ok(Self { name, workflow_id, workflow_version, webhook, ..draft })
    }

    /// Returns the draft of a run of an unsaved version of a saved workflow: one of its jobs.
    ///
    /// # Errors
    /// 422 if there is no such workflow.
    pub(crate) async fn into_unsaved_version(self, state: &AppState, id: &str) -> Result<Self, Problem> {
        let saved = state.cached_documents.read_document(DocumentKind::Workflow, id).await?;
        let Some(saved) = saved else {
            let message = format!("there is no workflow `{id}`: save it first, or leave `workflow_id` out");
            return Err(Problem::single_fault("/workflow_id", message));
        };
        let saved_name = saved.body.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = if self.name.is_empty() { saved_name.to_owned() } else { self.name };
        Ok(Self { name, workflow_id: Some(id.to_owned()), ..self })
    }

    /// Prepares a run of a workflow that is not saved, or of a part of it; its summary is the job's name.
    pub(crate) async fn of_document(
        state: &AppState,
        user: &str,
        document: Value,
        selection: Selection,
        input: Map<String, Value>,
        preprocess: bool,
    ) -> Result<Self, Problem> {
        // A single step gets the inputs that it needs, not those of the workflow.
        let unchecked = preprocess || selection.only.is_some();
        let limits = state.settings.documents;
        let select = move || {
            limits.check_workflow(&document, "/document")?;
            if let Some(pointer) = references::control_in_id(&document) {
                return Err(Problem::single_fault(format!("/document{pointer}"), references::CONTROL_IN_ID));
            }
            let selected = selection.select_from(&document);
            let selected = selected.map_err(|found| Problem::from_diagnostics("selection", found))?;
            let digest = hash_value(&selected);
            Ok((selected, digest))
        };
        let (document, digest) = state.validation.places.run(user, select).await??;
        let name = document.get("summary").and_then(Value::as_str).unwrap_or_default();
        // The job's name is one line, like that of saved documents.
        let name = name.trim_end().to_owned();
        if name.chars().any(char::is_control) {
            let message = "the summary must not contain control characters, such as line breaks: it is the job's name";
            return Err(Problem::single_fault("/document/summary", message));
        }
        let workflow = prepare_document(state, user, document, digest).await?;
        let input =
            if unchecked { Value::Object(input) } else { check_workflow_input(state, user, &workflow, input).await? };
        Ok(Self { preprocess, ..Self::of_prepared(name, &workflow, input) })
    }
}

/// Creates the job, or finds the job of an earlier request with the same key; replies at once, or after the time that the
/// caller prefers to wait. `draft` is awaited only for a new job: what it reads may have changed since an earlier request.
pub(crate) async fn start_job(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    idempotency: Option<Idempotency>,
    draft: impl Future<Output = Result<JobDraft, Problem>>,
) -> Result<Response, Problem> {
    let wait = wait::preferred_wait(headers)?;
    let first = match &idempotency {
        Some(asked) => idempotency::find_first_job(state, asked).await?,
        None => None,
    };
    let mut job = match first {
        Some(id) => {
            let document = &state.store.load_job(&id).await?.bundle.document;
            StartedJob::of_earlier_request(state, id, wait::early_return(document))
        }
        None => create_job(state, caller, idempotency, draft.await?).await?,
    };
    if caller.has_scopes() {
        state.accounts.link_token_job(&caller.token.id, &job.id).await?;
    }
    let Waited { row, output, steps, answered } = match wait {
        None => {
            let row = lookup::find_job(state, &job.id).await?;
            // A new job is accepted, even if it has ended by now; that of an earlier request may be the answer.
            Waited { answered: job.input.is_none() && row.state.status.is_final(), row, output: None, steps: None }
        }
        Some(limit) => {
            let waited = job.wait_for_answer(state, limit).await?;
            // What the job came to is not for a token that ended meanwhile.
            caller.check_again(state).await?;
            waited
        }
    };
    let has_ended = row.state.finished_at.is_some();
    let mut view = views::job_view(state, caller, row, KnownValues { input: job.input, output, steps }).await?;
    if let (Some(early), false) = (&job.early_return, has_ended) {
        view.output = state.runtime.early_return(&job.id, early).await?.unwrap_or_default();
    }
    let status = if answered { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/api/v1/jobs/{}", job.id);
    let mut response = (status, [(header::LOCATION, location)], Json(view)).into_response();
    if let Some(limit) = wait {
        let applied = format!("wait={}", limit.as_secs());
        response.headers_mut().insert("preference-applied", applied.parse().map_err(Problem::internal)?);
    }
    Ok(response)
}

/// Creates the job, unless another request with the same key was faster; returns the job that exists.
async fn create_job(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    draft: JobDraft,
) -> Result<StartedJob, Problem> {
    let mut draft = draft;
    let mut used = adopt_media(state, caller, &mut draft.input).await?;
    for result in draft.taken_over.results() {
        add_artifact_ids(state, caller, result, &mut used).await?;
    }
    let id = uuid::Uuid::now_v7().to_string();
    let job = StartedJob::of_new_job(state, id.clone(), draft.early_return, draft.input.clone());
    let run = JobRequest {
        name: draft.name,
        workflow_id: draft.workflow_id,
        workflow_version: draft.workflow_version,
        node_id: draft.node_id,
        rerun_of: draft.rerun_of,
        created_by: Some(caller.user.id.clone()),
        preprocess: draft.preprocess,
        fresh: draft.fresh,
        taken_over: draft.taken_over,
        webhook: draft.webhook,
        idempotency: idempotency.clone(),
        max_bytes_in_flight: Some(state.settings.max_user_bytes),
        ..JobRequest::new(id, rand::random(), draft.source, draft.input)
    };
    match (state.runtime.submit_job(run).await?, idempotency) {
        (Created::Existing { job: first, fingerprint }, Some(asked)) => {
            let first = idempotency::check_same_request(&asked, first, &fingerprint)?;
            Ok(StartedJob::of_earlier_request(state, first, job.early_return))
        }
        (Created::Existing { .. } | Created::New { .. }, _) => {
            record_use(state, &job.id, &used).await;
            Ok(job)
        }
        (Created::OverLimit { used }, _) => Err(too_many_bytes(used, state.settings.max_user_bytes)),
    }
}

/// Records that a job uses artifacts. The job runs in any case: a failure only means that they may be deleted earlier.
async fn record_use(state: &AppState, job: &str, artifacts: &[String]) {
    if artifacts.is_empty() {
        return;
    }
    if let Err(error) = state.artifacts.records().add_references(job, artifacts, state.clock.now()).await {
        tracing::warn!(job, %error, "it is not recorded which artifacts the job uses");
    }
}

/// Refuses a new job of a user whose active jobs hold too many bytes. The reply is 429, not 507, because the user's own
/// jobs are the cause, and their end resolves it.
fn too_many_bytes(used: u64, max: u64) -> Problem {
    Problem::too_many_bytes(format!(
        "the values of your active jobs take {used} bytes; the limit is {max} (APIFLOW_MAX_USER_BYTES): \
         wait until some of them have ended, or cancel some"
    ))
}
