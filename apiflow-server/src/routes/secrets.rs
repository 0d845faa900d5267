//! Routes of provider keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{NewSecret, Page, SecretInfo};
use crate::auth::{Admin, Caller};
use crate::extract::{InPath, JsonBody};
use crate::problem::Problem;
use crate::state::AppState;

/// The routes of secrets.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put, remove))
}

/// Lists the names and origins of secrets; values are never given out.
#[utoipa::path(get, path = "/secrets", operation_id = "list_secrets", tag = "secrets",
    responses((status = OK, description = "all, by name", body = Page<SecretInfo>)))]
async fn list(State(state): State<AppState>, _caller: Caller) -> Result<Json<Page<SecretInfo>>, Problem> {
    Ok(Json(Page { items: state.secrets.list().await?, next: None }))
}

/// Sets a secret, new or not; admins only.
#[utoipa::path(put, path = "/secrets/{name}", operation_id = "put_secret", tag = "secrets",
    params(("name" = String, Path, description = "letters, digits and `_`, not beginning with a digit")),
    request_body = NewSecret,
    responses((status = OK, description = "the secret without its value", body = SecretInfo)))]
async fn put(
    State(state): State<AppState>,
    _admin: Admin,
    InPath(name): InPath<String>,
    JsonBody(body): JsonBody<NewSecret>,
) -> Result<Json<SecretInfo>, Problem> {
    state.secrets.put(&name, &body.value, body.origins).await.map(Json)
}

/// Removes a stored secret; admins only.
#[utoipa::path(delete, path = "/secrets/{name}", operation_id = "delete_secret", tag = "secrets",
    params(("name" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    _admin: Admin,
    InPath(name): InPath<String>,
) -> Result<StatusCode, Problem> {
    state.secrets.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
