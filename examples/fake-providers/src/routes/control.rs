//! Routes for controlling the stand-in from another process.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::Value;

use super::Shared;
use crate::behaviour::Behaviour;
use crate::records::Stats;

/// `GET /_control`: the behaviour; its counters show what is left.
pub(crate) async fn read_behaviour(shared: Shared) -> Json<Behaviour> {
    Json(shared.read(|memory| memory.behaviour.clone()))
}

/// `POST /_control`: a JSON merge patch of the behaviour, for new creates; any content type. 400 describes what is wrong.
pub(crate) async fn patch_behaviour(shared: Shared, body: Bytes) -> Result<Json<Behaviour>, (StatusCode, String)> {
    let merged = serde_json::from_slice(&body).and_then(|patch: Value| {
        shared.write(|memory| {
            memory.behaviour = memory.behaviour.merge_patch(&patch)?;
            Ok(memory.behaviour.clone())
        })
    });
    merged.map(Json).map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")))
}

/// `GET /_control/stats`: counts, create calls and predictions.
pub(crate) async fn read_stats(shared: Shared) -> Json<Stats> {
    Json(shared.collect_stats())
}

/// `POST /_control/reset`: 204.
pub(crate) async fn reset_state(shared: Shared) -> StatusCode {
    shared.reset_all();
    StatusCode::NO_CONTENT
}

/// `POST /_control/release`: 204.
pub(crate) async fn release_creates(shared: Shared) -> StatusCode {
    shared.releases.send_modify(|count| *count += 1);
    StatusCode::NO_CONTENT
}
