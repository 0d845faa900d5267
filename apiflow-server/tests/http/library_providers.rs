//! Nodes of the library, run against the stand-ins of their providers: what the protocol and the media of each are.

use fake_providers::{Behaviour, Delivery, MediaProviders, Provider, ReplicateOptions};
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;

/// A server with a worker, and the stand-ins.
struct Bench {
    client: RecordingClient,
    providers: MediaProviders,
}

impl Bench {
    async fn start() -> Self {
        let behaviour = Behaviour {
            delay_ms: 50,
            delivery: Delivery::Local,
            models: [
                "kwaivgi/kling-v2.1",
                "minimax/speech-02-hd",
                "black-forest-labs/flux-1.1-pro",
                "black-forest-labs/flux-kontext-max",
            ]
            .map(String::from)
            .to_vec(),
            ..Behaviour::default()
        };
        let options = ReplicateOptions { behaviour, ..ReplicateOptions::default() };
        let providers = MediaProviders::start(options).await.expect("the stand-ins start");
        for provider in Provider::ALL {
            providers.adjust(provider, |switches| switches.delay_ms = 50);
        }
        let client = RecordingClient::admin().await;
        client.work();
        Self { client, providers }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.client.raw(method, path, &[("prefer", "wait=60")], Some(body)).await;
        assert!(reply.status.is_success(), "{method} {path}: {}", reply.text);
        reply.json()
    }

    /// Adds an entry whose connector leads to the stand-in, and runs it; returns the job.
    async fn run(&self, id: &str, input: Value) -> Value {
        let entry = self.client.raw("GET", &format!("/library/{id}"), &[], None).await.json();
        let origins = self.providers.addresses().map(|address| format!("http://{address}"));
        let secret = entry["secret"]["name"].as_str().expect("a name");
        self.send("PUT", &format!("/secrets/{secret}"), json!({"value": "canary-of-the-key", "origins": origins}))
            .await;
        self.send("POST", &format!("/library/{id}"), json!({})).await;
        let provider = entry["provider"].as_str().expect("a name");
        let base_url = match Provider::from_name(provider) {
            Some(provider) => self.providers.base_url(provider),
            None => self.providers.replicate().base_url(),
        };
        let mut data = entry["connector"]["data"].clone();
        let hosts: Vec<Value> = self
            .providers
            .addresses()
            .map(|address| json!({"host": address.to_string(), "credentials": true}))
            .to_vec();
        data["hosts"] = hosts.into();
        self.send("PATCH", &format!("/connectors/{provider}"), json!({"base_url": base_url, "data": data})).await;
        self.send("POST", &format!("/node/{id}/run"), json!({"input": input})).await
    }

    /// Runs an entry and checks that its output is media of this type, and returns it.
    async fn expect_media(&self, id: &str, input: Value, output: &str, mime: &str) -> Value {
        let job = self.run(id, input).await;
        assert_eq!(job["status"], "completed", "{id}: {job}");
        let found = &job["output"][output];
        let first = if found.is_array() { &found[0] } else { found };
        assert_eq!(first["mime"], mime, "{id}: {job}");
        assert!(first["size_bytes"].as_u64().is_some_and(|size| size > 100), "{id}: {job}");
        assert!(!job.to_string().contains("canary-of-the-key"), "{id}");
        first.clone()
    }

    fn accepted(&self, provider: Provider) -> usize {
        self.providers.stats(provider).accepted
    }
}

#[tokio::test]
async fn replicate_makes_pictures_videos_and_speech() {
    let bench = Bench::start().await;
    let fox = json!({"prompt": "a fox in the snow"});
    bench.expect_media("replicate-flux-kontext-pro", fox.clone(), "image", "image/png").await;
    bench.expect_media("replicate-flux-schnell", fox, "images", "image/png").await;
    bench.expect_media("replicate-speech-02-hd", json!({"text": "Hello there."}), "audio", "audio/wav").await;
    assert_eq!(bench.providers.replicate().creates().len(), 3);
}

#[tokio::test]
async fn fal_makes_pictures_and_speech_in_its_queue() {
    let bench = Bench::start().await;
    bench.expect_media("fal-flux-schnell", json!({"prompt": "a fox"}), "images", "image/png").await;
    bench.expect_media("fal-speech-02-hd", json!({"text": "Hello there."}), "audio", "audio/mpeg").await;
    assert_eq!(bench.accepted(Provider::Fal), 2);
}

#[tokio::test]
async fn openai_returns_base64_and_bytes() {
    let bench = Bench::start().await;
    bench.expect_media("openai-images-generate", json!({"prompt": "a fox"}), "images", "image/png").await;
    bench.expect_media("openai-speech", json!({"input": "Hello there."}), "audio", "audio/mpeg").await;
    assert_eq!(bench.accepted(Provider::OpenAi), 2);
}

#[tokio::test]
async fn elevenlabs_returns_bytes_and_base64_with_timestamps() {
    let bench = Bench::start().await;
    let text = json!({"text": "Hello there."});
    bench.expect_media("elevenlabs-text-to-speech", text.clone(), "audio", "audio/mpeg").await;
    bench.expect_media("elevenlabs-text-to-speech-timestamps", text, "audio", "audio/mpeg").await;
    bench.expect_media("elevenlabs-sound-effects", json!({"text": "rain"}), "audio", "audio/mpeg").await;
    assert_eq!(bench.accepted(Provider::ElevenLabs), 3);
}

#[tokio::test]
async fn black_forest_labs_is_polled_at_another_host() {
    let bench = Bench::start().await;
    bench.expect_media("bfl-flux-pro-1.1", json!({"prompt": "a fox"}), "image", "image/png").await;
    assert_eq!(bench.accepted(Provider::BlackForestLabs), 1);
    bench.providers.adjust(Provider::BlackForestLabs, |switches| switches.outcome = fake_providers::Outcome::Moderated);
    let job = bench.run("bfl-flux-pro-1.1", json!({"prompt": "a fox"})).await;
    assert_eq!((&job["status"], &job["error"]["name"]), (&json!("failed"), &json!("moderated")), "{job}");
}

#[tokio::test]
async fn stability_takes_forms_and_returns_bytes() {
    let bench = Bench::start().await;
    bench.expect_media("stability-core", json!({"prompt": "a fox"}), "image", "image/png").await;
    let stats = bench.providers.stats(Provider::Stability);
    let parts = &stats.calls[0].body["multipart"];
    assert!(parts.as_array().is_some_and(|parts| parts.iter().any(|part| part["text"] == "a fox")), "{parts}");
}

/// Every node makes what it declares from its sample, with one paid call.
#[tokio::test]
async fn every_node_runs_with_its_sample() {
    let bench = Bench::start().await;
    let list = bench.client.raw("GET", "/library?limit=500", &[], None).await.json();
    let ids: Vec<&str> =
        list["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect();
    let mut failed = Vec::new();
    for id in &ids {
        let entry = bench.client.raw("GET", &format!("/library/{id}"), &[], None).await.json();
        let job = bench.run(id, entry["sample"]["input"].clone()).await;
        let outputs = entry["node"]["output"].as_array().into_iter().flatten();
        let missing: Vec<&str> = outputs
            .filter(|output| {
                let name = output["name"].as_str().expect("a name");
                let found = &job["output"][name];
                let is_list = found.is_array() && output["type"] != "array";
                let first = if is_list { &found[0] } else { found };
                let kind = output["type"].as_str().expect("a type");
                let is_media = ["image", "video", "audio"].contains(&kind);
                let mime = first["mime"].as_str().unwrap_or_default();
                first.is_null() || is_media && !mime.starts_with(&format!("{kind}/"))
            })
            .filter_map(|output| output["name"].as_str())
            .collect();
        if job["status"] != "completed" || !missing.is_empty() {
            failed.push(format!("{id}: missing {missing:?}: {job:#}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let others: usize = Provider::ALL.into_iter().map(|provider| bench.accepted(provider)).sum();
    assert_eq!(bench.providers.replicate().creates().len() + others, ids.len());
}

/// The picture that one provider made is the input of the next, in the form that each takes.
#[tokio::test]
async fn a_picture_goes_from_provider_to_provider() {
    let bench = Bench::start().await;
    let person = json!({"prompt": "a person"});
    let made = bench.expect_media("bfl-flux-kontext-pro", person, "image", "image/png").await;
    for (id, name, output) in [
        ("openai-images-edit", "image", "images"),
        ("fal-flux-kontext-pro", "image_url", "images"),
        ("replicate-flux-kontext-pro", "input_image", "image"),
        ("bfl-flux-kontext-pro", "input_image", "image"),
        ("stability-remove-background", "image", "image"),
    ] {
        let mut input = json!({"prompt": "add a hat"});
        if id == "stability-remove-background" {
            input = json!({});
        }
        input[name] = made.clone();
        let changed = bench.expect_media(id, input, output, "image/png").await;
        assert_ne!(changed["sha256"], made["sha256"], "{id}");
    }
}
