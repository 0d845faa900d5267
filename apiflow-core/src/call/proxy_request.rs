//! Requests of callers that are passed on with a connector's credentials.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::plan::compile_call;
use super::{CallError, CallPlan};
use crate::declarations::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::ports::HttpRequest;
use crate::template::Part;
use crate::url;

/// A caller's request, without the caller's credentials.
#[derive(Debug, Clone, Copy)]
pub struct ProxiedRequest<'a> {
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
    pub fn proxy_request(&self, asked: &ProxiedRequest<'_>) -> Result<HttpRequest, CallError> {
        let mut link =
            if asked.path.is_empty() { self.base_url.clone() } else { url::append_path(&self.base_url, asked.path) };
        if let Some(query) = asked.query.filter(|query| !query.is_empty()) {
            link.push(if link.contains('?') { '&' } else { '?' });
            link.push_str(query);
        }
        let mut request = self.link_request(asked.method, &link, None, asked.headers)?;
        request.timeout = self.timeout_s.map_or(asked.timeout, Duration::from_secs_f64);
        Ok(request)
    }
    /// Returns how many characters of its path the node states literally, if a request of a caller has the node's method
    /// and path: the more, the better they match. A placeholder stands for a part of one segment.
    pub fn match_request(&self, method: &str, path: &str) -> Option<usize> {
        if self.method != method {
            return None;
        }
        let parts = self.path.as_ref().map_or(&[][..], |text| &text.parts);
        let pattern: String = parts
            .iter()
            .map(|part| match part {
                Part::Literal(literal) => literal.as_str(),
                Part::Secret(_) | Part::Place(_) => ANY_TEXT,
            })
            .collect();
        let (pattern, _) = pattern.split_once('?').unwrap_or((&pattern, ""));
        let wanted: Vec<&str> = pattern.trim_matches('/').split('/').collect();
        let given: Vec<&str> = path.trim_matches('/').split('/').collect();
        let is_match = wanted.len() == given.len()
            && wanted.iter().zip(given).all(|(wanted, given)| {
                let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
                matches_segment(&decode(wanted), &decode(given))
            });
        is_match.then_some(pattern.len())
    }
}

/// Stands for a placeholder in a path: no path contains this character.
const ANY_TEXT: &str = "\0";

/// Returns whether a segment consists of the literal pieces of a pattern, in order, with some text for each placeholder.
fn matches_segment(pattern: &str, segment: &str) -> bool {
    let mut pieces = pattern.split(ANY_TEXT);
    let Some(mut rest) = pieces.next().and_then(|first| segment.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        let Some(after) = rest.char_indices().nth(1).map(|(at, _)| at).or((!rest.is_empty()).then_some(rest.len()))
        else {
            return false;
        };
        let found = if is_last {
            rest[after..].ends_with(piece).then(|| rest.len() - piece.len())
        } else {
            rest[after..].find(piece).map(|at| after + at)
        };
        let Some(at) = found else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::compile_call;
    use crate::catalog::{parse_connector, parse_node};

    #[test]
    fn a_request_matches_the_node_with_its_method_and_path() {
        let connector = json!({"id": "c", "name": "C", "base_url": "https://api.example/v1"});
        let connector = parse_connector(&connector).expect("a connector");
        for (method, path, request, expected) in [
            ("POST", "/images", ("POST", "images"), true),
            ("POST", "images/", ("POST", "/images"), true),
            ("POST", "/images", ("POST", "im%61ges"), true),
            ("POST", "/images", ("GET", "images"), false),
            ("POST", "/images", ("POST", "images/edits"), false),
            ("POST", "/models/{{ input.model }}/run", ("POST", "models/flux/run"), true),
            ("POST", "/models/{{ input.model }}/run", ("POST", "models//run"), false),
            ("POST", "/models/{{ input.model }}/run", ("POST", "models/a/b/run"), false),
            ("POST", "/models/{{ input.model }}:predict", ("POST", "models/veo:predict"), true),
            ("POST", "/models/{{ input.model }}:predict", ("POST", "models/:predict"), false),
            ("POST", "/m/{{ input.a }}-{{ input.b }}", ("POST", "m/x-y"), true),
            ("POST", "/m/{{ input.a }}-{{ input.b }}", ("POST", "m/xy"), false),
            ("GET", "/prompt/{{ input.a }}", ("GET", "prompt/a%2Fb"), true),
        ] {
            let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"method": method, "path": path},
                "input": [{"name": "model", "type": "string"}, {"name": "a", "type": "string"},
                    {"name": "b", "type": "string"}], "output": []});
            let node = parse_node(&node).expect("a node");
            let plan = compile_call(&node, &connector).expect("a plan");
            let found = plan.match_request(request.0, request.1);
            assert_eq!(found.is_some(), expected, "{method} {path}: {request:?}");
        }
    }
}
