//! Hosts as secrets are bound to them.

use axum::http::Uri;

use crate::api::Fault;
use crate::problem::Problem;

/// The `host:port` of a URL, the port also where the scheme implies it, so that a key for https is not sent over http.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let port = match uri.scheme_str()? {
        "https" => uri.port_u16().unwrap_or(443),
        "http" => uri.port_u16().unwrap_or(80),
        _ => return None,
    };
    let host = uri.host()?.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then(|| format!("{host}:{port}"))
}

/// Reads hosts that an admin gave: `host` or `host:port`.
pub(super) fn parse_all(hosts: Vec<String>) -> Result<Vec<String>, Problem> {
    let faults: Vec<_> = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| !is_host(host))
        .map(|(index, host)| Fault {
            pointer: format!("/hosts/{index}"),
            message: if host.contains('*') {
                format!("`{host}` names no single host: list each host that the secret may be sent to")
            } else {
                format!("`{host}` is no host; write `api.example.com` or `localhost:8188`")
            },
            code: None,
            help: None,
        })
        .collect();
    if !faults.is_empty() {
        return Err(Problem::invalid("a host is not valid", faults));
    }
    Ok(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())
}

fn is_host(text: &str) -> bool {
    let parsed: Result<Uri, _> = format!("http://{text}/").parse();
    parsed.is_ok_and(|uri| {
        let plain = uri.authority().is_some_and(|authority| authority.as_str() == text && !text.contains('@'));
        let is_name = |host: &str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !host.is_empty() && (host.starts_with('[') || host.bytes().all(is_letter))
        };
        plain && uri.host().is_some_and(is_name) && !text.ends_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(host_of(url).as_deref(), expected, "{url}");
    }

    #[test]
    fn host_of_a_url_names_its_port() {
        check("https://API.replicate.com/v1", Some("api.replicate.com:443"));
        check("http://127.0.0.1:8188", Some("127.0.0.1:8188"));
        check("http://example.com", Some("example.com:80"));
        check("https://[::1]:99/x", Some("[::1]:99"));
        check("ftp://example.com", None);
        check("string", None);
        check("/v1", None);
    }

    #[test]
    fn given_hosts_are_hosts() {
        for (text, fine) in [
            ("api.example.com", true),
            ("localhost:8188", true),
            ("[::1]:80", true),
            ("https://api.example.com", false),
            ("api.example.com/v1", false),
            ("user@api.example.com", false),
            ("", false),
            ("a:", false),
            ("*", false),
            ("*.example.com", false),
            ("a.example,b.example", false),
            ("a_b.example", true),
        ] {
            assert_eq!(is_host(text), fine, "{text}");
        }
    }
}
