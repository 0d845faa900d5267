use fake_providers::Provider;
use ring::hmac;
use serde_json::{Value, json};

use crate::bench::{Bench, LIMIT, encode_hex, is_png, receive_webhook};

const MODEL: &str = "/v1/flux-kontext-pro";

async fn start(patch: Value) -> Bench {
    Bench::start(Provider::BlackForestLabs, patch).await
}

#[tokio::test]
async fn work_is_polled_at_another_host_until_its_sample_is_ready() {
    let bench = start(json!({"delay_ms": 100})).await;
    let created = bench.post(MODEL, json!({"prompt": "a hat"})).await.json();
    let polling_url = created["polling_url"].as_str().expect("a link");
    assert!(!polling_url.starts_with(&bench.providers.origin()), "{polling_url}");
    assert_eq!(created["cost"], 4.0);
    assert_eq!(bench.get(polling_url).await.json()["status"], "Pending");
    let ready = bench.read_until(&created["polling_url"], |object| object["status"] == "Ready").await;
    let file = bench.read_file(&ready["result"]["sample"]).await;
    assert_eq!((file.status, file.header("content-type"), is_png(&file.body)), (200, "image/png", true));
    let stats = bench.providers.stats(bench.provider);
    assert_eq!((stats.creates, stats.accepted, stats.file_reads, stats.most_running), (1, 1, 1, 1));
    assert_eq!(stats.calls[0].body, json!({"prompt": "a hat"}));
    assert!(!stats.calls[0].headers.contains_key("x-key"));
}

#[tokio::test]
async fn a_sample_dies_after_its_time() {
    let bench = start(json!({"delay_ms": 0, "link_life_ms": 0})).await;
    let created = bench.post(MODEL, json!({"prompt": "a hat"})).await.json();
    let ready = bench.read_until(&created["polling_url"], |object| object["status"] == "Ready").await;
    assert_eq!(bench.read_file(&ready["result"]["sample"]).await.status, 404);
    // A link that is signed again at each poll lives on.
    bench.patch(json!({"link_life_ms": 60_000, "sign_again": true}));
    let created = bench.post(MODEL, json!({"prompt": "a hat"})).await.json();
    let ready = bench.read_until(&created["polling_url"], |object| object["status"] == "Ready").await;
    assert_eq!(bench.read_file(&ready["result"]["sample"]).await.status, 200);
}

#[tokio::test]
async fn moderation_an_unknown_task_and_errors_have_their_own_words() {
    let bench = start(json!({"delay_ms": 0, "outcome": "moderated", "unknown_at_first": 1})).await;
    let created = bench.post(MODEL, json!({"prompt": "a hat"})).await.json();
    let first = bench.get(created["polling_url"].as_str().expect("a link")).await;
    assert_eq!((first.status, &first.json()["status"]), (404, &json!("Task not found")));
    let ended = bench.read_until(&created["polling_url"], |object| object["status"] != "Task not found").await;
    assert_eq!(ended["status"], "Content Moderated");
    let wrong = bench.post(MODEL, json!({})).await;
    assert_eq!((wrong.status, &wrong.json()["detail"][0]["loc"]), (422, &json!(["body", "prompt"])));
    bench.patch(json!({"fail_first": 1, "fail_with": {"status": 402}}));
    let refused = bench.post(MODEL, json!({"prompt": "a hat"})).await;
    assert_eq!((refused.status, refused.json()), (402, json!({"detail": "the account has insufficient credit"})));
    assert_eq!(bench.providers.stats(bench.provider).accepted, 1);
}

#[tokio::test]
async fn a_webhook_is_signed_with_the_secret_of_the_call() {
    let bench = start(json!({"delay_ms": 20, "repeat_webhooks": 1})).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("it is bound"));
    let body = json!({"prompt": "a hat", "webhook_url": url, "webhook_secret": "s3cret"});
    let created = bench.post(MODEL, body).await.json();
    assert_eq!((&created["status"], created.get("polling_url")), (&json!("Pending"), None));
    for _ in 0..2 {
        let received = tokio::time::timeout(LIMIT, receive_webhook(&listener)).await;
        let (head, body) = received.expect("it is sent twice");
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
        let expected = encode_hex(hmac::sign(&key, &body).as_ref());
        assert!(head.contains(&format!("x-bfl-signature: sha256={expected}")), "{head}");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&body["task_id"], &body["status"]), (&created["id"], &json!("Ready")));
    }
}
