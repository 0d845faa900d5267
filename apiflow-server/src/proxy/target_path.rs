//! The path of a proxied request below the connector's base URL.

/// Returns the rest of a path after the proxy's prefix, with its escapes, without a leading slash.
///
/// # Errors
/// If the path would leave the base URL: segments `.` and `..` in any spelling, however often escaped; and backslashes, which
/// some servers take for slashes.
pub(crate) fn read_target_path<'a>(path: &'a str, prefix: &str) -> Result<&'a str, String> {
    let rest = path.strip_prefix(prefix).ok_or("the path is not one of the proxy")?;
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let mut text = rest.to_owned();
    // Each round removes an escape, so this ends.
    loop {
        if text.contains('\\') || text.split('/').any(is_dot_segment) {
            return Err("the path must not contain `.` or `..` segments or backslashes, in any encoding".to_owned());
        }
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return Ok(rest);
        }
        text = decoded;
    }
}

/// Whether a segment is `.` or `..`, also with parameters (`..;x`), which some servers cut off.
fn is_dot_segment(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_the_base_url_are_passed_on_as_they_are() {
        for (path, expected) in [
            ("/p/c/v1/models", "v1/models"),
            ("/p/c/v1/a%2Fb/", "v1/a%2Fb/"),
            ("/p/c//evil.example/x", "/evil.example/x"),
            ("/p/c/http://evil.example", "http://evil.example"),
            ("/p/c/a..b/.hidden/...", "a..b/.hidden/..."),
            ("/p/c/", ""),
            ("/p/c", ""),
        ] {
            assert_eq!(read_target_path(path, "/p/c"), Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_the_base_url_are_refused() {
        for path in [
            "..",
            "../x",
            "a/../../x",
            "./x",
            "a/.",
            "%2e%2e/x",
            "%2E./x",
            ".%2e/x",
            "a%2f..%2fx",
            "a%2f%2e%2e",
            "%252e%252e/x",
            "%25252e%25252e/x",
            "..\\x",
            "a%5c..%5cx",
            "a%255c..",
            "..;/x",
            "%2e%2e;a=b/x",
            "a/%2e",
        ] {
            assert!(read_target_path(&format!("/p/c/{path}"), "/p/c").is_err(), "{path}");
        }
    }
}
