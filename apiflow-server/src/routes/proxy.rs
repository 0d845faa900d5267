//! The route of the raw proxy.

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::Response;
use axum::routing::any;
use utoipa_axum::router::OpenApiRouter;

use crate::http::problem::Problem;
use crate::proxy;
use crate::state::AppState;
use crate::users::ScopedCaller;

/// Returns the routes of the proxy. They are not in the OpenAPI document, which has no form for any method and any path.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .route("/proxy/{connector_id}", any(pass_on))
        .route("/proxy/{connector_id}/", any(pass_on))
        .route("/proxy/{connector_id}/{*path}", any(pass_on_below))
        .layer(DefaultBodyLimit::max(proxy::MAX_BODY_BYTES))
}

async fn pass_on(
    State(state): State<AppState>,
    caller: ScopedCaller,
    Path(connector_id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    proxy::pass_on(&state, caller, &connector_id, request).await
}

async fn pass_on_below(
    State(state): State<AppState>,
    caller: ScopedCaller,
    Path((connector_id, _)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    proxy::pass_on(&state, caller, &connector_id, request).await
}
