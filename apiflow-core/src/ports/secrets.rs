//! Secrets: keys of providers.

use async_trait::async_trait;

use crate::origin::{Origin, SecretOrigin};

/// The value of a secret, and the origins that it may be sent to.
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

/// Looks up secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Returns the secret that a reference names (`NAME`, or `OWNER/NAME` for a user's own, see [`own_secret`]); `None`
    /// if there is none. The error message contains no values.
    async fn get(&self, reference: &str) -> Result<Option<Secret>, String>;

    /// Returns the names and values of all secrets that may be sent to an origin: they are masked in its replies,
    /// because a reply may repeat what an earlier call sent. The default returns none.
    async fn at_origin(&self, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        let _ = origin;
        Ok(Vec::new())
    }
}

/// Returns the reference to a user's own secret, as requests contain it.
pub fn own_secret(owner: &str, name: &str) -> String {
    format!("{owner}/{name}")
}

/// Splits a reference into owner and name; a shared secret has no owner.
pub fn split_reference(reference: &str) -> (Option<&str>, &str) {
    match reference.rsplit_once('/') {
        Some((owner, name)) => (Some(owner), name),
        None => (None, reference),
    }
}
