//! Routes of connectors, nodes and workflows: the same operations for each kind.

use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

/// The headers of a request that changes a document; the OpenAPI document describes them with this.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described: `precondition` reads the header")]
struct ChangeHeaders {
    /// only if the ETag still matches
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// The routes of documents of all kinds.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(connectors::router()).merge(nodes::router()).merge(workflows::router())
}

/// The routes of documents of one kind, in a separate module: each operation needs its own description for OpenAPI.
macro_rules! document_routes {
    (
        $module:ident, $kind:expr, $name:literal, paths: $collection:literal, $item:literal,
        types: $Document:ident, $New:ident, $Change:ident, removal: $removal:literal
    ) => {
        mod $module {
            use apiflow_store::DocumentKind;
            use axum::extract::State;
            use axum::http::{HeaderMap, StatusCode};
            use axum::response::Response;
            use utoipa_axum::{router::OpenApiRouter, routes};

            use super::ChangeHeaders;
            use crate::api::{$Change, $Document, $New, Page};
            use crate::documents::crud::{self, RemoveQuery};
            use crate::http::extract::{AnyJson, InPath, InQuery};
            use crate::http::pagination::PageQuery;
            use crate::http::problem::Problem;
            use crate::state::AppState;
            use crate::users::Caller;

            const KIND: DocumentKind = $kind;

            pub(super) fn router() -> OpenApiRouter<AppState> {
                OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace_document, change_document, remove))
            }

            #[utoipa::path(get, path = $collection, tag = concat!($name, "s"),
                operation_id = concat!("list_", $name, "s"), summary = concat!("Lists ", $name, "s."),
                params(PageQuery),
                responses((status = OK, description = "a page, newest first", body = Page<$Document>)))]
            async fn list(
                State(state): State<AppState>,
                caller: Caller,
                InQuery(query): InQuery<PageQuery>,
            ) -> Result<Response, Problem> {
                crud::list_documents(&state, &caller, KIND, &query).await
            }

            #[utoipa::path(post, path = $collection, tag = concat!($name, "s"),
                operation_id = concat!("create_", $name), summary = concat!("Creates a ", $name, "."),
                request_body = $New,
                responses((status = CREATED, description = concat!("the ", $name), body = $Document,
                    headers(("Location" = String), ("ETag" = String)))))]
            async fn create(
                State(state): State<AppState>,
                caller: Caller,
                AnyJson(body): AnyJson,
            ) -> Result<Response, Problem> {
                crud::create_document(&state, &caller, KIND, body).await
            }

            #[utoipa::path(get, path = $item, tag = concat!($name, "s"),
                operation_id = concat!("get_", $name), summary = concat!("Reads a ", $name, "."),
                params(("id" = String, Path)),
                responses((status = OK, description = concat!("the ", $name), body = $Document,
                    headers(("ETag" = String)))))]
            async fn read(
                State(state): State<AppState>,
                caller: Caller,
                InPath(id): InPath<String>,
            ) -> Result<Response, Problem> {
                crud::read_document(&state, &caller, KIND, &id).await
            }

            #[utoipa::path(put, path = $item, tag = concat!($name, "s"),
                operation_id = concat!("put_", $name), summary = concat!("Creates a ", $name, " or replaces it."),
                params(("id" = String, Path), ChangeHeaders),
                request_body = $New,
                responses(
                    (status = OK, description = "replaced", body = $Document, headers(("ETag" = String))),
                    (status = CREATED, description = "created", body = $Document,
                        headers(("Location" = String), ("ETag" = String))),
                ))]
            async fn replace_document(
                State(state): State<AppState>,
                caller: Caller,
                InPath(id): InPath<String>,
                headers: HeaderMap,
                AnyJson(body): AnyJson,
            ) -> Result<Response, Problem> {
                crud::replace_document(&state, &caller, KIND, &id, &headers, body).await
            }

            #[utoipa::path(patch, path = $item, tag = concat!($name, "s"),
                operation_id = concat!("patch_", $name),
                summary = concat!("Replaces fields of a ", $name, ", each whole."),
                params(("id" = String, Path), ChangeHeaders),
                request_body = $Change,
                responses((status = OK, description = "changed", body = $Document, headers(("ETag" = String)))))]
            async fn change_document(
                State(state): State<AppState>,
                caller: Caller,
                InPath(id): InPath<String>,
                headers: HeaderMap,
                AnyJson(body): AnyJson,
            ) -> Result<Response, Problem> {
                crud::change_document(&state, &caller, KIND, &id, &headers, body).await
            }

            #[utoipa::path(delete, path = $item, tag = concat!($name, "s"),
                operation_id = concat!("delete_", $name), summary = $removal,
                params(
                    ("id" = String, Path),
                    ChangeHeaders,
                    RemoveQuery,
                ),
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
        }
    };
}

document_routes! {
    connectors, DocumentKind::Connector, "connector", paths: "/connectors", "/connectors/{id}",
    types: Connector, NewConnector, ConnectorChange,
    removal: "Deletes a connector that nothing refers to and no active job uses."
}

document_routes! {
    nodes, DocumentKind::Node, "node", paths: "/nodes", "/nodes/{id}",
    types: Node, NewNode, NodeChange,
    removal: "Deletes a node that nothing refers to and no active job uses."
}

document_routes! {
    workflows, DocumentKind::Workflow, "workflow", paths: "/workflows", "/workflows/{id}",
    types: Workflow, NewWorkflow, WorkflowChange,
    removal: "Deletes a workflow that nothing refers to and no active job runs."
}
