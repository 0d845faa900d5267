//! Provider keys.

use async_trait::async_trait;

/// A secret's value and where it may go.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The value; never printed.
    pub value: String,
    /// Hosts (`host[:port]`) that it may be sent to; empty: the base_url hosts of the connectors using it.
    pub hosts: Vec<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Secret").field("value", &"…").field("hosts", &self.hosts).finish()
    }
}

/// Looks secrets up by name.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret of that name; `None` where there is none. Errors are said as text without values.
    async fn get(&self, name: &str) -> Result<Option<Secret>, String>;
}
