//! Routes of the schemas of declarations.

use apiflow_core::catalog::DeclarationSchema;
use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::extract::InPath;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::Caller;

/// Returns the routes of schemas.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_schema))
}

/// Reads the JSON Schema (draft 2020-12) of a kind of declaration, with a description of each field: `connector`, `node`,
/// `connector_data` (the `data` of a connector) or `node_data`.
#[utoipa::path(get, path = "/schemas/{name}", operation_id = "get_schema", tag = "nodes",
    params(("name" = String, Path)),
    responses((status = OK, description = "the schema", body = BTreeMap<String, Value>)))]
async fn read_schema(_caller: Caller, InPath(name): InPath<String>) -> Result<Json<Value>, Problem> {
    match DeclarationSchema::ALL.into_iter().find(|schema| schema.name() == name) {
        Some(schema) => Ok(Json(schema.to_document())),
        None => {
            let names = DeclarationSchema::ALL.map(DeclarationSchema::name).join(", ");
            let detail = format!("there is no schema `{name}`; there are {names}");
            Err(Problem::new(StatusCode::NOT_FOUND, problem_codes::NOT_FOUND, detail))
        }
    }
}
