//! The routes, and the handling that all calls share.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, MatchedPath, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::connection::Connection;
use crate::problem::Problem;
use crate::state::State;

mod catalog;
mod control;
mod create;
mod delivery;
mod list;
mod predictions;
mod preferences;
mod stream;
pub(crate) mod uploads;
mod webhooks;

/// The largest body of a call, in bytes.
const MAX_BODY_BYTES: usize = 128 * 1024 * 1024;

/// The state of axum's handlers.
pub(crate) type Shared = axum::extract::State<Arc<State>>;

/// Builds all routes of the stand-in.
pub(crate) fn build_router(state: Arc<State>) -> Router {
    let replicate = Router::new()
        .route("/v1/account", get(catalog::read_account))
        .route("/v1/predictions", get(list::list).post(create::by_version))
        .route("/v1/predictions/{id}", get(predictions::read))
        .route("/v1/predictions/{id}/cancel", post(predictions::cancel_prediction))
        .route("/v1/predictions/{id}/stream", get(stream::read))
        .route("/v1/files", get(uploads::list).post(uploads::create))
        .route("/v1/files/{id}", get(uploads::read).delete(uploads::delete))
        .route("/v1/webhooks/default/secret", get(webhooks::read_secret))
        .route("/v1/models/{owner}/{name}", get(catalog::read_model))
        .route("/v1/models/{owner}/{name}/predictions", post(create::by_model))
        .route("/v1/models/{owner}/{name}/versions", get(catalog::list_versions))
        .route("/v1/models/{owner}/{name}/versions/{version}", get(catalog::read_version))
        .route("/v1/deployments/{owner}/{name}/predictions", post(create::by_deployment))
        .route("/delivery/{file}", get(delivery::read_file))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(middleware::from_fn_with_state(Arc::clone(&state), count_calls))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    let control = Router::new()
        .route("/_control", get(control::read_behaviour).post(control::patch_behaviour))
        .route("/_control/stats", get(control::read_stats))
        .route("/_control/reset", post(control::reset_state))
        .route("/_control/release", post(control::release_creates));
    replicate.merge(control).with_state(state)
}

/// Counts a call by its route; resets the connection while the provider is down.
async fn count_calls(
    shared: Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or(request.uri().path(), MatchedPath::as_str);
    let route = format!("{} {path}", request.method());
    shared.write(|memory| memory.count_call(route));
    if shared.read(|memory| memory.behaviour.outage) {
        connection.cut_off();
        // During an outage the call does not arrive.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

/// Proof that a call has a token that is accepted.
pub(crate) struct Authorised;

impl FromRequestParts<Arc<State>> for Authorised {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        check_token(&parts.headers, state)
    }
}

/// Checks `Authorization: Bearer <token>`.
pub(crate) fn check_token(headers: &HeaderMap, state: &State) -> Result<Authorised, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // Old official clients send `Token`, which Replicate accepts too.
    let token = given.and_then(|given| given.strip_prefix("Bearer ").or_else(|| given.strip_prefix("Token ")));
    let token = token.map(str::trim).filter(|token| !token.is_empty()).ok_or_else(Problem::no_token)?;
    let wanted = state.read(|memory| memory.behaviour.require_token.clone());
    match wanted {
        Some(wanted) if wanted != token => Err(Problem::wrong_token()),
        Some(_) | None => Ok(Authorised),
    }
}

/// Returns the authority that the client called, for links.
pub(crate) fn host(headers: &HeaderMap) -> String {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1").to_owned()
}
