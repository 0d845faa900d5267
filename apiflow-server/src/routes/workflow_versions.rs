//! Routes of the versions of workflows.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Page, Workflow, WorkflowVersion, WorkflowVersionSummary};
use crate::documents::workflow_versions;
use crate::http::extract::{InPath, InQuery};
use crate::http::pagination::PageQuery;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// The routes of the versions of workflows.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_workflow_versions))
        .routes(routes!(read_workflow_version))
        .routes(routes!(restore_workflow_version))
}

/// The header of a request that restores a version; the OpenAPI document describes it with this.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described: `precondition` reads the header")]
struct RestoreHeaders {
    /// only if the ETag of the workflow still matches
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// Lists what a workflow was at each save; the newest 100 versions are kept.
#[utoipa::path(get, path = "/workflows/{id}/versions", operation_id = "list_workflow_versions", tag = "workflows",
    params(("id" = String, Path), PageQuery),
    responses((status = OK, description = "a page, newest first", body = Page<WorkflowVersionSummary>)))]
async fn list_workflow_versions(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<WorkflowVersionSummary>>, Problem> {
    workflow_versions::list_versions(&state, &caller, &id, &query).await.map(Json)
}

/// Reads one version of a workflow.
#[utoipa::path(get, path = "/workflows/{id}/versions/{number}", operation_id = "get_workflow_version", tag = "workflows",
    params(("id" = String, Path), ("number" = u64, Path)),
    responses((status = OK, description = "the version with its content", body = WorkflowVersion)))]
async fn read_workflow_version(
    State(state): State<AppState>,
    caller: Caller,
    InPath((id, number)): InPath<(String, u64)>,
) -> Result<Json<WorkflowVersion>, Problem> {
    workflow_versions::read_version(&state, &caller, &id, number).await.map(Json)
}

/// Saves a version of a workflow as its newest one.
#[utoipa::path(post, path = "/workflows/{id}/versions/{number}/restore", operation_id = "restore_workflow_version",
    tag = "workflows",
    params(("id" = String, Path), ("number" = u64, Path), RestoreHeaders),
    responses((status = OK, description = "the workflow", body = Workflow, headers(("ETag" = String)))))]
async fn restore_workflow_version(
    State(state): State<AppState>,
    caller: Caller,
    InPath((id, number)): InPath<(String, u64)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    workflow_versions::restore_version(&state, &caller, &id, number, &headers).await
}
