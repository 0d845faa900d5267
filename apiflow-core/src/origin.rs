//! Origins (scheme, host and port) of requests, and the lists of origins that secrets are bound to.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The schemes that requests are sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// HTTP without encryption.
    Http,
}

impl Scheme {
    /// Returns the scheme as it is written before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Https, Self::Http].into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(word))
    }
}

/// The destination of a request: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// Parses the origin of an absolute http or https URL without user info; `None` for other URLs.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, authority) = crate::url::scheme_and_authority(url)?;
        let scheme = Scheme::parse(scheme)?;
        let (host, port) = split_authority(authority)?;
        Some(Self { scheme, host, port: port.unwrap_or(scheme.default_port()) })
    }

    /// Returns the host: a name in lower case, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether the host is `localhost` or a loopback address, so that nothing leaves the machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = (self.port != self.scheme.default_port()).then_some(self.port);
        write!(formatter, "{}://{}", self.scheme.as_str(), Authority(&self.host, port))
    }
}

impl From<Origin> for SecretOrigin {
    fn from(origin: Origin) -> Self {
        Self { scheme: Some(origin.scheme), host: origin.host, port: Some(origin.port) }
    }
}

/// One entry of the list of origins that a secret may be sent to.
///
/// Written as an origin (`https://api.example.com`, `http://comfy:8188`), or in the short form `host[:port]`, which
/// means https. The short form of a loopback address also allows http, and every port if it names none, because nothing
/// leaves the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretOrigin {
    /// `None`: either scheme, for the short form of a loopback address.
    scheme: Option<Scheme>,
    host: String,
    /// `None`: any port, for the short form of a loopback address.
    port: Option<u16>,
}

/// Why a string is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}")]
pub struct OriginError {
    text: String,
    reason: &'static str,
}

impl SecretOrigin {
    /// Returns whether a request to this origin may carry the secret.
    pub fn permits_origin(&self, origin: &Origin) -> bool {
        self.host == origin.host
            && self.scheme.is_none_or(|scheme| scheme == origin.scheme)
            && self.port.is_none_or(|port| port == origin.port)
    }
}

impl FromStr for SecretOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let error = |reason| OriginError { text: text.to_owned(), reason };
        let malformed = "write `https://api.example.com`, `api.example.com` or `http://localhost:8188`";
        if text.contains('*') {
            return Err(error("list each origin that the secret may be sent to, without `*`"));
        }
        if let Some((scheme, authority)) = text.split_once("://") {
            let scheme = Scheme::parse(scheme).ok_or_else(|| error("the scheme must be https or http"))?;
            let authority = authority.strip_suffix('/').unwrap_or(authority);
            if authority.contains(['/', '?', '#']) {
                return Err(error("an origin has no path: leave out what follows the host"));
            }
            let (host, port) = split_authority(authority).ok_or_else(|| error(malformed))?;
            return Ok(Self { scheme: Some(scheme), host, port: Some(port.unwrap_or(scheme.default_port())) });
        }
        let (host, port) = match text.parse::<Ipv6Addr>() {
            Ok(address) => (address.to_string(), None),
            Err(_) => split_authority(text).ok_or_else(|| error(malformed))?,
        };
        if is_loopback(&host) {
            return Ok(Self { scheme: None, host, port });
        }
        Ok(Self { scheme: Some(Scheme::Https), host, port: Some(port.unwrap_or(443)) })
    }
}

impl fmt::Display for SecretOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Some(scheme) => {
                let port = self.port.filter(|port| *port != scheme.default_port());
                write!(formatter, "{}://{}", scheme.as_str(), Authority(&self.host, port))
            }
            None => Authority(&self.host, self.port).fmt(formatter),
        }
    }
}

impl TryFrom<String> for SecretOrigin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<SecretOrigin> for String {
    fn from(origin: SecretOrigin) -> Self {
        origin.to_string()
    }
}

/// A host with an optional port, formatted with IPv6 addresses in brackets.
struct Authority<'a>(&'a str, Option<u16>);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        if host.contains(':') {
            write!(formatter, "[{host}]")?;
        } else {
            formatter.write_str(host)?;
        }
        port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

/// Splits `host[:port]`: the host in lower case without brackets and trailing dot, addresses in canonical form.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    if !crate::url::is_authority(authority) {
        return None;
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, rest)| (host, rest.strip_prefix(':')))?,
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(digits) => Some(digits.parse().ok()?),
        None => None,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let host = host.parse::<IpAddr>().map_or(host, |address| address.to_string());
    (!host.is_empty()).then_some((host, port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, url: &str, expected: bool) {
        let entry: SecretOrigin = entry.parse().expect("the entry is sound");
        let origin = Origin::of_url(url).expect("the URL has an origin");
        assert_eq!(entry.permits_origin(&origin), expected, "{entry} {url}");
    }

    #[test]
    fn a_short_form_means_https_and_the_standard_port() {
        check("api.example.com", "https://API.example.com/v1?x=1", true);
        check("API.example.com.", "https://api.example.com:443", true);
        check("api.example.com", "http://api.example.com/", false);
        check("api.example.com", "https://api.example.com:8443/", false);
        check("api.example.com:8443", "https://api.example.com:8443/", true);
        check("api.example.com:80", "http://api.example.com/", false);
        check("api.example.com", "https://evil-api.example.com/", false);
        check("10.0.0.1:8188", "http://10.0.0.1:8188/", false);
    }

    #[test]
    fn a_loopback_address_may_be_reached_in_clear() {
        for (entry, url, expected) in [
            ("127.0.0.1:4010", "http://127.0.0.1:4010/v1", true),
            ("127.0.0.1:4010", "https://127.0.0.1:4010/v1", true),
            ("127.0.0.1:4010", "http://127.0.0.1:4011/v1", false),
            ("127.0.0.1", "http://127.0.0.1:4011/v1", true),
            ("localhost", "http://localhost:3000", true),
            ("[::1]:80", "http://[0:0:0:0:0:0:0:1]/", true),
            ("localhost", "http://localhost.example.com/", false),
            ("https://127.0.0.1:4010", "http://127.0.0.1:4010/v1", false),
        ] {
            check(entry, url, expected);
        }
    }

    #[test]
    fn an_origin_counts_whole() {
        check("http://comfy:8188", "http://comfy:8188/prompt", true);
        check("http://comfy:8188", "https://comfy:8188/prompt", false);
        check("https://a.example/", "https://a.example:443", true);
        check("https://a.example", "http://a.example:443", false);
    }

    #[test]
    fn entries_are_shown_in_one_spelling() {
        for (text, shown) in [
            ("API.example.com", "https://api.example.com"),
            ("api.example.com:443", "https://api.example.com"),
            ("HTTP://Comfy:80/", "http://comfy"),
            ("localhost:8188", "localhost:8188"),
            ("[::1]:80", "[::1]:80"),
            ("::1", "[::1]"),
        ] {
            assert_eq!(text.parse::<SecretOrigin>().map(|entry| entry.to_string()).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "a:",
            "*",
            "https://*.example.com",
            "ftp://a.example",
            "https://a.example/v1",
            "a.example/v1",
            "user@a.example",
            "https://user@a.example",
            "a.example,b.example",
            "a b",
            "https://",
        ] {
            assert!(text.parse::<SecretOrigin>().is_err(), "{text}");
        }
        for url in ["string", "/v1", "ftp://a.example", "https://user@a.example", "https://a.example\\@b/"] {
            assert_eq!(Origin::of_url(url), None, "{url}");
        }
    }
}
