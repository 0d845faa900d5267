//! The raw proxy: passes a caller's request on to a provider, with the connector's credentials.
//!
//! The caller's own credentials stay here, and the provider's cookies stay there. The request goes through the same client
//! as every other outgoing call: the policy, the origins of secrets and masking apply.

mod filter_headers;
mod target_path;

use std::time::{Duration, Instant};

use apiflow_core::call::{ProxiedCall, compile_proxy};
use apiflow_core::catalog::{Connector, Node};
use apiflow_core::ports::{HttpError, RequestStream};
use apiflow_store::{Document, DocumentKind};
use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::json;

use self::filter_headers::{forwarded_reply_headers, forwarded_request_headers};
use self::target_path::read_target_path;
use crate::api::BASE_PATH;
use crate::documents::references;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::scopes::ProxyTarget;
use crate::users::{Caller, ScopedCaller};

/// The largest body that is passed on, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024 * 1024;

/// Time until the head of a reply must have arrived, if the connector sets no `timeout_s`.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

/// Tells OpenAI's clients, and others made by the same generator, not to repeat a request whose fate is unknown.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A reply is never a page of ours: scripts in it do not run, and its type is not guessed.
const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Returns the caller of a request, whose token must permit it if it has scopes.
pub(crate) fn permit_request(caller: ScopedCaller, connector_id: &str, request: &Request) -> Result<Caller, Problem> {
    let prefix = format!("{BASE_PATH}/proxy/{connector_id}");
    let original = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
    let path = read_target_path(original.path(), &prefix).map_err(Problem::malformed)?;
    let target = ProxyTarget { connector: connector_id, method: request.method().as_str(), path };
    caller.permit_proxy(target, request.headers().keys().map(HeaderName::as_str))
}

/// Passes a request on; the reply is the provider's, with some headers left out.
pub(crate) async fn pass_on(
    state: &AppState,
    caller: &Caller,
    connector_id: &str,
    request: Request,
) -> Result<Response, Problem> {
    let connector = load_connector(state, caller, connector_id).await?;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|size: u64| size > MAX_BODY_BYTES as u64) {
        let detail = format!("the body is larger than {MAX_BODY_BYTES} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, problem_codes::TOO_LARGE, detail));
    }
    let (parts, body) = request.with_limited_body().into_parts();
    let prefix = format!("{BASE_PATH}/proxy/{connector_id}");
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let path = read_target_path(uri.path(), &prefix).map_err(Problem::malformed)?;
    let headers = forwarded_request_headers(&parts.headers);
    let method = parts.method.as_str();
    let plan = compile_proxy(&connector).map_err(|found| Problem::from_diagnostics("connector", found))?;
    let call = ProxiedCall { method, path, query: parts.uri.query(), headers: &headers, timeout: DEFAULT_TIMEOUT };
    let outgoing = plan.proxy_request(&call).map_err(|error| Problem::malformed(error.message))?;
    let started = Instant::now();
    let upload = read_upload(&parts.headers, body);
    let result = state.runtime.http_client().open_exchange(&outgoing, upload).await;
    let took_ms = started.elapsed().as_millis() as u64;
    let user = &caller.user.id;
    match result {
        Ok(reply) => {
            let status = reply.status;
            tracing::info!(connector = connector_id, method, path, user, status, took_ms, "passed a request on");
            Ok(build_reply(reply.status, &reply.headers, Body::from_stream(reply.body)))
        }
        Err(error) => {
            tracing::info!(connector = connector_id, method, path, user, %error, took_ms, "passed no request on");
            Ok(reply_with_error(&error))
        }
    }
}

/// Loads a connector that the caller may add nodes to: whoever may do that may also send other requests with it.
async fn load_connector(state: &AppState, caller: &Caller, id: &str) -> Result<Connector, Problem> {
    let saved = references::saved_document(&*state.documents, DocumentKind::Connector, id).await?;
    let mut connector = references::saved_connector(&saved)?;
    let directory = state.secrets.read_directory().await?;
    connector.own_secrets = directory.own_secrets(&saved);
    let (document, node) = plain_node(caller, &saved);
    let mut refusals = directory.refused_references(&saved);
    if !caller.user.is_admin {
        refusals.extend(directory.refusals_of_node((&document, &node), (&saved, &connector)));
    }
    match refusals.into_iter().next() {
        None => Ok(connector),
        Some(refusal) => {
            let detail = refusal.at_pointer("", id).into_diagnostic().message;
            Err(Problem::new(StatusCode::FORBIDDEN, problem_codes::SHARED_SECRET, detail))
        }
    }
}

/// A node of the caller that changes nothing of its connector.
fn plain_node(caller: &Caller, connector: &Document) -> (Document, Node) {
    let node = Node::without_settings(connector.id.as_str());
    let document = Document {
        kind: DocumentKind::Node,
        id: String::new(),
        body: json!({}),
        references: Vec::new(),
        author: Some(caller.user.id.clone()),
        by_admin: false,
        created_at: connector.created_at,
        updated_at: connector.updated_at,
        version: 0,
    };
    (document, node)
}

/// Returns the body to pass on, if there is one.
fn read_upload(headers: &HeaderMap, body: Body) -> Option<RequestStream> {
    let size = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    if size.is_none_or(|size: u64| size == 0) && !is_chunked && axum::body::HttpBody::is_end_stream(&body) {
        return None;
    }
    let bytes = body.into_data_stream().map(|part| {
        part.map_err(|error| HttpError::Connect(format!("the caller's request body could not be read: {error}")))
    });
    Some(RequestStream { size, bytes: Box::pin(bytes) })
}

fn build_reply(status: u16, headers: &[(String, String)], body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = forwarded_reply_headers(headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
    response
}

fn reply_with_error(error: &HttpError) -> Response {
    let (status, code) = match error {
        HttpError::Refused(_) | HttpError::Secret(_) => (StatusCode::FORBIDDEN, problem_codes::OUTGOING_REFUSED),
        HttpError::Connect(_) => (StatusCode::BAD_GATEWAY, problem_codes::PROVIDER_UNREACHABLE),
        HttpError::Unknown(_) | HttpError::Reply(_) | HttpError::TooLarge(_) | _ => {
            (StatusCode::BAD_GATEWAY, problem_codes::PROVIDER_NO_REPLY)
        }
    };
    let mut response = Problem::new(status, code, error.to_string()).into_response();
    if code == problem_codes::PROVIDER_NO_REPLY {
        response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}
