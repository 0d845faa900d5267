//! Determines the address that a request comes from.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Headers that show that a proxy forwards a request for someone else.
const FORWARDING_HEADERS: [&str; 5] = ["x-forwarded-for", "forwarded", "x-real-ip", "via", "x-forwarded-host"];

/// Reverse proxies whose `X-Forwarded-For` is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and CIDRs, separated by commas.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let networks = entries.map(|entry| {
            let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                format!("`{entry}` is not an address or network; use for example `10.0.0.2` or `172.16.0.0/12`")
            })
        });
        Ok(Self(networks.collect::<Result<_, _>>()?))
    }

    /// Returns the address of the caller, by which failed logins are counted: the last address in `X-Forwarded-For` or
    /// the peer's own that is not a trusted proxy's.
    ///
    /// `None` if callers cannot be distinguished: a private peer that is not listed may be a proxy or a container's
    /// gateway that all callers share.
    pub(crate) fn caller_address(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !self.is_trusted(peer) {
            return Some(peer).filter(|peer| !is_private(*peer));
        }
        let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        let mut listed: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        listed.reverse();
        // Entries before an address that cannot be read were not written by a trusted proxy.
        let addresses = listed.into_iter().map_while(|text| text.parse::<IpAddr>().ok()).map(|it| it.to_canonical());
        addresses.into_iter().find(|address| !self.is_trusted(*address))
    }

    /// Whether a request comes from this machine, and was not forwarded for someone else.
    pub(crate) fn is_from_this_machine(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return false };
        if FORWARDING_HEADERS.iter().any(|name| headers.contains_key(*name)) {
            // Only trusted proxies' forwarding headers are believed.
            return self.is_trusted(peer)
                && self.caller_address(Some(peer), headers).is_some_and(|caller| caller.is_loopback());
        }
        peer.is_loopback()
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, peer: &str, forwarded: &[&'static str], expected: Option<&str>) {
        let proxies = TrustedProxies::parse(list).expect("the list is well formed");
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", axum::http::HeaderValue::from_static(line));
        }
        let found = proxies.caller_address(peer.parse().ok(), &headers).map(|address| address.to_string());
        assert_eq!(found.as_deref(), expected, "{list} {peer} {forwarded:?}");
    }

    #[test]
    fn only_trusted_proxies_say_who_calls() {
        let caller = Some("203.0.113.9");
        check("", "203.0.113.9", &["198.51.100.1"], caller);
        check("10.0.0.2", "10.0.0.2", &["198.51.100.1, 203.0.113.9"], caller);
        check("10.0.0.0/8,::1", "::ffff:10.0.0.2", &["198.51.100.1", "203.0.113.9, 10.3.3.3"], caller);
        check("10.0.0.2", "203.0.113.9", &["198.51.100.1"], caller);
        check("10.0.0.2", "10.0.0.2", &["2001:db8::1"], Some("2001:db8::1"));
    }

    #[test]
    fn where_callers_cannot_be_told_apart_no_address_is_counted() {
        for peer in ["127.0.0.1", "172.18.0.1", "::1", "fd00::1", "nobody"] {
            check("", peer, &["198.51.100.1"], None);
        }
        check("10.0.0.2", "10.0.0.2", &[], None);
        check("10.0.0.2", "10.0.0.2", &["203.0.113.9, unknown"], None);
    }

    #[test]
    fn only_this_machine_itself_is_this_machine() {
        for (list, peer, forwarded, expected) in [
            ("", "127.0.0.1", None, true),
            ("", "::1", None, true),
            ("", "::ffff:127.0.0.1", None, true),
            ("127.0.0.1", "127.0.0.1", None, true),
            ("", "10.0.0.7", None, false),
            ("10.0.0.0/8", "10.0.0.7", None, false),
            ("", "127.0.0.1", Some("127.0.0.1"), false),
            ("127.0.0.1", "127.0.0.1", Some("203.0.113.9"), false),
            ("127.0.0.1", "127.0.0.1", Some("127.0.0.1, 203.0.113.9"), false),
            ("", "203.0.113.9", Some("127.0.0.1"), false),
            ("10.0.0.7", "10.0.0.7", Some("127.0.0.1"), true),
        ] {
            let proxies = TrustedProxies::parse(list).expect("the list is well formed");
            let mut headers = HeaderMap::new();
            if let Some(forwarded) = forwarded {
                headers.insert("x-forwarded-for", axum::http::HeaderValue::from_static(forwarded));
            }
            let found = proxies.is_from_this_machine(peer.parse().ok(), &headers);
            assert_eq!(found, expected, "{list} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_list_names_its_fault() {
        assert!(TrustedProxies::parse("10.0.0.1, proxy").is_err_and(|error| error.contains("`proxy`")));
    }
}
