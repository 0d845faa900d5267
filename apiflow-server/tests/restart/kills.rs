//! A server that is killed at random moments, again and again, while jobs run: no step is created twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};

use crate::process::{Server, declare, is_final, schema};

/// How often each database's server is killed.
const KILLS: usize = 100;
/// Jobs that are started before each of the first kills.
const JOBS_PER_KILL: usize = 2;
/// How long the jobs that are left may take after the last start.
const PATIENCE: Duration = Duration::from_mins(3);

/// The creates that the provider saw, by what they asked for: each belongs to one step of one job.
fn creates(provider: &Replicate) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for create in provider.creates().into_iter().filter(|create| create.prediction.is_some()) {
        let input = &create.body["input"];
        *counts.entry(format!("{} of {}", input["prompt"], input["input_image"])).or_default() += 1;
    }
    counts
}

pub(crate) async fn ended(server: &Server, job: &str, within: Duration) -> Value {
    let deadline = Instant::now() + within;
    loop {
        let read = server.send("GET", &format!("/jobs/{job}"), None).await;
        if is_final(&read) {
            return read;
        }
        assert!(Instant::now() < deadline, "the job stays {read}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn killed_at_random(database: Option<&str>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let behaviour = Behaviour { delay_ms: 400, hold_create_ms: 60, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::start(folder.path(), database, &provider).await;
    declare(&server, &provider, json!({"timeout_s": 10})).await;
    let mut jobs = BTreeMap::new();
    for kill in 0..KILLS {
        let token = server.token.clone();
        let lives = Duration::from_millis(random.u64(20..700));
        let runs = async {
            for number in 0..JOBS_PER_KILL {
                let picture = format!("https://example.com/{kill}-{number}.png");
                if let Some(job) = server.try_run(&picture).await {
                    jobs.insert(job, picture);
                }
            }
            tokio::time::sleep(lives).await;
        };
        // The moment of the kill may be in the middle of a request that makes a job.
        let _cut_off = tokio::time::timeout(lives, runs).await;
        server.kill();
        server = Server::start_again(folder.path(), database, &provider, token);
    }
    assert!(jobs.len() > KILLS / 2, "only {} jobs were made", jobs.len());
    let mut completed = 0;
    for (job, picture) in &jobs {
        let job = ended(&server, job, PATIENCE).await;
        if job["status"] == "completed" {
            completed += 1;
        } else {
            // Its create was journalled and never arrived: the provider's list lacks it, so it is not sent again.
            assert_eq!(job["error"]["name"], "submit_unknown", "{picture}: {job}");
        }
        for step in job["steps"].as_array().expect("steps") {
            assert!(!step["finished_at"].is_null(), "{step}");
        }
    }
    let twice: Vec<_> = creates(&provider).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    assert!(completed > jobs.len() / 2, "{completed} of {} jobs completed", jobs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_pay_nothing_twice() {
    killed_at_random(None, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_hundred_kills_pay_nothing_twice() {
    let Some(database) = schema("kills").await else { return };
    killed_at_random(Some(&database), 2).await;
}

/// Restarts that come faster than jobs that were cut off are settled.
async fn restarted_faster_than_recovery(database: Option<&str>) {
    const JOBS: usize = 20;
    let provider = Replicate::start(Behaviour { hold_create_ms: 300_000, ..Behaviour::default() }).await;
    let provider = provider.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::start(folder.path(), database, &provider).await;
    declare(&server, &provider, json!({})).await;
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        jobs.push(server.try_run(&format!("https://example.com/{number}.png")).await.expect("a job"));
    }
    let held = provider.until(Duration::from_mins(1), |stats| stats.held == JOBS).await;
    assert!(held.is_some(), "all first creates are held open");
    provider.adjust(|behaviour| {
        behaviour.outage = true;
        behaviour.hold_create_ms = 0;
    });
    for _ in 0..8 {
        let token = server.token.clone();
        server.kill();
        server = Server::start_again(folder.path(), database, &provider, token);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    provider.adjust(|behaviour| behaviour.outage = false);
    for job in &jobs {
        let job = ended(&server, job, PATIENCE).await;
        assert_eq!(job["status"], "completed", "{job}");
    }
    let counts = creates(&provider);
    assert_eq!((counts.len(), counts.values().sum::<usize>()), (2 * JOBS, 2 * JOBS), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_faster_than_recovery_abandon_no_job() {
    restarted_faster_than_recovery(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_restarts_faster_than_recovery_abandon_no_job() {
    let Some(database) = schema("restarts").await else { return };
    restarted_faster_than_recovery(Some(&database)).await;
}
