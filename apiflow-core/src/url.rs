//! The parts of URL handling that calls need: checking base URLs, comparing hosts, resolving links.
//!
//! Unusual URLs (user info, backslashes, spaces, other schemes) are refused rather than repaired: two parsers that
//! repair differently would disagree about which host a link belongs to.

/// Parts of an absolute http or https URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    scheme: &'a str,
    /// `host[:port]` as written.
    authority: &'a str,
    /// Path from the first `/`, without query and fragment; may be empty.
    path: &'a str,
    /// Query including its `?`; may be empty.
    query: &'a str,
}

/// Checks a connector's `base_url`; the error continues a sentence.
pub(crate) fn check_base(url: &str) -> Result<(), &'static str> {
    if url.contains('#') {
        return Err("must not have a fragment (`#`)");
    }
    if url.contains('@') && url.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
        return Err("must not contain credentials: put them into a header, as a secret");
    }
    match split_url(url) {
        Some(_) => Ok(()),
        None => Err("must be an absolute http or https URL, such as `https://api.example.com/v1`"),
    }
}

/// Returns the host in lower case, with the port unless it is the scheme's default; `None` if the URL is not plain http
/// or https.
pub(crate) fn host_of(url: &str) -> Option<String> {
    split_url(url).map(|parts| normal_host(parts.scheme, parts.authority))
}

/// Returns the scheme, and `host[:port]` as written; `None` if the URL is not plain http or https.
pub(crate) fn scheme_and_authority(url: &str) -> Option<(&str, &str)> {
    split_url(url).map(|parts| (parts.scheme, parts.authority))
}

/// Returns whether the URL is https.
pub(crate) fn is_https(url: &str) -> bool {
    split_url(url).is_some_and(|parts| parts.scheme.eq_ignore_ascii_case("https"))
}

/// Removes the query and the fragment, which may contain signatures.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Returns whether the URL has a query.
pub(crate) fn has_query(url: &str) -> bool {
    url.contains('?')
}

/// Resolves a link, absolute or relative to the URL that it was found at (RFC 3986 §5.2), without its fragment.
pub(crate) fn join_url(base: &str, link: &str) -> Option<String> {
    let link = link.split('#').next().unwrap_or_default();
    if link.is_empty() || !is_plain(link) {
        return None;
    }
    if link.split(['/', '?']).next().is_some_and(|start| start.contains(':')) {
        return split_url(link).map(|_| link.to_owned());
    }
    let base = split_url(base)?;
    let joined = if link.starts_with("//") {
        format!("{}:{link}", base.scheme)
    } else {
        let (path, query) = link.split_at(link.find('?').unwrap_or(link.len()));
        let path = match path {
            "" => base.path.to_owned(),
            _ if path.starts_with('/') => without_dots(path),
            _ => without_dots(&format!("{}/{path}", base.path.rsplit_once('/').map_or("", |(folder, _)| folder))),
        };
        format!("{}://{}{path}{query}", base.scheme, base.authority)
    };
    split_url(&joined).map(|_| joined.clone())
}

/// Joins a base URL and a path with exactly one slash.
pub(crate) fn append_path(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

fn split_url(url: &str) -> Option<Parts<'_>> {
    if !is_plain(url) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if !is_authority(authority) {
        return None;
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    Some(Parts { scheme, authority, path, query })
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\')
}

/// Returns whether a string is a host name or an address, with an optional port.
pub(crate) fn is_authority(authority: &str) -> bool {
    let (name, port) = match authority.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((address, rest)) if address.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.') => {
                (address, rest.strip_prefix(':').or(rest.is_empty().then_some("0")))
            }
            Some(_) | None => return false,
        },
        None => match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, Some("0")),
        },
    };
    let named = authority.starts_with('[') || name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    !name.is_empty() && named && port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn normal_host(scheme: &str, authority: &str) -> String {
    let own_port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    authority.strip_suffix(own_port).unwrap_or(authority).to_ascii_lowercase()
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            plain => kept.push(plain),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{append_path, check_base, host_of, join_url};

    #[test]
    fn links_are_followed_as_browsers_follow_them() {
        let base = "http://a/b/c/d?q";
        for (link, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("g#s", "http://a/b/c/g"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("https://h:8443/x?y=1#f", "https://h:8443/x?y=1"),
            ("/x?u=http://y", "http://a/x?u=http://y"),
        ] {
            assert_eq!(join_url(base, link).as_deref(), Some(expected), "{link}");
        }
    }

    #[test]
    fn odd_links_are_refused() {
        for link in [
            "",
            "#x",
            "javascript:alert(1)",
            "ftp://a/b",
            "http://a b/",
            "http://u:p@a/",
            "https://evil.com\\@a/",
            "http:///x",
            "file:///etc/passwd",
            "http://a:99999/",
            "//u@a/x",
            "http://[zz]/",
        ] {
            assert_eq!(join_url("http://a/b", link), None, "{link}");
        }
    }

    #[test]
    fn hosts_are_compared_without_case_and_default_port() {
        for (url, expected) in [
            ("https://API.Example.com/v1", Some("api.example.com")),
            ("https://api.example.com:443", Some("api.example.com")),
            ("http://api.example.com:443?x", Some("api.example.com:443")),
            ("http://127.0.0.1:8080/v1", Some("127.0.0.1:8080")),
            ("http://[::1]:8080/v1", Some("[::1]:8080")),
            ("https://api.example.com@evil.com/", None),
            ("api.example.com", None),
        ] {
            assert_eq!(host_of(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_base_must_be_absolute() {
        for good in ["https://api.replicate.com/v1", "http://localhost:3000", "http://h?version=1"] {
            assert_eq!(check_base(good), Ok(()), "{good}");
        }
        for bad in ["string", "", "/v1", "ftp://h/", "https://", "https://u:p@h/", "https://h/#x", "https://h/a b"] {
            assert!(check_base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_appended_after_one_slash() {
        assert_eq!(append_path("https://h/v1", "/models/x"), "https://h/v1/models/x");
        assert_eq!(append_path("https://h/v1/", "models/x/"), "https://h/v1/models/x/");
    }
}
