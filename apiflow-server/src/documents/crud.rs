//! Operations that connectors, nodes and workflows have in common: reading, saving, preconditions.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::ports::{JobFilter, JobRow, JobStatus, StoreError};
use apiflow_store::{Document, DocumentKind, Precondition, RecordError};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::IntoParams;

use crate::api::BASE_PATH;
use crate::documents::forms::Save;
use crate::documents::limits::DocumentLimits;
use crate::documents::references::saved_document;
use crate::documents::{forms, precondition, views};
use crate::http::pagination::{PageQuery, cut_to_limit};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::Caller;

/// How often a save without `If-Match` is retried if someone else saves in between.
const MAX_SAVE_TRIES: usize = 5;

pub(crate) async fn list_documents(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    query: &PageQuery,
) -> Result<Response, Problem> {
    let limit = query.limit()?;
    let mut found = state.documents.list_documents(kind, query.after_key()?.as_deref(), limit + 1).await?;
    let next = cut_to_limit(&mut found, limit, |document| document.id.clone());
    let items = views::document_bodies(state, &caller.user.id, kind, found).await?;
    json_response(state, caller, crate::api::Page { items, next }).await
}

pub(crate) async fn create_document(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    body: Value,
) -> Result<Response, Problem> {
    let form = forms::read(state, caller, kind, None, body).await?;
    let saved = form.save_form(state, Save { caller, before: None, is_whole: true }).await??;
    document_response(state, caller, saved.document, saved.moved, true).await
}

pub(crate) async fn read_document(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: &str,
) -> Result<Response, Problem> {
    document_response(state, caller, saved_document(&*state.documents, kind, id).await?, Vec::new(), false).await
}

pub(crate) async fn replace_document(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
    body: Value,
) -> Result<Response, Problem> {
    let must = precondition::read_precondition(&*state.documents, kind, id, headers).await?;
    save_document(state, caller, (kind, id), must, Body::Whole(body)).await
}

pub(crate) async fn change_document(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
    patch: Value,
) -> Result<Response, Problem> {
    let Value::Object(patch) = patch else { return Err(Problem::single_fault("", "the body must be an object")) };
    let must = precondition::read_precondition(&*state.documents, kind, id, headers).await?;
    save_document(state, caller, (kind, id), must, Body::Patch(patch)).await
}

/// The content of a request that saves a document.
enum Body {
    /// The whole document.
    Whole(Value),
    /// Some top-level fields; each replaces the whole field.
    Patch(Map<String, Value>),
}

/// The outcome of inserting a document.
pub(crate) enum Insertion {
    Inserted,
    /// A document with this id exists, and was not changed.
    Exists {
        /// Body of the document.
        saved: Value,
        /// The body that would have been saved.
        given: Value,
    },
}

/// Saves a document unless one with its id exists.
pub(crate) async fn insert_document(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    body: Value,
) -> Result<Insertion, Problem> {
    for _ in 0..MAX_SAVE_TRIES {
        let form = forms::read(state, caller, kind, None, body.clone()).await?;
        if let Some(saved) = state.documents.read_document(kind, &form.document().id).await? {
            return Ok(Insertion::Exists { saved: saved.body, given: form.document().body.clone() });
        }
        match form.save_form(state, Save { caller, before: None, is_whole: true }).await? {
            // Somebody else inserted it in between.
            Err(RecordError::Exists { .. }) => {}
            done => return Ok(done.map(|_| Insertion::Inserted)?),
        }
    }
    Err(document_busy(kind, body["id"].as_str().unwrap_or_default()))
}

/// Replaces the existing document. The caller's permissions depend on that document, so the save is conditional on its
/// version and is retried if someone else saves in between, unless the caller sent a version.
async fn save_document(
    state: &AppState,
    caller: &Caller,
    (kind, id): (DocumentKind, &str),
    must: Precondition,
    body: Body,
) -> Result<Response, Problem> {
    for _ in 0..MAX_SAVE_TRIES {
        let before = state.documents.read_document(kind, id).await?;
        check_precondition(must, before.as_ref(), kind, id)?;
        let (whole, is_whole) = match (&body, &before) {
            (Body::Whole(body), _) => (body.clone(), true),
            (Body::Patch(patch), Some(before)) => (forms::apply_patch(before.body.clone(), patch), false),
            (Body::Patch(_), None) => {
                return Err(RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() }.into());
            }
        };
        let form = forms::read(state, caller, kind, Some(id), whole).await?;
        match form.save_form(state, Save { caller, before: before.as_ref(), is_whole }).await? {
            Err(RecordError::Changed { .. } | RecordError::Exists { .. } | RecordError::NotFound { .. })
                if matches!(must, Precondition::None | Precondition::Present) => {}
            done => {
                let saved = done?;
                return document_response(state, caller, saved.document, saved.moved, before.is_none()).await;
            }
        }
    }
    Err(document_busy(kind, id))
}

/// Whether the existing document meets a request's precondition.
fn check_precondition(
    must: Precondition,
    found: Option<&Document>,
    kind: DocumentKind,
    id: &str,
) -> Result<(), RecordError> {
    let (kind, id) = (kind.as_str(), id.to_owned());
    match (must, found) {
        (Precondition::Absent, Some(_)) => Err(RecordError::Exists { kind, id }),
        (Precondition::Present | Precondition::Version(_), None) => Err(RecordError::NotFound { kind, id }),
        (Precondition::Version(asked), Some(found)) if asked != found.version => {
            Err(RecordError::Changed { kind, id, version: found.version })
        }
        (Precondition::None | Precondition::Absent | Precondition::Present | Precondition::Version(_), _) => Ok(()),
    }
}

/// Options of a document's removal.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RemoveQuery {
    /// Deletes it even if active jobs use it; they continue with the copy that they started with (default: false).
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    force: bool,
}

pub(crate) async fn remove_document(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
    query: RemoveQuery,
) -> Result<StatusCode, Problem> {
    let must = precondition::read_precondition(&*state.documents, kind, id, headers).await?;
    if !query.force {
        refuse_active(state, kind, id).await?;
    }
    for _ in 0..MAX_SAVE_TRIES {
        let before = saved_document(&*state.documents, kind, id).await?;
        check_precondition(must, Some(&before), kind, id)?;
        state.secrets.read_directory().await?.check_change(&before, caller)?;
        match state.documents.remove(kind, id, Precondition::Version(before.version)).await {
            Err(RecordError::Changed { .. }) if matches!(must, Precondition::None | Precondition::Present) => {}
            done => return Ok(done.map(|()| StatusCode::NO_CONTENT)?),
        }
    }
    Err(document_busy(kind, id))
}

fn document_busy(kind: DocumentKind, id: &str) -> Problem {
    let detail = format!("{} `{id}` is being changed by other requests; try again", kind.as_str());
    Problem::new(StatusCode::CONFLICT, problem_codes::BUSY, detail)
}

/// Maximum number of active jobs that are searched for uses of a document before it is deleted.
const MAX_JOBS_LOOKED_AT: usize = 1_000;

/// Number of jobs per read.
const JOB_PAGE_SIZE: u32 = 100;

/// Refuses with 409 if a job that has not ended runs or uses this document.
///
/// Jobs have their own copy of it, but not of the secrets that were generated for it.
async fn refuse_active(state: &AppState, kind: DocumentKind, id: &str) -> Result<(), Problem> {
    let workflow_id = (kind == DocumentKind::Workflow).then(|| id.to_owned());
    let mut looked_at = 0;
    for status in [JobStatus::Running, JobStatus::Suspended, JobStatus::Pending] {
        let filter = JobFilter { status: Some(status), workflow_id: workflow_id.clone(), ..JobFilter::default() };
        let mut before = None;
        loop {
            let page = state.store.list_jobs(&filter, before.as_deref(), JOB_PAGE_SIZE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id.clone());
            for job in page {
                looked_at += 1;
                if looked_at > MAX_JOBS_LOOKED_AT || job_uses_document(state, &job.id, kind, id).await? {
                    // Jobs outlive the documents that they ran.
                    saved_document(&*state.documents, kind, id).await?;
                    return Err(document_active(kind, id, (looked_at <= MAX_JOBS_LOOKED_AT).then_some(&job)));
                }
            }
        }
    }
    Ok(())
}

/// Whether a job has this document among its copies.
async fn job_uses_document(state: &AppState, job: &str, kind: DocumentKind, id: &str) -> Result<bool, Problem> {
    if kind == DocumentKind::Workflow {
        // Those of other workflows are not listed, and a sub-flow stays as long as the workflow that names it.
        return Ok(true);
    }
    let catalog = match state.store.load_job(job).await {
        Ok(loaded) => loaded.bundle.into_bundle().catalog,
        // It was deleted in the meantime.
        Err(StoreError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    Ok(match kind {
        DocumentKind::Connector => catalog.connectors.contains_key(id),
        DocumentKind::Node => catalog.nodes.contains_key(id),
        DocumentKind::Workflow => catalog.workflows.contains_key(id),
    })
}

/// The problem of deleting a document that this job uses, or that one of too many active jobs may use.
fn document_active(kind: DocumentKind, id: &str, job: Option<&JobRow>) -> Problem {
    let kind = kind.as_str();
    let force =
        "pass `?force=true`: jobs continue with their own copy, but without the secrets that were generated for it";
    let message = match job {
        Some(job) => {
            let status = job.state.status.as_str();
            format!("{kind} `{id}` is in use by the {status} job `{}`; wait for it or cancel it, or {force}", job.id)
        }
        None => format!(
            "more than {MAX_JOBS_LOOKED_AT} jobs are active, and some of them may use {kind} `{id}`; wait for them, or {force}"
        ),
    };
    Problem::new(StatusCode::CONFLICT, problem_codes::ACTIVE, message)
}

/// Replies with a document; `remarks` are added to its diagnostics in this reply only.
async fn document_response(
    state: &AppState,
    caller: &Caller,
    document: Document,
    remarks: Vec<Diagnostic>,
    is_new: bool,
) -> Result<Response, Problem> {
    let kind = document.kind;
    let location = format!("{}/{}s/{}", BASE_PATH, kind.as_str(), document.id);
    let etag = precondition::document_etag(&document);
    let body = views::document_body(state, &caller.user.id, document, remarks).await?;
    let body = json_response(state, caller, body).await?;
    let etag = [(header::ETAG, etag)];
    if is_new {
        return Ok((StatusCode::CREATED, [(header::LOCATION, location)], etag, body).into_response());
    }
    Ok((StatusCode::OK, etag, body).into_response())
}

/// The largest reply that is serialized on the request's thread.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// A JSON reply; a large one is serialized in one of the caller's places.
async fn json_response(
    state: &AppState,
    caller: &Caller,
    body: impl Serialize + Send + 'static,
) -> Result<Response, Problem> {
    let limits = DocumentLimits { max_bytes: MAX_INLINE_BYTES, ..DocumentLimits::default() };
    if limits.check_bytes(&body).is_ok() {
        return Ok(Json(body).into_response());
    }
    let write = move || serde_json::to_vec(&body);
    let text = state.validation.places.run(&caller.user.id, write).await?.map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
