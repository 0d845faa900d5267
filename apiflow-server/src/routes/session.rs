//! Login and logout.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Login, LoginReply};
use crate::http::extract::JsonBody;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::views;
use crate::users::{Caller, cookies, login};

/// Returns the routes of sessions.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(log_in)).routes(routes!(log_out))
}

/// Returns a token for a username and password, valid for 30 days, and sets it as a session cookie.
#[utoipa::path(post, path = "/login", operation_id = "login", tag = "users", security(()), request_body = Login,
    responses((status = OK, description = "the token", body = LoginReply, headers(("Set-Cookie" = String)))))]
async fn log_in(
    State(state): State<AppState>,
    extensions: Extensions,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Login>,
) -> Result<Response, Problem> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let address = state.settings.trusted_proxies.caller_address(peer, &headers);
    let (user, token) = login::log_in(&state, &body.username, body.password, address).await?;
    let cookie = cookies::set(&token, &state.settings.public_url);
    Ok((cookie, Json(LoginReply { token, user: views::show_user(user) })).into_response())
}

/// Ends the session of the request; named tokens stay valid.
#[utoipa::path(post, path = "/logout", operation_id = "logout", tag = "users",
    responses((status = NO_CONTENT, description = "the session has ended", headers(("Set-Cookie" = String)))))]
async fn log_out(State(state): State<AppState>, caller: Caller) -> Result<Response, Problem> {
    if caller.token.is_session {
        state.accounts.delete_token(&caller.user.id, &caller.token.id).await?;
    }
    Ok((StatusCode::NO_CONTENT, cookies::clear_cookie(&state.settings.public_url)).into_response())
}
