//! The address that a server listens on.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// The host if an address is a port only: this machine only.
const DEFAULT_HOST: &str = "127.0.0.1";

/// A host and a port to listen on: `8000`, `127.0.0.1:8000`, `localhost:8000`, `[::1]:8000`.
///
/// The host may be a name, which is resolved when the server starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

/// The reason why a string is not a [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write a port (`8000`) or `host:port` (`127.0.0.1:8000`, `localhost:8000`, `[::1]:8000`)")]
pub struct ListenAddressError(String);

impl ListenAddress {
    /// Returns the port; 0 stands for any that is free.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Sets the port that the system chose.
    pub(crate) fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Returns its socket addresses in the order in which they should be tried.
    pub(crate) async fn resolve_addresses(&self) -> std::io::Result<Vec<SocketAddr>> {
        let mut found: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect();
        // The address that is printed and that most clients try first.
        found.sort_by_key(SocketAddr::is_ipv6);
        Ok(found)
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        let (host, port) = match text.rsplit_once(':') {
            None if text.parse::<u16>().is_ok() => (DEFAULT_HOST, text),
            None => return Err(ListenAddressError(format!("`{text}` has no port"))),
            Some(("", port)) => {
                let message = format!(
                    "`{text}` has no host: `127.0.0.1:{port}` is this machine alone, `0.0.0.0:{port}` all networks"
                );
                return Err(ListenAddressError(message));
            }
            Some(parts) => parts,
        };
        let port = port.parse().map_err(|_| ListenAddressError(format!("`{port}` is not a port from 0 to 65535")))?;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
        if !host.chars().all(is_name) {
            return Err(ListenAddressError(format!("`{host}` is not a host")));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(formatter, "[{}]:{}", self.host, self.port);
        }
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = text.parse::<ListenAddress>();
        match expected {
            Ok(expected) => assert_eq!(found.map(|address| address.to_string()).as_deref(), Ok(expected), "{text}"),
            Err(words) => {
                let message = found.expect_err(text).to_string();
                assert!(message.contains(words) && message.contains("`localhost:8000`"), "{text}: {message}");
            }
        }
    }

    #[test]
    fn a_port_a_name_and_an_address_are_understood() {
        check("8311", Ok("127.0.0.1:8311"));
        check("0", Ok("127.0.0.1:0"));
        check("localhost:8311", Ok("localhost:8311"));
        check("0.0.0.0:8000", Ok("0.0.0.0:8000"));
        check("[::1]:8000", Ok("[::1]:8000"));
        check("my-host.example:80", Ok("my-host.example:80"));
    }

    #[test]
    fn what_cannot_be_listened_on_is_explained() {
        check("", Err("has no port"));
        check("localhost", Err("`localhost` has no port"));
        check("65536", Err("`65536` has no port"));
        check("localhost:65536", Err("`65536` is not a port"));
        check(":8000", Err("`0.0.0.0:8000` all networks"));
        check("::1:8000", Err("`::1` is not a host"));
        check("http://localhost:8000", Err("is not a host"));
    }
}
