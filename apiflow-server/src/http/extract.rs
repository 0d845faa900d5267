//! Extractors whose rejections are problems.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::Fault;
use crate::http::caller_id::CallerId;
use crate::http::problem::{Problem, pointer_of};
use crate::http::problem_codes;
use crate::http::strict_json;
use crate::state::AppState;

/// The largest body that is parsed on the request's thread: it takes less than half a millisecond.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// Values of the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct InPath<T>(pub T);

/// Values of the query.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct InQuery<T>(pub T);

/// A JSON body of a known shape: 415, 413, 400 (not JSON) or 422 (another shape) otherwise.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let AnyJson(value) = AnyJson::from_request(request, state).await?;
        deserialize_value(value).map(Self)
    }
}

/// A JSON body of any shape.
#[derive(Debug)]
pub(crate) struct AnyJson(pub Value);

impl FromRequest<AppState> for AnyJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                problem_codes::UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON: send `Content-Type: application/json`",
            ));
        }
        let user = request.extensions().get::<CallerId>().map(|CallerId(id)| id.clone()).unwrap_or_default();
        let bytes = Bytes::from_request(request, state).await?;
        if bytes.len() <= MAX_INLINE_BYTES {
            return strict_json::parse(&bytes).map(Self);
        }
        state.validation.places.run(&user, move || strict_json::parse(&bytes)).await?.map(Self)
    }
}

/// Reads a JSON value as a type; the fault contains its pointer.
///
/// Requires an object: serde would also accept an array of the fields in their order.
pub(crate) fn deserialize_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    if !value.is_object() {
        return Err(Problem::single_fault("", "the body must be an object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer_of(error.path());
        let message = error.into_inner().to_string();
        let fault = Fault { pointer, message: message.clone(), code: None, help: None };
        Problem::invalid(format!("invalid body: {message}"), vec![fault])
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
