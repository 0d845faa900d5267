//! Routes of nodes.

use apiflow_store::DocumentKind;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{NewNode, Node, NodeChange, Page};
use crate::documents::crud;
use crate::documents::crud::RemoveQuery;
use crate::http::extract::{AnyJson, InPath, InQuery};
use crate::http::pagination::PageQuery;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

const KIND: DocumentKind = DocumentKind::Node;

/// The routes of nodes.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, change, remove))
}

/// Lists nodes.
#[utoipa::path(get, path = "/nodes", operation_id = "list_nodes", tag = "nodes", params(PageQuery),
    responses((status = OK, description = "a page, newest first", body = Page<Node>)))]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Response, Problem> {
    crud::list_documents(&state, &caller, KIND, &query).await
}

/// Makes a node.
#[utoipa::path(post, path = "/nodes", operation_id = "create_node", tag = "nodes", request_body = NewNode,
    responses((status = CREATED, description = "the node", body = Node, headers(("Location" = String), ("ETag" = String)))))]
async fn create(State(state): State<AppState>, caller: Caller, AnyJson(body): AnyJson) -> Result<Response, Problem> {
    crud::create_document(&state, &caller, KIND, body).await
}

/// Reads a node.
#[utoipa::path(get, path = "/nodes/{id}", operation_id = "get_node", tag = "nodes", params(("id" = String, Path)),
    responses((status = OK, description = "the node", body = Node, headers(("ETag" = String)))))]
async fn read(State(state): State<AppState>, caller: Caller, InPath(id): InPath<String>) -> Result<Response, Problem> {
    crud::read_document(&state, &caller, KIND, &id).await
}

/// Makes a node or replaces it whole.
#[utoipa::path(put, path = "/nodes/{id}", operation_id = "put_node", tag = "nodes",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag")),
    request_body = NewNode,
    responses(
        (status = OK, description = "replaced", body = Node, headers(("ETag" = String))),
        (status = CREATED, description = "made", body = Node, headers(("Location" = String), ("ETag" = String))),
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

/// Replaces the given fields of a node, each whole.
#[utoipa::path(patch, path = "/nodes/{id}", operation_id = "patch_node", tag = "nodes",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag")),
    request_body = NodeChange,
    responses((status = OK, description = "changed", body = Node, headers(("ETag" = String)))))]
async fn change(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    AnyJson(body): AnyJson,
) -> Result<Response, Problem> {
    crud::change_document(&state, &caller, KIND, &id, &headers, body).await
}

/// Removes a node that nothing refers to and that no active job uses.
#[utoipa::path(delete, path = "/nodes/{id}", operation_id = "delete_node", tag = "nodes",
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
