//! Routes of the caller's named tokens.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{NewTokenRequest, Page, TokenInfo, TokenReply};
use crate::http::extract::{InPath, JsonBody};
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::views;
use crate::users::{Caller, accounts};

/// Returns the routes of named tokens.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(remove))
}

/// Lists the caller's named tokens.
#[utoipa::path(get, path = "/user/tokens", operation_id = "list_tokens", tag = "users",
    responses((status = OK, description = "all named tokens, newest first", body = Page<TokenInfo>)))]
async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<Page<TokenInfo>>, Problem> {
    let rows = state.accounts.list_tokens(&caller.user.id).await?;
    let items = rows.into_iter().map(views::show_token).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: None }))
}

/// Creates a named token. With `scopes` it may do only what they name, so that a browser can hold it.
#[utoipa::path(post, path = "/user/tokens", operation_id = "create_token", tag = "users",
    request_body = NewTokenRequest,
    responses((status = CREATED, description = "the token, which is shown only once", body = TokenReply)))]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<NewTokenRequest>,
) -> Result<(StatusCode, Json<TokenReply>), Problem> {
    let reply = accounts::add_named_token(&state, &caller.user, body).await?;
    Ok((StatusCode::CREATED, Json(reply)))
}

/// Revokes a named token.
#[utoipa::path(delete, path = "/user/tokens/{id}", operation_id = "delete_token", tag = "users",
    params(("id" = String, Path)),
    responses((status = NO_CONTENT, description = "ended")))]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    if !state.accounts.delete_token(&caller.user.id, &id).await? {
        return Err(Problem::not_found(format!("you have no token `{id}`")));
    }
    Ok(StatusCode::NO_CONTENT)
}
