//! Limits of a provider and budgets hold for all processes that share a database: two runtimes work on it, each with its
//! own connections, as two processes do.

#[expect(dead_code, reason = "each test opens its schema twice")]
#[path = "common/schemas.rs"]
mod schemas;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::http::{Http, HttpLimits, OutgoingPolicy};
use apiflow_core::money::Amount;
use apiflow_core::ports::{Budget, BudgetPeriod, BudgetScope, JobBundle, JobStatus, Store, UnknownPrice};
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::memory_artifacts::MemoryArtifacts;
use apiflow_core::runtime::secrets::StaticSecrets;
use apiflow_core::runtime::{JobRequest, Runtime, RuntimeParts, RuntimeSettings};
use apiflow_store::{PostgresStore, SqliteStore};
use schemas::Schemas;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const JOB_COUNT: usize = 20;

/// A provider that works on each call for a while, and counts how many it works on at the same time.
#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    most: AtomicUsize,
    total: AtomicUsize,
}

async fn start_provider() -> (String, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has an address").to_string();
    let counts = Arc::<Counts>::default();
    let shared = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_calls(stream, shared.clone()));
        }
    });
    (address, counts)
}

async fn answer_calls(mut stream: TcpStream, counts: Arc<Counts>) {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..count]);
        // The calls of these tests end with the end of their JSON.
        if !text.ends_with(b"}") {
            continue;
        }
        text.clear();
        let open = counts.open.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most.fetch_max(open, Ordering::SeqCst);
        counts.total.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(30)).await;
        counts.open.fetch_sub(1, Ordering::SeqCst);
        let reply = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{\"cost\":1}";
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A runtime with a worker of its own.
struct Process {
    runtime: Runtime,
    working: JoinHandle<()>,
}

impl Process {
    fn start(name: &str, store: Arc<dyn Store>, address: &str) -> Self {
        let policy = OutgoingPolicy::parse(address).expect("an address");
        let http = Http::new(policy, Arc::new(StaticSecrets::new()), HttpLimits::default()).expect("a client");
        let parts = RuntimeParts {
            store,
            artifacts: Arc::new(MemoryArtifacts::new()),
            http: Arc::new(http),
            evaluator: Arc::new(BoaEvaluator::new()),
            clock: Arc::new(SystemClock),
        };
        let settings = RuntimeSettings { lease: Duration::from_secs(2), ..RuntimeSettings::new(name) };
        let runtime = Runtime::new(parts, settings);
        let worker = runtime.clone();
        let working = tokio::spawn(async move { worker.run_worker(std::future::pending()).await });
        Self { runtime, working }
    }

    /// The process dies, whatever it has under way.
    async fn kill(self) {
        self.working.abort();
        let _cancelled = self.working.await;
    }
}

fn bundle(address: &str, connector: &Value, node: &Value, modules: &Value) -> JobBundle {
    let connector = json!({"id": "c", "name": "C", "base_url": format!("http://{address}/v1"), "data": connector});
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": node});
    let document = json!({"summary": "", "value": {"modules": modules}});
    let mut bundle = JobBundle { document, ..JobBundle::default() };
    bundle.catalog.connectors.insert("c".to_owned(), parse_connector(&connector).expect("a connector"));
    bundle.catalog.nodes.insert("n".to_owned(), parse_node(&node).expect("a node"));
    bundle
}

fn one_call() -> Value {
    json!([{"id": "draw", "value": {"type": "script", "path": "node/n", "input_transforms": {}}}])
}

async fn submit(process: &Process, id: &str, user: &str, bundle: JobBundle) {
    let request = JobRequest { created_by: Some(user.to_owned()), ..JobRequest::new(id, 1, bundle, json!({})) };
    process.runtime.submit_job(request).await.expect("the job is created");
}

/// Waits for the jobs; returns how many ended with each status or error.
async fn wait_for_jobs(process: &Process, ids: &[String]) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for id in ids {
        let job = process.runtime.wait_for_job(id, Duration::from_mins(1)).await.expect("the store answers");
        let state = job.expect("the job exists").state;
        let error = state.error.as_ref().and_then(|error| error["name"].as_str().map(str::to_owned));
        assert!(state.status.is_final(), "job `{id}` is still {}", state.status.as_str());
        *ends.entry(error.unwrap_or_else(|| state.status.as_str().to_owned())).or_default() += 1;
    }
    ends
}

fn ids() -> Vec<String> {
    (0..JOB_COUNT).map(|index| format!("job-{index:02}")).collect()
}

/// 20 jobs of three users at a limit of 3, on all processes.
async fn check_limit(stores: &[Arc<dyn Store>]) {
    let (address, counts) = start_provider().await;
    let processes: Vec<Process> = stores
        .iter()
        .enumerate()
        .map(|(index, store)| Process::start(&format!("p{index}"), store.clone(), &address))
        .collect();
    let limited = bundle(&address, &json!({"limits": {"in_flight": 3}}), &json!({}), &one_call());
    for (index, id) in ids().iter().enumerate() {
        submit(&processes[index % processes.len()], id, &format!("user-{}", index % 3), limited.clone()).await;
    }
    let ends = wait_for_jobs(&processes[0], &ids()).await;
    assert_eq!(ends, BTreeMap::from([("completed".to_owned(), JOB_COUNT)]));
    assert_eq!(counts.total.load(Ordering::SeqCst), JOB_COUNT);
    let most = counts.most.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most} calls at the same time");
    let mut longest = 0;
    for id in ids() {
        longest = longest.max(stores[0].read_events(&id, 0, 1_000).await.expect("events are read").len());
    }
    assert!(longest <= 10, "a waiting call has a bounded journal, not {longest} events");
}

/// 20 parallel jobs of 0.10 on a budget of 1.00, on all processes.
async fn check_budget(stores: &[Arc<dyn Store>]) {
    let (address, counts) = start_provider().await;
    for store in stores {
        let budget = Budget {
            id: "all".to_owned(),
            scope: BudgetScope::All,
            period: BudgetPeriod::Month,
            currency: "USD".to_owned(),
            amount: Amount::parse("1.00").expect("an amount"),
            unknown_price: UnknownPrice::Refuse,
        };
        store.put_budget(budget).await.expect("a budget is written");
    }
    let processes: Vec<Process> = stores
        .iter()
        .enumerate()
        .map(|(index, store)| Process::start(&format!("p{index}"), store.clone(), &address))
        .collect();
    let priced = bundle(&address, &json!({}), &json!({"price": {"currency": "USD", "per_call": 0.1}}), &one_call());
    for (index, id) in ids().iter().enumerate() {
        submit(&processes[index % processes.len()], id, "ada", priced.clone()).await;
    }
    let ends = wait_for_jobs(&processes[0], &ids()).await;
    assert_eq!(ends, BTreeMap::from([("budget_exceeded".to_owned(), 10), ("completed".to_owned(), 10)]));
    assert_eq!(counts.total.load(Ordering::SeqCst), 10, "what is over the budget is not sent");
    let mut spent = Amount::ZERO;
    for id in ids() {
        let job = stores[0].read_job(&id).await.expect("a job is read").expect("it exists");
        spent = spent.plus(job.state.cost.amounts.get("USD").copied().unwrap_or_default());
        let is_paid = job.state.status == JobStatus::Completed;
        assert_eq!(
            job.state.cost.to_json(),
            if is_paid {
                json!({"amounts": {"USD": "0.1"}, "unknown": 0})
            } else {
                json!({"amounts": {}, "unknown": 0})
            }
        );
    }
    assert_eq!(spent.to_string(), "1");
}

/// A process dies while its calls have all slots: another one continues, and all jobs end.
async fn check_crash(stores: &[Arc<dyn Store>; 2]) {
    let (address, counts) = start_provider().await;
    let first = Process::start("dies", stores[0].clone(), &address);
    // Idempotent calls may be sent again after a crash.
    let node = json!({"idempotent": true, "timeout_s": 3});
    let limited = bundle(&address, &json!({"limits": {"in_flight": 2}}), &node, &one_call());
    for id in &ids()[..8] {
        submit(&first, id, "ada", limited.clone()).await;
    }
    while counts.total.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.kill().await;
    let second = Process::start("continues", stores[1].clone(), &address);
    let ends = wait_for_jobs(&second, &ids()[..8]).await;
    assert_eq!(ends, BTreeMap::from([("completed".to_owned(), 8)]));
}

/// The calls of one job wait for each other's slots while the job is driven.
async fn check_parallel_calls(store: &Arc<dyn Store>) {
    let (address, counts) = start_provider().await;
    let process = Process::start("p", store.clone(), &address);
    let modules = json!([{"id": "loop", "value": {"type": "forloopflow", "parallel": true, "skip_failures": false,
        "iterator": {"type": "static", "value": [1, 2, 3, 4, 5, 6, 7, 8]}, "modules": one_call()}}]);
    submit(&process, "loop", "ada", bundle(&address, &json!({"limits": {"in_flight": 2}}), &json!({}), &modules)).await;
    let ends = wait_for_jobs(&process, &["loop".to_owned()]).await;
    assert_eq!(ends, BTreeMap::from([("completed".to_owned(), 1)]));
    assert!(counts.most.load(Ordering::SeqCst) <= 2, "the limit holds within a job");
    assert_eq!(counts.total.load(Ordering::SeqCst), 8);
}

async fn open_sqlite(folder: &tempfile::TempDir) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(folder.path().join("jobs.db")).await.expect("a file is opened"))
}

/// Two stores of one empty database.
async fn open_twice(schemas: &Schemas) -> [Arc<dyn Store>; 2] {
    let url = schemas.url_of_empty().await;
    let open = async || Arc::new(PostgresStore::connect_to(&url).await.expect("a schema is opened")) as Arc<dyn Store>;
    [open().await, open().await]
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_jobs_at_a_limit_of_three_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_limit(&[open_sqlite(&folder).await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_jobs_at_a_limit_of_three_on_two_processes() {
    let Some(schemas) = Schemas::new("limits") else { return };
    check_limit(&open_twice(&schemas).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_of_twenty_jobs_are_within_the_budget_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_budget(&[open_sqlite(&folder).await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_of_twenty_jobs_are_within_the_budget_on_two_processes() {
    let Some(schemas) = Schemas::new("budgets") else { return };
    check_budget(&open_twice(&schemas).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_of_a_process_that_died_are_used_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open_sqlite(&folder).await;
    check_crash(&[store.clone(), store]).await;
    if let Some(schemas) = Schemas::new("crashes") {
        check_crash(&open_twice(&schemas).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_calls_of_one_job_share_the_limit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_parallel_calls(&open_sqlite(&folder).await).await;
}
