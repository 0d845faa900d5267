//! `urls.stream` of models that output text: server-sent events.

use std::collections::VecDeque;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::Value;

use super::create::wait_until_ended;
use super::{Shared, host};
use crate::behaviour::End;
use crate::prediction::View;
use crate::problem::Problem;

/// `GET /v1/predictions/{id}/stream`: an event for each part of the output, then `done`. It needs no token: its address is
/// secret at Replicate. Source: `lib/stream.js` of the npm client, which sends none.
pub(crate) async fn read(shared: Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if shared.find_prediction(&id).is_none() {
        return Problem::not_found().into_response();
    }
    wait_until_ended(&shared, &id).await;
    let Some((age, prediction)) = shared.find_prediction(&id) else { return Problem::not_found().into_response() };
    let object = prediction.to_json(age, &host(&headers), View::Honest);
    let event = |kind: &str, number: usize, data: &str| format!("event: {kind}\nid: {id}:{number}\ndata: {data}\n\n");
    let parts = object["output"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut events: VecDeque<String> =
        parts.enumerate().map(|(number, part)| event("output", number, &part.replace('\n', "\ndata: "))).collect();
    let last = events.len();
    events.push_back(match prediction.find_end().1 {
        End::Succeeded => event("done", last, "{}"),
        End::Failed => event("error", last, object["error"].as_str().unwrap_or_default()),
        End::Canceled | End::Aborted => event("done", last, "{\"reason\": \"canceled\"}"),
    });
    let body = stream::iter(events.into_iter().map(Ok::<_, std::io::Error>));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}
