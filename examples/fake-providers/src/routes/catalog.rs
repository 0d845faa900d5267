//! Models, their versions, and the account.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::{Authorised, Shared};
use crate::models;
use crate::problem::Problem;

/// `GET /v1/account`: the owner of the token.
pub(crate) async fn read_account(_authorised: Authorised) -> Json<Value> {
    Json(
        json!({"type": "user", "username": "acme", "name": "Acme", "github_url": "https://github.com/acme", "avatar_url": null}),
    )
}

/// `GET /v1/models/{owner}/{name}`: a model with its latest version.
pub(crate) async fn read_model(
    shared: Shared,
    _authorised: Authorised,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(find_model(&shared, &owner, &name)?.to_json()))
}

/// `GET /v1/models/{owner}/{name}/versions`: the versions of a model; each model has one.
pub(crate) async fn list_versions(
    shared: Shared,
    _authorised: Authorised,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let version = find_model(&shared, &owner, &name)?.version_json();
    Ok(Json(json!({"previous": null, "next": null, "results": [version]})))
}

/// `GET /v1/models/{owner}/{name}/versions/{version}`: a version with its schema.
pub(crate) async fn read_version(
    shared: Shared,
    _authorised: Authorised,
    Path((owner, name, version)): Path<(String, String, String)>,
) -> Result<Json<Value>, Problem> {
    let model = find_model(&shared, &owner, &name)?;
    if model.version == version { Ok(Json(model.version_json())) } else { Err(Problem::not_found()) }
}

fn find_model(shared: &Shared, owner: &str, name: &str) -> Result<std::sync::Arc<models::Model>, Problem> {
    let further = shared.read(|memory| memory.behaviour.models.clone());
    models::by_name(&format!("{owner}/{name}"), &further).ok_or_else(Problem::not_found)
}
