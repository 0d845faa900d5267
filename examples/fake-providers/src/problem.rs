//! Errors in Replicate's form.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::behaviour::Failure;
use crate::validation::InvalidField;

/// An error reply, sent as `application/problem+json`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Value,
}

impl Problem {
    fn new(status: StatusCode, title: Option<&str>, detail: &str) -> Self {
        let mut body = json!({"detail": detail, "status": status.as_u16()});
        if let Some(title) = title {
            body["title"] = json!(title);
        }
        Self { status, body }
    }

    /// 400: the body or a parameter can't be read.
    pub(crate) fn malformed_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some("Bad request"), detail)
    }

    /// 401 without a token.
    pub(crate) fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Some("Unauthenticated"), "You did not pass an authentication token")
    }

    /// 401 with an invalid token. Source: replicate-python tests/cassettes/run__invalid-token.yaml.
    pub(crate) fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Some("Unauthenticated"), "You did not pass a valid authentication token")
    }

    /// 404 for a route, a model, a deployment or a prediction.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, None, "The requested resource could not be found.")
    }

    /// 405 for a route that exists under another method.
    pub(crate) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, None, "The method is not allowed for this resource.")
    }

    /// 422 for a version that does not exist.
    pub(crate) fn bad_version() -> Self {
        let detail = "The specified version does not exist (or perhaps you don't have permission to use it?)";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Some("Invalid version or not permitted"), detail)
    }

    /// 422 that names each invalid field.
    pub(crate) fn invalid_input(fields: &[InvalidField]) -> Self {
        let detail: String = fields.iter().map(InvalidField::format_line).collect();
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, Some("Input validation failed"), &detail);
        problem.body["invalid_fields"] = fields.iter().map(InvalidField::to_json).collect();
        problem
    }

    /// Replicate's generic error for a status.
    fn usual_problem(status: StatusCode) -> Self {
        let (title, detail) = match status.as_u16() {
            401 => return Self::wrong_token(),
            402 => (
                Some("Insufficient credit"),
                "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase credit.",
            ),
            404 => return Self::not_found(),
            429 => (Some("Too many requests"), "Request was throttled. Your rate limit resets in ~30s."),
            503 => (Some("Service unavailable"), "The service is temporarily unavailable."),
            _other => (status.canonical_reason(), "Something went wrong."),
        };
        Self::new(status, title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, self.body.to_string()).into_response()
    }
}

/// The page that a gateway in front of the API sends when the API is down.
const GATEWAY_PAGE: &str =
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body><h1>502 Bad Gateway</h1></body>\n</html>\n";

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let html = |text: String| (status, [(header::CONTENT_TYPE, "text/html")], Body::from(text)).into_response();
        let mut response = match self.body {
            None if status == StatusCode::BAD_GATEWAY => html(GATEWAY_PAGE.into()),
            None => Problem::usual_problem(status).into_response(),
            Some(Value::String(text)) => html(text),
            Some(body) => Problem { status, body }.into_response(),
        };
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
