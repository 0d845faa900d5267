//! A server that is killed again and again while jobs make, download and upload files: nothing is paid twice, and no file is
//! half-written or left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::artifacts::{ArtifactSettings, CollectedGarbage, StoredArtifacts};
use apiflow_core::ports::{ArtifactFilter, ArtifactRow, Artifacts as _};
use apiflow_core::runtime::clock::SystemClock;
use fake_providers::{Behaviour, Delivery, Replicate};
use futures_util::TryStreamExt as _;
use ring::digest::{Context, SHA256};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::process::{Server, is_final, schema};
use crate::slow_provider::{Phase, SlowProvider, UnderWay};

/// How often each database's server is killed; `APIFLOW_TEST_KILLS` sets another number.
const DEFAULT_KILLS: usize = 24;
/// Jobs that are started before each kill.
const JOBS_PER_KILL: usize = 2;
/// How long a kill waits for its moment.
const MAX_WAIT: Duration = Duration::from_secs(4);
/// How long the jobs that are left may take after the last start.
const PATIENCE: Duration = Duration::from_mins(10);

/// The moment of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// While a call is in this phase.
    During(Phase),
    /// While no call is under way, after one was.
    Between,
    /// Some time after the start.
    Anytime,
}

const MOMENTS: [Moment; 7] = [
    Moment::During(Phase::Submit),
    Moment::During(Phase::Poll),
    Moment::During(Phase::Download),
    Moment::During(Phase::Upload),
    Moment::During(Phase::Multipart),
    Moment::Between,
    Moment::Anytime,
];

/// What was under way when the server was killed.
#[derive(Debug, Default)]
struct Hits {
    phases: BTreeMap<Phase, usize>,
    between: usize,
}

impl Hits {
    fn count(&mut self, under_way: UnderWay) {
        let hit = Phase::ALL.into_iter().filter(|phase| under_way[*phase as usize] > 0);
        hit.for_each(|phase| *self.phases.entry(phase).or_default() += 1);
        self.between += usize::from(under_way == UnderWay::default());
    }

    fn check(&self, kills: usize) {
        for phase in Phase::ALL {
            let hit = self.phases.get(&phase).copied().unwrap_or_default();
            assert!(hit >= kills / 12, "{hit} of {kills} kills hit {phase:?}: {self:?}");
        }
        assert!(self.between >= kills / 24, "{self:?}");
    }
}

/// Declares a workflow that makes a picture, and then two of it: one that is uploaded first, one that is sent along.
async fn declare_media(server: &Server, provider: &SlowProvider, timeout_s: usize) {
    let connector = json!({"id": "slow", "name": "Slow", "base_url": provider.base_url(),
        "header": {"Authorization": "Bearer $REPLICATE_API_TOKEN"}, "data": {"upload": "replicate"}});
    server.send("POST", "/connectors", Some(connector)).await;
    let attempt = json!({"x-attempt": "{{ job.id }} {{ step.id }} {{ step.attempt }}"});
    let prompt = json!({"name": "prompt", "type": "string", "required": true});
    let prediction = json!({"path": "/models/black-forest-labs/flux-kontext-pro/predictions",
        "body": {"input": "{{ input }}"}, "operation": "replicate", "timeout_s": 10, "header": attempt});
    let restyle = json!({"path": "/restyle", "body_kind": "multipart", "timeout_s": 10, "header": attempt,
        "body": {"prompt": "{{ input.prompt }}", "image": "{{ input.input_image }}"}});
    let image = |sent_as: &str| json!({"name": "input_image", "type": "image", "required": true, "as": sent_as});
    for (id, inputs, mapping, data) in [
        ("draw", json!([prompt]), "output", &prediction),
        ("edit", json!([prompt, image("upload")]), "output", &prediction),
        ("restyle", json!([prompt, image("multipart")]), "@body", &restyle),
    ] {
        let node = json!({"id": id, "name": id, "connector_id": "slow", "input": inputs,
            "output": [{"name": "image", "type": "image", "mapping": mapping}], "data": data});
        server.send("POST", "/nodes", Some(node)).await;
    }
    let step = |id: &str, node: &str, image: Option<&str>| {
        let mut inputs = json!({"prompt": {"type": "javascript", "expr": "flow_input.prompt"}});
        if let Some(expr) = image {
            inputs["input_image"] = json!({"type": "javascript", "expr": expr});
        }
        // An attempt counts as lost soon after its bound.
        json!({"id": id, "timeout": timeout_s,
            "value": {"type": "script", "path": format!("node/{node}"), "input_transforms": inputs}})
    };
    let branches = json!([
        {"modules": [step("edited", "edit", Some("results.drawn.image"))]},
        {"modules": [step("restyled", "restyle", Some("results.drawn.image"))]},
    ]);
    let both = json!({"id": "both", "value": {"type": "branchall", "parallel": true, "branches": branches}});
    let document = json!({"summary": "media", "value": {"modules": [step("drawn", "draw", None), both]}});
    server.send("POST", "/workflows", Some(json!({"id": "media", "name": "Media", "nodes": document}))).await;
}

/// Waits for the moment at which the server is to be killed, for a limited time; returns what is under way then.
async fn wait_for_moment(
    moment: Moment,
    calls: &mut watch::Receiver<UnderWay>,
    random: &mut fastrand::Rng,
) -> UnderWay {
    let some = |counts: &UnderWay| counts.iter().any(|count| *count > 0);
    let reached = async {
        match moment {
            Moment::During(phase) => drop(calls.wait_for(|counts| counts[phase as usize] > 0).await),
            Moment::Between => {
                drop(calls.wait_for(some).await);
                drop(calls.wait_for(|counts| !some(counts)).await);
            }
            Moment::Anytime => tokio::time::sleep(Duration::from_millis(random.u64(20..900))).await,
        }
    };
    // The jobs that are left may all be waiting for something else.
    let _in_time = tokio::time::timeout(MAX_WAIT, reached).await;
    if let Moment::During(_) = moment {
        tokio::time::sleep(Duration::from_millis(random.u64(0..40))).await;
    }
    *calls.borrow()
}

/// Kills the server again and again while jobs run; returns the last one, and what the kills hit.
async fn kill_again_and_again(
    mut server: Server,
    (folder, database): (&Path, Option<&str>),
    (stand_in, provider): (&Replicate, &SlowProvider),
    (kills, seed): (usize, u64),
) -> (Server, Hits) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hits = Hits::default();
    let mut moments: Vec<Moment> = Vec::new();
    for kill in 0..kills {
        if moments.is_empty() {
            moments = MOMENTS.to_vec();
            random.shuffle(&mut moments);
        }
        let moment = moments.pop().expect("it was filled");
        let mut calls = provider.watch_calls();
        let started = async {
            for number in 0..JOBS_PER_KILL {
                let prompt = format!("{kill}-{number}");
                server.try_start("media", &prompt, json!({"prompt": prompt})).await;
            }
            std::future::pending::<()>().await;
        };
        // The kill may cut off a request that makes a job.
        let under_way = tokio::select! {
            under_way = wait_for_moment(moment, &mut calls, &mut random) => under_way,
            () = started => unreachable!("it waits for ever"),
        };
        let token = server.token.clone();
        server.kill();
        hits.count(under_way);
        server = Server::start_again(folder, database, stand_in, token);
    }
    (server, hits)
}

/// Waits until all jobs have ended; returns them.
async fn wait_for_jobs(server: &Server) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    let mut jobs = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = server.exchange("GET", &format!("/api/v1/jobs?limit=100{cursor}"), None).await;
        if status == 503 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        }
        for item in page["items"].as_array().expect("a list") {
            let id = item["id"].as_str().expect("an id").to_owned();
            jobs.push(loop {
                // A busy database may refuse a read.
                let (status, job) = server.exchange("GET", &format!("/api/v1/jobs/{id}"), None).await;
                if status == 200 && is_final(&job) {
                    break job;
                }
                assert!(Instant::now() < deadline, "the job stays {job}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            });
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return jobs,
        }
    }
}

/// How jobs ended.
#[derive(Debug, Default)]
struct Ends {
    completed: usize,
    /// A call was journalled, and nobody knows what became of it.
    unknown: usize,
    /// The same, of jobs that happened to run alone at many kills in a row, and so seem to be their cause.
    abandoned: usize,
    /// A download was cut off until the time limit of its step.
    late: usize,
}

/// Checks how the jobs ended; returns it, and the ids of the artifacts of their steps.
fn check_jobs(jobs: &[Value]) -> (Ends, BTreeSet<String>) {
    let mut ends = Ends::default();
    let mut artifacts = BTreeSet::new();
    for job in jobs {
        let steps = job["steps"].as_array().expect("steps");
        if job["status"] == "completed" {
            ends.completed += 1;
            let made = steps.iter().filter(|step| step["artifacts"].as_array().is_some_and(|made| made.len() == 1));
            assert_eq!(made.count(), 3, "each step has kept its picture: {job}");
        } else {
            let error = &job["error"];
            let counter = match error["name"].as_str() {
                Some("submit_unknown") => &mut ends.unknown,
                Some("job_abandoned") => &mut ends.abandoned,
                Some("timeout") if error["message"].as_str().is_some_and(|text| text.contains("downloaded")) => {
                    &mut ends.late
                }
                _ => panic!("{job}"),
            };
            *counter += 1;
        }
        assert!(steps.iter().all(|step| !step["finished_at"].is_null()), "{job}");
        let kept = steps.iter().flat_map(|step| step["artifacts"].as_array().into_iter().flatten());
        artifacts.extend(kept.map(|artifact| artifact["artifact"].as_str().expect("an id").to_owned()));
    }
    (ends, artifacts)
}

/// Checks that no attempt reached the provider twice; returns how many did.
async fn check_creates(stand_in: &Replicate, provider: &SlowProvider) -> usize {
    let created = stand_in.creates().into_iter().filter(|create| create.prediction.is_some());
    let attempts = created.map(|create| create.headers.get("x-attempt").cloned().unwrap_or_default());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in attempts.chain(provider.restyled().await) {
        assert!(!attempt.is_empty(), "each attempt says which one it is");
        *counts.entry(attempt).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    counts.len()
}

/// Lists the files in a folder and in those below it, as keys.
fn list_files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("the folder is read").path();
        if path.is_dir() {
            list_files(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).expect("it is below").display().to_string());
        }
    }
}

async fn list_rows(artifacts: &StoredArtifacts) -> Vec<ArtifactRow> {
    let mut rows: Vec<ArtifactRow> = Vec::new();
    loop {
        let before = rows.last().map(|row| (row.created_at, row.id.clone()));
        let page = artifacts.records().list_artifacts(&ArtifactFilter::default(), before, 100).await;
        let page = page.expect("the records are read");
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// Checks after the server's end that each artifact is whole, and that the collector leaves exactly their files.
async fn check_files(folder: &Path, database: Option<&str>, jobs: &[Value]) -> CollectedGarbage {
    let own = format!("sqlite:{}", folder.join("apiflow.db").display());
    let stores = apiflow_store::open(database.unwrap_or(&own)).await.expect("the database opens");
    let place = folder.join("artifacts");
    let settings = ArtifactSettings::new("x:");
    let artifacts = StoredArtifacts::in_folder(&place, stores.artifacts.clone(), Arc::new(SystemClock), settings);
    let artifacts = artifacts.expect("the folder opens");
    let collected = artifacts.collect_garbage(Duration::ZERO).await.expect("it works");
    let rows = list_rows(&artifacts).await;
    for row in &rows {
        let reader = artifacts.get(&row.id, None).await.expect("its file is there");
        let hash = reader.bytes.try_fold(Context::new(&SHA256), async |mut hash, part| {
            hash.update(&part);
            Ok(hash)
        });
        let hash = hash.await.expect("its file is read").finish();
        let hex = hash.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(hex, row.blob.sha256, "{row:?}");
    }
    let known: BTreeSet<String> = rows.iter().map(|row| row.blob.key.clone()).collect();
    let mut files = BTreeSet::new();
    list_files(&place, &place, &mut files);
    assert_eq!(files, known, "files without an artifact, artifacts without a file, and unfinished files");
    let usage = artifacts.records().read_usage(None).await.expect("the records are read");
    assert_eq!((usage.blobs, usage.artifacts), (known.len() as u64, rows.len() as u64));
    check_owners(&rows, jobs);
    collected
}

/// Checks that each step's artifact is there, and that each artifact is that of a step, or of a job that failed.
fn check_owners(rows: &[ArtifactRow], jobs: &[Value]) {
    let (_, of_steps) = check_jobs(jobs);
    let ids: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    assert!(of_steps.is_subset(&ids), "artifacts of steps are gone");
    for row in rows.iter().filter(|row| !of_steps.contains(&row.id)) {
        let job = row.provenance.as_ref().map(|provenance| provenance.job.as_str());
        let is_failed = |found: &&Value| found["id"].as_str() == job && found["status"] == "failed";
        assert!(jobs.iter().any(|found| is_failed(&found)), "{row:?} belongs to no step");
    }
}

async fn killed_with_media(name: &str, database: Option<&str>, seed: u64) {
    let kills = std::env::var("APIFLOW_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(DEFAULT_KILLS);
    let begun = Instant::now();
    let behaviour = Behaviour { delay_ms: 700, delivery: Delivery::Local, ..Behaviour::default() };
    let stand_in = Replicate::start(behaviour).await.expect("it starts");
    let provider = SlowProvider::start(&stand_in).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &stand_in).await;
    // A download that is cut off continues when the killed server's lease has expired, and may be cut off again.
    declare_media(&server, &provider, 60 + kills * 6 / 5).await;
    let place = (folder.path(), database);
    let (server, hits) = kill_again_and_again(server, place, (&stand_in, &provider), (kills, seed)).await;
    let killing = begun.elapsed();
    let jobs = wait_for_jobs(&server).await;
    server.stop();
    let (ends, of_steps) = check_jobs(&jobs);
    let creates = check_creates(&stand_in, &provider).await;
    let collected = check_files(folder.path(), database, &jobs).await;
    eprintln!(
        "{name}: {kills} kills in {killing:.0?} ({:.0?} with the rest): {hits:?}; {} jobs: {ends:?}; \
         {creates} creates, {} artifacts; collected {collected:?}",
        begun.elapsed(),
        jobs.len(),
        of_steps.len(),
    );
    hits.check(kills);
    assert!(jobs.len() > kills / 2, "only {} jobs were made", jobs.len());
    assert!(ends.completed > jobs.len() / 10 && ends.abandoned + ends.late <= 1 + kills / 10, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_no_file_and_pay_nothing_twice() {
    killed_with_media("SQLite", None, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_kills_lose_no_file_and_pay_nothing_twice() {
    let Some(database) = schema("media_kills").await else { return };
    killed_with_media("Postgres", Some(&database), 4).await;
}
