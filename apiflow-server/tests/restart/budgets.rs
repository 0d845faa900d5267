//! A budget holds for several processes, and for processes that are killed while they submit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use fake_providers::{Behaviour, Replicate};
use futures_util::future::join_all;
use serde_json::json;

use crate::kills::ended;
use crate::process::{Server, declare, schema};

/// Jobs of 0.10 on a budget of 1.00.
const JOB_COUNT: usize = 20;
/// How long the jobs may take after the last start.
const PATIENCE: Duration = Duration::from_mins(3);

/// Declares a node whose calls cost 0.10, and a budget of 1.00.
async fn declare_budget(server: &Server, provider: &Replicate) {
    declare(server, provider, json!({"timeout_s": 5, "price": {"currency": "USD", "per_call": 0.1}})).await;
    let budget = json!({"scope": "all", "period": "month", "currency": "USD", "amount": "1.00"});
    server.send("PUT", "/budgets/all", Some(budget)).await;
}

async fn run_jobs(server: &Server, names: std::ops::Range<usize>) -> Vec<Option<String>> {
    let pictures: Vec<String> = names.map(|number| format!("https://example.com/{number}.png")).collect();
    join_all(pictures.iter().map(|picture| server.try_run_node(picture))).await
}

/// Waits for the jobs; returns how many ended with each status or error.
async fn count_ends(server: &Server, jobs: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for job in jobs {
        let job = ended(server, job, PATIENCE).await;
        let end = job["error"]["name"].as_str().or(job["status"].as_str()).unwrap_or_default();
        *ends.entry(end.to_owned()).or_default() += 1;
    }
    ends
}

/// What is spent of the budget, and what is reserved or held.
async fn read_budget(server: &Server) -> (String, String) {
    let budget = server.send("GET", "/budgets", None).await["items"][0].take();
    let text = |key: &str| budget[key].as_str().expect("an amount").to_owned();
    (text("spent"), text("reserved"))
}

/// Tenths as a decimal amount.
fn tenths(number: u64) -> String {
    match (number / 10, number % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// A second data folder with the same key.
fn share_key(first: &Path, second: &Path) {
    for entry in std::fs::read_dir(first).expect("the folder is read").flatten() {
        let is_key = entry.file_name().to_str().is_some_and(|name| name.contains("key"));
        if is_key {
            std::fs::copy(entry.path(), second.join(entry.file_name())).expect("the key is copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_of_twenty_jobs_are_paid_for_by_two_processes() {
    let Some(database) = schema("budgets").await else { return };
    let provider = Replicate::start(Behaviour { delay_ms: 300, hold_create_ms: 50, ..Behaviour::default() }).await;
    let provider = provider.expect("it starts");
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder can be made"));
    let first = Server::start(folders[0].path(), Some(&database), &provider).await;
    declare_budget(&first, &provider).await;
    share_key(folders[0].path(), folders[1].path());
    let second = Server::start_again(folders[1].path(), Some(&database), &provider, first.token.clone());
    let (one, other) = tokio::join!(run_jobs(&first, 0..JOB_COUNT / 2), run_jobs(&second, JOB_COUNT / 2..JOB_COUNT));
    let jobs: BTreeSet<String> = one.into_iter().chain(other).flatten().collect();
    assert_eq!(jobs.len(), JOB_COUNT);
    let ends = count_ends(&second, &jobs).await;
    assert_eq!(ends, BTreeMap::from([("budget_exceeded".to_owned(), 10), ("completed".to_owned(), 10)]));
    assert_eq!(provider.stats().creates, 10, "what is over the budget is not sent");
    assert_eq!(read_budget(&first).await, ("1".to_owned(), "0".to_owned()));
}

/// A server is killed again and again while it submits.
async fn killed_while_submitting(database: Option<&str>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let provider = Replicate::start(Behaviour { delay_ms: 300, hold_create_ms: 100, ..Behaviour::default() }).await;
    let provider = provider.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::start(folder.path(), database, &provider).await;
    declare_budget(&server, &provider).await;
    let mut jobs = BTreeSet::new();
    for number in 0..JOB_COUNT / 2 {
        let token = server.token.clone();
        jobs.extend(run_jobs(&server, 2 * number..2 * number + 2).await.into_iter().flatten());
        tokio::time::sleep(Duration::from_millis(random.u64(0..250))).await;
        server.kill();
        server = Server::start_again(folder.path(), database, &provider, token);
    }
    let ends = count_ends(&server, &jobs).await;
    assert_eq!(ends.values().sum::<usize>(), jobs.len());
    let sent = provider.stats().accepted;
    assert!((1..=10).contains(&sent), "{sent} creates of 0.10 on a budget of 1.00");
    // Each attempt is settled: it was paid, it was never sent, or what it may have cost is held. One that was cut off
    // between its journal entry and its reservation is held too, although it was not sent.
    let usage = server.send("GET", "/usage?by=node", None).await;
    let item = &usage["items"][0];
    let number = |key: &str| item[key].as_u64().expect("a number");
    let (paid, unknown) = (number("attempts") - number("unknown"), number("unknown"));
    assert_eq!(read_budget(&server).await, (tenths(paid), tenths(unknown)), "{ends:?}, {usage}");
    assert!(paid <= 10 && paid + unknown >= sent as u64, "{sent} creates, {usage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_submitting_exceed_no_budget() {
    killed_while_submitting(None, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_kills_while_submitting_exceed_no_budget() {
    let Some(database) = schema("killed_budgets").await else { return };
    killed_while_submitting(Some(&database), 2).await;
}

/// A server is killed while it passes a request on: what it may have cost is held, and its slot is free.
async fn killed_while_passing_on(database: Option<&str>) {
    let behaviour = Behaviour { hold_create_ms: 300_000, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    declare_budget(&server, &provider).await;
    let limits = json!({"data": {"limits": {"in_flight": 1}}});
    server.send("PATCH", "/connectors/replicate_connector_id", Some(limits)).await;
    let path = "/proxy/replicate_connector_id/models/black-forest-labs/flux-kontext-pro/predictions";
    let body = json!({"input": {"prompt": "a hat"}});
    let lost = server.begin_post(path, &body);
    let held = provider.until(PATIENCE, |stats| stats.held == 1).await;
    assert!(held.is_some(), "the provider has the request");
    assert_eq!(read_budget(&server).await, ("0".to_owned(), "0.1".to_owned()));
    let token = server.token.clone();
    server.kill();
    lost.await.expect("it ends with the server");
    provider.adjust(|behaviour| behaviour.hold_create_ms = 0);
    let server = Server::start_again(folder.path(), database, &provider, token);
    // It waits for the slot until the lease of the lost one has ended.
    let (status, reply) = server.exchange("POST", &format!("/api/v1{path}"), Some(body)).await;
    assert_eq!(status, 201, "{reply}");
    assert_eq!(read_budget(&server).await, ("0.1".to_owned(), "0.1".to_owned()), "one was paid, and one may have been");
    let calls = server.send("GET", "/calls", None).await;
    assert_eq!(calls["items"].as_array().map(Vec::len), Some(2), "{calls}");
    assert_eq!(calls["items"][1]["node_id"], "replicate_flux_kontext_pro_node_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_a_request_is_passed_on_holds_its_cost_and_frees_its_slot() {
    killed_while_passing_on(None).await;
    if let Some(database) = schema("killed_proxy").await {
        killed_while_passing_on(Some(&database)).await;
    }
}
