//! Replies for requests that no route handles.

use std::any::Any;

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::http::problem::Problem;
use crate::http::problem_codes;

pub(crate) async fn unknown_route(uri: Uri) -> Problem {
    Problem::not_found(format!("no route `{}`; all routes are listed at /docs", uri.path()))
}

pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` does not support {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, problem_codes::METHOD_NOT_ALLOWED, detail)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the panic layer calls")]
pub(crate) fn panic_response(cause: Box<dyn Any + Send>) -> Response {
    let text = cause
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Problem::internal(format!("a handler panicked: {text}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let response = panic_response(Box::new("the canary sang".to_owned()));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a problem is small");
        assert!(!String::from_utf8_lossy(&body).contains("canary"));
    }
}
