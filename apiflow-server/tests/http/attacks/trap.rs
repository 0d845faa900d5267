//! A listener on a private address that nothing may connect to.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// Listens on a port of the loopback interface, of IPv4 and if possible of IPv6, and never accepts by itself.
pub(super) struct Trap {
    listeners: Vec<TcpListener>,
    pub(super) port: u16,
}

impl Trap {
    pub(super) fn set() -> Self {
        // All loopback addresses lead here, not 127.0.0.1 alone.
        let first = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port is free");
        let port = first.local_addr().expect("it has an address").port();
        let listeners: Vec<_> =
            [Ok(first), TcpListener::bind((Ipv6Addr::LOCALHOST, port))].into_iter().flatten().collect();
        for listener in &listeners {
            listener.set_nonblocking(true).expect("a socket can be set so");
        }
        Self { listeners, port }
    }

    /// Fails if anything has connected.
    pub(super) fn assert_untouched(&self, door: &str) {
        for listener in &self.listeners {
            match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                touched => panic!("{door}: something connected to the trap: {touched:?}"),
            }
        }
    }
}
