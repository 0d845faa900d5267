//! Routes of users.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{NewUser, Page, TokenReply, User, UserPatch};
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::http::pagination::{PageQuery, build_page};
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::views;
use crate::users::{Admin, Caller, accounts};

/// Returns the routes of users.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_own_user, change_me, remove_me))
        .routes(routes!(list, create))
        .routes(routes!(read, change_user, remove))
        .routes(routes!(reset_token))
}

/// Reads the user of the request.
#[utoipa::path(get, path = "/user", operation_id = "get_me", tag = "users",
    responses((status = OK, description = "the caller", body = User)))]
async fn get_own_user(caller: Caller) -> Json<User> {
    Json(views::show_user(caller.user))
}

/// Changes the user of the request.
#[utoipa::path(patch, path = "/user", operation_id = "patch_me", tag = "users", request_body = UserPatch,
    responses((status = OK, description = "the caller", body = User)))]
async fn change_me(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(patch): JsonBody<UserPatch>,
) -> Result<Json<User>, Problem> {
    let id = caller.user.id.clone();
    accounts::change_user(&state, &caller, &id, patch).await.map(views::show_user).map(Json)
}

/// Deletes the user of the request.
#[utoipa::path(delete, path = "/user", operation_id = "delete_me", tag = "users",
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove_me(State(state): State<AppState>, caller: Caller) -> Result<StatusCode, Problem> {
    state.accounts.delete_user(&caller.user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists users; admins only.
#[utoipa::path(get, path = "/users", operation_id = "list_users", tag = "users", params(PageQuery),
    responses((status = OK, description = "a page, newest first", body = Page<User>)))]
async fn list(
    State(state): State<AppState>,
    _admin: Admin,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<User>>, Problem> {
    let limit = query.limit()?;
    let rows = state.accounts.list_users(query.after_key()?.as_deref(), limit + 1).await?;
    Ok(Json(build_page(rows, limit, |row| row.id.clone(), views::show_user)))
}

/// Creates a user; admins only.
#[utoipa::path(post, path = "/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    responses((status = CREATED, description = "the user", body = User, headers(("Location" = String)))))]
async fn create(
    State(state): State<AppState>,
    _admin: Admin,
    JsonBody(body): JsonBody<NewUser>,
) -> Result<Response, Problem> {
    let user = accounts::create(&state, body).await?;
    let location = [("location", format!("/api/v1/user/{}", user.id))];
    Ok((StatusCode::CREATED, location, Json(views::show_user(user))).into_response())
}

/// Reads a user; only admins may read others.
#[utoipa::path(get, path = "/user/{id}", operation_id = "get_user", tag = "users", params(("id" = String, Path)),
    responses((status = OK, description = "the user", body = User)))]
async fn read(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<User>, Problem> {
    accounts::find_visible_user(&state, &caller, &id).await.map(views::show_user).map(Json)
}

/// Changes a user; only admins may change others.
#[utoipa::path(patch, path = "/user/{id}", operation_id = "patch_user", tag = "users", params(("id" = String, Path)),
    request_body = UserPatch,
    responses((status = OK, description = "the user", body = User)))]
async fn change_user(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(patch): JsonBody<UserPatch>,
) -> Result<Json<User>, Problem> {
    accounts::change_user(&state, &caller, &id, patch).await.map(views::show_user).map(Json)
}

/// Deletes a user; only admins may delete others. The last admin cannot be deleted.
#[utoipa::path(delete, path = "/user/{id}", operation_id = "delete_user", tag = "users", params(("id" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    let user = accounts::find_visible_user(&state, &caller, &id).await?;
    state.accounts.delete_user(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Creates a new token for a user and revokes the previous one and all sessions; named tokens stay valid. Only admins
/// may do this for others.
#[utoipa::path(post, path = "/user/{id}/reset_token", operation_id = "reset_token", tag = "users",
    params(("id" = String, Path)),
    responses((status = OK, description = "the token", body = TokenReply)))]
async fn reset_token(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<TokenReply>, Problem> {
    let user = accounts::find_visible_user(&state, &caller, &id).await?;
    accounts::reset_token(&state, &user).await.map(Json)
}
