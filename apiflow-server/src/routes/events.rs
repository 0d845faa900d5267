//! The route of a job's event stream.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::extract::InPath;
use crate::http::problem::Problem;
use crate::jobs::event_stream;
use crate::state::AppState;
use crate::users::ScopedCaller;

/// Returns the route of events.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_job_events))
}

/// Follows a job as server-sent events: first the past events, then each new event as it happens, until the job ends.
///
/// `id:` is the number of the event, from 1; `data:` is `{"seq", "at", "body"}`. Messages of
/// the type `progress` have no id, and `{"step", "id", "progress"}` as data: the ordinal and id of a running step, and a
/// number from 0 to 1 or null; `queue_position` (a number, or null once the work has left the queue) and `preview` (a link
/// or data URI, or null) are there if the provider reports them. Messages of the type `logs` say that the provider's log
/// of a running step has grown: `{"step", "id", "attempt", "total_bytes"}`; read it at `/jobs/{id}/steps/{step}/logs`. The last event has the type `end`, no id, and `{"status"}` as data. With `Last-Event-ID` the stream starts after that event; if the job has ended and
/// there are no further events, the reply is 204, which stops a browser's `EventSource`. The stream ends within 5
/// seconds after the token or session of the request has expired.
#[utoipa::path(get, path = "/jobs/{id}/events", operation_id = "follow_job", tag = "jobs",
    params(
        ("id" = String, Path),
        ("Last-Event-ID" = Option<u64>, Header, description = "id of the last event that was received"),
    ),
    responses(
        (status = OK, description = "the event stream", content_type = "text/event-stream", body = String),
        (status = NO_CONTENT, description = "the job has ended and there are no more events"),
    ))]
async fn get_job_events(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller.permit_job(&state, &id).await?;
    event_stream::stream_events(state, caller, id, &headers).await
}
