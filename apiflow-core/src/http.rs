//! The [`HttpClient`] on reqwest, through which all outgoing calls pass.
//!
//! Architecture invariant: nothing else in apiflow opens an outgoing HTTP connection. A request is checked by the
//! [`OutgoingPolicy`], sent once, and contains a secret only if the secret's origins allow it.

mod address;
mod auth;
mod dns_resolver;
mod failure;
mod fill_secrets;
mod mask;
mod masker_cache;
mod policy;
mod reply;
mod reply_memory;
mod request_body;
mod sending;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Response, StatusCode, Url};
use tokio::time::Instant;

pub use self::auth::AuthProvider;
use self::auth::{AuthProviders, Credentials, TokenCache, UNSIGNED_PAYLOAD};
use self::dns_resolver::{Lookup, PORT, PolicyResolver};
use self::fill_secrets::Filling;
use self::mask::Masker;
use self::masker_cache::MaskerCache;
use self::policy::Target;
pub use self::policy::{OutgoingPolicy, PolicyError};
use self::reply_memory::ReplyMemory;
use self::request_body::{BodyFault, OutgoingBody};
use self::sending::SendingProgress;
use crate::origin::Origin;
use crate::ports::{
    Artifacts, BodyFilter, HttpClient, HttpError, HttpReply, HttpRequest, HttpStream, RequestStream, Secrets,
};
use crate::template::{self, Resolved};

/// Maximum number of redirects that a GET or HEAD follows.
const MAX_REDIRECTS: usize = 5;

/// Idle time after which a connection is closed: less than the 5 s after which common servers close theirs, because the
/// fate of a POST is unknown if its connection is closed meanwhile.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Headers that describe the message or the connection; the client sets them itself.
const OWN_HEADERS: [&str; 8] =
    ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Headers that are credentials even if they contain no secret reference.
const CREDENTIAL_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Limits of all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Maximum size of a reply's body, in bytes.
    pub max_reply_bytes: usize,
    /// Maximum memory of all replies together, including the values that their JSON is parsed to, in bytes; further
    /// replies wait. There is always room for one body of the maximum size, and for the same amount of values.
    pub max_memory_bytes: usize,
    /// Time limit of DNS lookup, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
}

impl Default for HttpLimits {
    /// Returns limits of 8 MiB for a reply, 256 MiB for all replies, and 10 s to connect.
    fn default() -> Self {
        Self {
            max_reply_bytes: 8 * 1024 * 1024,
            max_memory_bytes: 256 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// Sends requests under the outgoing policy. Clones share connections and limits.
///
/// Secrets are written into a request when it is sent, and masked as `$NAME` in the reply and in errors, in every
/// encoding in which they may occur there. Values under 8 bytes are not masked in a reply's headers and body. A
/// redirect whose URL contains a secret's value is not followed.
///
/// A timeout is an [`HttpError::Connect`] only if [`HttpLimits::connect_timeout`] ended the connection attempt. The
/// fate of a request whose own `timeout` is shorter is unknown, because the pool does not report whether it was given a
/// connection.
#[derive(Clone)]
pub struct Http {
    client: Client,
    policy: Arc<OutgoingPolicy>,
    secrets: Arc<dyn Secrets>,
    artifacts: Option<Arc<dyn Artifacts>>,
    limits: HttpLimits,
    memory: Arc<ReplyMemory>,
    maskers: Arc<MaskerCache>,
    tokens: Arc<TokenCache>,
    auth_providers: AuthProviders,
}

/// Installs the cryptography that TLS uses in this process, unless the program has installed another; [`Http::new`] does
/// so, too.
pub fn install_tls_provider() {
    // It fails if the program has installed another provider, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Http {
    /// Creates a client with its own pool of connections.
    ///
    /// # Errors
    /// [`HttpError::Connect`] if TLS cannot be set up, for example because the system has no root certificates.
    pub fn new(policy: OutgoingPolicy, secrets: Arc<dyn Secrets>, limits: HttpLimits) -> Result<Self, HttpError> {
        Self::with_lookup(policy, secrets, limits, dns_resolver::system_resolver())
    }

    fn with_lookup(
        policy: OutgoingPolicy,
        secrets: Arc<dyn Secrets>,
        limits: HttpLimits,
        lookup: Lookup,
    ) -> Result<Self, HttpError> {
        install_tls_provider();
        let policy = Arc::new(policy);
        let client = Client::builder()
            .user_agent(concat!("apiflow/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(PolicyResolver { policy: Arc::clone(&policy), lookup })
            .connect_timeout(limits.connect_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .build()
            .map_err(|error| {
                let cause = failure::root_message(&error);
                HttpError::Connect(format!("TLS cannot be set up: {cause}; check that root certificates are installed"))
            })?;
        let memory = Arc::new(ReplyMemory::new(&limits));
        Ok(Self {
            client,
            policy,
            secrets,
            artifacts: None,
            limits,
            memory,
            maskers: Arc::default(),
            tokens: Arc::default(),
            auth_providers: AuthProviders::new(),
        })
    }

    /// Sets where the files of requests are read from; without it, a request that sends an artifact is refused.
    pub fn with_artifacts(mut self, artifacts: Arc<dyn Artifacts>) -> Self {
        self.artifacts = Some(artifacts);
        self
    }

    /// Adds an authentication, which connectors use by its name: `{"kind": "custom", "provider": name, "settings": {…}}`.
    pub fn with_auth(mut self, name: &str, provider: Arc<dyn AuthProvider>) -> Self {
        self.auth_providers.insert(name.to_owned(), provider);
        self
    }

    /// Returns how many bytes are reserved for replies, and how many may be.
    pub fn reply_memory_bytes(&self) -> (usize, usize) {
        self.memory.used_and_total()
    }

    /// Sends a request, follows its redirects, and returns the head of the reply.
    async fn send_and_follow(
        &self,
        request: &HttpRequest,
        draft: &CheckedRequest,
    ) -> Result<(Response, Hop), HttpError> {
        let mut hop = draft.first_hop(request)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_hop(draft, &hop).await?;
            let next = if draft.is_safe() { redirect_of(&response, &hop.url) } else { None };
            match next {
                Some(url) => hop = self.next_hop(request, draft, hop, url)?,
                None => {
                    if response.status() == StatusCode::UNAUTHORIZED {
                        draft.credentials.forget_token(&self.tokens);
                    }
                    return Ok((response, hop));
                }
            }
        }
        Err(HttpError::Reply(format!("`{}` redirected more than {MAX_REDIRECTS} times", draft.target.host)))
    }

    /// Checks a request, sends it, and returns the head of the reply, with errors masked.
    async fn open_reply(&self, request: &HttpRequest, draft: &CheckedRequest) -> Result<(Response, Hop), HttpError> {
        let mut sending = std::pin::pin!(self.send_and_follow(request, draft));
        let mut deadline = draft.started + request.timeout;
        let sent = loop {
            if let Ok(sent) = tokio::time::timeout_at(deadline, &mut sending).await {
                break sent;
            }
            let later = draft.deadline(request);
            if later <= deadline {
                let (host, seconds) = (&draft.target.host, request.timeout.as_secs_f64());
                break Err(HttpError::Unknown(format!("`{host}` did not answer within {seconds} s")));
            }
            deadline = later;
        };
        sent.map_err(|error| mask_error(error, &draft.filling.masker))
    }

    /// Sends a request as [`HttpClient::send`] does; `masked` are further names and values to mask in the reply.
    fn send_masked<'a>(
        &'a self,
        request: &'a HttpRequest,
        masked: Vec<(String, String)>,
    ) -> Pin<Box<dyn Future<Output = Result<HttpReply, HttpError>> + Send + 'a>> {
        Box::pin(self.exchange(request, masked, None))
    }

    async fn exchange(
        &self,
        request: &HttpRequest,
        masked: Vec<(String, String)>,
        filter: Option<&mut dyn BodyFilter>,
    ) -> Result<HttpReply, HttpError> {
        let draft = CheckedRequest::from_request(request, self, masked).await?;
        let (response, hop) = self.open_reply(request, &draft).await?;
        let deadline = draft.deadline(request);
        let reply = self.read(response, request, &draft, &hop, deadline, filter).await;
        reply.map_err(|error| mask_error(error, &draft.filling.masker))
    }

    async fn send_hop(&self, draft: &CheckedRequest, hop: &Hop) -> Result<Response, HttpError> {
        let mut headers = hop.headers.clone();
        if let Some(signing) = draft.credentials.signing.as_ref().filter(|_| hop.origin == draft.origin) {
            signing.sign(draft.method.as_str(), &hop.url, &mut headers, &draft.payload_hash, SystemTime::now())?;
        }
        let mut outgoing = self.client.request(draft.method.clone(), hop.url.clone()).headers(headers);
        let fault = BodyFault::default();
        if let Some(RequestStream { size, bytes }) = draft.take_stream() {
            outgoing = outgoing.body(Body::wrap_stream(draft.progress.watch(fault.watch(bytes))));
            if let Some(size) = size {
                outgoing = outgoing.header(CONTENT_LENGTH, size);
            }
        } else if let Some(body) = &draft.body {
            outgoing = match body.whole_bytes() {
                Some(bytes) => outgoing.body(bytes),
                None => outgoing.body(Body::wrap_stream(draft.progress.watch(body.open(&fault)))),
            };
            // A stream has no length of its own.
            if let Some(size) = body.size_bytes() {
                outgoing = outgoing.header(CONTENT_LENGTH, size);
            }
        }
        let port = hop.target.port;
        let sent = PORT.scope(port, outgoing.send()).await;
        sent.map_err(|error| match fault.take() {
            // An incomplete request is no request: the provider cannot act on it.
            Some(reason) => HttpError::Connect(format!("the request was not sent to its end: {reason}")),
            None => failure::classify_error(error, &hop.target.host, draft.is_safe()),
        })
    }

    /// Builds the request that follows a redirect; credentials are removed unless they may be sent to the new host.
    fn next_hop(&self, request: &HttpRequest, draft: &CheckedRequest, last: Hop, url: Url) -> Result<Hop, HttpError> {
        let refused = |reason| HttpError::Refused(format!("a redirect was not followed: {reason}"));
        if let Some(name) = draft.filling.masker.find_secret(url.as_str()) {
            return Err(refused(format!("its URL contains the value of the secret `{name}`")));
        }
        self.policy.check_url(&url).map_err(refused)?;
        let target = Target::from_url(&url).map_err(refused)?;
        let origin = origin_of(&url).map_err(refused)?;
        let mut headers = last.headers;
        if origin != last.origin {
            for (name, _) in &draft.credentials.headers {
                headers.remove(name);
            }
            let safe = url.scheme() == "https" || last.url.scheme() == "http";
            for (name, value) in &request.headers {
                let secret = draft.filling.has_marker(value);
                let may_go = safe && secret && draft.filling.permits_text(value, &origin, &request.credential_origins);
                if (secret || CREDENTIAL_HEADERS.contains(&name.to_ascii_lowercase().as_str())) && !may_go {
                    headers.remove(name.as_str());
                }
            }
        }
        Ok(Hop { url, target, origin, headers, redirected: true })
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
        self.exchange(request, Vec::new(), None).await
    }

    async fn send_filtered(&self, request: &HttpRequest, filter: &mut dyn BodyFilter) -> Result<HttpReply, HttpError> {
        self.exchange(request, Vec::new(), Some(filter)).await
    }

    async fn open_stream(&self, request: &HttpRequest) -> Result<HttpStream, HttpError> {
        self.open_exchange(request, None).await
    }

    async fn open_exchange(&self, request: &HttpRequest, body: Option<RequestStream>) -> Result<HttpStream, HttpError> {
        let mut draft = CheckedRequest::from_request(request, self, Vec::new()).await?;
        draft.set_stream(body)?;
        let (response, hop) = self.open_reply(request, &draft).await?;
        Ok(reply::stream_reply(response, request, &draft, &hop))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Http")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A request that passed all checks, with its secrets.
struct CheckedRequest {
    method: Method,
    target: Target,
    origin: Origin,
    /// The URL without secrets.
    url: Url,
    filling: Filling,
    credentials: Credentials,
    /// Hash of the body, if the request is signed; else empty.
    payload_hash: String,
    resolved: Resolved,
    /// The body, which is taken out of `resolved`.
    body: Option<OutgoingBody>,
    /// A body that replaces it and can be sent once.
    stream: Mutex<Option<RequestStream>>,
    /// When the request was begun.
    started: Instant,
    /// When the last part of the body was sent.
    progress: SendingProgress,
}

/// One request as it is sent: the first one, or one that follows a redirect.
struct Hop {
    url: Url,
    target: Target,
    origin: Origin,
    headers: HeaderMap,
    redirected: bool,
}

impl CheckedRequest {
    /// Checks a request, and looks up its secrets. `masked` are further names and values to mask in the reply.
    async fn from_request(
        request: &HttpRequest,
        http: &Http,
        masked: Vec<(String, String)>,
    ) -> Result<Self, HttpError> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| HttpError::Refused(format!("`{}` is not an HTTP method", request.method)))?;
        if matches!(method, Method::CONNECT | Method::TRACE) {
            // The one opens a tunnel, the other asks for the credentials back.
            return Err(HttpError::Refused(format!("the method {method} is not allowed")));
        }
        let url = parse(&request.url)?;
        http.policy.check_url(&url).map_err(HttpError::Refused)?;
        let target = Target::from_url(&url).map_err(HttpError::Refused)?;
        let origin = origin_of(&url).map_err(HttpError::Refused)?;
        let mut credentials = Credentials::prepare(request, &origin, http).await?;
        credentials.masked.extend(masked);
        let filling =
            Filling::look_up_secrets(request, &origin, http.secrets.as_ref(), &http.maskers, &credentials.masked)
                .await?;
        let mut resolved = filling.fill_request(request)?;
        let body = match resolved.body.take() {
            Some(segments) => Some(OutgoingBody::check(segments, http.artifacts.as_ref()).await?),
            None => None,
        };
        let payload_hash = match &credentials.signing {
            Some(signing) => request_body::hash_body(body.as_ref(), signing.allows_unsigned_payload()).await?,
            None => String::new(),
        };
        Ok(Self {
            method,
            target,
            origin,
            url,
            filling,
            credentials,
            payload_hash,
            resolved,
            body,
            stream: Mutex::new(None),
            started: Instant::now(),
            progress: SendingProgress::default(),
        })
    }

    /// Replaces the body by one that can be sent once.
    fn set_stream(&mut self, stream: Option<RequestStream>) -> Result<(), HttpError> {
        if let (Some(_), Some(signing)) = (&stream, &self.credentials.signing) {
            if !signing.allows_unsigned_payload() {
                let message = "a body that is sent while it is read cannot be signed for this service";
                return Err(HttpError::Refused(message.to_owned()));
            }
            UNSIGNED_PAYLOAD.clone_into(&mut self.payload_hash);
        }
        self.stream = Mutex::new(stream);
        Ok(())
    }

    /// Takes the body that can be sent once.
    fn take_stream(&self) -> Option<RequestStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the end of the request's time limit, as of what has been sent.
    fn deadline(&self, request: &HttpRequest) -> Instant {
        let size = self.body.as_ref().and_then(OutgoingBody::size_bytes);
        self.progress.deadline(self.started, request.timeout, size)
    }

    /// Returns whether the method is safe (RFC 9110 §9.2.1), so that the request may be repeated at another location.
    fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Returns the URL with secrets written in.
    fn url_with_secrets(&self, request: &HttpRequest) -> Result<Url, HttpError> {
        let url = parse(&self.resolved.url)?;
        // A secret that changes the host would send the request to one that was not checked.
        if Target::from_url(&url).as_ref() != Ok(&self.target) || origin_of(&url).as_ref() != Ok(&self.origin) {
            let shown = template::display_url(request);
            return Err(HttpError::Secret(format!("a secret is not allowed in the host of a URL: `{shown}`")));
        }
        Ok(url)
    }

    /// Builds the first request, with secrets written in.
    fn first_hop(&self, request: &HttpRequest) -> Result<Hop, HttpError> {
        let url = if self.resolved.url == request.url { self.url.clone() } else { self.url_with_secrets(request)? };
        let mut headers = HeaderMap::new();
        for ((name, draft), (_, value)) in request.headers.iter().zip(&self.resolved.headers) {
            let (name, value) = build_header(name, value, self.filling.has_marker(draft))?;
            headers.append(name, value);
        }
        for (name, value) in &self.credentials.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(Hop { url, target: self.target.clone(), origin: self.origin.clone(), headers, redirected: false })
    }
}

fn build_header(name: &str, value: &str, secret: bool) -> Result<(HeaderName, HeaderValue), HttpError> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| HttpError::Refused(format!("`{name}` is not a header name")))?;
    if OWN_HEADERS.contains(&parsed.as_str()) {
        return Err(HttpError::Refused(format!("header `{name}` is set by the HTTP client: remove it")));
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        HttpError::Refused(format!("the value of header `{name}` contains a character that is not allowed in a header"))
    })?;
    value.set_sensitive(secret);
    Ok((parsed, value))
}

fn parse(url: &str) -> Result<Url, HttpError> {
    Url::parse(url).map_err(|error| HttpError::Refused(format!("not an absolute URL: {error}")))
}

fn origin_of(url: &Url) -> Result<Origin, String> {
    Origin::of_url(url.as_str()).ok_or_else(|| "the URL has no valid host".to_owned())
}

/// Returns the location that a reply redirects to, if any.
fn redirect_of(response: &Response, from: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

fn mask_error(error: HttpError, masker: &Masker) -> HttpError {
    match error {
        HttpError::Refused(text) => HttpError::Refused(masker.mask_text(text)),
        HttpError::Secret(text) => HttpError::Secret(masker.mask_text(text)),
        HttpError::Connect(text) => HttpError::Connect(masker.mask_text(text)),
        HttpError::Unknown(text) => HttpError::Unknown(masker.mask_text(text)),
        HttpError::Reply(text) => HttpError::Reply(masker.mask_text(text)),
        HttpError::TooLarge(text) => HttpError::TooLarge(masker.mask_text(text)),
    }
}
