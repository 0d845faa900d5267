//! The events of a job, as they happen.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::extract::InPath;
use crate::http::problem::Problem;
use crate::jobs::event_stream;
use crate::state::AppState;
use crate::users::Caller;

/// The route of events.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_job_events))
}

/// Follows a job: server-sent events, first those that happened, then each as it happens, until the job ends.
///
/// `id:` is the event's number, from 1; `data:` is `{"seq", "at", "body"}`. A last event of type `end` without an id has
/// `{"status"}`. With `Last-Event-ID` the events after that number follow; where the job ended and nothing follows
/// the answer is 204, which stops a browser's `EventSource`. The stream ends within 5 seconds after the token or session
/// that it was asked for with.
#[utoipa::path(get, path = "/jobs/{id}/events", operation_id = "follow_job", tag = "jobs",
    params(
        ("id" = String, Path),
        ("Last-Event-ID" = Option<u64>, Header, description = "the last event that was received"),
    ),
    responses(
        (status = OK, description = "the stream", content_type = "text/event-stream", body = String),
        (status = NO_CONTENT, description = "the job ended and there are no more events"),
    ))]
async fn get_job_events(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    event_stream::stream_events(state, caller, id, &headers).await
}
