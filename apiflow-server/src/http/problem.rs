//! Every error as one RFC 9457 body.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::json::pointer_push;
use apiflow_core::ports::{StoreError, StoreFault};
use apiflow_store::RecordError;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use tower_http::timeout::TimeoutError;

use crate::api::{Fault, ProblemBody};
use crate::http::problem_codes;

/// Seconds after which a request that failed because of the database is worth retrying.
const RETRY_STORAGE_S: u64 = 5;

/// Seconds after which a job that was refused because of the caller's other jobs is worth retrying.
const RETRY_BYTES_S: u64 = 30;

/// An error as it is returned to the caller. A 5xx contains no internals: they are logged where the problem is created.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<Fault>,
    diagnostics: Vec<Diagnostic>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// Creates a problem with a status, a stable code and a message for humans.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            diagnostics: Vec::new(),
            retry_after_s: None,
        }))
    }

    /// 400: the request is malformed.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, problem_codes::MALFORMED, detail)
    }

    /// 401: there is no valid token or session.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, problem_codes::UNAUTHENTICATED, detail)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, problem_codes::FORBIDDEN, detail)
    }

    /// 403: the caller may not save this document because of these faults.
    pub(crate) fn forbidden_at(code: &'static str, detail: impl Into<String>, errors: Vec<Fault>) -> Self {
        let mut problem = Self::new(StatusCode::FORBIDDEN, code, detail);
        problem.0.errors = errors;
        problem
    }

    /// 403: the token's scopes do not permit the request.
    pub fn scope_required(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, problem_codes::SCOPE_REQUIRED, detail)
    }

    /// 404: the resource does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, problem_codes::NOT_FOUND, detail)
    }

    /// 422: the body is well-formed, but has these faults.
    pub fn invalid(detail: impl Into<String>, errors: Vec<Fault>) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, problem_codes::INVALID, detail);
        problem.0.errors = errors;
        problem
    }

    /// 422 with a single fault.
    pub fn single_fault(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::invalid(message.clone(), vec![Fault { pointer: pointer.into(), message, code: None, help: None }])
    }

    /// 422: the document cannot run.
    pub fn not_runnable(detail: impl Into<String>, diagnostics: Vec<Diagnostic>) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, problem_codes::NOT_RUNNABLE, detail);
        problem.0.diagnostics = diagnostics;
        problem
    }

    /// 429: the request may be retried after this number of seconds.
    pub fn too_many(detail: impl Into<String>, retry_after_s: u64) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, problem_codes::TOO_MANY_REQUESTS, detail);
        problem.0.retry_after_s = Some(retry_after_s.max(1));
        problem
    }

    /// 429: a provider takes no more calls for this number of seconds.
    pub fn rate_limited(detail: impl Into<String>, retry_after_s: u64) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, problem_codes::RATE_LIMITED, detail);
        problem.0.retry_after_s = Some(retry_after_s.max(1));
        problem
    }

    /// Returns the message for humans.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// 429: the values of the caller's jobs that have not ended are too large.
    pub fn too_many_bytes(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, problem_codes::TOO_MANY_BYTES_IN_FLIGHT, detail);
        problem.0.retry_after_s = Some(RETRY_BYTES_S);
        problem
    }

    /// 500: the cause is only logged.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            problem_codes::INTERNAL,
            "internal error; see the server's log for the cause",
        )
    }

    /// 507 if the database is full, 503 for other causes of unavailability: worth retrying a little later. The
    /// database's own message is only logged.
    pub fn unavailable(fault: StoreFault, cause: &str) -> Self {
        tracing::error!(cause, code = fault.code(), "a request failed because the database is unavailable");
        let status = match fault {
            StoreFault::Full => StatusCode::INSUFFICIENT_STORAGE,
            StoreFault::ReadOnly
            | StoreFault::Io
            | StoreFault::Corrupt
            | StoreFault::OutOfMemory
            | StoreFault::Busy
            | StoreFault::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut problem = Self::new(status, fault.code(), fault.to_string());
        problem.0.retry_after_s = Some(RETRY_STORAGE_S);
        problem
    }

    /// 503: a storage is unavailable; worth retrying a little later. The cause is logged where the problem is created.
    pub fn storage_unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, problem_codes::STORAGE_UNAVAILABLE, detail);
        problem.0.retry_after_s = Some(RETRY_STORAGE_S);
        problem
    }

    /// Converts findings about the document in a body to faults.
    pub fn from_diagnostics(what: &str, diagnostics: Vec<Diagnostic>) -> Self {
        let faults = diagnostics
            .into_iter()
            .map(|found| Fault {
                pointer: found.pointer,
                message: found.message,
                code: Some(found.code),
                help: found.help,
            })
            .collect();
        Self::invalid(format!("invalid {what}"), faults)
    }

    /// Returns the faults of the body.
    pub fn faults(&self) -> &[Fault] {
        &self.0.errors
    }

    /// Returns the problem as text, with a line per fault.
    pub(crate) fn in_words(&self) -> String {
        let faults = self.0.errors.iter().map(|fault| format!("\n  {}: {}", fault.pointer, fault.message));
        let found = self.0.diagnostics.iter().map(|found| format!("\n  {}: {}", found.pointer, found.message));
        format!("{}{}", self.0.detail, faults.chain(found).collect::<String>())
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let inner = *self.0;
        let body = ProblemBody {
            r#type: "about:blank",
            title: inner.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: inner.status.as_u16(),
            detail: inner.detail,
            code: inner.code.to_owned(),
            errors: inner.errors,
            diagnostics: inner.diagnostics,
        };
        let mut response = (inner.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = inner.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if inner.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<RecordError> for Problem {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else fails is the server's")]
    fn from(error: RecordError) -> Self {
        let detail = error.to_string();
        match error {
            RecordError::Exists { .. } => Self::new(StatusCode::CONFLICT, problem_codes::EXISTS, detail),
            RecordError::NotFound { .. } => Self::not_found(detail),
            RecordError::Changed { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, problem_codes::CHANGED, format!("{detail}: read it again"))
            }
            RecordError::InUse { by, .. } => {
                let names: Vec<_> = by.iter().map(|(kind, id)| format!("{} `{id}`", kind.as_str())).collect();
                Self::new(
                    StatusCode::CONFLICT,
                    problem_codes::IN_USE,
                    format!("{detail} by {}; change or delete those first", names.join(", ")),
                )
            }
            RecordError::LastAdmin { .. } => Self::new(
                StatusCode::CONFLICT,
                problem_codes::LAST_ADMIN,
                format!("{detail}: make another user an admin first"),
            ),
            RecordError::Unavailable { fault, cause } => Self::unavailable(fault, &cause),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for Problem {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else fails is the server's")]
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::not_found(error.to_string()),
            StoreError::Unavailable { fault, cause } => Self::unavailable(fault, &cause),
            StoreError::Active { .. } => {
                Self::new(StatusCode::CONFLICT, problem_codes::ACTIVE, format!("{error}: cancel it first"))
            }
            other => Self::internal(other),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                problem_codes::TOO_LARGE,
                "the body exceeds this server's limit (APIFLOW_BODY_LIMIT)",
            );
        }
        if is_timeout(&rejection) {
            let detail = "timed out while waiting for the body (APIFLOW_BODY_TIMEOUT_S); send the request again";
            return Self::new(StatusCode::REQUEST_TIMEOUT, problem_codes::REQUEST_TIMEOUT, detail);
        }
        Self::malformed("the body could not be read")
    }
}

/// Whether a body could not be read because its client did not send it in time.
pub(crate) fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<TimeoutError>)
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let cause = text.split_once(": ").map_or(text.as_str(), |(_, cause)| cause);
        Self::malformed(format!("invalid query: {cause}"))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        let text = rejection.body_text();
        let cause = text.split_once(": ").map_or(text.as_str(), |(_, cause)| cause);
        Self::malformed(format!("invalid path: {cause}"))
    }
}

/// Returns the JSON Pointer of the value that serde could not read.
pub(crate) fn pointer_of(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        serde_path_to_error::Segment::Seq { index } => pointer_push(&pointer, &index.to_string()),
        serde_path_to_error::Segment::Map { key } => pointer_push(&pointer, key),
        serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => pointer,
    })
}
