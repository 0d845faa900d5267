//! Provider keys.

use async_trait::async_trait;

use crate::origin::{Origin, SecretOrigin};

/// A secret's value and where it may go.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The value; never printed.
    pub value: String,
    /// Origins that it may be sent to; `None`: those that the request names, which are its connector's.
    pub origins: Option<Vec<SecretOrigin>>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Secret").field("value", &"…").field("origins", &self.origins).finish()
    }
}

/// Looks secrets up.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret of a reference: `NAME`, or `OWNER/NAME` for a user's own ([`own_secret`]); `None` if there is none.
    /// Errors are strings without values.
    async fn get(&self, reference: &str) -> Result<Option<Secret>, String>;

    /// The names and values of all secrets that may be sent to an origin: what an earlier call sent there, a reply to any
    /// later one may repeat, and they are masked in it. The default knows none.
    async fn at_origin(&self, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        let _ = origin;
        Ok(Vec::new())
    }
}

/// The reference to a user's own secret, as requests carry it.
pub fn own_secret(owner: &str, name: &str) -> String {
    format!("{owner}/{name}")
}

/// The owner and the name of a reference; no owner for a secret that is shared.
pub fn split_reference(reference: &str) -> (Option<&str>, &str) {
    match reference.rsplit_once('/') {
        Some((owner, name)) => (Some(owner), name),
        None => (None, reference),
    }
}
