//! Prepares workflows for runs: each document is checked and compiled once for all of its runs.

use std::sync::Arc;

use apiflow_core::catalog::{self, Catalog};
use apiflow_core::diagnostic::{Diagnostic, has_errors};
use apiflow_core::ports::{JobBundle, JobWebhook};
use apiflow_core::prepared::Prepared;
use apiflow_store::DocumentKind;
use serde_json::{Map, Value};

use crate::documents::references::{DocumentVersion, SavedDeclarations, load_declarations, require_document};
use crate::documents::validation::Checked;
use crate::documents::workflow_checks::check_with_names;
use crate::http::problem::Problem;
use crate::jobs::input;
use crate::jobs::workflow_cache::{PreparedWorkflow, WorkflowKey, WorkflowSources};
use crate::record_cache::RecordsRead;
use crate::secrets::directory::SecretDirectory;
use crate::state::AppState;
use crate::webhooks::receiver::receiver_of_workflow;

/// A workflow that has not been checked yet.
struct WorkflowDraft {
    key: WorkflowKey,
    /// Its name, if it was saved.
    name: String,
    /// Its version, if it was saved.
    version: Option<u64>,
    /// Where its runs are announced, if the saved workflow says so.
    webhook: Option<JobWebhook>,
    content: DraftContent,
    /// The records that were read for it.
    read: RecordsRead,
    directory: SecretDirectory,
    versions: Vec<DocumentVersion>,
}

enum DraftContent {
    /// A document, with the saved documents that it refers to.
    Document { document: Value, declarations: SavedDeclarations },
    /// The documents that a job ran.
    Bundle(JobBundle),
}

/// Prepares a saved workflow.
///
/// # Errors
/// 404 if there is none, 422 if it has errors.
pub(crate) async fn prepare_saved(state: &AppState, user: &str, id: &str) -> Result<Arc<PreparedWorkflow>, Problem> {
    let key = WorkflowKey::Saved(id.to_owned());
    if let Some(workflow) = state.workflows.find_current(&key, &state.records) {
        return Ok(workflow);
    }
    let read = state.records.begin_derivation();
    let saved = state.cached_documents.read_document(DocumentKind::Workflow, id).await?;
    let saved = require_document(saved, DocumentKind::Workflow, id)?;
    let own = DocumentVersion::of_document(&saved);
    let version = Some(saved.version);
    let name = saved.body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    // The secret of the user who saved it signs.
    let receiver = saved.body.as_object().zip(saved.author.as_deref());
    let webhook = receiver.map(|(fields, author)| receiver_of_workflow(&state.settings.outgoing, fields, author));
    let webhook = webhook.transpose()?.flatten();
    let document = saved.body.get("nodes").cloned().unwrap_or_default();
    let directory = state.secrets.read_directory().await?;
    let declarations = load_declarations(&state.cached_documents, &directory, &[&document]).await?;
    let versions = declarations.versions.iter().cloned().chain([own]).collect();
    let content = DraftContent::Document { document, declarations };
    prepare_draft(state, user, WorkflowDraft { key, name, version, webhook, content, read, directory, versions }).await
}

/// Prepares a document of a request; `digest` identifies its content.
///
/// # Errors
/// 422 if it has errors.
pub(crate) async fn prepare_document(
    state: &AppState,
    user: &str,
    document: Value,
    digest: String,
) -> Result<Arc<PreparedWorkflow>, Problem> {
    let key = WorkflowKey::Document(digest);
    if let Some(workflow) = state.workflows.find_current(&key, &state.records) {
        return Ok(workflow);
    }
    let read = state.records.begin_derivation();
    let directory = state.secrets.read_directory().await?;
    let declarations = load_declarations(&state.cached_documents, &directory, &[&document]).await?;
    let versions = declarations.versions.clone();
    let content = DraftContent::Document { document, declarations };
    let (name, version, webhook) = (String::new(), None, None);
    prepare_draft(state, user, WorkflowDraft { key, name, version, webhook, content, read, directory, versions }).await
}

/// Prepares the original documents of a job; `digest` identifies their content.
///
/// # Errors
/// 422 if it has errors by now.
pub(crate) async fn prepare_bundle(
    state: &AppState,
    user: &str,
    bundle: JobBundle,
    digest: String,
) -> Result<Arc<PreparedWorkflow>, Problem> {
    let key = WorkflowKey::Bundle(digest);
    if let Some(workflow) = state.workflows.find_current(&key, &state.records) {
        return Ok(workflow);
    }
    let read = state.records.begin_derivation();
    let directory = state.secrets.read_directory().await?;
    let content = DraftContent::Bundle(bundle);
    let (name, version, webhook, versions) = (String::new(), None, None, Vec::new());
    let draft = WorkflowDraft { key, name, version, webhook, content, read, directory, versions };
    prepare_draft(state, user, draft).await
}

/// Fills defaults into an input and validates it against the workflow's schema.
///
/// # Errors
/// 422 if it does not match.
pub(crate) async fn check_workflow_input(
    state: &AppState,
    user: &str,
    workflow: &PreparedWorkflow,
    input: Map<String, Value>,
) -> Result<Value, Problem> {
    match &workflow.schema {
        Some(schema) => input::check_against(state, user, input::INPUT, Arc::clone(schema), input).await,
        None => Ok(Value::Object(input)),
    }
}

/// Refuses to run documents with errors.
pub(crate) fn refuse_if_errors(what: &str, found: Vec<Diagnostic>) -> Result<(), Problem> {
    if has_errors(&found) {
        return Err(Problem::not_runnable(format!("{what} has errors and cannot run"), found));
    }
    Ok(())
}

/// Returns the cached workflow of the same sources, or prepares it.
async fn prepare_draft(state: &AppState, user: &str, draft: WorkflowDraft) -> Result<Arc<PreparedWorkflow>, Problem> {
    let WorkflowDraft { key, name, version, webhook, content, read, directory, versions } = draft;
    let sources = WorkflowSources { versions, directory_digest: directory.directory_digest() };
    let workflow = match state.workflows.find_same(&key, &sources) {
        Some(workflow) => workflow,
        None => {
            state.workflows.count_preparation();
            let bundle = check_content(state, user, content, &directory).await?;
            Arc::new(PreparedWorkflow { version, webhook, ..compile_workflow(state, user, name, bundle).await? })
        }
    };
    state.workflows.keep_workflow(key, sources, read, Arc::clone(&workflow));
    Ok(workflow)
}

/// Checks a workflow with all that it refers to.
async fn check_content(
    state: &AppState,
    user: &str,
    content: DraftContent,
    directory: &SecretDirectory,
) -> Result<JobBundle, Problem> {
    let (document, declarations) = match content {
        DraftContent::Document { document, declarations } => (document, declarations),
        DraftContent::Bundle(bundle) => {
            let JobBundle { document, catalog, secrets_checked, .. } = bundle;
            let catalog = Catalog { secrets: Some(directory.common_names()), ..catalog };
            let Checked { document, catalog, found } = state.validation.check_workflow(user, document, catalog).await?;
            refuse_if_errors("the workflow", found)?;
            let catalog = Catalog { secrets: None, ..catalog };
            return Ok(JobBundle { document, catalog, secrets_checked, ..JobBundle::default() });
        }
    };
    let mut refused = declarations.refusals_of_nodes(directory);
    let catalog = declarations.catalog;
    let Checked { document, catalog, found } = check_with_names(state, user, document, catalog, directory).await?;
    refuse_if_errors("the workflow", found)?;
    for node in catalog.nodes.values() {
        let connector = catalog.connectors.get(&node.connector_id);
        let mut found = connector.map(|connector| catalog::check_call(node, connector)).unwrap_or_default();
        found.extend(refused.remove(&node.id).unwrap_or_default());
        refuse_if_errors(&format!("node `{}`, which the workflow uses,", node.id), found)?;
    }
    let catalog = Catalog { secrets: None, ..catalog };
    Ok(JobBundle { document, catalog, secrets_checked: true, ..JobBundle::default() })
}

/// Compiles a workflow that was checked.
async fn compile_workflow(
    state: &AppState,
    user: &str,
    name: String,
    bundle: JobBundle,
) -> Result<PreparedWorkflow, Problem> {
    let schemas = state.validation.schemas.clone();
    let compile = move || {
        let schema = bundle.document.get("schema").filter(|schema| !schema.is_null());
        let schema = schema.map(|schema| schemas.compile_cached(schema));
        let prepared = Prepared::compile_bundle(bundle)
            .map_err(|error| Problem::not_runnable(format!("the workflow cannot run: {error}"), Vec::new()))?;
        // Serialized here, off the request's thread: the store needs it for each job.
        prepared.bundle().json();
        Ok(PreparedWorkflow { name, version: None, prepared: Arc::new(prepared), schema, webhook: None })
    };
    state.validation.places.run(user, compile).await?
}
