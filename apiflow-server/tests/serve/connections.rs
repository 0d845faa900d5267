//! Clients that keep the server waiting.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::server::{PATIENCE, Server};

/// Connects and sends the beginning of a request, or nothing.
fn half_open(server: &Server, beginning: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).expect("the system takes connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time is no fault");
    // One that made room for others is closed already.
    let _ = stream.write_all(beginning.as_bytes());
    stream
}

/// Holds connections open that never send a whole head.
fn hold_half_open(server: &Server, count: usize) -> Vec<TcpStream> {
    rlimit::increase_nofile_limit(4_096).expect("the limit of this test can be raised");
    let beginnings = ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n", "PRI * HT"];
    (0..count).map(|at| half_open(server, beginnings[at % beginnings.len()])).collect()
}

/// What the server says until it closes the connection; empty where it says nothing.
fn rest_of(mut stream: TcpStream) -> String {
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the server closes it"),
    }
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn half_open_connections_leave_room_for_others() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start_with_open_files(folder.path(), 1_024, &[]);
    let held = hold_half_open(&server, 1_100);
    for path in ["/healthz", "/readyz"] {
        let reply = server.ask("GET", path, "");
        assert!(reply.starts_with("HTTP/1.1 200"), "{path}: {reply}");
    }
    let login = server.ask("POST", "/api/v1/login", "{\"username\": \"admin\", \"password\": \"guess\"}");
    assert!(login.starts_with("HTTP/1.1 401"), "{login}");
    drop(held);
}

#[test]
fn a_server_without_descriptors_goes_on_accepting() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start_with_open_files(folder.path(), 128, &[("APIFLOW_MAX_CONNECTIONS", "1000")]);
    let held = hold_half_open(&server, 300);
    let reply = server.ask("GET", "/healthz", "");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    drop(held);
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[("APIFLOW_HEAD_TIMEOUT_S", "1")]);
    for beginning in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HT"] {
        let said = rest_of(half_open(&server, beginning));
        assert!(!said.starts_with("HTTP/1.1"), "{beginning:?}: {said}");
    }
    // The second head on a connection has the same time.
    let whole = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut stream = half_open(&server, whole);
    let mut first = [0; 1];
    stream.read_exact(&mut first).expect("the first request is answered");
    stream.write_all(b"GET /heal").expect("it is still open");
    let said = rest_of(stream);
    assert_eq!(said.matches("HTTP/1.1 200").count() + said.matches("TTP/1.1 200").count(), 1, "{said}");
}

#[test]
fn a_body_that_does_not_come_is_answered_with_408() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[("APIFLOW_BODY_TIMEOUT_S", "1")]);
    let head =
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{\"user";
    let said = rest_of(half_open(&server, head));
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains("\"code\":\"request_timeout\"") && said.contains("application/problem+json"), "{said}");
}

#[test]
fn a_reply_that_nobody_reads_ends_the_connection() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[("APIFLOW_BODY_TIMEOUT_S", "1")]);
    let requests = 400;
    let asked = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(requests);
    let mut stream = half_open(&server, &asked);
    // That it was closed shows where writing fails: nothing was read so far.
    let closed = std::time::Instant::now() + PATIENCE;
    while stream.write_all(b"\r\n").is_ok() {
        assert!(std::time::Instant::now() < closed, "the server does not close it");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let said = rest_of(stream);
    assert!(said.matches("HTTP/1.1 200").count() < requests, "not all fits into what the system keeps");
    assert!(server.ask("GET", "/healthz", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn half_open_connections_do_not_hold_the_end_up() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[("APIFLOW_HEAD_TIMEOUT_S", "3600")]);
    let held = hold_half_open(&server, 20);
    assert!(server.ask("GET", "/healthz", "").starts_with("HTTP/1.1 200"));
    server.signal("TERM");
    assert!(server.end().0, "it ends well");
    for stream in held {
        assert_eq!(rest_of(stream), "");
    }
}

#[tokio::test]
async fn http2_is_answered_too() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[]);
    // Whoever comes first chooses; that there is one already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client can be made");
    let url = format!("http://{}", server.address);
    let reply = client.get(format!("{url}/healthz")).send().await.expect("it is answered");
    assert_eq!((reply.version(), reply.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    let body = "{\"username\": \"admin\", \"password\": \"guess\"}";
    let login = client.post(format!("{url}/api/v1/login")).header("content-type", "application/json").body(body);
    assert_eq!(login.send().await.expect("it is answered").status().as_u16(), 401);
}
