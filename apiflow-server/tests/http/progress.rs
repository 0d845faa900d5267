//! The progress of running work shows in the job, in its steps and in its stream of events.

use std::time::Duration;

use fake_providers::{Behaviour, Replicate};
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
}
