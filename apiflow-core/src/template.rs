//! Templates in headers, queries, paths and bodies: `$NAME`, `$$`, `{{ input.x }}`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ports::HttpRequest;

/// A request with its secrets written in; exists only on the way to the socket, so it cannot be printed.
pub struct Resolved {
    /// Absolute URL.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body; `None` where there is none.
    pub body: Option<String>,
}

/// Why secrets could not be written into a request; names the secret, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no secret of that name.
    #[error("there is no secret `{0}`")]
    Unknown(String),
    /// The value cannot stand in a header.
    #[error("secret `{0}` contains a line break or another control character, so it cannot stand in a header")]
    Control(String),
}

/// Writes secrets in the places of their markers, escaped for each place, in one pass: neither a secret's value nor
/// anything else is scanned again.
pub fn resolve(_request: &HttpRequest, _values: &BTreeMap<String, String>) -> Result<Resolved, ResolveError> {
    unimplemented!()
}

/// The form for people and logs: `{"method", "url", "headers": {name: value}, "body"}`, secrets as `$NAME`, a JSON
/// body as JSON, long data URIs shortened to their kind and size.
pub fn display(_request: &HttpRequest) -> Value {
    unimplemented!()
}

/// The URL for people and logs, secrets as `$NAME`.
pub fn display_url(_request: &HttpRequest) -> String {
    unimplemented!()
}
