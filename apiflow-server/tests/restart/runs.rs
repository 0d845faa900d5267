//! The binary is killed in the middle of a run, and started again: nothing is paid twice.

use std::path::{Path, PathBuf};

use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};

use crate::process::{CANARY, PATIENCE, Server, begin, is_final, schema};

/// The prompts of the predictions that were made.
fn prompts(provider: &Replicate) -> Vec<String> {
    let creates = provider.creates();
    let made = creates.iter().filter(|create| create.prediction.is_some());
    made.map(|create| create.body["input"]["prompt"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The files of a folder and of the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Asserts that the provider's key is in no file (database and log among them) and was in no reply.
async fn hides_the_key(server: &Server, folder: &Path, job: &Value) {
    let id = job["id"].as_str().expect("an id");
    for step in job["steps"].as_array().expect("steps") {
        let calls = server.send("GET", &format!("/jobs/{id}/steps/{}/calls", step["ordinal"]), None).await;
        assert!(calls.to_string().contains("$REPLICATE_API_TOKEN"), "a call shows the secret's name: {calls}");
    }
    for path in ["/connectors", "/nodes", "/workflows", "/jobs", "/secrets"] {
        server.send("GET", path, None).await;
    }
    assert!(!server.seen.lock().expect("no test thread panicked").contains(CANARY), "a reply holds the key");
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    let files = files(folder);
    assert!(files.iter().any(|file| file.ends_with("server.log")), "{files:?}");
    for file in files {
        assert!(!holds(&std::fs::read(&file).expect("the file can be read")), "{} holds the key", file.display());
    }
}

const BOTH: [&str; 2] = ["Add a Hat to person", "Make this a 90s cartoon"];

async fn killed_while_polling(database: Option<&str>) {
    let provider = Replicate::start(Behaviour { delay_ms: 1500, ..Behaviour::default() }).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    let job = begin(&server, &provider).await;
    // The second prediction was accepted, and is being asked about.
    server.job_where(&job, |job| !job["steps"][1]["provider_id"].is_null()).await;
    server.kill();
    let server = Server::start(folder.path(), database, &provider).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(prompts(&provider), BOTH);
    assert_eq!(provider.creates().len(), 2);
    hides_the_key(&server, folder.path(), &ended).await;
}

async fn killed_while_submitting(database: Option<&str>) {
    let behaviour = Behaviour { skip_creates: 1, hold_create_ms: 120_000, delay_ms: 200, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    let job = begin(&server, &provider).await;
    let held = provider.until(PATIENCE, |stats| stats.held == 1).await;
    assert!(held.is_some(), "the second create is held open");
    server.kill();
    let server = Server::start(folder.path(), database, &provider).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(prompts(&provider), BOTH);
    assert_eq!(provider.creates().len(), 2, "nothing was sent again");
    assert_eq!(ended["status"], "completed", "the provider's list has the prediction: {ended}");
    assert_eq!(ended["steps"][1]["attempt"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_polling_goes_on_with_the_same_prediction() {
    killed_while_polling(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_submitting_finds_its_prediction() {
    killed_while_submitting(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_run_killed_while_polling_goes_on_with_the_same_prediction() {
    let Some(database) = schema("polling").await else { return };
    killed_while_polling(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_run_killed_while_submitting_finds_its_prediction() {
    let Some(database) = schema("submitting").await else { return };
    killed_while_submitting(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_the_server_stops_is_kept() {
    let behaviour = Behaviour { skip_creates: 1, hold_create_ms: 2_000, delay_ms: 200, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), None, &provider).await;
    let job = begin(&server, &provider).await;
    assert!(provider.until(PATIENCE, |stats| stats.held == 1).await.is_some(), "the second create is held open");
    tokio::task::block_in_place(|| server.stop());
    let server = Server::start(folder.path(), None, &provider).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(provider.creates().len(), 2);
    let calls = server.send("GET", &format!("/jobs/{job}/steps/cartoon_step/calls"), None).await;
    let purposes = calls["items"].as_array().expect("calls").iter().map(|call| call["purpose"].clone());
    assert!(!purposes.collect::<Vec<_>>().contains(&json!("recover")), "the reply was not lost: {calls}");
}
