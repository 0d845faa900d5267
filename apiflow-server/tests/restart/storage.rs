//! The database cannot do its work for a while: what is asked is refused with the cause, what was paid for is recorded
//! as soon as it can be, and nothing is paid twice.

use std::time::{Duration, Instant};

use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::disk::SmallDisk;
use crate::process::{PATIENCE, Server, declare, founding, is_final};

/// How long a prediction takes: longer than it takes to fill a database or to stop one.
const DELAY_MS: u64 = 3_000;

/// Runs a workflow that holds an input of so many bytes and does nothing with it.
async fn run_ballast(server: &Server, bytes: usize) -> (u16, Value) {
    let document = json!({"value": {"modules": [{"id": "a", "value": {"type": "identity"}}]}});
    let body = json!({"document": document, "input": {"text": "x".repeat(bytes)}});
    server.exchange("POST", "/api/v1/workflows/run", Some(body)).await
}

/// A ballast that has ended, to be removed later.
async fn ended_ballast(server: &Server, bytes: usize) -> String {
    let (status, job) = run_ballast(server, bytes).await;
    assert_eq!(status, 202, "{job}");
    let id = job["id"].as_str().expect("an id").to_owned();
    server.job_where(&id, is_final).await;
    id
}

/// Asserts that nothing of this size can be taken now, for this reason.
async fn is_refused(server: &Server, bytes: usize, expected: (u16, &str)) {
    let (status, reply) = run_ballast(server, bytes).await;
    assert_eq!((status, reply["code"].as_str()), (expected.0, Some(expected.1)), "{reply}");
}

/// Takes jobs until not even a small one fits.
async fn fill(server: &Server) {
    for bytes in [400_000, 50_000, 5_000, 500, 1] {
        while run_ballast(server, bytes).await.0 == 202 {}
        is_refused(server, bytes, (507, "storage_full")).await;
    }
}

/// Waits until `/readyz` answers with a status, and a code if it refuses.
async fn ready_with(server: &Server, status: u16, code: Option<&str>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (found, body) = server.exchange("GET", "/readyz", None).await;
        if found == status && body["code"].as_str() == code {
            return;
        }
        assert!(Instant::now() < deadline, "/readyz stays {found} {body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn count_active(server: &Server) -> usize {
    let mut active = 0;
    for status in ["pending", "running", "suspended"] {
        let page = server.send("GET", &format!("/jobs?status={status}&limit=500"), None).await;
        active += page["items"].as_array().expect("a page").len();
    }
    active
}

/// Waits until no job is left that has not ended.
async fn all_end(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while count_active(server).await > 0 {
        assert!(Instant::now() < deadline, "{} jobs have not ended", count_active(server).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs the workflow of two paid steps; gives the job's id once the first one's prediction was accepted.
async fn begin(server: &Server, provider: &Replicate) -> String {
    declare(server, provider, json!({})).await;
    // Without bounds on its steps: an outage may take long on a busy machine.
    let nodes = founding("workflow.json")["nodes"].take();
    server.send("PATCH", "/workflows/hat", Some(json!({"nodes": nodes}))).await;
    let job = server.send("POST", "/workflow/hat/run", Some(founding("run_workflow.json"))).await;
    let id = job["id"].as_str().expect("an id").to_owned();
    server.job_where(&id, |job| !job["steps"][0]["provider_id"].is_null()).await;
    id
}

async fn provider() -> Replicate {
    Replicate::start(Behaviour { delay_ms: DELAY_MS, ..Behaviour::default() }).await.expect("it starts")
}

/// Waits until the provider has said that its first prediction has ended.
async fn told_the_end(provider: &Replicate) {
    let succeeded = |stats: &fake_providers::Stats| stats.predictions.iter().any(|made| made["status"] == "succeeded");
    assert!(provider.until(PATIENCE, succeeded).await.is_some(), "the server asks until the prediction has ended");
}

/// Waits until the first prediction has ended at the provider, whether or not the server can ask about it.
async fn has_ended(provider: &Replicate) {
    let deadline = Instant::now() + PATIENCE;
    while !provider.stats().predictions.iter().any(|made| made["status"] == "succeeded") {
        assert!(Instant::now() < deadline, "the prediction does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The job ends well, and each of its steps was paid for once.
async fn completes(server: &Server, provider: &Replicate, job: &str) {
    let ended = server.job_where(job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(provider.creates().len(), 2);
    let attempts: Vec<&Value> = ended["steps"].as_array().expect("steps").iter().map(|step| &step["attempt"]).collect();
    assert_eq!(attempts, [&json!(1), &json!(1)]);
    all_end(server).await;
    ready_with(server, 200, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_is_survived_without_a_restart() {
    let provider = provider().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let database = format!("sqlite:{}?max_page_count=1500", folder.path().join("apiflow.db").display());
    let server = Server::start(folder.path(), Some(&database), &provider).await;
    let ballast = [ended_ballast(&server, 900_000).await, ended_ballast(&server, 900_000).await];
    let job = begin(&server, &provider).await;
    fill(&server).await;
    ready_with(&server, 503, Some("storage_full")).await;
    told_the_end(&provider).await;
    let waiting = server.job_where(&job, |_| true).await;
    assert_eq!(waiting["status"], "running", "its answer waits for room: {waiting}");
    for id in ballast {
        server.send("DELETE", &format!("/jobs/{id}"), None).await;
    }
    completes(&server, &provider, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_system_is_survived_without_a_restart() {
    let Some(disk) = SmallDisk::mount(32 * 1024) else { return };
    let provider = provider().await;
    // Its log is there too.
    let server = Server::start(disk.path(), None, &provider).await;
    let job = begin(&server, &provider).await;
    disk.fill();
    for _ in 0..3 {
        is_refused(&server, 2_000_000, (507, "storage_full")).await;
    }
    // Nothing can be written here, not even that somebody asks the provider.
    has_ended(&provider).await;
    disk.free();
    completes(&server, &provider, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_to_write_is_survived_without_a_restart() {
    let provider = provider().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), None, &provider).await;
    let job = begin(&server, &provider).await;
    if !server.limit_file_size("4096") {
        eprintln!("skipped without prlimit");
        return;
    }
    for _ in 0..3 {
        is_refused(&server, 100_000, (503, "storage_io_error")).await;
    }
    ready_with(&server, 503, Some("storage_io_error")).await;
    has_ended(&provider).await;
    assert!(server.limit_file_size("unlimited"), "the limit is raised again");
    completes(&server, &provider, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgres_in_the_middle_of_a_run_is_survived() {
    let Some(mut cluster) = Cluster::start() else { return };
    let provider = provider().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), Some(&cluster.url()), &provider).await;
    let job = begin(&server, &provider).await;
    tokio::task::block_in_place(|| cluster.stop());
    ready_with(&server, 503, Some("storage_unreachable")).await;
    let (status, reply) = run_ballast(&server, 10).await;
    assert_eq!(status, 503, "{reply}");
    has_ended(&provider).await;
    tokio::task::block_in_place(|| cluster.resume());
    completes(&server, &provider, &job).await;
}
