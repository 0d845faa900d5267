//! The URL under which a caller reached the server, for links in the reply to that caller.

use apiflow_core::origin::Origin;
use axum::http::header;
use axum::http::request::Parts;

/// Returns the URL of the server without a trailing slash: `known`, that of the settings, if it was set (`is_set`). If
/// not, it is that of the host that the request names, or `known` if it names none. A caller can mislead only itself:
/// such a link is told to nobody else, and replies of the API are not cached.
pub(crate) fn base_url(known: &str, is_set: bool, parts: &Parts) -> String {
    let named = if is_set { None } else { requested_url(parts) };
    named.unwrap_or_else(|| known.to_owned())
}

/// Returns the URL that the request names by its host, if it is well-formed.
fn requested_url(parts: &Parts) -> Option<String> {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return None;
    }
    let is_https = parts.headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
    let url = format!("{}://{host}", if is_https { "https" } else { "http" });
    Origin::of_url(&url).map(|_| url)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn check(is_set: bool, headers: &[(&str, &str)], expected: &str) {
        let mut request = Request::builder().uri("/api/v1/jobs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a test's request is well formed").into_parts();
        assert_eq!(base_url("https://a.example", is_set, &parts), expected, "{is_set} {headers:?}");
    }

    #[test]
    fn links_lead_to_the_host_of_the_request_unless_a_public_url_is_set() {
        check(true, &[("host", "10.0.0.7:8000")], "https://a.example");
        check(false, &[("host", "10.0.0.7:8000")], "http://10.0.0.7:8000");
        check(false, &[("host", "[::1]:8000")], "http://[::1]:8000");
        check(false, &[("host", "studio.example"), ("x-forwarded-proto", "https")], "https://studio.example");
        for wrong in ["", "user@evil.example", "evil.example/path", "evil.example?x", "a b", "evil.example#"] {
            check(false, &[("host", wrong)], "https://a.example");
        }
        check(false, &[], "https://a.example");
    }
}
