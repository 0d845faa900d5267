//! Resolves names under the outgoing policy.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::policy::{OutgoingPolicy, Target};

tokio::task_local! {
    /// Port of the current request: the resolver receives only the name, and an allowed `host:port` must not open the
    /// host's other ports.
    pub(super) static PORT: Option<u16>;
}

/// Looks up a name.
pub(super) type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Returns the system's resolver.
pub(super) fn system_resolver() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    })
}

/// A resolver that returns only addresses that the policy allows.
pub(super) struct PolicyResolver {
    pub(super) policy: Arc<OutgoingPolicy>,
    pub(super) lookup: Lookup,
}

/// All addresses of a name are forbidden.
#[derive(Debug)]
pub(super) struct Forbidden(pub(super) String);

impl fmt::Display for Forbidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Forbidden {}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        // Read now: the rest may be polled by a task of the pool, where the request's port is unknown.
        let port = PORT.try_with(|port| *port).ok().flatten();
        let target = Target { host: name.as_str().trim_end_matches('.').to_ascii_lowercase(), port };
        let policy = Arc::clone(&self.policy);
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move { permitted_addresses(&policy, &target, &found.await?) })
    }
}

fn permitted_addresses(
    policy: &OutgoingPolicy,
    target: &Target,
    found: &[IpAddr],
) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        match policy.check_address(target, *address) {
            Ok(()) => allowed.push(SocketAddr::new(*address, 0)),
            Err(reason) => refused = Some(reason),
        }
    }
    match (allowed.is_empty(), refused) {
        (false, _) => Ok(Box::new(allowed.into_iter())),
        (true, Some(reason)) => Err(Box::new(Forbidden(reason))),
        (true, None) => Err(format!("`{}` has no address", target.host).into()),
    }
}
