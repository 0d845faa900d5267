//! What is recorded of a request, without secrets.

use apiflow_core::ports::ProxiedCall;
use axum::extract::{OriginalUri, Request};

use crate::api::BASE_PATH;
use crate::state::AppState;

/// Longest recorded path with its query, in characters.
const MAX_PATH_CHARS: usize = 1_024;

/// Stands for what is left out.
const MASK: &str = "…";

/// Returns the beginning of the paths of a connector's requests.
pub(super) fn path_prefix(connector: &str) -> String {
    format!("{BASE_PATH}/proxy/{connector}")
}

/// Returns the record of a request that has just arrived.
pub(super) fn start_call(state: &AppState, user: &str, connector: &str, request: &Request) -> ProxiedCall {
    let uri = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
    let path = uri.path().strip_prefix(path_prefix(connector).as_str()).unwrap_or(uri.path());
    ProxiedCall {
        id: uuid::Uuid::now_v7().to_string(),
        connector_id: connector.to_owned(),
        node_id: None,
        user: user.to_owned(),
        method: request.method().as_str().to_owned(),
        path: show_path(path, uri.query()),
        started_at: state.clock.now(),
        finished_at: None,
        status: None,
        bytes_sent: 0,
        bytes_received: 0,
        cost: None,
        error: None,
    }
}

/// Returns a path with the names of its query, which may carry keys and personal data as values.
fn show_path(path: &str, query: Option<&str>) -> String {
    let mut shown = format!("/{}", path.trim_start_matches('/'));
    for (index, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) => shown.extend([name, "=", MASK]),
            None => shown.push_str(if pair.is_empty() { "" } else { MASK }),
        }
    }
    if let Some((end, _)) = shown.char_indices().nth(MAX_PATH_CHARS) {
        shown.truncate(end);
        shown.push_str(MASK);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_query_are_left_out() {
        for (path, query, expected) in [
            ("/v1/models", None, "/v1/models"),
            ("", None, "/"),
            ("//evil.example/x", None, "/evil.example/x"),
            ("/v1", Some("key=canary&limit=5&flag&x="), "/v1?key=…&limit=…&…&x=…"),
            ("/v1", Some(""), "/v1?"),
        ] {
            assert_eq!(show_path(path, query), expected);
        }
        let long = show_path(&format!("/{}", "ä".repeat(5_000)), None);
        assert_eq!(long.chars().count(), MAX_PATH_CHARS + 1);
    }
}
