use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fake_providers::Provider;
use reqwest::Method;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::bench::{Bench, LIMIT, encode_hex, is_png, receive, receive_webhook};

const ENDPOINT: &str = "/fal-ai/flux/dev/image-to-image";

async fn start(patch: Value) -> Bench {
    Bench::start(Provider::Fal, patch).await
}

#[tokio::test]
async fn links_of_the_queue_are_followed_to_the_result() {
    let bench = start(json!({"delay_ms": 100})).await;
    let queued = bench.post(ENDPOINT, json!({"prompt": "a hat", "num_images": 2, "image_size": "landscape_4_3"})).await;
    let queued = queued.json();
    assert_eq!((&queued["status"], &queued["queue_position"]), (&json!("IN_QUEUE"), &json!(0)));
    let status_url = queued["status_url"].as_str().expect("a link");
    // The links have two segments of the endpoint only.
    assert!(status_url.contains("/fal-ai/flux/requests/"), "{status_url}");
    let response_url = queued["response_url"].as_str().expect("a link").to_owned();
    assert_eq!(bench.get(&response_url).await.status, 400);
    bench.read_until(&queued["status_url"], |object| object["status"] == "IN_PROGRESS").await;
    bench.read_until(&queued["status_url"], |object| object["status"] == "COMPLETED").await;
    let result = bench.get(&response_url).await;
    assert!(!result.header("x-fal-request-id").is_empty());
    let images = result.json()["images"].clone();
    let mut files = Vec::new();
    for index in 0..2 {
        let file = bench.read_file(&images[index]["url"]).await;
        assert!(is_png(&file.body));
        assert_eq!(images[index]["file_size"], file.body.len());
        files.push(file.body);
    }
    assert_ne!(files[0], files[1]);
}

#[tokio::test]
async fn failed_work_is_completed_and_its_result_is_an_error() {
    for (outcome, status, kind) in
        [("failed", 500, "internal_server_error"), ("moderated", 422, "content_policy_violation")]
    {
        let bench = start(json!({"delay_ms": 0, "outcome": outcome})).await;
        let queued = bench.post(ENDPOINT, json!({"prompt": "a hat"})).await.json();
        assert_eq!(bench.get(queued["status_url"].as_str().expect("a link")).await.json()["status"], "COMPLETED");
        let result = bench.get(queued["response_url"].as_str().expect("a link")).await;
        assert_eq!((result.status, result.header("x-fal-error-type")), (status, kind));
    }
}

#[tokio::test]
async fn a_request_can_be_cancelled_until_it_is_completed() {
    let bench = start(json!({"delay_ms": 60_000})).await;
    let queued = bench.post(ENDPOINT, json!({"prompt": "a hat"})).await.json();
    let cancel_url = queued["cancel_url"].as_str().expect("a link");
    let replies =
        [receive(bench.request(Method::PUT, cancel_url)).await, receive(bench.request(Method::PUT, cancel_url)).await];
    let words = replies.map(|reply| (reply.status, reply.json()["status"].clone()));
    assert_eq!(words, [(202, json!("CANCELLATION_REQUESTED")), (400, json!("ALREADY_COMPLETED"))]);
    assert_eq!(bench.providers.stats(bench.provider).tasks[0]["state"], "cancelled");
}

#[tokio::test]
async fn a_synchronous_call_returns_what_its_endpoint_makes() {
    let bench = start(json!({"delay_ms": 0})).await;
    let origin = bench.providers.origin();
    for (endpoint, kind, start) in [
        ("fal-ai/kling-video/v2/text-to-video", "video", b"\0\0\0\x20ftyp".as_slice()),
        ("fal-ai/minimax/speech-02-hd", "audio", b"ID3"),
    ] {
        let result = bench.post(&format!("{origin}/fal/run/{endpoint}"), json!({"prompt": "a fox"})).await.json();
        let file = bench.read_file(&result[kind]["url"]).await;
        assert!(file.body.starts_with(start), "{endpoint}: {:?}", &file.body[..12]);
    }
}

#[tokio::test]
async fn an_upload_is_put_without_the_key_and_used_as_input() {
    let bench = start(json!({"delay_ms": 0})).await;
    let origin = bench.providers.origin();
    let picture = bench.post(&format!("{origin}/fal/run/fal-ai/flux/dev"), json!({"prompt": "a person"})).await.json();
    let picture = bench.read_file(&picture["images"][0]["url"]).await.body;
    let initiate = format!("{origin}/fal/rest/storage/upload/initiate");
    let place = bench.post(&initiate, json!({"content_type": "image/png", "file_name": "a.png"})).await.json();
    let put = |mime: &str| {
        let url = place["upload_url"].as_str().expect("a link");
        receive(bench.http.put(url).header("content-type", mime).body(picture.clone()))
    };
    assert_eq!(put("image/jpeg").await.status, 403);
    assert_eq!(put("image/png").await.status, 200);
    assert_eq!(bench.read_file(&place["file_url"]).await.body, picture);
    let input = json!({"prompt": "add a hat", "image_url": place["file_url"]});
    let changed = bench.post(&format!("{origin}/fal/run{ENDPOINT}"), input).await.json();
    let changed = bench.read_file(&changed["images"][0]["url"]).await.body;
    assert!(is_png(&changed));
    assert_ne!(changed, picture);
}

#[tokio::test]
async fn a_webhook_is_verified_with_the_published_key() {
    let bench = start(json!({"delay_ms": 0})).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    bench.post(&format!("{ENDPOINT}?fal_webhook=http%3A%2F%2F{address}%2Fhook"), json!({"prompt": "a hat"})).await;
    let (head, body) = tokio::time::timeout(LIMIT, receive_webhook(&listener)).await.expect("it is sent");
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("x-fal-webhook-{name}: ")));
        line.expect("the header is there").to_owned()
    };
    // Ids have capital letters, which the head has lost here.
    let object: Value = serde_json::from_slice(&body).expect("JSON");
    let id = object["request_id"].as_str().expect("an id");
    let digest = ring::digest::digest(&ring::digest::SHA256, &body);
    let digest = encode_hex(digest.as_ref());
    let message = format!("{id}\n{}\n{}\n{digest}", header("user-id"), header("timestamp"));
    let signature = header("signature");
    let pairs = (0..signature.len()).step_by(2);
    let signature: Vec<u8> =
        pairs.map(|at| u8::from_str_radix(&signature[at..at + 2], 16).expect("hexadecimal digits")).collect();
    let keys = bench.get(&format!("{}/fal/rest/.well-known/jwks.json", bench.providers.origin())).await.json();
    let key = URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().expect("a key")).expect("base64");
    UnparsedPublicKey::new(&ED25519, key).verify(message.as_bytes(), &signature).expect("the signature is right");
    assert_eq!((&object["status"], object["payload"]["images"].is_array()), (&json!("OK"), true));
}
