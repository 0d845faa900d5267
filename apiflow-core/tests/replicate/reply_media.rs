//! Media that a reply itself contains becomes artifacts, and is in no journal, record or error.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiflow_core::artifact::Artifact;

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::ports::{
    ArtifactError, ArtifactReader, Artifacts, ByteStream, JobBundle, JobJournal as _, JobRecords as _, JobRow,
    JobStatus, NewArtifact,
};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Bench, fast};

/// The beginning of a PNG file; what follows it differs per test.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0";

/// Returns a file that is recognized as a PNG, and whose base64 contains every character.
pub(crate) fn png(size: usize, seed: u8) -> Vec<u8> {
    let mut bytes = PNG.to_vec();
    bytes.extend((0..size).map(|index| (index.wrapping_mul(31) >> 3) as u8 ^ seed.wrapping_mul(index as u8)));
    bytes
}

/// A reply: content type and body.
type Reply = (&'static str, Vec<u8>);

/// A provider that answers each `METHOD /path` with one reply, in pieces of odd sizes.
struct Provider {
    address: String,
}

impl Provider {
    async fn start(replies: Vec<(&'static str, Reply)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address").to_string();
        let replies: Arc<BTreeMap<&str, Reply>> = Arc::new(replies.into_iter().collect());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, replies.clone()));
            }
        });
        Self { address }
    }

    fn bundle(&self, data: &Value, output: &Value) -> JobBundle {
        let connector = json!({"id": "c", "name": "Acme", "base_url": format!("http://{}/v1", self.address)});
        let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": data, "output": output});
        let step = json!({"id": "draw", "value": {"type": "script", "path": "node/n", "input_transforms": {}}});
        let document = json!({"summary": "case", "value": {"modules": [step]}});
        let mut bundle = JobBundle { document, ..JobBundle::default() };
        bundle.catalog.connectors.insert("c".to_owned(), parse_connector(&connector).expect("a connector"));
        bundle.catalog.nodes.insert("n".to_owned(), parse_node(&node).expect("a node"));
        bundle
    }
}

async fn answer(mut stream: TcpStream, replies: Arc<BTreeMap<&'static str, Reply>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n").filter(|(head, body)| {
            let length = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ").map(|length| length.parse::<usize>().expect("a number"))
            });
            body.len() >= length.unwrap_or(0)
        }) else {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => request.extend_from_slice(&buffer[..count]),
            }
            continue;
        };
        let what: Vec<&str> = head.split(' ').take(2).collect();
        let missing = ("application/json", b"{}".to_vec());
        let (content_type, body) = replies.get(what.join(" ").as_str()).unwrap_or(&missing);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap_or_default();
        for part in body.chunks(7_919) {
            stream.write_all(part).await.unwrap_or_default();
        }
        request.clear();
    }
}

/// Runs one step; returns the job, its output, and everything that was written about it.
async fn run(reply: Reply, data: &Value, output: &Value) -> (Bench, JobRow, Value, String) {
    let provider = Provider::start(vec![("POST /v1/x", reply)]).await;
    let bench = Bench::start_allowing(fast(), &provider.address).await;
    let mut whole = json!({"path": "/x"});
    whole.as_object_mut().expect("an object").extend(data.as_object().expect("an object").clone());
    bench.submit_as("job", provider.bundle(&whole, output), json!({})).await;
    let job = bench.ended().await;
    let output = match &job.state.output {
        Some(_) => bench.output(&job).await,
        None => Value::Null,
    };
    let events = bench.store.read_events("job", 0, 1_000).await.expect("events");
    let steps = bench.steps().await;
    let mut written = format!("{:?} {events:?} {steps:?}", job.state);
    for step in steps {
        for call in bench.store.list_calls("job", step.ordinal).await.expect("calls") {
            written.push_str(&serde_json::to_string(&call).expect("plain data"));
        }
    }
    (bench, job, output, written)
}

async fn content(artifacts: &Arc<dyn Artifacts>, value: &Value) -> Vec<u8> {
    let id = value["artifact"].as_str().unwrap_or_else(|| panic!("{value} is no artifact"));
    let reader = artifacts.get(id, None).await.expect("the artifact exists");
    reader.bytes.map(|part| part.expect("bytes")).collect::<Vec<_>>().await.concat()
}

/// Checks that outputs become artifacts with this content, and that no base64 of it is written anywhere.
async fn check(case: &str, reply: Reply, data: Value, output: Value, expected: &[(&str, &[u8])]) {
    let (bench, job, result, written) = run(reply, &data, &output).await;
    assert_eq!(job.state.status, JobStatus::Completed, "{case}: {:?}", job.state.error);
    for (pointer, bytes) in expected {
        let value = result.pointer(pointer).unwrap_or_else(|| panic!("{case}: no {pointer} in {result}"));
        assert!(content(&bench.parts.artifacts, value).await == *bytes, "{case}: {pointer} differs: {value}");
        assert_eq!(value["size_bytes"], bytes.len(), "{case}");
        let canary = STANDARD.encode(&bytes[bytes.len() / 3 / 3 * 3..]);
        let canary = &canary[..canary.len().min(64)];
        assert!(!written.contains(canary), "{case}: base64 in what was written");
    }
    bench.finish().await;
}

fn image(mapping: &str, more: &Value) -> Value {
    let mut output = json!({"name": "image", "type": "image", "mapping": mapping});
    output.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!([output])
}

fn json_reply(value: &Value) -> Reply {
    ("application/json", value.to_string().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_write_media_in_json_becomes_an_artifact() {
    let (small, large) = (png(400, 1), png(300_000, 2));
    for bytes in [&small, &large] {
        let text = STANDARD.encode(bytes);
        let uri = format!("data:image/png;base64,{text}");
        let one: &[(&str, &[u8])] = &[("/image", bytes)];
        let none = json!({});
        check(
            "bare base64",
            json_reply(&json!({"b64": text})),
            none.clone(),
            image("b64", &json!({"decode": "base64", "mime": "image/png"})),
            one,
        )
        .await;
        check("bare base64, undeclared", json_reply(&json!({"b64": text})), none.clone(), image("b64", &none), one)
            .await;
        check(
            "data URI",
            json_reply(&json!({"a": {"b": uri}})),
            none.clone(),
            image("a.b", &json!({"decode": "data_uri"})),
            one,
        )
        .await;
        let escaped = json!({"b64": text}).to_string().replace('/', "\\/").replace('+', "\\u002b");
        check("escaped", ("application/json", escaped.into_bytes()), none.clone(), image("b64", &none), one).await;
        check(
            "wrong type",
            ("text/plain", json!({"b64": text}).to_string().into_bytes()),
            none.clone(),
            image("b64", &none),
            one,
        )
        .await;
        check(
            "first of a list",
            json_reply(&json!({"images": [text, "AAAA"]})),
            none.clone(),
            image("images", &json!({"pick": "first"})),
            one,
        )
        .await;
        check(
            "last of a list",
            json_reply(&json!({"data": [{"b64_json": "x"}, {"b64_json": text}]})),
            none.clone(),
            image("data[*].b64_json", &json!({"pick": "last"})),
            one,
        )
        .await;
        let two = png(bytes.len(), 9);
        check(
            "all of a list",
            json_reply(&json!({"data": [{"b64_json": text}, {"b64_json": STANDARD.encode(&two)}]})),
            none.clone(),
            image("data[*].b64_json", &json!({"pick": "all", "decode": "base64"})),
            &[("/image/0", bytes), ("/image/1", &two)],
        )
        .await;
        let (first, second) = bytes.split_at(bytes.len() / 3);
        check(
            "joined pieces",
            json_reply(&json!({"chunks": [STANDARD.encode(first), STANDARD.encode(second)]})),
            none.clone(),
            image("chunks", &json!({"pick": "join", "decode": "base64"})),
            one,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_itself_becomes_an_artifact() {
    let bytes = png(500_000, 3);
    for (content_type, data) in [
        ("image/png", json!({})),
        ("image/png", json!({"accept": "image/*"})),
        ("application/octet-stream", json!({})),
        ("application/json", json!({})),
    ] {
        check(content_type, (content_type, bytes.clone()), data, image("@body", &json!({})), &[("/image", &bytes)])
            .await;
    }
    let subtitles = b"WEBVTT\n\n00:00 --> 00:01\nhi\n".to_vec();
    let output = json!([{"name": "file", "type": "file", "mapping": "@body", "decode": "text", "mime": "text/vtt"}]);
    check("text", ("text/vtt", subtitles.clone()), json!({}), output, &[("/file", &subtitles)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_outputs_stand_beside_media() {
    let bytes = png(100_000, 4);
    let reply = json!({"images": [STANDARD.encode(&bytes)], "seed": 7, "text": "a cat"});
    let output = json!([
        {"name": "image", "type": "image", "mapping": "images", "pick": "first", "mime": "image/png"},
        {"name": "seed", "type": "integer"},
        {"name": "text", "type": "string"},
        {"name": "status", "type": "integer", "mapping": "@status"},
    ]);
    let (bench, _, result, _) = run(json_reply(&reply), &json!({}), &output).await;
    assert_eq!((&result["seed"], &result["text"], &result["status"]), (&json!(7), &json!("a cat"), &json!(200)));
    assert_eq!(result["image"]["size_bytes"], bytes.len());
    assert_eq!(result["image"]["mime"], "image/png");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_of_events_are_joined_and_the_last_image_wins() {
    let sound: Vec<u8> = [b"ID3\x04\0\0\0\0\0\0".to_vec(), png(50_000, 5)].concat();
    let mut stream = String::new();
    for part in sound.chunks(999) {
        let event = json!({"type": "speech.audio.delta", "audio": STANDARD.encode(part)});
        stream.extend(["event: speech.audio.delta\ndata: ", &event.to_string(), "\n\n"]);
    }
    stream.push_str("data: {\"type\": \"speech.audio.done\"}\n\ndata: [DONE]\n\n");
    let output = json!([{"name": "audio", "type": "audio", "mapping": "events[*].data.audio", "pick": "join", "decode": "base64", "mime": "audio/mpeg"}]);
    check("speech", ("text/event-stream", stream.into_bytes()), json!({}), output, &[("/audio", &sound)]).await;

    let (partial, last) = (png(20_000, 6), png(30_000, 7));
    let events: Vec<String> = [&partial, &last]
        .iter()
        .map(|bytes| format!("data: {}\n\n", json!({"type": "image", "b64_json": STANDARD.encode(bytes)})))
        .collect();
    let reply = ("text/event-stream", events.concat().into_bytes());
    check("images", reply, json!({}), image("events[*].data.b64_json", &json!({"pick": "last"})), &[("/image", &last)])
        .await;

    let text = "event: output\ndata: Hello\n\nevent: output\ndata:  5\n\nevent: output\ndata: !\n\ndata: [DONE]\n\n";
    let output = json!([{"name": "text", "type": "string", "mapping": "events[*].data", "pick": "join"}]);
    let (bench, _, result, _) = run(("text/event-stream", text.as_bytes().to_vec()), &json!({}), &output).await;
    assert_eq!(result, json!({"text": "Hello 5!"}));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_a_clear_error_without_the_bytes() {
    let text = STANDARD.encode(png(20_000, 8));
    let string = json!([{"name": "text", "type": "string", "mapping": "b64"}, {"name": "image", "type": "image", "mapping": "url"}]);
    for (case, reply, output, expected) in [
        ("text", json_reply(&json!({"b64": text, "url": text})), string, "declare the output as an image"),
        ("broken", json_reply(&json!({"b64": format!("{text}*")})), image("b64", &json!({})), "not base64"),
        ("a word", json_reply(&json!({"b64": "nothing"})), image("b64", &json!({})), "set `decode`"),
        (
            "forged",
            json_reply(&json!({"b64": "<media 0, 5 bytes, 0123456789abcdef>"})),
            image("b64", &json!({})),
            "not an http",
        ),
        (
            "an object",
            json_reply(&json!({"b64": {"artifact": "a1", "url": "https://x.example/a"}})),
            image("b64", &json!({})),
            "must be an image",
        ),
        ("empty", ("image/png", Vec::new()), image("@body", &json!({})), "no body"),
    ] {
        let (bench, job, _, written) = run(reply, &json!({}), &output).await;
        let error = job.state.error.as_ref().unwrap_or_else(|| panic!("{case}: it fails"));
        assert_eq!(error["name"], "output_invalid", "{case}: {error}");
        assert!(error["message"].as_str().expect("a message").contains(expected), "{case}: {error}");
        assert!(!written.contains(&text[3_000..3_064]), "{case}: base64 in what was written");
        bench.finish().await;
    }
}

/// An artifact store that counts bytes and keeps none.
#[derive(Default)]
struct CountingArtifacts {
    stored: Mutex<Vec<Artifact>>,
    /// How often it is unavailable before it works.
    faults: AtomicUsize,
}

#[async_trait]
impl Artifacts for CountingArtifacts {
    async fn put(&self, new: NewArtifact, mut bytes: ByteStream) -> Result<Artifact, ArtifactError> {
        let mut hash = Sha256::new();
        let mut size_bytes = 0;
        while let Some(part) = bytes.next().await {
            let part = part?;
            size_bytes += part.len() as u64;
            hash.update(&part);
            let is_left = |left: usize| left.checked_sub(1);
            if self.faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_left).is_ok() {
                return Err(ArtifactError::Unavailable("the disk is being replaced".to_owned()));
            }
        }
        let sha256 = STANDARD.encode(hash.finalize());
        let (id, url) = (new.id.clone(), format!("memory:{}", new.id));
        let mime = new.mime.unwrap_or_default();
        let artifact =
            Artifact { id, url, mime, size_bytes, sha256, name: new.name, width: None, height: None, duration_s: None };
        self.stored.lock().expect("no holder panics").push(artifact.clone());
        Ok(artifact)
    }

    async fn get(&self, id: &str, _: Option<Range<u64>>) -> Result<ArtifactReader, ArtifactError> {
        Err(ArtifactError::NotFound { id: id.to_owned() })
    }

    async fn stat(&self, _: &str) -> Result<Option<Artifact>, ArtifactError> {
        Ok(None)
    }

    async fn delete(&self, _: &str) -> Result<bool, ArtifactError> {
        Ok(false)
    }

    fn public_url(&self, _: &str, _: Duration) -> Option<String> {
        None
    }
}

/// Starts a provider whose reply is a JSON document with a string of `A`, so many times 4 KiB long.
async fn serve_large_json(blocks: usize) -> Provider {
    const BLOCK: [u8; 4096] = [b'A'; 4096];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _request = stream.read(&mut buffer).await;
            let (head, tail) = ("{\"data\": [{\"b64_json\": \"", "\"}], \"seed\": 7}");
            let length = head.len() + blocks * BLOCK.len() + tail.len();
            let start =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{head}");
            stream.write_all(start.as_bytes()).await.unwrap_or_default();
            for _ in 0..blocks {
                stream.write_all(&BLOCK).await.unwrap_or_default();
            }
            stream.write_all(tail.as_bytes()).await.unwrap_or_default();
        }
    });
    Provider { address }
}

/// Runs one step whose media goes to an artifact store of the test.
async fn run_with_artifacts(provider: &Provider, artifacts: Arc<CountingArtifacts>) -> (JobRow, Value) {
    let mut bench = Bench::start_allowing(fast(), &provider.address).await;
    bench.crash().await;
    bench.parts.artifacts = artifacts;
    bench.restart();
    let output = image("data[*].b64_json", &json!({"pick": "first", "decode": "base64"}));
    bench.submit_as("job", provider.bundle(&json!({"path": "/x"}), &output), json!({})).await;
    let job = bench.ended().await;
    let output = match &job.state.output {
        Some(_) => bench.output(&job).await,
        None => Value::Null,
    };
    bench.finish().await;
    (job, output)
}

/// Returns a figure of this process, in KiB.
#[cfg(target_os = "linux")]
fn memory_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the figure is there");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "the figure is for whoever changes how replies are read")]
#[tokio::test(flavor = "multi_thread")]
async fn sixty_megabytes_of_base64_take_little_memory() {
    const BLOCKS: usize = 60 * 1024 / 4;
    let (small, large) = (serve_large_json(8).await, serve_large_json(BLOCKS).await);
    run_with_artifacts(&small, Arc::default()).await;
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
    let before = memory_kib("VmRSS");
    let artifacts = Arc::<CountingArtifacts>::default();
    let (job, output) = run_with_artifacts(&large, artifacts.clone()).await;
    let grown = memory_kib("VmHWM").saturating_sub(before);
    println!("60 MiB of base64 add {grown} KiB to the peak of resident memory");
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(output["image"]["size_bytes"], BLOCKS * 4096 / 4 * 3);
    assert!(grown < 24 * 1024, "{grown} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_answer_waits_for_an_artifact_store_that_is_unavailable() {
    let provider = serve_large_json(600).await;
    let artifacts = Arc::new(CountingArtifacts { faults: AtomicUsize::new(3), ..CountingArtifacts::default() });
    let (job, output) = run_with_artifacts(&provider, artifacts.clone()).await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(artifacts.stored.lock().expect("no holder panics").len(), 1);
    assert_eq!(output["image"]["size_bytes"], 600 * 4096 / 4 * 3, "all of it, although it was read four times");
}

/// Returns a ZIP archive with these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a file");
        writer.write_all(bytes).expect("bytes");
    }
    writer.finish().expect("an archive").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_an_archive_and_the_parts_of_a_multipart_body_become_artifacts() {
    let (first, second, sound) = (png(2_000_000, 1), png(3_000, 2), [b"ID3\x04".to_vec(), png(9_000, 3)].concat());
    let zip = archive(&[("a/first.png", &first), ("second.png", &second), ("b/sound.mp3", &sound)]);
    let reply = ("application/zip", zip.clone());
    let output = json!([
        {"name": "images", "type": "image", "mapping": "$.files[?match(@.name, '.*[.]png')].content", "pick": "all", "mime": "image/png"},
        {"name": "sound", "type": "audio", "mapping": "$.files[?@.name == 'b/sound.mp3'].content", "pick": "first", "mime": "audio/mpeg"},
        {"name": "names", "type": "array", "mapping": "files[*].name"},
    ]);
    let expected: &[(&str, &[u8])] = &[("/images/0", &first), ("/images/1", &second), ("/sound", &sound)];
    check("archive", reply.clone(), json!({}), output, expected).await;
    let whole = json!([{"name": "file", "type": "file", "mapping": "@body"}]);
    check("the archive itself", reply, json!({}), whole, &[("/file", &zip)]).await;

    let mut body = b"--cut\r\ncontent-type: application/json\r\n\r\n{\"alignment\": [1, 2]}\r\n--cut\r\ncontent-type: audio/mpeg\r\n\r\n".to_vec();
    body.extend_from_slice(&sound);
    body.extend_from_slice(b"\r\n--cut--\r\n");
    let output = json!([
        {"name": "sound", "type": "audio", "mapping": "parts[1].content"},
        {"name": "alignment", "type": "array", "mapping": "parts[0].content.alignment"},
    ]);
    check("multipart", ("multipart/mixed; boundary=cut", body), json!({}), output, &[("/sound", &sound)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_archives_are_refused() {
    let bomb = archive(&[("bomb.png", &vec![0; 20_000_000])]);
    assert!(bomb.len() < 30_000, "{} bytes", bomb.len());
    let many: Vec<String> = (0..1_001).map(|number| format!("{number}.png")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    for (case, zip, expected) in [
        ("bomb", bomb, "100 times"),
        ("many files", archive(&many), "1001 files"),
        ("traversal", archive(&[("../../etc/passwd", b"x")]), "leads out of the archive"),
        ("no archive", b"PK\x03\x04 and nothing more".to_vec(), "cannot be unpacked"),
    ] {
        let output = image("files[*].content", &json!({"pick": "first"}));
        let (bench, job, _, _) = run(("application/zip", zip), &json!({}), &output).await;
        let error = job.state.error.as_ref().unwrap_or_else(|| panic!("{case}: it fails"));
        assert_eq!(error["name"], "output_invalid", "{case}: {error}");
        assert!(error["message"].as_str().expect("a message").contains(expected), "{case}: {error}");
        bench.finish().await;
    }
}
