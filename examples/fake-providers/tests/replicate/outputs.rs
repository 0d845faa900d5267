//! Outputs of predictions, and their files.

use serde_json::{Value, json};

use crate::bench::{Bench, prompt, receive};

/// Checks the output of a prediction of `model`; in `expected`, `ID` and `HOST` stand for the real values.
async fn check(patch: Value, model: &str, expected: Value) {
    let bench = Bench::start(patch).await;
    bench.replicate.adjust(|behaviour| behaviour.delay_ms = 0);
    let created = bench.post(&format!("/models/{model}/predictions"), &[], prompt("a hat")).await.json();
    let id = created["id"].as_str().expect("an id is a text");
    let host = bench.replicate.address().to_string();
    let expected = expected.to_string().replace("ID", id).replace("HOST", &host);
    assert_eq!(bench.ended(&created["id"]).await["output"].to_string(), expected, "{model}");
}

#[tokio::test]
async fn an_output_has_the_form_of_the_model_and_names_its_prediction() {
    check(json!({}), "black-forest-labs/flux-kontext-pro", json!("https://replicate.delivery/fake/ID.png")).await;
    check(json!({}), "black-forest-labs/flux-schnell", json!(["https://replicate.delivery/fake/ID.png"])).await;
    check(json!({}), "meta/meta-llama-3-8b-instruct", json!(["You ", "said: ", "a ", "hat"])).await;
    let local = json!({"delivery": "local"});
    check(local, "black-forest-labs/flux-kontext-pro", json!("http://HOST/delivery/ID.png")).await;
}

#[tokio::test]
async fn an_output_can_be_any_json() {
    let template = json!({"output": {"images": [{"url": "{uri}"}], "text": "{prompt} {id}", "score": 0.5}});
    let expected =
        json!({"images": [{"url": "https://replicate.delivery/fake/ID.png"}], "text": "a hat ID", "score": 0.5});
    check(template, "black-forest-labs/flux-kontext-pro", expected).await;
}

async fn fetch(bench: &Bench, url: &str) -> (u16, String, Vec<u8>) {
    let response = bench.http.get(url).send().await.expect("the stand-in answers");
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().expect("ASCII")).to_owned();
    (response.status().as_u16(), kind, response.bytes().await.expect("the body is whole").to_vec())
}

#[tokio::test]
async fn a_local_file_is_a_png_until_it_is_gone() {
    let bench = Bench::start(json!({"delay_ms": 0, "delivery": "local"})).await;
    let mut files = Vec::new();
    for _ in 0..2 {
        let created = bench.create(&[]).await.json();
        let url = bench.ended(&created["id"]).await["output"].as_str().expect("one file").to_owned();
        let (status, kind, file) = fetch(&bench, &url).await;
        assert_eq!((status, kind.as_str(), file.starts_with(b"\x89PNG\r\n\x1a\n")), (200, "image/png", true));
        files.push(file);
    }
    assert_ne!(files[0], files[1]);

    bench.replicate.adjust(|behaviour| behaviour.delivery_gone_after_ms = Some(0));
    let created = bench.create(&[]).await.json();
    let gone = bench.ended(&created["id"]).await;
    assert_eq!(fetch(&bench, gone["output"].as_str().expect("one file")).await.0, 404);
    assert_eq!(fetch(&bench, &format!("{}/delivery/nothing.png", bench.replicate.origin())).await.0, 404);
}

#[tokio::test]
async fn a_file_can_be_given_as_a_data_uri() {
    let bench = Bench::start(json!({"delay_ms": 0, "delivery": "data"})).await;
    let created = bench.create(&[]).await.json();
    let output = bench.ended(&created["id"]).await["output"].clone();
    assert!(output.as_str().is_some_and(|uri| uri.starts_with("data:image/png;base64,iVBORw0KGgo")), "{output}");
}

#[tokio::test]
async fn links_name_the_host_that_was_called() {
    let bench = Bench::start(json!({"delivery": "local"})).await;
    let port = bench.replicate.address().port();
    let url = format!("http://localhost:{port}/v1/predictions");
    let body = json!({"version": "black-forest-labs/flux-kontext-pro", "input": {"prompt": "p"}});
    let request = bench.http.post(url).header("host", format!("localhost:{port}")).bearer_auth("t").json(&body);
    let created = receive(request).await.expect("localhost is the loopback interface").json();
    let get = created["urls"]["get"].as_str().expect("a link is a text");
    assert!(get.starts_with(&format!("http://localhost:{port}/v1/predictions/")), "{get}");
}
