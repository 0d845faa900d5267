//! The client with real servers on the loopback interface.

mod auth;
mod fate;
mod media;
mod memory;
mod refusals;
mod secrets;
mod streams;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::dns_resolver::Lookup;
use super::{Http, HttpLimits, OutgoingPolicy};
use crate::ports::HttpClient as _;
use crate::ports::{HttpError, HttpReply, HttpRequest, RequestBody, SecretPlace, SecretUse};
use crate::runtime::secrets::StaticSecrets;

/// What a server does after it has read a request.
enum Answer {
    /// Writes this and reads the next request.
    Write(String),
    /// Closes the connection.
    Close,
    /// Writes this and then nothing more, with the connection open.
    Hang(String),
}

fn ok(body: &str) -> Answer {
    Answer::Write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

fn redirect(status: u16, location: &str) -> Answer {
    Answer::Write(format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))
}

/// A server that answers as instructed and records every byte.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let server = Self { port, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, Arc::clone(&answer), Arc::clone(&requests)));
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no holder of the list panics").clone()
    }

    /// Returns the number of connections so far. Connections are accepted in order, so that once one of the test's own
    /// is answered, no earlier one is still outstanding.
    async fn connections(&self) -> usize {
        let mut probe = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the server accepts");
        probe.write_all(b"GET /probe HTTP/1.1\r\n\r\n").await.expect("the server reads");
        let mut byte = [0];
        // A server that closes or does not answer has accepted the connection, too: its reading is what the probe waits
        // for.
        let _ = tokio::time::timeout(Duration::from_millis(300), probe.read(&mut byte)).await;
        self.connections.load(Ordering::SeqCst) - 1
    }
}

async fn converse<F: Fn(&str) -> Answer>(mut stream: TcpStream, answer: Arc<F>, requests: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        let next = answer(&request);
        requests.lock().expect("no holder of the list panics").push(request);
        match next {
            Answer::Write(text) => stream.write_all(text.as_bytes()).await.unwrap_or_default(),
            Answer::Close => return,
            Answer::Hang(text) => {
                stream.write_all(text.as_bytes()).await.unwrap_or_default();
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length is a number")) {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
        }
    }
}

const LIMITS: HttpLimits =
    HttpLimits { max_reply_bytes: 1_000, max_memory_bytes: 1 << 20, connect_timeout: Duration::from_secs(2) };

/// Creates a client that may reach what `allowed` lists and resolves names by `names`.
fn client(allowed: &str, names: &'static [(&'static str, &'static str)], secrets: StaticSecrets) -> Http {
    client_within(allowed, names, secrets, LIMITS)
}

fn client_within(
    allowed: &str,
    names: &'static [(&'static str, &'static str)],
    secrets: StaticSecrets,
    limits: HttpLimits,
) -> Http {
    let lookup: Lookup = Arc::new(move |name| {
        let found: Vec<_> = names.iter().filter(|entry| entry.0 == name.trim_end_matches('.')).collect();
        let found = found.iter().map(|entry| entry.1.parse().expect("the table holds addresses")).collect();
        Box::pin(async move { Ok(found) })
    });
    let policy = OutgoingPolicy::parse(allowed).expect("the list is well formed");
    Http::with_lookup(policy, Arc::new(secrets), limits, lookup).expect("this system has root certificates")
}

/// Creates a client that may reach the loopback interface.
fn local() -> Http {
    client("127.0.0.0/8", &[], StaticSecrets::new())
}

fn request(method: &str, url: &str) -> HttpRequest {
    HttpRequest::new(method, url, Duration::from_secs(5))
}

async fn send(http: &Http, request: &HttpRequest) -> Result<HttpReply, HttpError> {
    http.send(request).await
}
