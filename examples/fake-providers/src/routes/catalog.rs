//! Models, their versions, and the account.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::{Authorised, Shared};
use crate::models;
use crate::problem::Problem;

/// `GET /v1/account`.
pub(crate) async fn account(_authorised: Authorised) -> Json<Value> {
    Json(
        json!({"type": "user", "username": "acme", "name": "Acme", "github_url": "https://github.com/acme", "avatar_url": null}),
    )
}

/// `GET /v1/models/{owner}/{name}`.
pub(crate) async fn model(
    shared: Shared,
    _authorised: Authorised,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(find(&shared, &owner, &name)?.to_json()))
}

/// `GET /v1/models/{owner}/{name}/versions`: each model has one.
pub(crate) async fn versions(
    shared: Shared,
    _authorised: Authorised,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let version = find(&shared, &owner, &name)?.version_json();
    Ok(Json(json!({"previous": null, "next": null, "results": [version]})))
}

/// `GET /v1/models/{owner}/{name}/versions/{version}`.
pub(crate) async fn version(
    shared: Shared,
    _authorised: Authorised,
    Path((owner, name, version)): Path<(String, String, String)>,
) -> Result<Json<Value>, Problem> {
    let model = find(&shared, &owner, &name)?;
    if model.version == version { Ok(Json(model.version_json())) } else { Err(Problem::not_found()) }
}

fn find(shared: &Shared, owner: &str, name: &str) -> Result<std::sync::Arc<models::Model>, Problem> {
    let further = shared.read(|memory| memory.behaviour.models.clone());
    models::by_name(&format!("{owner}/{name}"), &further).ok_or_else(Problem::not_found)
}
