//! Requests of callers that are passed on with a connector's credentials.

use std::time::Duration;

use super::plan::compile_call;
use super::{CallError, CallPlan};
use crate::declarations::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::ports::HttpRequest;
use crate::url;

/// A caller's request, without the caller's credentials.
#[derive(Debug, Clone, Copy)]
pub struct ProxiedCall<'a> {
    /// Method, in upper case.
    pub method: &'a str,
    /// Path below the connector's base URL, with its escapes as they were received; without `.` and `..` segments.
    pub path: &'a str,
    /// Query, with its escapes as they were received.
    pub query: Option<&'a str>,
    /// Headers to pass on; those with which the connector authenticates are replaced.
    pub headers: &'a [(String, String)],
    /// Time until the head of the reply must have arrived.
    pub timeout: Duration,
}

/// Compiles a connector by itself, for [`CallPlan::proxy_request`].
///
/// # Errors
/// What prevents calls with the connector; faults point to `/connector_id`.
pub fn compile_proxy(connector: &Connector) -> Result<CallPlan, Vec<Diagnostic>> {
    compile_call(&Node::without_settings(connector.id.as_str()), connector)
}

impl CallPlan {
    /// Builds the request that passes a caller's on: the connector's base URL and credentials, the caller's method, path,
    /// query and headers. It has no body; the caller's is sent with it. Headers of the connector without a secret are
    /// defaults, which the caller's headers replace.
    ///
    /// # Errors
    /// [`super::ErrorClass::InvalidInput`] if a header of the connector is not valid.
    pub fn proxy_request(&self, call: &ProxiedCall<'_>) -> Result<HttpRequest, CallError> {
        let mut link =
            if call.path.is_empty() { self.base_url.clone() } else { url::append_path(&self.base_url, call.path) };
        if let Some(query) = call.query.filter(|query| !query.is_empty()) {
            link.push(if link.contains('?') { '&' } else { '?' });
            link.push_str(query);
        }
        let mut request = self.link_request(call.method, &link, None, call.headers)?;
        request.timeout = self.timeout_s.map_or(call.timeout, Duration::from_secs_f64);
        Ok(request)
    }
}
