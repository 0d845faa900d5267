//! Classifies the addresses that do not belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns why an address is forbidden unless the operator allows it; `None` for an address of the public internet.
///
/// An IPv6 address that contains an IPv4 address is treated as that address. Source: IANA IPv4 and IPv6 Special-Purpose
/// Address Registries.
pub(super) fn forbidden_reason(address: IpAddr) -> Option<&'static str> {
    match canonical_address(address) {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

/// Returns the address that packets to `address` are sent to: an IPv4-mapped one is its IPv4 address.
pub(super) fn canonical_address(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (0, ..) => Some("unspecified"),
        (127, ..) => Some("loopback"),
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => Some("private"),
        (100, 64..=127, ..) => Some("carrier-grade NAT"),
        (169, 254, ..) => Some("link-local or metadata"),
        // Azure's wire server returns credentials of the machine, although its address is public.
        (168, 63, 129, 16) => Some("metadata"),
        (192, 0, 0, _) | (192, 88, 99, _) => Some("reserved"),
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => Some("documentation"),
        (198, 18..=19, ..) => Some("benchmarking"),
        (224..=239, ..) => Some("multicast"),
        (240.., ..) => Some("reserved or broadcast"),
        (1..=223, ..) => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // NAT64 and 6to4 contain an IPv4 address. Source: RFC 6052, RFC 3056.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => forbidden_v4(embedded_ipv4(high, low)),
        [0xfc00..=0xfdff, ..] => Some("private"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        // IETF protocol assignments, including Teredo: tunnels whose end is hidden.
        [0x2001, 0..=0x1ff, ..] => Some("reserved"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("documentation"),
        [0x2000..=0x3fff, ..] => None,
        [..=0x1fff | 0x4000.., ..] => Some("reserved"),
    }
}

fn embedded_ipv4(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<&str>) {
        let parsed: IpAddr = address.parse().expect("a well-formed address");
        assert_eq!(forbidden_reason(parsed), expected, "{address}");
    }

    #[test]
    fn only_public_addresses_are_reachable() {
        for public in ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "192.0.1.1", "100.63.255.255", "168.63.129.15"]
        {
            check(public, None);
        }
        for public in ["2606:4700:4700::1111", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"] {
            check(public, None);
        }
        for (address, kind) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.100.100.200", "carrier-grade NAT"),
            ("169.254.169.254", "link-local or metadata"),
            ("168.63.129.16", "metadata"),
            ("192.0.0.192", "reserved"),
            ("192.0.2.1", "documentation"),
            ("198.18.0.1", "benchmarking"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved or broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::127.0.0.1", "reserved"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:1::10.0.0.1", "reserved"),
            ("2002:7f00:1::", "loopback"),
            ("2002:a9fe:a9fe::1", "link-local or metadata"),
            ("2001::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
            ("100::1", "reserved"),
            ("5f00::1", "reserved"),
        ] {
            check(address, Some(kind));
        }
    }
}
