//! The built frontend, from inside the binary.
//!
//! A known file is served with its compressed sibling where the browser takes it. Files under `/_app/immutable` never
//! change. An unknown path under `/_app`, or with a dot in its last segment, is 404 and never the page: an old tab
//! that asks for a chunk must not get HTML. Any other path gets the page, which routes by itself.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::auth::token::hex;
use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../frontend/build"]
#[allow_missing = true]
struct Built;

const SHELL: &str = "index.html";

/// Shown where the binary was built without the frontend.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>apiflow</title>\
    <h1>apiflow is running</h1><p>This binary was built without its web interface. Run <code>cargo xtask build</code> \
    to build both. The REST API is documented at <a href=\"/docs\">/docs</a>.</p></html>\n";

/// Answers whatever is no route of the API.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let detail = format!("`{}` does not take {method}", uri.path());
        let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = uri.path().trim_start_matches('/');
    let is_variant = matches!(path.rsplit_once('.'), Some((_, "br" | "gz")));
    if !path.is_empty() && !is_variant && Built::get(path).is_some() {
        return file(path, &headers);
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("_app/") || last.contains('.') {
        return Problem::not_found(format!("there is no file `{}`", uri.path())).into_response();
    }
    if Built::get(SHELL).is_none() {
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
        return (kind, NOT_BUILT).into_response();
    }
    file(SHELL, &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let mime = mime_of(path);
    let Some((encoding, found)) = variant(path, headers) else {
        return Problem::not_found(format!("there is no file `/{path}`")).into_response();
    };
    let etag = format!("\"{}\"", hex(&found.metadata.sha256_hash()[..16]));
    let caching = if path.starts_with("_app/immutable/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, mime)], found.data).into_response()
    };
    let written = response.headers_mut();
    written.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    written.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    written.insert(header::ETAG, HeaderValue::from_str(&etag).expect("hex digits in quotes are a header's value"));
    if let Some(encoding) = encoding {
        written.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The smallest form of a file that the browser takes.
fn variant(path: &str, headers: &HeaderMap) -> Option<(Option<&'static str>, EmbeddedFile)> {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (encoding, ending) in [("br", "br"), ("gzip", "gz")] {
        if accepts(accepted, encoding)
            && let Some(found) = Built::get(&format!("{path}.{ending}"))
        {
            return Some((Some(encoding), found));
        }
    }
    Built::get(path).map(|found| (None, found))
}

fn accepts(line: &str, encoding: &str) -> bool {
    line.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = words.any(|word| {
            word.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        });
        named && !refused
    })
}

fn mime_of(path: &str) -> HeaderValue {
    let kind = Built::get(path).map(|found| found.metadata.mimetype().to_owned()).unwrap_or_default();
    let text = if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_where_it_is_named_and_not_refused() {
        for (line, encoding, expected) in [
            ("gzip, deflate, br", "br", true),
            ("gzip;q=1.0, BR;q=0.5", "br", true),
            ("br;q=0, gzip", "br", false),
            ("brotli", "br", false),
            ("", "gzip", false),
        ] {
            assert_eq!(accepts(line, encoding), expected, "{line}");
        }
    }
}
