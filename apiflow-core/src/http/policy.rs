//! The outgoing policy: where requests may go.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

use super::address::{canonical_address, forbidden_reason};

/// Which addresses outgoing requests may reach: the public internet, and the private addresses that the operator
/// listed.
///
/// Architecture invariant: a name is judged by the addresses that it resolves to at the moment of connecting, so that
/// changing its address between check and use has no effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutgoingPolicy {
    allowed: Vec<Allowed>,
}

/// An entry of the operator's list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    /// A name, whatever address it resolves to.
    Name { name: String, port: Option<u16> },
    /// The addresses whose first `prefix` bits equal those of `network`.
    Network { network: IpAddr, prefix: u8, port: Option<u16> },
}

/// Why a list of allowed hosts is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is not a host, host:port or CIDR block: write, for example, `localhost:8188` or `10.0.0.0/8`")]
pub struct PolicyError {
    /// The invalid entry.
    pub entry: String,
}

impl OutgoingPolicy {
    /// Parses a comma-separated list of `host`, `host:port` or CIDR blocks; an empty list allows public addresses only.
    /// Without a port, every port is allowed; an IPv6 address with a port is written in brackets.
    pub fn parse(list: &str) -> Result<Self, PolicyError> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let allowed = entries.map(|entry| Allowed::parse(entry).ok_or_else(|| PolicyError { entry: entry.to_owned() }));
        Ok(Self { allowed: allowed.collect::<Result<_, _>>()? })
    }

    /// Checks everything that does not require resolving a name: scheme, user info, port and literal addresses.
    ///
    /// # Errors
    /// What is refused, and how the operator may allow it.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("scheme `{}` is not allowed: use http or https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL must not contain a user name or password: put credentials in a header".to_owned());
        }
        let target = Target::from_url(url)?;
        match target.host.parse::<IpAddr>() {
            Ok(address) => self.check_address(&target, address),
            Err(_) => Ok(()),
        }
    }

    /// Checks the URL of a receiver of webhooks: https, or http to a host or literal address that the operator listed. The
    /// addresses that a name resolves to are checked when a message is sent. Returns host and port; the port is left out
    /// if it is the scheme's own.
    ///
    /// # Errors
    /// What is refused, and how to fix it.
    pub fn check_receiver(&self, url: &str) -> Result<String, String> {
        let url = Url::parse(url).map_err(|error| format!("not an absolute URL: {error}"))?;
        self.check_url(&url)?;
        let target = Target::from_url(&url)?;
        if url.scheme() == "http" && !self.is_listed(&target) {
            let host = &target.host;
            return Err(format!(
                "use https; http is allowed only to hosts in APIFLOW_ALLOW_HOSTS, and `{host}` is not listed"
            ));
        }
        let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host };
        Ok(url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
    }

    /// Returns whether the operator listed the target's name, or its literal address.
    fn is_listed(&self, target: &Target) -> bool {
        let address = target.host.parse::<IpAddr>().ok().map(canonical_address);
        self.allowed.iter().any(|allowed| match (allowed, address) {
            (Allowed::Network { .. }, Some(address)) => allowed.covers_address(target, address),
            (Allowed::Name { name, port }, _) => *name == target.host && (port.is_none() || *port == target.port),
            (Allowed::Network { .. }, None) => false,
        })
    }

    /// Checks an address that the target's host is or has resolved to.
    pub(super) fn check_address(&self, target: &Target, address: IpAddr) -> Result<(), String> {
        let Some(kind) = forbidden_reason(address) else { return Ok(()) };
        if self.allowed.iter().any(|allowed| allowed.covers_address(target, canonical_address(address))) {
            return Ok(());
        }
        let Target { host, port } = target;
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        // Callers of the API must not learn which private address a name resolves to.
        let what = if host.parse::<IpAddr>().is_ok() {
            format!("is a {kind} address")
        } else {
            "is not on the public internet".to_owned()
        };
        Err(format!("`{host}{port}` {what}: add it to APIFLOW_ALLOW_HOSTS to allow it"))
    }
}

/// The destination of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Name in lower case without a trailing dot, or address without brackets.
    pub(super) host: String,
    /// Port; `None` if it is unknown, which matches no entry with a port.
    pub(super) port: Option<u16>,
}

impl Target {
    /// Returns the host and port of a URL.
    pub(super) fn from_url(url: &Url) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the URL has no host")?;
        Ok(Self { host: plain_host(host), port: url.port_or_known_default() })
    }
}

impl Allowed {
    fn parse(entry: &str) -> Option<Self> {
        if let Some((network, prefix)) = entry.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let prefix: u8 = prefix.parse().ok()?;
            let bits = if network.is_ipv4() { 32 } else { 128 };
            return (prefix <= bits).then_some(Self::Network { network, prefix, port: None });
        }
        let (host, port) = split_port(entry)?;
        let host = plain_host(host);
        if let Ok(network) = host.parse::<IpAddr>() {
            let network = canonical_address(network);
            let prefix = if network.is_ipv4() { 32 } else { 128 };
            return Some(Self::Network { network, prefix, port });
        }
        // Names are normalized by the URL parser, so that both sides are written alike; numbers are not names.
        let url = Url::parse(&format!("http://{host}/")).ok()?;
        let name = url.host_str().filter(|name| url.path() == "/" && name.parse::<IpAddr>().is_err())?;
        Some(Self::Name { name: plain_host(name), port })
    }

    fn covers_address(&self, target: &Target, address: IpAddr) -> bool {
        let (matches, port) = match self {
            Self::Name { name, port } => (*name == target.host, port),
            Self::Network { network, prefix, port } => (contains(*network, *prefix, address), port),
        };
        matches && (port.is_none() || *port == target.port)
    }
}

/// Splits `host[:port]`; the port of an IPv6 address follows its brackets.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else if text.parse::<Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        Some(digits) => Some(digits.parse().ok()?),
        None => None,
    };
    (!host.is_empty()).then_some((host, port))
}

fn plain_host(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.to_ascii_lowercase()
}

fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    let (network, address, bits) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let rest = bits - u32::from(prefix);
    network.checked_shr(rest).unwrap_or(0) == address.checked_shr(rest).unwrap_or(0)
}
