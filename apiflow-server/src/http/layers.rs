//! Layers that all routes share: limits, headers, request ids and the log.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

use crate::http::fallback;
use crate::http::problem::Problem;
use crate::http::response_counters::count_response;
use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that a caller may send.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// Content security policy of pages: their own scripts, styles, images and calls; no framing.
///
/// The frontend's own pages add the hash of their script in a meta element; both apply. The editor and the graph set
/// inline styles; WebAssembly needs its own keyword; images come from providers.
const CONTENT_SECURITY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' https: http: data: blob:; media-src 'self' https: http: data: blob:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'";

/// Request ids are random, so that they reveal nothing.
#[derive(Clone, Copy)]
struct Ids;

impl MakeRequestId for Ids {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&uuid::Uuid::now_v7().to_string()).ok().map(RequestId::new)
    }
}

/// Wraps routes in the layers.
pub(crate) fn add_layers(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    let layers = ServiceBuilder::new()
        .layer(axum::middleware::from_fn(drop_unfit_request_id))
        .layer(SetRequestIdLayer::new(REQUEST_ID, Ids))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_request(())
                .on_response(log_response)
                .on_failure(()),
        )
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(axum::middleware::from_fn(add_headers))
        .layer(axum::middleware::from_fn_with_state(state.response_counters.clone(), count_response))
        .layer(axum::middleware::from_fn(refuse_control))
        .layer(axum::middleware::from_fn(refuse_second_host))
        .option_layer(cors_layer(&state.settings.cors_origins))
        .layer(CatchPanicLayer::custom(fallback::panic_response))
        .layer(DefaultBodyLimit::max(state.settings.body_limit_bytes));
    routes.layer(layers)
}

/// Accepts only short visible request ids from callers: they are logged and returned.
async fn drop_unfit_request_id(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    let mut given = headers.get_all(REQUEST_ID).iter();
    let is_fit = |id: &HeaderValue| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if !matches!((given.next(), given.next()), (Some(id), None) if is_fit(id)) {
        headers.remove(REQUEST_ID);
    }
    next.run(request).await
}

/// Logs requests by method and path: the query, headers and body may contain secrets.
fn request_span<B>(request: &axum::http::Request<B>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
}

fn log_response<B>(response: &axum::http::Response<B>, took: Duration, _span: &Span) {
    tracing::debug!(status = response.status().as_u16(), took_ms = took.as_millis() as u64, "answered");
}

/// Refuses control characters in paths and queries: no name contains one, and databases do not accept them.
async fn refuse_control(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let has_control = |part: &str| percent_encoding::percent_decode_str(part).any(|byte| byte.is_ascii_control());
    let part = if has_control(uri.path()) {
        "path"
    } else if uri.query().is_some_and(has_control) {
        "query"
    } else {
        return next.run(request).await;
    };
    Problem::malformed(format!("the {part} must not contain control characters")).into_response()
}

/// Refuses requests with more than one `Host`, of which a proxy before this server may have read another one.
/// Source: RFC 9112 §3.2.
async fn refuse_second_host(request: Request, next: Next) -> Response {
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        return Problem::malformed("the request has more than one header `Host`").into_response();
    }
    next.run(request).await
}

async fn add_headers(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Artifacts, and replies of providers, have a stricter one.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_SECURITY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if is_api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// Lets pages of these origins call the API with a token; cookies are not sent cross-origin.
fn cors_layer(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        // Clients of providers send headers of their own to the proxy. Cookies are not among the credentials that count here.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(Any)
        .max_age(Duration::from_mins(10));
    Some(layer)
}
