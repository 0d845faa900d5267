//! The progress of running work shows in the job, in its steps and in its stream of events.

use std::time::Duration;

use fake_providers::{Behaviour, MediaProviders, Provider, Replicate, ReplicateOptions};
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;
use crate::runs::follow;

/// Returns the progress of the only step of a reply, at a pointer.
async fn progress_at(client: &RecordingClient, path: &str, pointer: &str) -> Option<f64> {
    client.raw("GET", path, &[], None).await.json().pointer(pointer).and_then(Value::as_f64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_percentage_in_the_providers_log_shows_while_the_work_runs() {
    let provider = Replicate::start(Behaviour { delay_ms: 6_000, ..Behaviour::default() }).await.expect("it starts");
    let client = RecordingClient::admin().await;
    client.work();
    let connector = json!({"id": "fake", "name": "Fake", "base_url": provider.base_url(),
        "header": {"Authorization": "Bearer token"}});
    let node = json!({"id": "draw", "name": "Draw", "connector_id": "fake", "data": {
        "path": "/models/black-forest-labs/flux-schnell/predictions", "body": {"input": "{{ input }}"},
        "operation": {"preset": "replicate", "poll": {"url": "urls.get", "interval_s": 0.2, "max_interval_s": 0.5}}}});
    for (path, body) in [("/connectors/fake", connector), ("/nodes/draw", node)] {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
    }
    let job = client.raw("POST", "/node/draw/run", &[], Some(json!({"input": {"prompt": "p"}}))).await.string("/id");
    let (in_job, in_steps) = (format!("/jobs/{job}"), format!("/jobs/{job}/steps"));
    let watching = async {
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let both = (
                progress_at(&client, &in_job, "/steps/0/progress").await,
                progress_at(&client, &in_steps, "/items/0/progress").await,
            );
            if let (Some(first), Some(second)) = both
                && (0.1..1.0).contains(&first)
                && second >= first
            {
                seen.push(first);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let (stream, watched) =
        tokio::join!(follow(&client, &job), tokio::time::timeout(Duration::from_secs(20), watching));
    watched.expect("the progress shows");
    let sent: Vec<f64> = stream
        .split("\n\n")
        .filter(|message| message.contains("event: progress"))
        .filter_map(|message| message.lines().find_map(|line| line.strip_prefix("data: ")))
        .map(|data| serde_json::from_str::<Value>(data).expect("JSON")["progress"].as_f64().expect("a number"))
        .collect();
    assert!(sent.len() > 2 && sent.is_sorted(), "{stream}");
    assert_eq!(progress_at(&client, &in_job, "/steps/0/progress").await, Some(1.0), "it ended");

    // The log, too: in messages that say how long it is, and to read from any position.
    let sizes: Vec<u64> =
        messages(&stream, "logs").iter().map(|data| data["total_bytes"].as_u64().expect("a number")).collect();
    assert!(sizes.len() > 2 && sizes.is_sorted(), "{stream}");
    let read = async |query: &str| client.raw("GET", &format!("{in_steps}/2/logs{query}"), &[], None).await.json();
    let whole = read("").await;
    let text = whole["text"].as_str().expect("a text");
    assert!(text.contains("100%"), "{whole}");
    let total = text.len() as u64;
    assert_eq!(
        (&whole["offset"], &whole["attempt"], whole["total_bytes"].as_u64()),
        (&json!(0), &json!(1), Some(total))
    );
    let rest = read(&format!("?offset={}", total - 3)).await;
    assert_eq!(rest["text"].as_str(), text.get(text.len() - 3..), "{rest}");
    assert_eq!(read(&format!("?offset={total}")).await["text"], "");
    let steps = client.raw("GET", &in_steps, &[], None).await.json();
    assert_eq!(steps["items"][0]["log_bytes"].as_u64(), Some(total), "{steps}");
    let missing = client.raw("GET", &format!("{in_steps}/nothing/logs"), &[], None).await;
    assert_eq!(missing.status, 404, "{}", missing.text);
    assert!(client.raw("DELETE", &in_job, &[], None).await.status.is_success());
    assert_eq!(client.stores.store.read_step_log(&job, 2).await, Ok(None), "it goes with the job");
}

/// Returns the data of the messages of a type.
fn messages(stream: &str, kind: &str) -> Vec<Value> {
    let of_kind = stream.split("\n\n").filter(|message| message.contains(&format!("event: {kind}\n")));
    of_kind
        .filter_map(|message| message.lines().find_map(|line| line.strip_prefix("data: ")))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_in_a_queue_shows_until_the_work_begins_and_the_lines_of_a_log_are_kept() {
    let providers = MediaProviders::start(ReplicateOptions::default()).await.expect("the stand-ins start");
    providers.adjust(Provider::Fal, |switches| switches.delay_ms = 5_000);
    let client = RecordingClient::admin().await;
    client.work();
    let host = providers.addresses()[0].to_string();
    let base_url = providers.base_url(Provider::Fal);
    let connector = json!({"id": "fal", "name": "fal", "base_url": base_url, "header": {"Authorization": "Key key:secret"},
        "data": {"hosts": providers.addresses().map(|address| address.to_string()).to_vec()}});
    let node = json!({"id": "draw", "name": "Draw", "connector_id": "fal", "data": {"path": "/fal-ai/flux/dev",
        "operation": {"preset": "fal", "poll": {"url": "status_url", "query": {"logs": 1}, "interval_s": 0.2, "max_interval_s": 0.3}}}});
    for (path, body) in [("/connectors/fal", connector), ("/nodes/draw", node)] {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{path} {host}: {}", reply.text);
    }
    let job = client.raw("POST", "/node/draw/run", &[], Some(json!({"input": {"prompt": "p"}}))).await.string("/id");
    let watching = async {
        loop {
            let steps = client.raw("GET", &format!("/jobs/{job}/steps"), &[], None).await.json();
            if steps["items"][0]["queue_position"] == json!(0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (stream, watched) =
        tokio::join!(follow(&client, &job), tokio::time::timeout(Duration::from_secs(20), watching));
    watched.expect("the position shows");
    let positions: Vec<Value> =
        messages(&stream, "progress").iter().filter_map(|data| data.get("queue_position")).cloned().collect();
    assert_eq!(positions, [json!(0), Value::Null], "{stream}");
    let log = client.raw("GET", &format!("/jobs/{job}/steps/run/logs"), &[], None).await.json();
    assert!(log["text"].as_str().is_some_and(|text| text.ends_with("%|\n")), "{log}");
}
