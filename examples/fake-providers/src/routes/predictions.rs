//! Reads and cancels a prediction.

use axum::Json;
use axum::extract::{ConnectInfo, Path};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{Authorised, Shared, host};
use crate::behaviour::PollPlan;
use crate::connection::Connection;
use crate::prediction::View;
use crate::problem::Problem;
use crate::state::State;

/// `GET /v1/predictions/{id}`: the current state of a prediction.
pub(crate) async fn read(
    shared: Shared,
    _authorised: Authorised,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match shared.write(|memory| memory.behaviour.plan_poll()) {
        PollPlan::Answer => {}
        PollPlan::Refuse(failure) => return failure.into_response(),
        PollPlan::Drop => connection.cut_off(),
    }
    match shared.find_prediction(&id) {
        Some((age, prediction)) => Json(prediction.to_json_retained(age, &host(&headers))).into_response(),
        None => Problem::not_found().into_response(),
    }
}

/// `POST /v1/predictions/{id}/cancel`: has no effect on a prediction that has ended.
pub(crate) async fn cancel_prediction(
    shared: Shared,
    _authorised: Authorised,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = shared.running_time();
    shared.write(|memory| memory.cancel_prediction(&id, now));
    reply_with_prediction(&shared, &id, StatusCode::OK, &host(&headers), View::Honest)
}

/// Replies with a view of a prediction.
pub(crate) fn reply_with_prediction(state: &State, id: &str, status: StatusCode, host: &str, view: View) -> Response {
    match state.find_prediction(id) {
        Some((age, prediction)) => (status, Json(prediction.to_json(age, host, view))).into_response(),
        None => Problem::not_found().into_response(),
    }
}
