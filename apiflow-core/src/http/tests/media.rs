//! Files in requests: what really arrives at a server.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::{Server, local, ok, request, send};
use crate::artifact::Artifact;
use crate::http::{BodyFault, OutgoingBody};
use crate::ports::{
    ArtifactError, ArtifactReader, Artifacts, ByteStream, HttpError, HttpRequest, MediaForm, MediaUse, NewArtifact,
    PartContent, RequestBody, RequestPart, SecretPlace, SentArtifact, SentMedia,
};
use crate::template::resolve_secrets;

/// An artifact whose byte at each position is known, in parts of odd sizes; it is never in memory as a whole.
struct Generated {
    size: u64,
    /// How many bytes can be read before reading fails.
    readable: u64,
    produced: Arc<AtomicU64>,
}

impl Generated {
    fn new(size: u64) -> Self {
        Self { size, readable: u64::MAX, produced: Arc::default() }
    }

    fn artifact(&self) -> Artifact {
        Artifact {
            id: "a1".to_owned(),
            url: "https://us.example/a1".to_owned(),
            mime: "image/png".to_owned(),
            size_bytes: self.size,
            sha256: "0".repeat(64),
            name: Some("hat \"1\".png".to_owned()),
            width: None,
            height: None,
            duration_s: None,
        }
    }
}

fn byte_at(position: u64) -> u8 {
    (position.wrapping_mul(31) >> 3) as u8
}

fn content(size: u64) -> Vec<u8> {
    (0..size).map(byte_at).collect()
}

#[async_trait]
impl Artifacts for Generated {
    async fn put(&self, _: NewArtifact, _: ByteStream) -> Result<Artifact, ArtifactError> {
        unreachable!("nothing is stored here")
    }

    async fn get(&self, _: &str, _: Option<Range<u64>>) -> Result<ArtifactReader, ArtifactError> {
        let (size, readable, produced) = (self.size, self.readable, Arc::clone(&self.produced));
        let bytes = stream::unfold(0_u64, move |at| {
            let produced = Arc::clone(&produced);
            async move {
                if at >= readable {
                    return Some((Err(HttpError::Connect("the disk is gone".to_owned())), size));
                }
                let end = (at + 65_537).min(size);
                produced.store(end, Ordering::SeqCst);
                (at < end).then(|| (Ok((at..end).map(byte_at).collect::<Bytes>()), end))
            }
        });
        Ok(ArtifactReader { artifact: self.artifact(), range: 0..size, bytes: Box::pin(bytes) })
    }

    async fn stat(&self, id: &str) -> Result<Option<Artifact>, ArtifactError> {
        Ok((id == "a1").then(|| self.artifact()))
    }

    async fn delete(&self, _: &str) -> Result<bool, ArtifactError> {
        Ok(false)
    }

    fn public_url(&self, _: &str, _: Duration) -> Option<String> {
        None
    }
}

/// A server that receives one request and keeps its body as bytes.
async fn receive_one() -> (u16, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        let (head, mut body) = read_head(&mut stream).await;
        let size = content_length(&head).expect("the length is known");
        let mut buffer = vec![0; 64 * 1024];
        while (body.len() as u64) < size {
            let count = stream.read(&mut buffer).await.expect("the body arrives");
            assert_ne!(count, 0, "the body is complete");
            body.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("the client reads");
        (head, body)
    });
    (port, received)
}

#[tokio::test]
async fn the_time_limit_does_not_run_out_while_a_file_is_sent() {
    const SIZE: u64 = 100 * 1024 * 1024;
    let socket = TcpSocket::new_v4().expect("the system has sockets");
    socket.set_recv_buffer_size(64 * 1024).expect("the size is allowed");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("the loopback interface has a free port");
    let listener = socket.listen(1).expect("the port is free");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    let slow = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        let (_, body) = read_head(&mut stream).await;
        let mut received = body.len() as u64;
        let mut buffer = vec![0; 64 * 1024];
        while received < SIZE {
            received += stream.read(&mut buffer).await.expect("the body arrives") as u64;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("the client reads");
    });
    let generated = Generated::new(SIZE);
    let limit = Duration::from_millis(1_500);
    let sent = HttpRequest { timeout: limit, ..post(port, RequestBody::Media(artifact(&generated))) };
    let started = std::time::Instant::now();
    let reply = send(&local().with_artifacts(Arc::new(generated)), &sent).await.expect("bytes flow all the time");
    assert_eq!(reply.status, 200);
    assert!(started.elapsed() > limit, "the test is about a body that takes longer than the limit");
    slow.await.expect("the server ends");
}

/// Reads the head of a request, and what has arrived of its body.
async fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.expect("the head arrives");
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).expect("a head is text"), body);
        }
    }
}

fn content_length(head: &str) -> Option<u64> {
    let head = head.to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
}

fn artifact(artifacts: &Generated) -> SentMedia {
    SentMedia::Artifact(SentArtifact::from(&artifacts.artifact()))
}

fn inline() -> SentMedia {
    SentMedia::Inline { mime: "image/webp".to_owned(), base64: STANDARD.encode("inline \u{0}\r\n--x") }
}

fn post(port: u16, body: RequestBody) -> HttpRequest {
    HttpRequest { body, timeout: Duration::from_mins(1), ..request("POST", &format!("http://127.0.0.1:{port}/")) }
}

fn text_part(name: &str, content_type: Option<&str>, text: &str) -> RequestPart {
    RequestPart {
        name: name.to_owned(),
        file_name: None,
        content_type: content_type.map(str::to_owned),
        content: PartContent::Text(text.to_owned()),
    }
}

fn file_part(name: &str, media: SentMedia) -> RequestPart {
    RequestPart {
        name: name.to_owned(),
        file_name: Some(media.file_name()),
        content_type: Some(media.mime().to_owned()),
        content: PartContent::Media(media),
    }
}

/// Parses a multipart body: name, file name, type and content of each part.
async fn parse_multipart(head: &str, body: Vec<u8>) -> Vec<(String, Option<String>, Option<String>, Vec<u8>)> {
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).expect("it has a type");
    let boundary = multer::parse_boundary(content_type).expect("it is multipart");
    let mut multipart = multer::Multipart::new(stream::iter([Ok::<_, std::io::Error>(body)]), boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.expect("the part is sound") {
        let name = field.name().expect("a part has a name").to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(ToString::to_string);
        parts.push((name, file_name, content_type, field.bytes().await.expect("the part is whole").to_vec()));
    }
    parts
}

#[tokio::test]
async fn a_multipart_body_arrives_as_its_parts() {
    let generated = Generated::new(200_003);
    let parts = vec![
        text_part("prompt", None, "a \"hat\"\r\n--"),
        text_part("options", Some("application/json"), r#"{"n":1}"#),
        file_part("image[]", artifact(&generated)),
        file_part("image[]", inline()),
    ];
    let body = RequestBody::Multipart { boundary: "apiflowboundary1".to_owned(), parts };
    let (port, received) = receive_one().await;
    let mut sent = post(port, body);
    sent.headers.push(("Content-Type".to_owned(), "multipart/form-data; boundary=apiflowboundary1".to_owned()));
    send(&local().with_artifacts(Arc::new(generated)), &sent).await.expect("it answers");
    let (head, body) = received.await.expect("the server does not panic");
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        ("prompt".to_owned(), None, None, b"a \"hat\"\r\n--".to_vec()),
        ("options".to_owned(), None, text("application/json"), br#"{"n":1}"#.to_vec()),
        ("image[]".to_owned(), text("hat %221%22.png"), text("image/png"), content(200_003)),
        ("image[]".to_owned(), text("file.webp"), text("image/webp"), b"inline \0\r\n--x".to_vec()),
    ];
    let found = parse_multipart(&head, body).await;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((&found.0, &found.1, &found.2), (&expected.0, &expected.1, &expected.2));
    }
    assert!(found == expected, "the contents are equal");
}

#[tokio::test]
async fn base64_of_any_length_is_written_while_it_is_read() {
    for size in [0, 1, 2, 3, 65_536, 65_537, 65_538, 200_000] {
        for (form, prefix) in [(MediaForm::Base64, ""), (MediaForm::DataUri, "data:image/png;base64,")] {
            let generated = Generated::new(size);
            let (port, received) = receive_one().await;
            let mut sent = post(port, RequestBody::Text(r#"{"a":"MARK","b":["xMARKx"]}"#.to_owned()));
            let marker = "MARK".to_owned();
            let media = artifact(&generated);
            sent.media.push(MediaUse { marker, media, form, place: SecretPlace::Json });
            send(&local().with_artifacts(Arc::new(generated)), &sent).await.expect("it answers");
            let (_, body) = received.await.expect("the server does not panic");
            let json: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
            let encoded = format!("{prefix}{}", STANDARD.encode(content(size)));
            assert!(json["a"] == *encoded && json["b"][0] == *format!("x{encoded}x"), "{size} {prefix}");
        }
    }
}

#[tokio::test]
async fn a_large_file_is_sent_without_being_held_in_memory() {
    const SIZE: u64 = 100 * 1024 * 1024;
    const MAX_UNDER_WAY_BYTES: u64 = 8 * 1024 * 1024;
    for (form, wire_size) in [(None, SIZE), (Some(MediaForm::Base64), SIZE.div_ceil(3) * 4 + 2)] {
        let generated = Generated::new(SIZE);
        let produced = Arc::clone(&generated.produced);
        // The system buffers up to 32 MiB otherwise.
        let socket = TcpSocket::new_v4().expect("the system has sockets");
        socket.set_recv_buffer_size(64 * 1024).expect("the size is allowed");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("the loopback interface has a free port");
        let listener = socket.listen(1).expect("the port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the client connects");
            let (head, rest) = read_head(&mut stream).await;
            assert_eq!(content_length(&head), Some(wire_size));
            let (mut taken, mut most) = (rest.len() as u64, 0);
            let mut buffer = vec![0; 64 * 1024];
            while taken < wire_size {
                taken += stream.read(&mut buffer).await.expect("the body arrives") as u64;
                // What is produced and not yet taken is in memory: ours, or that of the sockets.
                most = most.max(produced.load(Ordering::SeqCst).saturating_sub(taken * SIZE / wire_size));
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("the client reads");
            most
        });
        let media = artifact(&generated);
        let sent = match form {
            None => post(port, RequestBody::Media(media)),
            Some(form) => {
                let mut sent = post(port, RequestBody::Text("\"MARK\"".to_owned()));
                sent.media.push(MediaUse { marker: "MARK".to_owned(), media, form, place: SecretPlace::Json });
                sent
            }
        };
        send(&local().with_artifacts(Arc::new(generated)), &sent).await.expect("it answers");
        let most = server.await.expect("the server does not panic");
        assert!(most < MAX_UNDER_WAY_BYTES, "{most} bytes were under way");
    }
}

#[tokio::test]
async fn a_file_in_a_form_is_percent_encoded() {
    let generated = Generated::new(1_000);
    let server = Server::start(|_| ok("")).await;
    let mut sent = post(server.port, RequestBody::Text("image=MARK&n=1".to_owned()));
    let media = artifact(&generated);
    sent.media.push(MediaUse { marker: "MARK".to_owned(), media, form: MediaForm::DataUri, place: SecretPlace::Url });
    let http = local().with_artifacts(Arc::new(generated));
    let segments = resolve_secrets(&sent, &BTreeMap::new()).expect("no secrets").body.expect("a body");
    let body = OutgoingBody::check(segments, http.artifacts.as_ref()).await.expect("the file exists");
    let parts: Vec<Bytes> = body.open(&BodyFault::default()).try_collect().await.expect("it is read");
    let text = String::from_utf8(parts.concat()).expect("a form is text");
    let decoded = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
    assert_eq!(decoded, format!("image=data:image/png;base64,{}&n=1", STANDARD.encode(content(1_000))));
    assert!(!text["image=".len()..text.len() - "&n=1".len()].contains(['+', '/', '=', ':', ',']), "{text}");
}

#[tokio::test]
async fn nothing_is_sent_if_a_file_is_missing_or_cannot_be_read() {
    let server = Server::start(|_| ok("")).await;
    let mut other = Generated::new(10).artifact();
    other.id = "a2".to_owned();
    let changed = Artifact { size_bytes: 11, ..Generated::new(10).artifact() };
    for (found, artifact) in [("does not exist any more", &other), ("has changed", &changed)] {
        let media = SentMedia::Artifact(SentArtifact::from(artifact));
        let http = local().with_artifacts(Arc::new(Generated::new(10)));
        let error = send(&http, &post(server.port, RequestBody::Media(media))).await.expect_err("it cannot be sent");
        assert!(matches!(&error, HttpError::Refused(reason) if reason.contains(found)), "{error:?}");
    }
    let media = artifact(&Generated::new(10));
    let error = send(&local(), &post(server.port, RequestBody::Media(media))).await.expect_err("there is no port");
    assert!(matches!(&error, HttpError::Refused(reason) if reason.contains("with_artifacts")), "{error:?}");
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn a_request_that_breaks_off_because_of_its_file_was_not_sent() {
    let server = Server::start(|_| ok("")).await;
    let broken = Generated { readable: 500_000, ..Generated::new(1_000_000) };
    let sent = post(server.port, RequestBody::Media(artifact(&broken)));
    let error = send(&local().with_artifacts(Arc::new(broken)), &sent).await.expect_err("its file cannot be read");
    assert!(matches!(&error, HttpError::Connect(reason) if reason.contains("the disk is gone")), "{error:?}");
    assert!(server.requests().is_empty(), "no request was complete");
}
