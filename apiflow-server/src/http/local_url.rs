//! The URL under which users reach the server.

use apiflow_core::origin::Origin;

/// Whether a URL refers to this machine only.
pub fn is_local(url: &str) -> bool {
    Origin::of_url(url).is_some_and(|origin| origin.is_loopback() || origin.host().ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (url, expected) in [
            ("http://localhost:8000", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000", true),
            ("http://api.localhost", true),
            ("http://192.168.1.5:8000", false),
            ("https://localhost.example.com", false),
            ("https://apiflow.example.com", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_local(url), expected, "{url}");
        }
    }
}
