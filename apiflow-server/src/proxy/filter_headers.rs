//! Which headers the proxy passes on.

use std::str::FromStr as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers of one connection (RFC 9110 §7.6.1), and those that each side sets itself.
const OF_THE_CONNECTION: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Headers of a caller that concern this server, or reveal who the caller is.
const OF_THE_CALLER: [&str; 9] = [
    "authorization",
    "cookie",
    "forwarded",
    "origin",
    "proxy-authorization",
    "referer",
    "via",
    "x-real-ip",
    "x-request-id",
];

/// Headers of a provider that concern its own site.
const OF_THE_PROVIDER: [&str; 12] = [
    "alt-svc",
    "clear-site-data",
    "content-security-policy",
    "content-security-policy-report-only",
    "nel",
    "proxy-authenticate",
    "refresh",
    "report-to",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "www-authenticate",
];

/// Beginnings of names that are left out in both directions.
const PREFIXES: [&str; 4] = ["access-control-", "sec-", "x-forwarded-", "proxy-"];

fn is_left_out(name: &str, listed: &[&str], connection: &[String]) -> bool {
    OF_THE_CONNECTION.contains(&name)
        || listed.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || connection.iter().any(|named| named == name)
}

/// Returns the headers that `Connection` names.
fn named_by_connection<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Returns the headers of a caller that the provider gets. Values that are no text are left out.
pub(super) fn forwarded_request_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let connection = named_by_connection(headers.get_all(header::CONNECTION).iter().filter_map(|it| it.to_str().ok()));
    let kept = headers.iter().filter(|(name, _)| !is_left_out(name.as_str(), &OF_THE_CALLER, &connection));
    kept.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

/// Returns the headers of a provider's reply that the caller gets.
pub(super) fn forwarded_reply_headers(headers: &[(String, String)]) -> HeaderMap {
    let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let connection = named_by_connection(values.map(|(_, value)| value.as_str()));
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        // The body is passed on as it is, so its size stays true.
        let is_left_out = name != "content-length" && is_left_out(&name, &OF_THE_PROVIDER, &connection);
        if let (false, Ok(name), Ok(value)) = (is_left_out, HeaderName::from_str(&name), HeaderValue::from_str(value)) {
            kept.append(name, value);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_headers_of_the_connection_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer ours"),
            ("cookie", "session=ours"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("sec-fetch-site", "same-origin"),
            ("content-length", "5"),
            ("content-type", "image/png"),
            ("prefer", "wait=5"),
            ("x-stainless-lang", "js"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept: Vec<_> = forwarded_request_headers(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(kept, ["content-type", "prefer", "x-stainless-lang"]);
    }

    #[test]
    fn cookies_and_policies_of_the_provider_stay_there() {
        let headers = [
            ("set-cookie", "a=b"),
            ("content-length", "5"),
            ("content-type", "image/png"),
            ("strict-transport-security", "max-age=1"),
            ("access-control-allow-origin", "*"),
            ("x-request-id", "theirs"),
            ("transfer-encoding", "chunked"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let kept = forwarded_reply_headers(&headers);
        let names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-length", "content-type", "x-request-id"]);
    }
}
