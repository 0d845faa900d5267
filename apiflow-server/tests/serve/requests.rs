//! Requests that are built to be read in two ways, byte by byte: what this server makes of them, and what reaches a provider.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;

/// The credential that a provider gets, and nobody else.
const KEY: &str = "canary-of-the-provider";
/// How long a reply may take, and how long a closed connection may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to become of a request.
#[derive(Clone, Copy)]
enum Fate {
    /// It is answered with 4xx, or its connection is closed; no provider sees anything.
    Refused,
    /// It is answered here, whatever it names; no provider sees anything.
    Kept,
    /// It is passed on once: the provider gets exactly this request line, and this body.
    Passed(&'static str, &'static str),
    /// It is passed on as two requests, each with its own credentials.
    PassedTwice,
}
use Fate::{Kept, Passed, PassedTwice, Refused};

const PLAIN: &str = "POST /base/x HTTP/1.1";

/// Name, request, fate. `{auth}` stands for the caller's credentials and the header `Host`, `~` for the path of the proxy.
const REQUESTS: &[(&str, &str, Fate)] = &[
    ("a plain request", "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 5\r\n\r\nhello", Passed(PLAIN, "hello")),
    (
        "a chunked request with an extension and a trailer",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-Key: evil\r\n\r\n",
        Passed(PLAIN, "hello"),
    ),
    (
        "a length before an encoding",
        "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Passed(PLAIN, "hello"),
    ),
    (
        "an encoding before a length",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Passed(PLAIN, "hello"),
    ),
    ("two lengths", "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", Refused),
    ("a list of lengths", "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 5, 6\r\n\r\nhello!", Refused),
    ("a length with a sign", "POST ~/x HTTP/1.1\r\n{auth}Content-Length: +5\r\n\r\nhello", Refused),
    ("a negative length", "POST ~/x HTTP/1.1\r\n{auth}Content-Length: -5\r\n\r\nhello", Refused),
    ("a hexadecimal length", "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 0x5\r\n\r\nhello", Refused),
    ("no length", "POST ~/x HTTP/1.1\r\n{auth}Content-Length:\r\n\r\nhello", Refused),
    (
        "a length beyond 64 bits",
        "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 18446744073709551621\r\n\r\nhello",
        Refused,
    ),
    (
        "an unknown encoding",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunked, but not last",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a space before the colon of the encoding",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello",
        Refused,
    ),
    (
        "a vertical tab in the encoding",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n\r\nhello",
        Refused,
    ),
    (
        "an encoding on a folded line",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "an encoding of HTTP/1.0",
        "POST ~/x HTTP/1.0\r\n{auth}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk larger than 64 bits",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n1000000000000000a\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk with a prefix",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk with a sign",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk longer than its size",
        "POST ~/x HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        Refused,
    ),
    ("a folded header", "GET ~/x HTTP/1.1\r\n{auth}X-A: b\r\n c: d\r\n\r\n", Refused),
    ("a header before any", "GET ~/x HTTP/1.1\r\n X-A: b\r\n{auth}\r\n", Refused),
    ("NUL in a value", "GET ~/x HTTP/1.1\r\n{auth}X-A: b\0c\r\n\r\n", Refused),
    ("NUL in a name", "GET ~/x HTTP/1.1\r\n{auth}X\0A: b\r\n\r\n", Refused),
    ("a carriage return in a value", "GET ~/x HTTP/1.1\r\n{auth}X-A: b\rX-Key: evil\r\n\r\n", Refused),
    ("a space in a name", "GET ~/x HTTP/1.1\r\n{auth}X A: b\r\n\r\n", Refused),
    ("no name", "GET ~/x HTTP/1.1\r\n{auth}: b\r\n\r\n", Refused),
    ("no colon", "GET ~/x HTTP/1.1\r\n{auth}X-A\r\n\r\n", Refused),
    ("two hosts", "GET ~/x HTTP/1.1\r\n{auth}Host: evil.example\r\n\r\n", Refused),
    ("NUL in the target", "GET ~/x\0 HTTP/1.1\r\n{auth}\r\n", Refused),
    ("an encoded line break in the target", "GET ~/x%0d%0aX-Key:%20evil HTTP/1.1\r\n{auth}\r\n", Refused),
    ("an encoded line break in the query", "GET ~/x?a=%0d%0aX-Key:%20evil HTTP/1.1\r\n{auth}\r\n", Refused),
    ("a space in the target", "GET ~/x HTTP/1.1\r\nX-A: HTTP/1.1\r\n{auth}Content-Length: x\r\n\r\n", Refused),
    ("another version", "GET ~/x HTTP/3.7\r\n{auth}\r\n", Refused),
    ("no version", "GET ~/x\r\n\r\n", Refused),
    ("a method that is none", "G\x01T ~/x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("an absolute target elsewhere", "GET http://169.254.169.254/latest HTTP/1.1\r\n{auth}\r\n", Kept),
    ("an absolute target with another scheme", "GET gopher://127.0.0.1/x HTTP/1.1\r\n{auth}\r\n", Kept),
    ("a tunnel", "CONNECT 169.254.169.254:80 HTTP/1.1\r\n{auth}\r\n", Refused),
    ("a tunnel through the proxy", "CONNECT ~/x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("a request for its own headers", "TRACE ~/x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("an asterisk", "OPTIONS * HTTP/1.1\r\n{auth}\r\n", Refused),
    ("a path out of the base", "GET ~/../x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("an encoded path out of the base", "GET ~/%2e%2e/x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("a doubly encoded path out of the base", "GET ~/a/%252e%252e/%252e%252e/x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("backslashes out of the base", "GET ~/a\\..\\..\\x HTTP/1.1\r\n{auth}\r\n", Refused),
    ("an overlong encoding", "GET ~/%c0%ae%c0%ae/x HTTP/1.1\r\n{auth}\r\n", Refused),
    (
        "an absolute target of the proxy",
        "GET http://evil.example~/x HTTP/1.1\r\n{auth}\r\n",
        Passed("GET /base/x HTTP/1.1", ""),
    ),
    (
        "an address as the path",
        "GET ~/http://evil.example/ HTTP/1.1\r\n{auth}\r\n",
        Passed("GET /base/http://evil.example/ HTTP/1.1", ""),
    ),
    ("two slashes", "GET ~//evil.example/ HTTP/1.1\r\n{auth}\r\n", Passed("GET /base/evil.example/ HTTP/1.1", "")),
    (
        "user info in the path",
        "GET ~/@evil.example/ HTTP/1.1\r\n{auth}\r\n",
        Passed("GET /base/@evil.example/ HTTP/1.1", ""),
    ),
    (
        "the provider's credential, as a header of the connection",
        "GET ~/x HTTP/1.1\r\n{auth}Connection: X-Key, Host\r\n\r\n",
        Passed("GET /base/x HTTP/1.1", ""),
    ),
    (
        "another credential",
        "GET ~/x HTTP/1.1\r\n{auth}X-Key: evil\r\nx-key: evil\r\n\r\n",
        Passed("GET /base/x HTTP/1.1", ""),
    ),
    (
        "an upgrade",
        "GET ~/x HTTP/1.1\r\n{auth}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        Passed("GET /base/x HTTP/1.1", ""),
    ),
    (
        "two requests at once",
        "POST ~/x HTTP/1.1\r\n{auth}Content-Length: 5\r\n\r\nhelloPOST ~/x HTTP/1.1\r\n{auth}Content-Length: 5\r\n\r\nhello",
        PassedTwice,
    ),
];

/// Headers that may reach the provider, in lower case.
const FORWARDED: [&str; 8] =
    ["x-key", "host", "user-agent", "accept", "content-length", "transfer-encoding", "content-type", "accept-encoding"];

/// A provider that records every byte of each connection, and answers once on each.
struct Provider {
    port: u16,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    /// Number of connections that have not ended.
    open: usize,
    /// The bytes of each connection that has ended.
    requests: Vec<Vec<u8>>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let received = Arc::<Mutex<Received>>::default();
        let all = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                all.lock().expect("no thread panics").open += 1;
                let all = Arc::clone(&all);
                thread::spawn(move || {
                    let bytes = receive_request(stream);
                    let mut all = all.lock().expect("no thread panics");
                    all.open -= 1;
                    all.requests.push(bytes);
                });
            }
        });
        Self { port, received }
    }

    /// Returns what was received, when so many connections have ended and none is open.
    fn take_requests(&self, count: usize) -> Vec<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            {
                let mut all = self.received.lock().expect("no thread panics");
                if all.open == 0 && all.requests.len() >= count || Instant::now() > deadline {
                    return std::mem::take(&mut all.requests);
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn receive_request(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    while !is_complete(&bytes) {
        match stream.read(&mut block) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&block[..count]),
        }
    }
    let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    // What follows on the same connection belongs to no request.
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a time is no fault");
    while let Ok(count) = stream.read(&mut block) {
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&block[..count]);
    }
    bytes
}

/// Splits a request into its lines and its body.
fn split_request(bytes: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    Some((head.split("\r\n").map(str::to_owned).collect(), &bytes[end + 4..]))
}

fn header_of(lines: &[String], name: &str) -> Vec<String> {
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
    headers.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
}

fn is_complete(bytes: &[u8]) -> bool {
    let Some((lines, body)) = split_request(bytes) else { return false };
    let length = header_of(&lines, "content-length").first().map_or(0, |length| length.parse().expect("a length"));
    if header_of(&lines, "transfer-encoding").is_empty() { body.len() >= length } else { body.ends_with(b"0\r\n\r\n") }
}

/// Checks what reached the provider: a single request, framed once, with our credential, and with nothing of the caller's.
fn check_received(name: &str, bytes: &[u8], line: &str, body: &str) {
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let (lines, found) = split_request(bytes).unwrap_or_else(|| panic!("{name}: {shown:?}"));
    assert_eq!(lines[0], line, "{name}");
    assert_eq!(header_of(&lines, "x-key"), [KEY], "{name}: {shown:?}");
    assert_eq!(header_of(&lines, "host").len(), 1, "{name}: {shown:?}");
    for line in &lines[1..] {
        let header = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        assert!(FORWARDED.contains(&header.as_str()), "{name}: {line:?} reached the provider");
    }
    let (lengths, encodings) = (header_of(&lines, "content-length"), header_of(&lines, "transfer-encoding"));
    assert!(lengths.len() + encodings.len() <= 1, "{name}: framed twice: {shown:?}");
    let expected = match (lengths.first(), encodings.first()) {
        (Some(length), None) => {
            assert_eq!(*length, body.len().to_string(), "{name}");
            body.to_owned()
        }
        (None, Some(_)) => format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
        _ => String::new(),
    };
    let joined = if encodings.is_empty() { found.to_vec() } else { join_chunks(found) };
    assert_eq!(String::from_utf8_lossy(&joined), expected, "{name}: {shown:?}");
}

/// Writes a chunked body as one chunk.
fn join_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n").expect("a chunk has a size");
        let size =
            usize::from_str_radix(std::str::from_utf8(&body[..end]).expect("a size is text"), 16).expect("a size");
        if size == 0 {
            let rest = &body[end + 2..];
            return [format!("{:x}\r\n", content.len()).as_bytes(), &content, b"\r\n0\r\n", rest].concat();
        }
        content.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

/// Sends bytes, and returns everything that is answered until the end of `replies` replies, or of the connection.
fn send_bytes(server: &Server, request: &[u8], replies: usize) -> String {
    let mut stream = TcpStream::connect(&server.address).expect("the server takes connections");
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a time is no fault");
    // A server that refuses the beginning may have closed already.
    let _sent = stream.write_all(request);
    let deadline = Instant::now() + PATIENCE;
    let (mut text, mut block) = (String::new(), [0; 4096]);
    while Instant::now() < deadline {
        match stream.read(&mut block) {
            Ok(0) => break,
            Ok(count) => text.push_str(&String::from_utf8_lossy(&block[..count])),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if text.matches("HTTP/1.1 ").count() >= replies {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    text
}

fn send_json(server: &Server, token: &str, method: &str, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let reply = send_bytes(server, request.as_bytes(), 1);
    assert!(reply.starts_with("HTTP/1.1 2"), "{path}: {reply}");
    reply
}

#[test]
fn ambiguous_requests_are_refused_or_passed_on_in_one_reading() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let allowed = format!("127.0.0.1:{}", provider.port);
    let server =
        Server::start(folder.path(), &[("ADMIN_PASSWORD", "correct horse"), ("APIFLOW_ALLOW_HOSTS", &allowed)]);
    let login = server.ask("POST", "/api/v1/login", "{\"username\": \"admin\", \"password\": \"correct horse\"}");
    let token = login.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    send_json(&server, token, "PUT", "/secrets/KEY", &json!({"value": KEY}));
    let connector = json!({"id": "raw", "name": "Raw", "base_url": format!("http://{allowed}/base"),
        "header": {"x-key": "$KEY"}});
    send_json(&server, token, "POST", "/connectors", &connector);
    let auth = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", server.address);
    for (name, request, fate) in REQUESTS {
        let request = request.replace("{auth}", &auth).replace('~', "/api/v1/proxy/raw");
        let replies = if matches!(fate, PassedTwice) { 2 } else { 1 };
        let reply = send_bytes(&server, request.as_bytes(), replies);
        let received = provider.take_requests(if matches!(fate, Refused | Kept) { 0 } else { replies });
        assert!(!reply.contains(KEY), "{name}: {reply}");
        let expected: &[(&str, &str)] = match fate {
            Refused => {
                let is_refused = reply.is_empty() || reply.starts_with("HTTP/1.1 4");
                assert!(is_refused || reply.contains("body could not be read"), "{name}: {reply}");
                // A body whose end can't be found may have begun to be sent: never with a proper end.
                let complete = received.iter().filter(|bytes| is_complete(bytes)).count();
                assert_eq!(complete, 0, "{name}: {received:?} {reply}");
                &[]
            }
            Kept => {
                assert!(reply.starts_with("HTTP/1.1 ") && received.is_empty(), "{name}: {reply}");
                &[]
            }
            Passed(line, body) => &[(*line, *body)],
            PassedTwice => &[(PLAIN, "hello"), (PLAIN, "hello")],
        };
        if !expected.is_empty() {
            assert_eq!(received.len(), expected.len(), "{name}: {reply}");
            assert_eq!(reply.matches("HTTP/1.1 200").count(), expected.len(), "{name}: {reply}");
        }
        for (bytes, (line, body)) in received.iter().zip(expected) {
            check_received(name, bytes, line, body);
        }
    }
}
