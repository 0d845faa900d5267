use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_providers::Provider;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::bench::{Bench, is_png, receive};

async fn start(patch: Value) -> Bench {
    Bench::start(Provider::OpenAi, patch).await
}

fn decode(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("a text")).expect("base64")
}

fn image(bytes: Vec<u8>, mime: &str) -> Part {
    Part::bytes(bytes).file_name("a.png").mime_str(mime).expect("a MIME type")
}

#[tokio::test]
async fn images_are_base64_and_can_be_changed() {
    let bench = start(json!({"delay_ms": 0})).await;
    let body = json!({"model": "gpt-image-1", "prompt": "a person", "n": 2, "size": "1024x1536"});
    let made = bench.post("/images/generations", body).await;
    assert_eq!(made.header("x-ratelimit-reset-requests"), "120ms");
    let made = made.json();
    let pictures = [decode(&made["data"][0]["b64_json"]), decode(&made["data"][1]["b64_json"])];
    assert!(is_png(&pictures[0]) && is_png(&pictures[1]) && pictures[0] != pictures[1]);

    let edit = |form: Form| receive(bench.request(Method::POST, "/images/edits").multipart(form));
    let form = Form::new().text("prompt", "add a hat").part("image[]", image(pictures[0].clone(), "image/png"));
    let edited = edit(form).await.json();
    assert!(is_png(&decode(&edited["data"][0]["b64_json"])));
    let wrong = edit(Form::new().text("prompt", "add a hat").part("image", image(vec![1], "text/plain"))).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["param"]), (400, &json!("image")));
    let missing = edit(Form::new().text("prompt", "add a hat")).await;
    assert_eq!((missing.status, &missing.json()["error"]["param"]), (400, &json!("image")));

    let stats = bench.providers.stats(bench.provider);
    assert_eq!((stats.creates, stats.accepted), (4, 2));
    let parts = &stats.calls[1].body["multipart"];
    assert_eq!((&parts[0]["text"], &parts[1]["size_bytes"]), (&json!("add a hat"), &json!(pictures[0].len())));
}

#[tokio::test]
async fn a_huge_image_is_made_while_it_is_sent() {
    let bench = start(json!({"delay_ms": 0, "file_bytes": 3_000_001})).await;
    let made = bench.post("/images/generations", json!({"prompt": "a hat"})).await.json();
    let picture = decode(&made["data"][0]["b64_json"]);
    assert_eq!((picture.len(), is_png(&picture)), (3_000_001, true));
}

#[tokio::test]
async fn two_kinds_of_429_and_moderation_are_told_apart() {
    let bench =
        start(json!({"delay_ms": 0, "fail_first": 1, "fail_with": {"status": 429, "headers": {"retry-after": "2"}}}))
            .await;
    let create = || bench.post("/images/generations", json!({"prompt": "a hat"}));
    let throttled = create().await;
    assert_eq!((throttled.status, throttled.header("retry-after")), (429, "2"));
    assert_eq!(throttled.json()["error"]["code"], "rate_limit_exceeded");
    bench.patch(json!({"fail_first": 1, "fail_with": {"code": "insufficient_quota"}}));
    assert_eq!(create().await.json()["error"]["type"], "insufficient_quota");
    bench.patch(json!({"outcome": "moderated"}));
    let moderated = create().await;
    assert_eq!((moderated.status, &moderated.json()["error"]["code"]), (400, &json!("moderation_blocked")));
    bench.patch(json!({"require_key": "another"}));
    assert_eq!(create().await.status, 401);
}

#[tokio::test]
async fn speech_is_bytes_or_events() {
    let bench = start(json!({"delay_ms": 0})).await;
    let body = json!({"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "hello there"});
    let bytes = bench.post("/audio/speech", body.clone()).await;
    assert_eq!((bytes.header("content-type"), bytes.body.starts_with(b"ID3")), ("audio/mpeg", true));
    let mut with_events = body.clone();
    with_events["stream_format"] = json!("sse");
    let events = bench.post("/audio/speech", with_events).await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    let text = String::from_utf8(events.body).expect("text");
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events.map(|data| serde_json::from_str(data).expect("JSON")).collect();
    let audio: Vec<u8> =
        events.iter().filter(|event| event["audio"].is_string()).flat_map(|event| decode(&event["audio"])).collect();
    assert_eq!((audio, &events[events.len() - 1]["type"]), (bytes.body, &json!("speech.audio.done")));
}

#[tokio::test]
async fn a_transcription_takes_a_form_and_chooses_its_reply() {
    let bench = start(json!({"delay_ms": 0})).await;
    let transcribe = |format: &'static str| {
        let file = Part::bytes(vec![7; 1000]).file_name("talk.mp3").mime_str("audio/mpeg").expect("a MIME type");
        let form = Form::new().text("model", "whisper-1").text("response_format", format).part("file", file);
        receive(bench.request(Method::POST, "/audio/transcriptions").multipart(form))
    };
    assert_eq!(transcribe("json").await.json()["text"], "You sent 1000 bytes of talk.mp3.");
    assert_eq!(transcribe("text").await.body, b"You sent 1000 bytes of talk.mp3.\n");
}

#[tokio::test]
async fn a_video_is_polled_and_its_content_needs_the_key() {
    let bench = start(json!({"delay_ms": 60})).await;
    let created = bench.post("/videos", json!({"prompt": "a fox", "seconds": "4"})).await.json();
    let path =
        format!("{}/videos/{}", bench.providers.base_url(bench.provider), created["id"].as_str().expect("an id"));
    assert_eq!(created["status"], "queued");
    bench.read_until(&json!(path), |object| object["status"] == "completed").await;
    let content = bench.get(&format!("{path}/content")).await;
    assert_eq!((content.header("content-type"), &content.body[4..8]), ("video/mp4", b"ftyp".as_slice()));
    assert_eq!(bench.read_file(&json!(format!("{path}/content"))).await.status, 401);
}
