//! The built frontend, from inside the binary.
//!
//! A known file is served in its compressed form if the browser accepts it. Files under `/_app/immutable` never
//! change. An unknown path under `/_app`, or with a dot in its last segment, is 404 and not the page: an old tab that
//! asks for a chunk must not get HTML. Any other path gets the page, which routes by itself; so does one with a dot
//! if a browser navigates to it, because ids may contain dots.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::hex::encode_hex;
use crate::http::problem::Problem;
use crate::http::problem_codes;

#[derive(RustEmbed)]
#[folder = "page"]
#[allow_missing = true]
struct Built;

const SHELL: &str = "index.html";

/// Shown if the binary was built without the frontend.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>apiflow</title>\
    <h1>apiflow is running</h1><p>This binary was built without its web interface. Run <code>cargo xtask build</code> \
    to build both. The REST API is documented at <a href=\"/docs\">/docs</a>.</p></html>\n";

/// Answers every request that is not for the API.
pub(crate) async fn serve_page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    page_response::<Built>(&method, &uri, &headers)
}

fn page_response<Files: RustEmbed>(method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if *method != Method::GET && *method != Method::HEAD {
        let detail = format!("`{}` does not support {method}", uri.path());
        let mut response =
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, problem_codes::METHOD_NOT_ALLOWED, detail).into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = uri.path().trim_start_matches('/');
    let is_variant = matches!(path.rsplit_once('.'), Some((_, "br" | "gz")));
    if !path.is_empty() && !is_variant && Files::get(path).is_some() {
        return file_response::<Files>(path, headers);
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let navigates = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|line| line.to_str().is_ok_and(|line| accepts_encoding(line, "text/html")));
    if path.starts_with("_app/") || is_variant || (last.contains('.') && !navigates) {
        return Problem::not_found(format!("there is no file `{}`", uri.path())).into_response();
    }
    if Files::get(SHELL).is_none() {
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
        return (kind, NOT_BUILT).into_response();
    }
    file_response::<Files>(SHELL, headers)
}

fn file_response<Files: RustEmbed>(path: &str, headers: &HeaderMap) -> Response {
    let mime = mime_of::<Files>(path);
    let Some((encoding, found)) = smallest_variant::<Files>(path, headers) else {
        return Problem::not_found(format!("there is no file `/{path}`")).into_response();
    };
    let etag = format!("\"{}\"", encode_hex(&found.metadata.sha256_hash()[..16]));
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

/// Returns the smallest encoding of a file that the browser accepts.
fn smallest_variant<Files: RustEmbed>(path: &str, headers: &HeaderMap) -> Option<(Option<&'static str>, EmbeddedFile)> {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (encoding, ending) in [("br", "br"), ("gzip", "gz")] {
        if accepts_encoding(accepted, encoding)
            && let Some(found) = Files::get(&format!("{path}.{ending}"))
        {
            return Some((Some(encoding), found));
        }
    }
    Files::get(path).map(|found| (None, found))
}

fn accepts_encoding(line: &str, encoding: &str) -> bool {
    line.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = words.any(|word| {
            word.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        });
        named && !refused
    })
}

fn mime_of<Files: RustEmbed>(path: &str) -> HeaderValue {
    let kind = Files::get(path).map(|found| found.metadata.mimetype().to_owned()).unwrap_or_default();
    let text = if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(RustEmbed)]
    #[folder = "tests/page"]
    struct TestPage;

    #[derive(RustEmbed)]
    #[folder = "tests/no-such-folder"]
    #[allow_missing = true]
    struct Nothing;

    fn asked<Files: RustEmbed>(path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a test's header is well formed")));
        let uri = path.parse().expect("a test's path is well formed");
        page_response::<Files>(&Method::GET, &uri, &headers.collect())
    }

    fn shown(response: &Response, name: &str) -> String {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    fn check(path: &str, encodings: &str, expected: (u16, &str, &str, &str)) {
        let response = asked::<TestPage>(path, &[(header::ACCEPT_ENCODING, encodings)]);
        let found = (
            response.status().as_u16(),
            shown(&response, "content-type"),
            shown(&response, "content-encoding"),
            shown(&response, "cache-control"),
        );
        assert_eq!((found.0, found.1.as_str(), found.2.as_str(), found.3.as_str()), expected, "{path} {encodings}");
    }

    #[test]
    fn files_and_the_page_are_served_as_small_as_the_browser_takes_them() {
        let (html, forever) = ("text/html; charset=utf-8", "public, max-age=31536000, immutable");
        let script = "text/javascript; charset=utf-8";
        check("/", "gzip, br", (200, html, "br", "no-cache"));
        check("/workflows/x", "gzip", (200, html, "gzip", "no-cache"));
        check("/index.html", "", (200, html, "", "no-cache"));
        check("/_app/immutable/a.js", "br, gzip", (200, script, "gzip", forever));
        check("/_app/version.json", "br, gzip", (200, "application/json", "", "no-cache"));
    }

    #[test]
    fn a_missing_file_is_never_the_page() {
        for path in ["/_app/immutable/old.js", "/_app/x", "/logo.png", "/index.html.br", "/a/../index.htm"] {
            check(path, "br", (404, "application/problem+json", "", ""));
        }
    }

    #[test]
    fn an_id_with_a_dot_is_a_deep_link_where_a_browser_navigates() {
        let navigating = [(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")];
        for (path, status) in [("/workflows/v1.2", 200), ("/_app/immutable/old.js", 404), ("/logo.png", 200)] {
            assert_eq!(asked::<TestPage>(path, &navigating).status().as_u16(), status, "{path}");
        }
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = asked::<TestPage>("/", &[]);
        let tag = shown(&first, "etag");
        assert_eq!(asked::<TestPage>("/", &[(header::IF_NONE_MATCH, &tag)]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked::<TestPage>("/", &[(header::IF_NONE_MATCH, "\"x\"")]).status(), StatusCode::OK);
        let compressed = asked::<TestPage>("/", &[(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, &tag)]);
        assert_eq!(compressed.status(), StatusCode::OK, "another form has another tag");
    }

    #[tokio::test]
    async fn without_a_build_the_page_names_the_way_to_one() {
        let response = asked::<Nothing>("/connectors", &[]);
        assert_eq!(response.status(), StatusCode::OK);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("the page is small");
        assert!(String::from_utf8_lossy(&body).contains("cargo xtask build"));
    }

    #[test]
    fn an_encoding_is_taken_where_it_is_named_and_not_refused() {
        for (line, encoding, expected) in [
            ("gzip, deflate, br", "br", true),
            ("gzip;q=1.0, BR;q=0.5", "br", true),
            ("br;q=0, gzip", "br", false),
            ("brotli", "br", false),
            ("", "gzip", false),
        ] {
            assert_eq!(accepts_encoding(line, encoding), expected, "{line}");
        }
    }
}
