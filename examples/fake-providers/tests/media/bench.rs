//! Running stand-ins and a client to call them with.

use std::time::{Duration, Instant};

use fake_providers::{Behaviour, MediaProviders, Provider, Switches};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// Maximum time that a test waits for an event.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Running stand-ins and a client.
pub(crate) struct Bench {
    pub(crate) providers: MediaProviders,
    pub(crate) provider: Provider,
    pub(crate) http: reqwest::Client,
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The body; null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Returns a header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("the stand-in sends ASCII"))
    }
}

impl Bench {
    /// Starts stand-ins whose `provider` has the default switches with `patch` applied.
    pub(crate) async fn start(provider: Provider, patch: Value) -> Self {
        // Fails only if another test of this process has done it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(LIMIT).build().expect("a plain client can be built");
        let providers = MediaProviders::start(Behaviour::default()).await.expect("a free port can be bound");
        let bench = Self { providers, provider, http };
        bench.patch(patch);
        bench
    }

    /// Changes switches.
    pub(crate) fn patch(&self, patch: Value) {
        self.providers.adjust(self.provider, |switches: &mut Switches| {
            *switches = switches.merge_patch(&patch).expect("the test's patch is in order");
        });
    }

    /// Builds a call of a path below the provider's base URL, or of a URL, with a key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.providers.base_url(self.provider);
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{base}{path}") };
        let request = self.http.request(method, url);
        match self.provider {
            Provider::Fal => request.header("authorization", "Key id:secret"),
            Provider::OpenAi | Provider::Stability => request.bearer_auth("sk-test"),
            Provider::ElevenLabs => request.header("xi-api-key", "test"),
            Provider::BlackForestLabs => request.header("x-key", "test"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        receive(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        receive(self.request(Method::POST, path).json(&body)).await
    }

    /// Reads a link without a key.
    pub(crate) async fn read_file(&self, url: &Value) -> Reply {
        receive(self.http.get(url.as_str().expect("a link is a text"))).await
    }

    /// Calls a path until its JSON satisfies `test`.
    pub(crate) async fn read_until(&self, url: &Value, test: impl Fn(&Value) -> bool) -> Value {
        let url = url.as_str().expect("a link is a text");
        let start = Instant::now();
        loop {
            let object = self.get(url).await.json();
            if test(&object) {
                return object;
            }
            assert!(start.elapsed() < LIMIT, "it never got there: {object}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Sends a call and reads the whole reply.
pub(crate) async fn receive(request: RequestBuilder) -> Reply {
    let response = request.send().await.expect("the stand-in answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.expect("the body is whole").to_vec() }
}

/// Whether bytes are a PNG file.
pub(crate) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.windows(4).any(|window| window == b"IEND")
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Accepts one HTTP request and answers it with 200; returns its head and body.
pub(crate) async fn receive_webhook(listener: &tokio::net::TcpListener) -> (String, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut stream, _) = listener.accept().await.expect("the webhook arrives");
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.expect("the webhook can be read");
        bytes.extend_from_slice(&part[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let body = bytes[end + 4..].to_vec();
        if body.len() >= length.unwrap_or(0) {
            let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(reply).await.expect("the webhook can be answered");
            return (head, body);
        }
    }
}
