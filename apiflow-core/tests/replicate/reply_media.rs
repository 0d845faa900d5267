//! Media that a reply itself contains becomes artifacts, and is in no journal, record or error.

use std::collections::BTreeMap;
use std::sync::Arc;

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::ports::{Artifacts, JobBundle, JobJournal as _, JobRecords as _, JobRow, JobStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
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
