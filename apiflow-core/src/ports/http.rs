//! Outgoing calls, as an effect.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::origin::SecretOrigin;

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestBody {
    /// The request has no body.
    None,
    /// Text, secrets not yet resolved: JSON, a form or anything else.
    Text(String),
}

/// A request as it is journalled: secrets are references (`$NAME`), resolved when it is written to the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// Method, upper case.
    pub method: String,
    /// Absolute http or https URL, with query; secrets are markers.
    pub url: String,
    /// Headers in order; names as the declaration spells them.
    pub headers: Vec<(String, String)>,
    /// The body, with secrets as markers.
    pub body: RequestBody,
    /// Where secret references stand; everything else is sent as it is, even if it looks like one.
    pub secrets: Vec<SecretUse>,
    /// Names of further secrets that the call sends elsewhere, for instance with its submit: they are masked in the
    /// reply, which may echo them, and not sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked_secrets: Vec<String>,
    /// Origins that secrets without origins of their own may be sent to.
    #[serde(alias = "credential_hosts")]
    pub credential_origins: Vec<SecretOrigin>,
    /// Bound on the whole exchange.
    pub timeout: Duration,
}

/// A secret reference inside a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretUse {
    /// The unguessable-in-data marker that stands for the secret in the request's text.
    pub marker: String,
    /// The secret's name, or `OWNER/NAME` for a user's own ([`super::own_secret`]).
    pub name: String,
    /// Where the marker stands: how the value is escaped when it takes the marker's place.
    pub place: SecretPlace,
}

/// Where in a request a secret stands, which decides how its value is written there
/// ([`crate::template::resolve_secrets`] does it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In a header's value: as it is; a value with a line break or another control character is refused.
    Header,
    /// In the URL or in a form: percent-encoded, all but the unreserved characters.
    Url,
    /// Inside a string of a JSON body: escaped as JSON, without quotes.
    Json,
    /// In a raw body: as it is.
    Raw,
}

/// A reply, whole in memory (bounded by the client's limit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// HTTP status code of the last response, from 100 to 999.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The URL that answered, after redirects.
    pub url: String,
    /// The memory that it takes, if the client counts that.
    pub memory: MemoryHold,
}

/// Keeps the memory that a reply takes set aside until the last copy is dropped; nothing if nobody counts.
#[derive(Clone, Default)]
pub struct MemoryHold {
    held: Option<Arc<dyn Any + Send + Sync>>,
}

impl MemoryHold {
    /// Keeps something until it is dropped.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self { held: Some(Arc::new(held)) }
    }
}

impl fmt::Debug for MemoryHold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryHold").field("is_counted", &self.held.is_some()).finish()
    }
}

/// Replies are equal regardless of the memory that is reserved for them.
impl PartialEq for MemoryHold {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for MemoryHold {}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The outgoing policy refuses the request; nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// A secret is unknown or not meant for this origin; nothing was sent.
    #[error("{0}")]
    Secret(String),
    /// No connection came about; nothing was sent.
    #[error("{0}")]
    Connect(String),
    /// The connection was lost, or time ran out, after bytes may have left: the fate of the call is unknown.
    #[error("{0}")]
    Unknown(String),
    /// The reply is not HTTP, or leads nowhere.
    #[error("{0}")]
    Reply(String),
    /// The reply is larger than what is read into memory.
    #[error("{0}")]
    TooLarge(String),
}

/// Sends requests under the outgoing policy: the one choke point.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one request once.
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError>;
}
