//! Outgoing HTTP requests.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use super::ByteStream;
use super::request_auth::RequestAuth;
use super::request_media::{MediaUse, RequestPart, SentMedia};
use crate::origin::SecretOrigin;

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestBody {
    /// The request has no body.
    None,
    /// Text with unresolved secrets and media: JSON, a form or anything else.
    Text(String),
    /// `multipart/form-data` (RFC 7578).
    Multipart {
        /// Separates the parts; the same each time that the request is sent.
        boundary: String,
        /// The parts, in order.
        parts: Vec<RequestPart>,
    },
    /// The bytes of a file.
    Media(SentMedia),
}

/// A request as it is journalled: secrets are references (`$NAME`) and files are named, not contained; both are written
/// when the request is written to the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// Method, in upper case.
    pub method: String,
    /// Absolute http or https URL, including its query; secrets are markers.
    pub url: String,
    /// Headers in order; names as the declaration spells them.
    pub headers: Vec<(String, String)>,
    /// The body, with secrets as markers.
    pub body: RequestBody,
    /// The secret references; everything else is sent as it is, even if it looks like one.
    pub secrets: Vec<SecretUse>,
    /// The files that the text refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<MediaUse>,
    /// Credentials that are computed when the request is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<RequestAuth>,
    /// Names of further secrets that the call sends in other requests, for example in its submit: they are not sent,
    /// but masked in the reply, which may echo them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked_secrets: Vec<String>,
    /// Origins that secrets without origins of their own may be sent to.
    #[serde(alias = "credential_hosts")]
    pub credential_origins: Vec<SecretOrigin>,
    /// Time limit of the whole exchange.
    pub timeout: Duration,
}

impl HttpRequest {
    /// Creates a request without headers, body, files and credentials. `method` is in upper case.
    pub fn new(method: &str, url: &str, timeout: Duration) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: RequestBody::None,
            secrets: Vec::new(),
            media: Vec::new(),
            auth: None,
            masked_secrets: Vec::new(),
            credential_origins: Vec::new(),
            timeout,
        }
    }

    /// Returns the references to all secrets that the request is sent with.
    pub fn secret_references(&self) -> BTreeSet<&str> {
        let in_text = self.secrets.iter().map(|secret| secret.name.as_str());
        in_text.chain(self.auth.iter().flat_map(RequestAuth::secret_references)).collect()
    }
}

/// A secret reference inside a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretUse {
    /// Marker of the secret in the request's text; it occurs nowhere else.
    pub marker: String,
    /// Name of the secret, or `OWNER/NAME` for a user's own ([`super::own_secret`]).
    pub name: String,
    /// Where the marker is, which determines how the value is escaped.
    pub place: SecretPlace,
}

/// Where in a request a secret is, which determines how [`crate::template::resolve_secrets`] escapes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In a header's value: as it is; a value with a line break or another control character is refused.
    Header,
    /// In the URL or in a form: percent-encoded except for the unreserved characters.
    Url,
    /// In a string of a JSON body: escaped as JSON, without quotes.
    Json,
    /// In a raw body: as it is.
    Raw,
}

/// A reply, completely in memory; its size is limited by the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// HTTP status code of the last response, from 100 to 999.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub body: Vec<u8>,
    /// URL that answered, after redirects.
    pub url: String,
    /// Reservation of the memory that the reply takes, if the client counts it.
    pub memory: MemoryHold,
}

/// Keeps memory for a reply reserved until the last clone is dropped; empty if the client does not count memory.
#[derive(Clone, Default)]
pub struct MemoryHold {
    held: Option<Arc<dyn Any + Send + Sync>>,
}

impl MemoryHold {
    /// Creates a reservation that keeps `held` until it is dropped.
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

/// A reply whose body is read as it arrives, without a limit of its size.
pub struct HttpStream {
    /// HTTP status code of the last response, from 100 to 999.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// URL that answered, after redirects.
    pub url: String,
    /// The body; secrets in it are not masked.
    pub body: ByteStream,
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The outgoing policy refused the request; nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// A secret is unknown or may not be sent to this origin; nothing was sent.
    #[error("{0}")]
    Secret(String),
    /// No connection was established; nothing was sent.
    #[error("{0}")]
    Connect(String),
    /// The connection was lost, or a timeout expired, after bytes may have been sent: the fate of the call is unknown.
    #[error("{0}")]
    Unknown(String),
    /// The reply is not HTTP, or redirects to an invalid location.
    #[error("{0}")]
    Reply(String),
    /// The reply is larger than the limit.
    #[error("{0}")]
    TooLarge(String),
}

/// A body that has arrived already, as a stream of one part.
struct WholeBody {
    body: Option<Bytes>,
    _memory: MemoryHold,
}

impl Stream for WholeBody {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.body.take().map(Ok))
    }
}

/// A body that is sent while it is read.
pub struct RequestStream {
    /// Size in bytes, if it is known: the request then states it.
    pub size: Option<u64>,
    /// The bytes; an error ends the request before its end.
    pub bytes: ByteStream,
}

/// Takes large parts, such as media, out of the body of a reply while it arrives.
#[async_trait]
pub trait BodyFilter: Send {
    /// Reads the head of a reply; returns whether its body passes through the filter.
    fn accepts_head(&mut self, status: u16, headers: &[(String, String)]) -> bool;

    /// Takes the next bytes of the body, and appends those to `kept` that remain part of the reply.
    async fn filter_chunk(&mut self, chunk: Bytes, kept: &mut Vec<u8>) -> Result<(), HttpError>;

    /// Takes the end of the body.
    async fn finish_body(&mut self, kept: &mut Vec<u8>) -> Result<(), HttpError>;
}

/// Sends requests under the outgoing policy; all outgoing calls pass through this trait.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one request once.
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError>;

    /// Sends one request once. If the filter accepts the head of the reply, only what the filter keeps of the body
    /// counts as the reply's body; `timeout` of the request then limits the time until the head has arrived, and the
    /// time between any two parts of the body.
    async fn send_filtered(&self, request: &HttpRequest, filter: &mut dyn BodyFilter) -> Result<HttpReply, HttpError> {
        let mut reply = self.send(request).await?;
        if filter.accepts_head(reply.status, &reply.headers) {
            let mut kept = Vec::new();
            filter.filter_chunk(std::mem::take(&mut reply.body).into(), &mut kept).await?;
            filter.finish_body(&mut kept).await?;
            reply.body = kept;
        }
        Ok(reply)
    }

    /// Sends one request once, and returns when the head of its reply has arrived; `timeout` of the request limits the
    /// time until then, and the time between any two parts of the body.
    async fn open_stream(&self, request: &HttpRequest) -> Result<HttpStream, HttpError> {
        let HttpReply { status, headers, body, url, memory } = self.send(request).await?;
        Ok(HttpStream { status, headers, url, body: Box::pin(WholeBody { body: Some(body.into()), _memory: memory }) })
    }

    /// The same with a body that is sent while it is read. A client that does not support such bodies refuses them.
    async fn open_exchange(&self, request: &HttpRequest, body: Option<RequestStream>) -> Result<HttpStream, HttpError> {
        match body {
            None => self.open_stream(request).await,
            Some(_) => Err(HttpError::Refused("this HTTP client cannot send a body while it is read".to_owned())),
        }
    }
}
