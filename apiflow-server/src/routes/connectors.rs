//! Routes of connectors.

use apiflow_store::DocumentKind;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Connector, ConnectorChange, NewConnector, Page};
use crate::documents::crud;
use crate::documents::crud::RemoveQuery;
use crate::http::extract::{AnyJson, InPath, InQuery};
use crate::http::pagination::PageQuery;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

const KIND: DocumentKind = DocumentKind::Connector;

/// The routes of connectors.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, change, remove))
}

/// Lists connectors.
#[utoipa::path(get, path = "/connectors", operation_id = "list_connectors", tag = "connectors", params(PageQuery),
    responses((status = OK, description = "a page, newest first", body = Page<Connector>)))]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Response, Problem> {
    crud::list_documents(&state, &caller, KIND, &query).await
}

/// Makes a connector.
#[utoipa::path(post, path = "/connectors", operation_id = "create_connector", tag = "connectors", request_body = NewConnector,
    responses((status = CREATED, description = "the connector", body = Connector, headers(("Location" = String), ("ETag" = String)))))]
async fn create(State(state): State<AppState>, caller: Caller, AnyJson(body): AnyJson) -> Result<Response, Problem> {
    crud::create_document(&state, &caller, KIND, body).await
}

/// Reads a connector.
#[utoipa::path(get, path = "/connectors/{id}", operation_id = "get_connector", tag = "connectors", params(("id" = String, Path)),
    responses((status = OK, description = "the connector", body = Connector, headers(("ETag" = String)))))]
async fn read(State(state): State<AppState>, caller: Caller, InPath(id): InPath<String>) -> Result<Response, Problem> {
    crud::read_document(&state, &caller, KIND, &id).await
}

/// Makes a connector or replaces it whole.
#[utoipa::path(put, path = "/connectors/{id}", operation_id = "put_connector", tag = "connectors",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag")),
    request_body = NewConnector,
    responses(
        (status = OK, description = "replaced", body = Connector, headers(("ETag" = String))),
        (status = CREATED, description = "made", body = Connector, headers(("Location" = String), ("ETag" = String))),
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

/// Replaces the given fields of a connector, each whole.
#[utoipa::path(patch, path = "/connectors/{id}", operation_id = "patch_connector", tag = "connectors",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "only if it still has this ETag")),
    request_body = ConnectorChange,
    responses((status = OK, description = "changed", body = Connector, headers(("ETag" = String)))))]
async fn change(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    AnyJson(body): AnyJson,
) -> Result<Response, Problem> {
    crud::change_document(&state, &caller, KIND, &id, &headers, body).await
}

/// Removes a connector that nothing refers to and that no active job uses.
#[utoipa::path(delete, path = "/connectors/{id}", operation_id = "delete_connector", tag = "connectors",
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
