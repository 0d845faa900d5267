//! The route of the catalog for editors.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::DocumentCatalog;
use crate::documents::signatures;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// The headers of a conditional request; the OpenAPI document describes them with this.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described: `read_catalog` reads the header")]
struct ConditionHeaders {
    /// The ETag of the catalog that the caller has.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Returns the route of the catalog.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_catalog))
}

/// Reads what workflows may refer to, in one reply: the inputs and outputs of nodes without their calls, and the OpenFlow
/// documents of workflows without the results that are pinned in them. An editor finds with it what the server finds.
#[utoipa::path(get, path = "/catalog", operation_id = "get_catalog", tag = "workflows",
    params(ConditionHeaders),
    responses(
        (status = OK, description = "the catalog", body = DocumentCatalog, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "the caller has it already")))]
async fn read_catalog(State(state): State<AppState>, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    signatures::read_catalog(&state, &caller, &headers).await
}
