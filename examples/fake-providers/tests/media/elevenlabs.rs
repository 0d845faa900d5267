use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_providers::Provider;
use serde_json::{Value, json};

use crate::bench::Bench;

const SPEECH: &str = "/v1/text-to-speech/rachel";

async fn start(patch: Value) -> Bench {
    Bench::start(Provider::ElevenLabs, patch).await
}

#[tokio::test]
async fn speech_is_audio_in_the_format_that_the_query_names() {
    let bench = start(json!({"delay_ms": 0})).await;
    let text = json!({"text": "hello"});
    for (query, mime, start) in [
        ("", "audio/mpeg", b"ID3".as_slice()),
        ("?output_format=mp3_22050_32", "audio/mpeg", b"ID3"),
        ("?output_format=wav_44100", "audio/wav", b"RIFF"),
        ("?output_format=pcm_16000", "audio/pcm", b"\0\0"),
    ] {
        let reply = bench.post(&format!("{SPEECH}{query}"), text.clone()).await;
        assert_eq!((reply.header("content-type"), reply.header("character-cost")), (mime, "5"), "{query}");
        assert!(reply.body.starts_with(start), "{query}");
    }
    let sound = bench.post("/v1/sound-generation", json!({"text": "rain", "duration_seconds": 2})).await;
    assert!(sound.body.len() > 7000);
}

#[tokio::test]
async fn speech_with_timestamps_is_base64_in_json() {
    let bench = start(json!({"delay_ms": 0})).await;
    let reply = bench.post(&format!("{SPEECH}/with-timestamps"), json!({"text": "hi"})).await.json();
    let audio = STANDARD.decode(reply["audio_base64"].as_str().expect("a text")).expect("base64");
    assert!(audio.starts_with(b"ID3"));
    assert_eq!(reply["alignment"]["characters"], json!(["h", "i"]));
}

#[tokio::test]
async fn two_kinds_of_429_are_told_apart() {
    let bench = start(json!({"fail_first": 1, "fail_with": {"status": 429}})).await;
    let speak = || bench.post(SPEECH, json!({"text": "hello"}));
    assert_eq!(speak().await.json()["detail"]["status"], "too_many_concurrent_requests");
    bench.patch(json!({"fail_first": 1, "fail_with": {"code": "system_busy"}}));
    let busy = speak().await;
    assert_eq!((busy.status, &busy.json()["detail"]["status"]), (429, &json!("system_busy")));
    bench.patch(json!({"require_key": "another"}));
    assert_eq!(speak().await.json()["detail"]["status"], "invalid_api_key");
}
