//! Uploads, webhooks, streams and the pictures that predictions make.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bench::{Bench, KONTEXT, LIMIT, receive};

async fn fetch(bench: &Bench, url: &Value) -> Vec<u8> {
    let response = bench.http.get(url.as_str().expect("a link")).send().await.expect("the stand-in answers");
    response.bytes().await.expect("the body is whole").to_vec()
}

async fn draw(bench: &Bench, input: Value) -> Vec<u8> {
    let created = bench.post(KONTEXT, &[], json!({"input": input})).await.json();
    fetch(bench, &bench.ended(&created["id"]).await["output"]).await
}

#[tokio::test]
async fn an_uploaded_file_is_the_input_of_a_prediction_until_it_is_deleted() {
    let bench = Bench::start(json!({"delay_ms": 0, "delivery": "local"})).await;
    let person = draw(&bench, json!({"prompt": "a person"})).await;
    let content = Part::bytes(person.clone()).file_name("person.png").mime_str("image/png").expect("a MIME type");
    let form = Form::new().part("content", content).text("metadata", "{\"kind\": \"test\"}");
    let upload =
        receive(bench.request(Method::POST, "/files", &[]).multipart(form)).await.expect("the stand-in answers");
    let file = upload.json();
    assert_eq!((upload.status, &file["name"], &file["size"]), (201, &json!("person.png"), &json!(person.len())));
    assert_eq!((&file["content_type"], &file["metadata"]["kind"]), (&json!("image/png"), &json!("test")));

    let from_upload = draw(&bench, json!({"prompt": "add a hat", "input_image": file["urls"]["get"]})).await;
    let uri = format!("data:image/png;base64,{}", STANDARD.encode(&person));
    let from_uri = draw(&bench, json!({"prompt": "add a hat", "input_image": uri})).await;
    assert_eq!(from_upload, from_uri);
    assert_ne!(from_upload, person);

    let path = format!("/files/{}", file["id"].as_str().expect("an id"));
    assert_eq!(bench.get("/files").await.json()["results"][0]["id"], file["id"]);
    let deleted = receive(bench.request(Method::DELETE, &path, &[])).await.expect("the stand-in answers");
    assert_eq!((deleted.status, bench.get(&path).await.status), (204, 404));
}

#[tokio::test]
async fn the_output_of_one_prediction_is_the_input_of_the_next() {
    let bench = Bench::start(json!({"delay_ms": 0, "delivery": "local"})).await;
    let created = bench.create(&[]).await.json();
    let link = bench.ended(&created["id"]).await["output"].clone();
    let first = draw(&bench, json!({"prompt": "add a hat", "input_image": link})).await;
    let second = draw(&bench, json!({"prompt": "add a hat", "input_image": link})).await;
    assert_eq!(first, second);
}

#[tokio::test]
async fn webhooks_are_signed_and_filtered() {
    let bench = Bench::start(json!({"delay_ms": 20, "repeat_webhooks": 1})).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("it is bound"));
    let body = json!({"input": {"prompt": "a hat"}, "webhook": url, "webhook_events_filter": ["completed"]});
    let created = bench.post(KONTEXT, &[], body).await.json();
    let secret = bench.get("/webhooks/default/secret").await.json()["key"].as_str().expect("a secret").to_owned();
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    for _ in 0..2 {
        let (mut stream, _) =
            tokio::time::timeout(LIMIT, listener.accept()).await.expect("it is sent twice").expect("it arrives");
        let mut bytes = vec![0; 64 * 1024];
        let mut length = 0;
        let (head, text) = loop {
            length += stream.read(&mut bytes[length..]).await.expect("the webhook can be read");
            let whole = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if let Some((head, body)) = whole.split_once("\r\n\r\n").filter(|(_, body)| body.ends_with('}')) {
                break (head.to_owned(), body.to_owned());
            }
        };
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("it can be answered");
        let header = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).expect("the header is there")
        };
        let message = format!("{}.{}.{text}", header("webhook-id"), header("webhook-timestamp"));
        let signature = header("webhook-signature").strip_prefix("v1,").expect("the version");
        let signature = STANDARD.decode(signature).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        hmac::verify(&key, message.as_bytes(), &signature).expect("the signature is right");
        let object: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&object["id"], &object["status"]), (&created["id"], &json!("succeeded")));
    }
}

#[tokio::test]
async fn text_is_streamed_in_events() {
    let bench = Bench::start(json!({"delay_ms": 0})).await;
    let path = "/models/meta/meta-llama-3-8b-instruct/predictions";
    let created = bench.post(path, &[], json!({"input": {"prompt": "a hat"}})).await.json();
    let url = created["urls"]["stream"].as_str().expect("a link").to_owned();
    let reply = receive(bench.http.get(url).bearer_auth("t")).await.expect("the stand-in answers");
    let data: Vec<&str> = reply.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data, ["You ", "said: ", "a ", "hat", "{}"]);
    assert!(reply.text.contains("event: done\nid: "));
}
