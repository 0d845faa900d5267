//! Routes of provider keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{NewSecret, Page, SecretInfo};
use crate::http::extract::{InPath, JsonBody};
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::{Admin, Caller};

/// Returns the routes of secrets.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put_secret, remove)).routes(routes!(put_own, remove_own))
}

/// Lists the names, origins and owners of shared and generated secrets and of the caller's own secrets; admins see all.
/// Values are never returned.
#[utoipa::path(get, path = "/secrets", operation_id = "list_secrets", tag = "secrets",
    responses((status = OK, description = "all secrets, sorted by name", body = Page<SecretInfo>)))]
async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<Page<SecretInfo>>, Problem> {
    Ok(Json(Page { items: state.secrets.list(&caller).await?, next: None }))
}

/// Creates or replaces a shared secret; admins only.
#[utoipa::path(put, path = "/secrets/{name}", operation_id = "put_secret", tag = "secrets",
    params(("name" = String, Path, description = "letters, digits and `_`, not beginning with a digit")),
    request_body = NewSecret,
    responses((status = OK, description = "the secret without its value", body = SecretInfo)))]
async fn put_secret(
    State(state): State<AppState>,
    _admin: Admin,
    InPath(name): InPath<String>,
    JsonBody(body): JsonBody<NewSecret>,
) -> Result<Json<SecretInfo>, Problem> {
    state.secrets.put_shared(&name, body).await.map(Json)
}

/// Deletes a stored secret that is shared or generated; admins only.
#[utoipa::path(delete, path = "/secrets/{name}", operation_id = "delete_secret", tag = "secrets",
    params(("name" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    _admin: Admin,
    InPath(name): InPath<String>,
) -> Result<StatusCode, Problem> {
    state.secrets.remove_shared(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Creates or replaces a secret of the caller: `$NAME` refers to it in the caller's own declarations only.
#[utoipa::path(put, path = "/user/secrets/{name}", operation_id = "put_own_secret", tag = "secrets",
    params(("name" = String, Path, description = "letters, digits and `_`, not beginning with a digit")),
    request_body = NewSecret,
    responses((status = OK, description = "the secret without its value", body = SecretInfo)))]
async fn put_own(
    State(state): State<AppState>,
    caller: Caller,
    InPath(name): InPath<String>,
    JsonBody(body): JsonBody<NewSecret>,
) -> Result<Json<SecretInfo>, Problem> {
    state.secrets.put_own(&caller.user.id, &name, body).await.map(Json)
}

/// Deletes a secret of the caller.
#[utoipa::path(delete, path = "/user/secrets/{name}", operation_id = "delete_own_secret", tag = "secrets",
    params(("name" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove_own(
    State(state): State<AppState>,
    caller: Caller,
    InPath(name): InPath<String>,
) -> Result<StatusCode, Problem> {
    state.secrets.remove_own(&caller.user.id, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
