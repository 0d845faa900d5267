//! From a request to a job: all that refuses a run is told before there is one.

mod again;
mod declared;
mod repeat;
mod trial;
mod wait;

pub(crate) use self::declared::{check_connector, check_node};
pub(crate) use self::repeat::key;
pub(crate) use self::trial::{Trials, dry_run};

use apiflow_core::catalog::{self, Catalog};
use apiflow_core::diagnostic::{Diagnostic, has_errors};
use apiflow_core::openflow::Selection;
use apiflow_core::ports::{Created, Idempotency, JobBundle};
use apiflow_core::runtime::{NewRun, TakenOver, node_bundle};
use apiflow_core::validate::codes;
use apiflow_store::DocumentKind;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::problem::Problem;
use crate::references::{self, saved};
use crate::secrets::directory::SecretDirectory;
use crate::state::AppState;
use crate::validation::Checked;
use crate::{input, show};

/// A job that may be made.
pub(crate) struct Launch {
    name: String,
    workflow_id: Option<String>,
    node_id: Option<String>,
    bundle: JobBundle,
    input: Value,
    preprocess: bool,
    taken_over: TakenOver,
}

impl Launch {
    /// A run of one node.
    pub(crate) async fn node(state: &AppState, id: &str, input: Map<String, Value>) -> Result<Self, Problem> {
        let document = saved(&*state.documents, DocumentKind::Node, id).await?;
        let mut node = references::node(&document)?;
        let directory = state.secrets.directory().await?;
        let saved_connector = state.documents.document(DocumentKind::Connector, &node.connector_id).await?;
        let found = check_node(&directory, &document, saved_connector.as_ref())?;
        refuse(&format!("node `{id}`"), found)?;
        let Some(saved_connector) = saved_connector else {
            return Err(Problem::internal(format!("a missing connector of node `{id}` was not found out")));
        };
        // What was checked is what is run: none of it is read again.
        let mut connector = references::connector(&saved_connector)?;
        node.own_secrets = directory.own_secrets(&document);
        connector.own_secrets = directory.own_secrets(&saved_connector);
        let plan = apiflow_core::call::plan(&node, &connector)
            .map_err(|found| Problem::not_runnable(format!("node `{id}` cannot run"), found))?;
        // The call fills its own defaults in; here they only show whether it can be made.
        plan.arguments(&input).map_err(|error| input::refused(&error))?;
        let name = node.name.clone();
        let bundle = JobBundle { secrets_checked: true, ..node_bundle(node, connector) };
        Ok(Self { node_id: Some(id.to_owned()), ..Self::of(name, bundle, Value::Object(input)) })
    }

    fn of(name: String, bundle: JobBundle, input: Value) -> Self {
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
    pub(crate) async fn workflow(
        state: &AppState,
        user: &str,
        id: &str,
        input: Map<String, Value>,
        preprocess: bool,
    ) -> Result<Self, Problem> {
        let mut saved = saved(&*state.documents, DocumentKind::Workflow, id).await?;
        let name = saved.body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let document = saved.body.get_mut("nodes").map(Value::take).unwrap_or_default();
        let launch = Self::checked(state, user, name, document, input, preprocess).await?;
        Ok(Self { workflow_id: Some(id.to_owned()), ..launch })
    }

    /// A run of a workflow that is not saved, or of a part of it; its summary is the job's name.
    pub(crate) async fn document(
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
                return Err(Problem::fault(format!("/document{pointer}"), references::CONTROL_IN_ID));
            }
            selection.of(&document).map_err(|found| Problem::from_diagnostics("selection", found))
        };
        let document = state.validation.places.run(user, select).await??;
        let name = document.get("summary").and_then(Value::as_str).unwrap_or_default();
        // The job's name is one line, as it is for whatever was saved.
        let name = name.trim_end().to_owned();
        if name.chars().any(char::is_control) {
            let message = "the summary names the job: it must have no control characters, such as line breaks";
            return Err(Problem::fault("/document/summary", message));
        }
        Self::checked(state, user, name, document, input, unchecked).await.map(|launch| Self { preprocess, ..launch })
    }

    /// `raw` inputs are not the workflow's own, and not checked against its schema.
    async fn checked(
        state: &AppState,
        user: &str,
        name: String,
        document: Value,
        input: Map<String, Value>,
        raw: bool,
    ) -> Result<Self, Problem> {
        let directory = state.secrets.directory().await?;
        let declarations = references::declarations(&*state.documents, &directory, &[&document]).await?;
        let mut refused = declarations.refusals_of_nodes(&directory);
        let catalog = declarations.catalog;
        let Checked { document, catalog, found } = checked_with(state, user, document, catalog, &directory).await?;
        refuse("the workflow", found)?;
        for node in catalog.nodes.values() {
            let connector = catalog.connectors.get(&node.connector_id);
            let mut found = connector.map(|connector| catalog::check_call(node, connector)).unwrap_or_default();
            found.extend(refused.remove(&node.id).unwrap_or_default());
            refuse(&format!("node `{}`, which the workflow uses,", node.id), found)?;
        }
        let input = if raw {
            Value::Object(input)
        } else {
            input::check(state, user, input::INPUT, document.get("schema"), input).await?
        };
        let catalog = Catalog { secrets: None, ..catalog };
        let bundle = JobBundle { document, catalog, secrets_checked: true, ..JobBundle::default() };
        Ok(Self { preprocess: raw, ..Self::of(name, bundle, input) })
    }
}

/// Makes the job, or finds the one of an earlier request of that key; answers at once, or as long as the caller prefers
/// to wait. What `launch` looks at may have changed since that earlier request: it is asked for a new job alone.
pub(crate) async fn start(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    idempotency: Option<Idempotency>,
    launch: impl Future<Output = Result<Launch, Problem>>,
) -> Result<Response, Problem> {
    let wait = wait::preferred(headers)?;
    let first = match &idempotency {
        Some(asked) => repeat::first_job(state, asked).await?,
        None => None,
    };
    let (id, early_return) = match first {
        Some(id) => {
            let document = state.store.load(&id).await?.bundle.document;
            (id, wait::early_return(&document))
        }
        None => {
            let launch = launch.await?;
            let early_return = wait::early_return(&launch.bundle.document);
            (make(state, caller, idempotency, launch).await?, early_return)
        }
    };
    let answered = match wait {
        None => show::row(state, &id).await?.patch.status.is_final(),
        Some(limit) => {
            let answered = wait::until_answered(state, &id, early_return.as_deref(), limit).await?;
            // What the job came to is not for a token that ended meanwhile.
            caller.check_again(state).await?;
            answered
        }
    };
    let mut job = show::job(state, caller, show::row(state, &id).await?).await?;
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
async fn make(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    launch: Launch,
) -> Result<String, Problem> {
    check_bytes_in_flight(state, caller).await?;
    let id = uuid::Uuid::now_v7().to_string();
    let run = NewRun {
        name: launch.name,
        workflow_id: launch.workflow_id,
        node_id: launch.node_id,
        created_by: Some(caller.user.id.clone()),
        preprocess: launch.preprocess,
        taken_over: launch.taken_over,
        idempotency: idempotency.clone(),
        ..NewRun::new(id.clone(), rand::random(), launch.bundle, launch.input)
    };
    match (state.runtime.submit(run).await?, idempotency) {
        (Created::Existing { job, fingerprint }, Some(asked)) => repeat::same(&asked, job, &fingerprint),
        (Created::Existing { .. } | Created::New, _) => Ok(id),
    }
}

/// Refuses another job of a user whose jobs hold too much already. It is the user's own jobs that are in the way, and
/// their end that helps: so this is 429, not 507.
async fn check_bytes_in_flight(state: &AppState, caller: &Caller) -> Result<(), Problem> {
    let (used, max) = (state.store.bytes_in_flight(&caller.user.id).await?, state.settings.max_user_bytes);
    if used < max {
        return Ok(());
    }
    let detail = format!(
        "your jobs that have not ended hold {used} bytes of values, and a user may have {max} (APIFLOW_MAX_USER_BYTES): \
         wait until some of them have ended, or cancel some"
    );
    Err(Problem::too_many_bytes(detail))
}

/// What is wrong with an OpenFlow document, given what is saved; gives the document back.
pub(crate) async fn check(state: &AppState, user: &str, document: Value) -> Result<(Value, Vec<Diagnostic>), Problem> {
    let directory = state.secrets.directory().await?;
    let declarations = references::declarations(&*state.documents, &directory, &[&document]).await?;
    let refused = declarations.findings(&directory, &document);
    let catalog = declarations.catalog;
    let Checked { document, catalog, mut found } = checked_with(state, user, document, catalog, &directory).await?;
    drop_elsewhere(catalog);
    found.extend(refused);
    Ok((document, found))
}

/// The same of a document that a request brings, if it is not too large; nothing is kept of it.
pub(crate) async fn check_given(state: &AppState, user: &str, document: Value) -> Result<Vec<Diagnostic>, Problem> {
    let limits = state.settings.documents;
    let measure = move || limits.check_workflow(&document, "/document").map(|()| document);
    let document = state.validation.places.run(user, measure).await??;
    let (document, found) = check(state, user, document).await?;
    drop_elsewhere(document);
    Ok(found)
}

/// Drops what may be large: that takes as long as it took to make it.
pub(crate) fn drop_elsewhere(value: impl Send + 'static) {
    tokio::task::spawn_blocking(move || drop(value));
}

async fn checked_with(
    state: &AppState,
    user: &str,
    document: Value,
    mut catalog: Catalog,
    directory: &SecretDirectory,
) -> Result<Checked, Problem> {
    catalog.secrets = Some(directory.common_names());
    let checked = state.validation.check(user, document, catalog).await?;
    let unknown = [codes::UNKNOWN_NODE, codes::UNKNOWN_CONNECTOR, codes::UNKNOWN_WORKFLOW];
    if checked.found.iter().all(|found| !unknown.contains(&found.code.as_str())) {
        return Ok(checked);
    }
    // Advice such as "did you mean" needs to know what there is.
    let Checked { document, mut catalog, .. } = checked;
    references::add_names(&*state.documents, &mut catalog).await?;
    state.validation.check(user, document, catalog).await
}

fn refuse(what: &str, found: Vec<Diagnostic>) -> Result<(), Problem> {
    if has_errors(&found) {
        return Err(Problem::not_runnable(format!("{what} has errors and cannot run"), found));
    }
    Ok(())
}
