//! From a request to a job: all that refuses a run is told before there is one.

use apiflow_core::catalog::{self, Catalog};
use apiflow_core::diagnostic::{Diagnostic, has_errors};
use apiflow_core::openflow::Selection;
use apiflow_core::ports::{Created, Idempotency, JobBundle};
use apiflow_core::runtime::{JobRequest, TakenOver, node_bundle};
use apiflow_store::DocumentKind;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::documents::declaration_checks::check_node;
use crate::documents::references;
use crate::documents::references::saved_document;
use crate::documents::validation::Checked;
use crate::documents::workflow_checks::check_with_names;
use crate::http::problem::Problem;
use crate::jobs::{idempotency, input, lookup, views, wait};
use crate::state::AppState;
use crate::users::Caller;

/// A job that was checked and may be created.
pub(crate) struct JobDraft {
    pub(super) name: String,
    pub(super) workflow_id: Option<String>,
    pub(super) node_id: Option<String>,
    pub(super) bundle: JobBundle,
    pub(super) input: Value,
    pub(super) preprocess: bool,
    pub(super) taken_over: TakenOver,
}

impl JobDraft {
    /// A run of one node.
    pub(crate) async fn of_node(state: &AppState, id: &str, input: Map<String, Value>) -> Result<Self, Problem> {
        let document = saved_document(&*state.documents, DocumentKind::Node, id).await?;
        let mut node = references::saved_node(&document)?;
        let directory = state.secrets.read_directory().await?;
        let saved_connector = state.documents.read_document(DocumentKind::Connector, &node.connector_id).await?;
        let found = check_node(&directory, &document, saved_connector.as_ref())?;
        refuse_if_errors(&format!("node `{id}`"), found)?;
        let Some(saved_connector) = saved_connector else {
            return Err(Problem::internal(format!("a missing connector of node `{id}` was not found out")));
        };
        // What was checked is what is run: none of it is read again.
        let mut connector = references::saved_connector(&saved_connector)?;
        node.own_secrets = directory.own_secrets(&document);
        connector.own_secrets = directory.own_secrets(&saved_connector);
        let plan = apiflow_core::call::compile_call(&node, &connector)
            .map_err(|found| Problem::not_runnable(format!("node `{id}` cannot run"), found))?;
        // The call fills its own defaults in; here they only show whether it can be made.
        plan.fill_arguments(&input).map_err(|error| input::input_problem(&error))?;
        let name = node.name.clone();
        let bundle = JobBundle { secrets_checked: true, ..node_bundle(node, connector) };
        Ok(Self { node_id: Some(id.to_owned()), ..Self::new(name, bundle, Value::Object(input)) })
    }

    pub(super) fn new(name: String, bundle: JobBundle, input: Value) -> Self {
        Self {
            name,
            workflow_id: None,
            node_id: None,
            bundle,
            input,
            preprocess: false,
            taken_over: TakenOver::default(),
        }
    }

    /// A run of a saved workflow.
    pub(crate) async fn of_workflow(
        state: &AppState,
        user: &str,
        id: &str,
        input: Map<String, Value>,
        preprocess: bool,
    ) -> Result<Self, Problem> {
        let mut saved = saved_document(&*state.documents, DocumentKind::Workflow, id).await?;
        let name = saved.body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let document = saved.body.get_mut("nodes").map(Value::take).unwrap_or_default();
        let draft = Self::of_checked_document(state, user, name, document, input, preprocess).await?;
        Ok(Self { workflow_id: Some(id.to_owned()), ..draft })
    }

    /// A run of a workflow that is not saved, or of a part of it; its summary is the job's name.
    pub(crate) async fn of_document(
        state: &AppState,
        user: &str,
        document: Value,
        selection: Selection,
        input: Map<String, Value>,
        preprocess: bool,
    ) -> Result<Self, Problem> {
        // A step alone is given what it needs, not what the workflow is given.
        let unchecked = preprocess || selection.only.is_some();
        let limits = state.settings.documents;
        let select = move || {
            limits.check_workflow(&document, "/document")?;
            if let Some(pointer) = references::control_in_id(&document) {
                return Err(Problem::single_fault(format!("/document{pointer}"), references::CONTROL_IN_ID));
            }
            selection.select_from(&document).map_err(|found| Problem::from_diagnostics("selection", found))
        };
        let document = state.validation.places.run(user, select).await??;
        let name = document.get("summary").and_then(Value::as_str).unwrap_or_default();
        // The job's name is one line, as it is for whatever was saved.
        let name = name.trim_end().to_owned();
        if name.chars().any(char::is_control) {
            let message = "the summary names the job: it must have no control characters, such as line breaks";
            return Err(Problem::single_fault("/document/summary", message));
        }
        Self::of_checked_document(state, user, name, document, input, unchecked)
            .await
            .map(|draft| Self { preprocess, ..draft })
    }

    /// `raw` inputs are not the workflow's own, and not checked against its schema.
    pub(super) async fn of_checked_document(
        state: &AppState,
        user: &str,
        name: String,
        document: Value,
        input: Map<String, Value>,
        raw: bool,
    ) -> Result<Self, Problem> {
        let directory = state.secrets.read_directory().await?;
        let declarations = references::load_declarations(&*state.documents, &directory, &[&document]).await?;
        let mut refused = declarations.refusals_of_nodes(&directory);
        let catalog = declarations.catalog;
        let Checked { document, catalog, found } = check_with_names(state, user, document, catalog, &directory).await?;
        refuse_if_errors("the workflow", found)?;
        for node in catalog.nodes.values() {
            let connector = catalog.connectors.get(&node.connector_id);
            let mut found = connector.map(|connector| catalog::check_call(node, connector)).unwrap_or_default();
            found.extend(refused.remove(&node.id).unwrap_or_default());
            refuse_if_errors(&format!("node `{}`, which the workflow uses,", node.id), found)?;
        }
        let input = if raw {
            Value::Object(input)
        } else {
            input::check_input(state, user, input::INPUT, document.get("schema"), input).await?
        };
        let catalog = Catalog { secrets: None, ..catalog };
        let bundle = JobBundle { document, catalog, secrets_checked: true, ..JobBundle::default() };
        Ok(Self { preprocess: raw, ..Self::new(name, bundle, input) })
    }
}

/// Makes the job, or finds the one of an earlier request of that key; answers at once, or as long as the caller prefers
/// to wait. What `draft` looks at may have changed since that earlier request: it is asked for a new job alone.
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
    let (id, early_return) = match first {
        Some(id) => {
            let document = state.store.load_job(&id).await?.bundle.document;
            (id, wait::early_return(&document))
        }
        None => {
            let draft = draft.await?;
            let early_return = wait::early_return(&draft.bundle.document);
            (create_job(state, caller, idempotency, draft).await?, early_return)
        }
    };
    let answered = match wait {
        None => lookup::find_job(state, &id).await?.state.status.is_final(),
        Some(limit) => {
            let answered = wait::until_answered(state, &id, early_return.as_deref(), limit).await?;
            // What the job came to is not for a token that ended meanwhile.
            caller.check_again(state).await?;
            answered
        }
    };
    let mut job = views::job_view(state, caller, lookup::find_job(state, &id).await?).await?;
    if let (Some(early), false) = (&early_return, job.summary.finished_at.is_some()) {
        job.output = state.runtime.early_return(&id, early).await?.unwrap_or_default();
    }
    let status = if answered { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/api/v1/jobs/{id}");
    let mut response = (status, [(header::LOCATION, location)], Json(job)).into_response();
    if let Some(limit) = wait {
        let applied = format!("wait={}", limit.as_secs());
        response.headers_mut().insert("preference-applied", applied.parse().map_err(Problem::internal)?);
    }
    Ok(response)
}

/// Makes the job, unless another request of the same key was faster; gives the id of the one that there is.
async fn create_job(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    draft: JobDraft,
) -> Result<String, Problem> {
    check_bytes_in_flight(state, caller).await?;
    let id = uuid::Uuid::now_v7().to_string();
    let run = JobRequest {
        name: draft.name,
        workflow_id: draft.workflow_id,
        node_id: draft.node_id,
        created_by: Some(caller.user.id.clone()),
        preprocess: draft.preprocess,
        taken_over: draft.taken_over,
        idempotency: idempotency.clone(),
        ..JobRequest::new(id.clone(), rand::random(), draft.bundle, draft.input)
    };
    match (state.runtime.submit_job(run).await?, idempotency) {
        (Created::Existing { job, fingerprint }, Some(asked)) => {
            idempotency::check_same_request(&asked, job, &fingerprint)
        }
        (Created::Existing { .. } | Created::New { .. }, _) => Ok(id),
    }
}

/// Refuses another job of a user whose jobs hold too much already. It is the user's own jobs that are in the way, and
/// their end that helps: so this is 429, not 507.
async fn check_bytes_in_flight(state: &AppState, caller: &Caller) -> Result<(), Problem> {
    let (used, max) = (state.store.read_bytes_in_flight(&caller.user.id).await?, state.settings.max_user_bytes);
    if used < max {
        return Ok(());
    }
    let detail = format!(
        "your jobs that have not ended hold {used} bytes of values, and a user may have {max} (APIFLOW_MAX_USER_BYTES): \
         wait until some of them have ended, or cancel some"
    );
    Err(Problem::too_many_bytes(detail))
}

pub(super) fn refuse_if_errors(what: &str, found: Vec<Diagnostic>) -> Result<(), Problem> {
    if has_errors(&found) {
        return Err(Problem::not_runnable(format!("{what} has errors and cannot run"), found));
    }
    Ok(())
}
