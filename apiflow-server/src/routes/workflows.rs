//! Routes of workflows.

use apiflow_store::DocumentKind;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{NewWorkflow, Page, Workflow, WorkflowChange};
use crate::documents::crud;
use crate::documents::crud::RemoveQuery;
use crate::http::extract::{AnyJson, InPath, InQuery};
use crate::http::pagination::PageQuery;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

const KIND: DocumentKind = DocumentKind::Workflow;

/// The routes of workflows.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, change, remove))
}

/// Lists workflows.
#[utoipa::path(get, path = "/workflows", operation_id = "list_workflows", tag = "workflows", params(PageQuery),
    responses((status = OK, description = "a page, newest first", body = Page<Workflow>)))]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Response, Problem> {
    crud::list_documents(&state, &caller, KIND, &query).await
}

/// Makes a workflow.
#[utoipa::path(post, path = "/workflows", operation_id = "create_workflow", tag = "workflows", request_body = NewWorkflow,
    responses((status = CREATED, description = "the workflow", body = Workflow, headers(("Location" = String), ("ETag" = String)))))]
async fn create(State(state): State<AppState>, caller: Caller, AnyJson(body): AnyJson) -> Result<Response, Problem> {
    crud::create_document(&state, &caller, KIND, body).await
}

/// Reads a workflow.
#[utoipa::path(get, path = "/workflows/{id}", operation_id = "get_workflow", tag = "workflows", params(("id" = String, Path)),
    responses((status = OK, description = "the workflow", body = Workflow, headers(("ETag" = String)))))]
async fn read(State(state): State<AppState>, caller: Caller, InPath(id): InPath<String>) -> Result<Response, Problem> {
    crud::read_document(&state, &caller, KIND, &id).await
}

/// Makes a workflow or replaces it whole.
#[utoipa::path(put, path = "/workflows/{id}", operation_id = "put_workflow", tag = "workflows",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag")),
    request_body = NewWorkflow,
    responses(
        (status = OK, description = "replaced", body = Workflow, headers(("ETag" = String))),
        (status = CREATED, description = "made", body = Workflow, headers(("Location" = String), ("ETag" = String))),
    ))]
async fn replace(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    AnyJson(body): AnyJson,
) -> Result<Response, Problem> {
    crud::replace_document(&state, &caller, KIND, &id, &headers, body).await
}

/// Replaces the given fields of a workflow, each whole.
#[utoipa::path(patch, path = "/workflows/{id}", operation_id = "patch_workflow", tag = "workflows",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag")),
    request_body = WorkflowChange,
    responses((status = OK, description = "changed", body = Workflow, headers(("ETag" = String)))))]
async fn change(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    AnyJson(body): AnyJson,
) -> Result<Response, Problem> {
    crud::change_document(&state, &caller, KIND, &id, &headers, body).await
}

/// Removes a workflow that nothing refers to and that no active job runs.
#[utoipa::path(delete, path = "/workflows/{id}", operation_id = "delete_workflow", tag = "workflows",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag"), RemoveQuery),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<RemoveQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    crud::remove_document(&state, &caller, KIND, &id, &headers, query).await
}
