//! The origins that a connector's credentials are sent to.

use super::reply_rules::FollowedHost;
use crate::declarations::Connector;
use crate::origin::Origin;
use crate::url;

/// Returns the origins of the hosts that a connector lists for its credentials, beside that of its `base_url`: with the
/// scheme of `base_url`. A pattern for several hosts names no origin.
pub fn listed_credential_origins(connector: &Connector) -> Vec<Origin> {
    let hosts = connector.data.as_ref().and_then(|data| data.get("hosts"));
    let hosts = hosts.map(|hosts| FollowedHost::read_all(hosts, "/data/hosts", &mut Vec::new())).unwrap_or_default();
    let scheme = if url::is_https(&connector.base_url) { "https" } else { "http" };
    let listed = hosts.iter().filter(|host| host.credentials && !host.pattern.contains('*'));
    listed.filter_map(|host| Origin::of_url(&format!("{scheme}://{}", host.pattern))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_exact_hosts_with_credentials_are_origins() {
        for (base_url, expected) in [
            ("https://api.a.example/v1", vec!["https://eu.a.example", "https://us.a.example:8443"]),
            ("http://api.a.example/v1", vec!["http://eu.a.example", "http://us.a.example:8443"]),
        ] {
            let hosts = json!(["cdn.example", {"host": "EU.a.example", "credentials": true},
                {"host": "us.a.example:8443", "credentials": true}, {"host": "*.b.example", "credentials": true},
                {"host": "c.example", "credentials": false}]);
            let connector = json!({"id": "c", "name": "C", "base_url": base_url, "data": {"hosts": hosts}});
            let connector = crate::catalog::parse_connector(&connector).expect("a connector");
            let origins: Vec<String> = listed_credential_origins(&connector).iter().map(Origin::to_string).collect();
            assert_eq!(origins, expected);
        }
    }
}
