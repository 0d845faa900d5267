//! Routes of the library of ready-made connectors and nodes.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{BASE_PATH, ImportModelRequest, LibraryAddition, LibraryEntry, LibraryItem, Page};
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::http::pagination::{PageQuery, build_page};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::library;
use crate::state::AppState;
use crate::users::Caller;

/// Returns the routes of the library.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, add)).routes(routes!(import))
}

/// The part of the library to return.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LibraryQuery {
    /// Words that occur in an entry's id, name, description or provider.
    q: Option<String>,
    /// Only entries of this provider.
    provider: Option<String>,
    /// Only entries with an output of this type, such as `image`.
    produces: Option<String>,
    /// Number of items, from 1 to 500 (default: 50).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the previous page.
    cursor: Option<String>,
}

/// Lists ready-made nodes.
#[utoipa::path(get, path = "/library", operation_id = "list_library", tag = "library",
    params(LibraryQuery),
    responses((status = OK, description = "a page, sorted by id", body = Page<LibraryItem>)))]
async fn list(_caller: Caller, InQuery(query): InQuery<LibraryQuery>) -> Result<Json<Page<LibraryItem>>, Problem> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let (limit, after) = (page.limit()?, page.after_key()?);
    let is_wanted = |entry: &&LibraryEntry| {
        after.as_deref().is_none_or(|after| entry.item.id.as_str() > after)
            && query.q.as_deref().is_none_or(|words| library::matches_query(entry, words))
            && query.provider.as_deref().is_none_or(|provider| entry.item.provider == provider)
            && query.produces.as_deref().is_none_or(|kind| entry.item.produces.iter().any(|found| found == kind))
    };
    let found: Vec<_> = library::all_entries().filter(is_wanted).take(limit as usize + 1).collect();
    Ok(Json(build_page(found, limit, |entry| entry.item.id.clone(), |entry| entry.item.clone())))
}

fn find_entry(id: &str) -> Result<&'static LibraryEntry, Problem> {
    library::find_entry(id).ok_or_else(|| {
        let detail = format!("the library has no `{id}`; `GET /api/v1/library` lists what it has");
        Problem::new(StatusCode::NOT_FOUND, problem_codes::NOT_FOUND, detail)
    })
}

/// Reads a ready-made node with its connector and an example of a call.
#[utoipa::path(get, path = "/library/{id}", operation_id = "get_library_entry", tag = "library",
    params(("id" = String, Path)),
    responses((status = OK, description = "the entry", body = LibraryEntry)))]
async fn read(_caller: Caller, InPath(id): InPath<String>) -> Result<Json<LibraryEntry>, Problem> {
    Ok(Json(find_entry(&id)?.clone()))
}

/// Adds a ready-made node and its connector, each under its own id unless that exists. Nothing that exists is changed:
/// the reply says how it differs.
#[utoipa::path(post, path = "/library/{id}", operation_id = "add_library_entry", tag = "library",
    params(("id" = String, Path)),
    responses(
        (status = CREATED, description = "the node was added", body = LibraryAddition,
            headers(("Location" = String))),
        (status = OK, description = "the node exists", body = LibraryAddition)))]
async fn add(State(state): State<AppState>, caller: Caller, InPath(id): InPath<String>) -> Result<Response, Problem> {
    Ok(reply_with_addition(library::add_entry(&state, &caller, find_entry(&id)?).await?))
}

/// Adds a node for a model of Replicate, with inputs and output of its schema. Importing it again changes nothing: the
/// reply says how the existing node differs.
#[utoipa::path(post, path = "/library/import", operation_id = "import_model", tag = "library",
    request_body = ImportModelRequest,
    responses(
        (status = CREATED, description = "the node was added", body = LibraryAddition,
            headers(("Location" = String))),
        (status = OK, description = "the node exists", body = LibraryAddition)))]
async fn import(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(request): JsonBody<ImportModelRequest>,
) -> Result<Response, Problem> {
    Ok(reply_with_addition(library::add_model(&state, &caller, &request).await?))
}

fn reply_with_addition(addition: LibraryAddition) -> Response {
    if !addition.is_node_added {
        return Json(addition).into_response();
    }
    let location = [(header::LOCATION, format!("{BASE_PATH}/nodes/{}", addition.node_id))];
    (StatusCode::CREATED, location, Json(addition)).into_response()
}
