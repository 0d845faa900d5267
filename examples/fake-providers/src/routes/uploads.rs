//! Replicate's Files API.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Authorised, Shared, host};
use crate::call::{build_id, hash_bytes, read_form};
use crate::clock::{format_timestamp, to_micros};
use crate::problem::Problem;
use crate::state::State;

/// Life time of a file.
const FILE_LIFE: Duration = Duration::from_hours(24);
/// Maximum size of a file, in bytes.
const MAX_FILE_BYTES: usize = 100 * 1024 * 1024;

/// An uploaded file.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) bytes: Bytes,
    name: String,
    content_type: String,
    metadata: Value,
    created_us: u64,
}

impl Upload {
    fn to_json(&self, host: &str) -> Value {
        let expires_us = self.created_us + FILE_LIFE.as_micros() as u64;
        json!({
            "id": self.id,
            "name": self.name,
            "content_type": self.content_type,
            "size": self.bytes.len(),
            "etag": &hash_bytes(&self.bytes)[..32],
            "checksums": {"sha256": hash_bytes(&self.bytes)},
            "metadata": self.metadata,
            "created_at": format_timestamp(self.created_us),
            "expires_at": format_timestamp(expires_us),
            "urls": {"get": format!("http://{host}/v1/files/{}", self.id)},
        })
    }
}

/// `POST /v1/files`: multipart with `content`, and optionally `filename`, `type` and `metadata`.
pub(crate) async fn create(
    shared: Shared,
    _: Authorised,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = read_form(kind, body).await.map_err(|reason| Problem::malformed_request(&reason))?;
    let content = form.parts.iter().find(|part| part.name == "content");
    let content = content.ok_or_else(|| Problem::malformed_request("Missing content"))?;
    if content.bytes.len() > MAX_FILE_BYTES {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    }
    // The official JavaScript client sends metadata as a JSON file.
    let metadata = form.parts.iter().find(|part| part.name == "metadata");
    let metadata = metadata.and_then(|part| serde_json::from_slice(&part.bytes).ok()).unwrap_or_else(|| json!({}));
    let name = form.text("filename").or(content.file_name.as_deref()).unwrap_or("file").to_owned();
    let content_type = form.text("type").or(content.content_type.as_deref()).unwrap_or("application/octet-stream");
    let created_us = to_micros(SystemTime::now());
    let (bytes, content_type) = (content.bytes.clone(), content_type.to_owned());
    let upload = shared.write(|memory| {
        let id = build_id(created_us, memory.uploads.len() as u64);
        let upload = Arc::new(Upload { id, bytes, name, content_type, metadata, created_us });
        memory.uploads.push(Arc::clone(&upload));
        upload
    });
    Ok((StatusCode::CREATED, Json(upload.to_json(&host(&headers)))).into_response())
}

/// `GET /v1/files`: newest first.
pub(crate) async fn list(shared: Shared, _: Authorised, headers: HeaderMap) -> Json<Value> {
    let host = host(&headers);
    let results: Vec<Value> =
        shared.read(|memory| memory.uploads.iter().rev().map(|upload| upload.to_json(&host)).collect());
    Json(json!({"previous": null, "next": null, "results": results}))
}

/// `GET /v1/files/{id}`.
pub(crate) async fn read(
    shared: Shared,
    _: Authorised,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let upload = find_upload(&shared, &id).ok_or_else(Problem::not_found)?;
    Ok(Json(upload.to_json(&host(&headers))))
}

/// `DELETE /v1/files/{id}`: 204.
pub(crate) async fn delete(shared: Shared, _: Authorised, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let found = find_upload(&shared, &id).ok_or_else(Problem::not_found)?;
    shared.write(|memory| memory.uploads.retain(|upload| upload.id != found.id));
    Ok(StatusCode::NO_CONTENT)
}

fn find_upload(state: &State, id: &str) -> Option<Arc<Upload>> {
    state.read(|memory| memory.uploads.iter().find(|upload| upload.id == id).cloned())
}

/// Returns the file that a link of this API names.
pub(crate) fn find_linked(state: &State, link: &str) -> Option<Arc<Upload>> {
    find_upload(state, link.split_once("/v1/files/")?.1)
}
