//! The raw proxy: passes a caller's request on to a provider, with the connector's credentials.
//!
//! The caller's own credentials stay here, and the provider's cookies stay there. The request goes through the same client
//! as every other outgoing call: the policy, the origins of secrets and masking apply. It counts for the connector's limits
//! and for budgets, and is recorded ([`apiflow_core::runtime::Runtime::admit_call`]).

mod call_record;
mod counted_bodies;
mod filter_headers;
pub(crate) mod node_plans;
mod target_path;

use std::time::{Duration, Instant};

use apiflow_core::call::{ProxiedRequest, compile_proxy};
use apiflow_core::catalog::{Connector, Node};
use apiflow_core::ports::{HttpError, HttpRequest, ProxiedCall, RequestStream};
use apiflow_core::runtime::{CallRefusal, CallToPass, OpenCall, PassedEnd, ProxiedPrice};
use apiflow_store::{Document, DocumentKind};
use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::json;

use self::counted_bodies::{count_reply, count_sent};
use self::filter_headers::{forwarded_reply_headers, forwarded_request_headers};
use self::node_plans::MatchedNode;
use self::target_path::read_target_path;
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

/// How long a request waits for a slot of the connector's limits, or for the end of the provider's rate limit.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Tells OpenAI's clients, and others made by the same generator, not to repeat a request whose fate is unknown.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A reply is never a page of ours: scripts in it do not run, and its type is not guessed.
const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Passes a request on; the reply is the provider's, with some headers left out. Requests of existing connectors are
/// recorded, also those that are refused.
pub(crate) async fn pass_on(
    state: &AppState,
    caller: ScopedCaller,
    connector_id: &str,
    request: Request,
) -> Result<Response, Problem> {
    let call = call_record::start_call(state, caller.user_id(), connector_id, &request);
    let caller = permit_request(caller, connector_id, &request);
    let saved = state.documents.read_document(DocumentKind::Connector, connector_id).await?;
    let admitted = match (caller, saved) {
        (Err(problem), None) => return Err(problem),
        (Ok(_), None) => return references::require_document(None, DocumentKind::Connector, connector_id),
        (Err(problem), Some(_)) => Err(Refused::Unrecorded(problem)),
        (Ok(caller), Some(saved)) => admit_request(state, &caller, &saved, call.clone(), request).await,
    };
    match admitted {
        Ok(admitted) => Ok(exchange(state, admitted).await),
        Err(Refused::Recorded(problem)) => Err(problem),
        Err(Refused::Unrecorded(problem)) => {
            let status = Some(problem.status().as_u16());
            let (finished_at, error) = (Some(state.clock.now()), Some(problem.detail().to_owned()));
            state.runtime.record_refused_call(ProxiedCall { finished_at, status, error, ..call }).await;
            Err(problem)
        }
    }
}

/// Returns the caller of a request, whose token must permit it if it has scopes.
fn permit_request(caller: ScopedCaller, connector_id: &str, request: &Request) -> Result<Caller, Problem> {
    let original = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
    let prefix = call_record::path_prefix(connector_id);
    let path = read_target_path(original.path(), &prefix).map_err(Problem::malformed)?;
    let target = ProxyTarget { connector: connector_id, method: request.method().as_str(), path };
    caller.permit_proxy(target, request.headers().keys().map(HeaderName::as_str))
}

/// A request that may be sent.
struct Admitted {
    call: OpenCall,
    request: HttpRequest,
    upload: Option<RequestStream>,
    is_head: bool,
    started: Instant,
}

/// Why a request is not sent.
enum Refused {
    Recorded(Problem),
    Unrecorded(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Unrecorded(problem)
    }
}

/// Builds the request to the provider, and waits until limits and budgets allow it.
async fn admit_request(
    state: &AppState,
    caller: &Caller,
    saved: &Document,
    call: ProxiedCall,
    request: Request,
) -> Result<Admitted, Refused> {
    let started = Instant::now();
    let connector = check_connector(state, caller, saved).await?;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|size: u64| size > MAX_BODY_BYTES as u64) {
        let detail = format!("the body is larger than {MAX_BODY_BYTES} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, problem_codes::TOO_LARGE, detail).into());
    }
    let (parts, body) = request.with_limited_body().into_parts();
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let path = read_target_path(uri.path(), &call_record::path_prefix(&saved.id)).map_err(Problem::malformed)?;
    let headers = forwarded_request_headers(&parts.headers);
    let method = parts.method.as_str();
    let plan = compile_proxy(&connector).map_err(|found| Problem::from_diagnostics("connector", found))?;
    let asked = ProxiedRequest { method, path, query: parts.uri.query(), headers: &headers, timeout: DEFAULT_TIMEOUT };
    let request = plan.proxy_request(&asked).map_err(|error| Problem::malformed(error.message))?;
    let nodes = state.proxied_nodes.read_nodes(&*state.documents, &state.records, &connector).await?;
    let matched = nodes.match_request(&caller.user.id, method, path);
    let is_submit = matched.is_some() || !parts.method.is_safe();
    let (node_id, price) = match matched {
        Some(MatchedNode { id, price }) => (Some(id), price),
        None => (None, plan.price().filter(|_| is_submit).cloned().map(ProxiedPrice::of_connector)),
    };
    let to_pass = CallToPass {
        call: ProxiedCall { node_id, ..call },
        is_submit,
        limits: plan.submit_limits(),
        price,
        max_wait: MAX_WAIT.min(request.timeout),
    };
    let upload = read_upload(&parts.headers, body);
    match state.runtime.admit_call(to_pass, &request).await {
        Ok(call) => Ok(Admitted { call, request, upload, is_head: parts.method == Method::HEAD, started }),
        Err(refusal) => Err(Refused::Recorded(refusal_problem(refusal))),
    }
}

/// Sends a request that was admitted.
async fn exchange(state: &AppState, admitted: Admitted) -> Response {
    let Admitted { mut call, request, upload, is_head, started } = admitted;
    let upload = upload.map(|upload| count_sent(upload, call.sent_bytes()));
    let result = state.runtime.http_client().open_exchange(&request, upload).await;
    let took_ms = started.elapsed().as_millis() as u64;
    let ProxiedCall { connector_id: connector, method, path, user, .. } = call.call().clone();
    match result {
        Ok(reply) => {
            let status = reply.status;
            tracing::info!(connector, method, path, user, status, took_ms, "passed a request on");
            call.note_head(status, &reply.headers).await;
            let has_body = !is_head && !matches!(status, 204 | 304);
            let body = if has_body {
                count_reply(call, reply.body)
            } else {
                call.finish(PassedEnd::Replied(None)).await;
                Body::from_stream(reply.body)
            };
            build_reply(status, &reply.headers, body)
        }
        Err(error) => {
            tracing::info!(connector, method, path, user, %error, took_ms, "passed no request on");
            let (status, code) = status_of_error(&error);
            let (number, reason) = (status.as_u16(), error.to_string());
            let is_unknown = code == problem_codes::PROVIDER_NO_REPLY;
            let end = if is_unknown { PassedEnd::NoReply(number, reason) } else { PassedEnd::NotSent(number, reason) };
            call.finish(end).await;
            reply_with_error(status, code, &error)
        }
    }
}

fn refusal_problem(refusal: CallRefusal) -> Problem {
    match refusal {
        CallRefusal::RateLimited { message, retry_after } => {
            Problem::rate_limited(message, retry_after.as_millis().div_ceil(1_000) as u64)
        }
        CallRefusal::BudgetExceeded(message) => {
            Problem::new(StatusCode::PAYMENT_REQUIRED, problem_codes::BUDGET_EXCEEDED, message)
        }
        CallRefusal::Store(error) => error.into(),
    }
}

/// Returns a connector that the caller may add nodes to: whoever may do that may also send other requests with it.
async fn check_connector(state: &AppState, caller: &Caller, saved: &Document) -> Result<Connector, Problem> {
    let mut connector = references::saved_connector(saved)?;
    let directory = state.secrets.read_directory().await?;
    connector.own_secrets = directory.own_secrets(saved);
    let (document, node) = plain_node(caller, saved);
    let mut refusals = directory.refused_references(saved);
    if !caller.user.is_admin {
        refusals.extend(directory.refusals_of_node((&document, &node), (saved, &connector)));
    }
    match refusals.into_iter().next() {
        None => Ok(connector),
        Some(refusal) => {
            let detail = refusal.at_pointer("", &saved.id).into_diagnostic().message;
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
        saved_by: None,
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

fn status_of_error(error: &HttpError) -> (StatusCode, &'static str) {
    match error {
        HttpError::Refused(_) | HttpError::Secret(_) => (StatusCode::FORBIDDEN, problem_codes::OUTGOING_REFUSED),
        HttpError::Connect(_) => (StatusCode::BAD_GATEWAY, problem_codes::PROVIDER_UNREACHABLE),
        HttpError::Unknown(_) | HttpError::Reply(_) | HttpError::TooLarge(_) | _ => {
            (StatusCode::BAD_GATEWAY, problem_codes::PROVIDER_NO_REPLY)
        }
    }
}

fn reply_with_error(status: StatusCode, code: &'static str, error: &HttpError) -> Response {
    let mut response = Problem::new(status, code, error.to_string()).into_response();
    if code == problem_codes::PROVIDER_NO_REPLY {
        response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}
