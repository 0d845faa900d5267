//! OpenFlow's cases as data, run by the real driver on a memory store in virtual time.
//!
//! `node/echo`, `node/fail` and `node/flaky` are answered by a client that stands where the network would be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiflow_core::catalog::{Connector, Node};
use apiflow_core::engine::{Event, Program, Run};
use apiflow_core::ports::{
    Clock, EventRow, HttpClient, HttpError, HttpReply, HttpRequest, JobBundle, JobRow, RequestBody, Store, Timestamp,
};
use apiflow_core::runtime::boa::BoaEvaluator;
use apiflow_core::runtime::clock::ManualClock;
use apiflow_core::runtime::memory::MemoryStore;
use apiflow_core::runtime::{NewRun, Runtime, RuntimeParts, RuntimeSettings};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

const CASES: &str = include_str!("conformance/openflow_cases.json");

/// Features whose cases wait for their part of the engine.
const NOT_YET: [&str; 2] = ["suspend", "cache_ttl_reuses_result_for_equal_inputs"];

const LEASE: Duration = Duration::from_secs(1_000_000_000);

#[derive(Deserialize)]
struct Case {
    name: String,
    features: Vec<String>,
    flow: Value,
    input: Value,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    status: String,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    result_subset: Option<Value>,
    #[serde(default)]
    runs: BTreeMap<String, u64>,
    min_duration_ms: Option<u64>,
    message_contains: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The three nodes that the cases name.
#[derive(Default)]
struct Nodes {
    runs: Mutex<BTreeMap<String, u64>>,
}

#[async_trait]
impl HttpClient for Nodes {
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let RequestBody::Text(text) = &request.body else { return Err(HttpError::Reply("no body".to_owned())) };
        let mut input: Value = serde_json::from_str(text).map_err(|error| HttpError::Reply(error.to_string()))?;
        let run = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            let count = runs.entry(header("X-Step")).or_default();
            *count += 1;
            *count
        };
        let fails = match request.url.rsplit('/').next() {
            Some("fail") => true,
            Some("flaky") => run <= input["fail_times"].as_u64().unwrap_or_default(),
            _ => false,
        };
        let (status, body) = if fails {
            let message = input["message"].take();
            (500, json!({"message": if message.is_null() { json!("flaky") } else { message }}))
        } else {
            (200, input)
        };
        Ok(HttpReply {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
            url: request.url.clone(),
        })
    }
}

fn bundle(flow: &Value) -> JobBundle {
    let mut bundle = JobBundle { document: flow.clone(), ..JobBundle::default() };
    let connector: Connector = serde_json::from_value(json!({
        "id": "cases", "name": "Cases", "base_url": "http://cases.test", "method": "POST",
        "header": {"X-Step": "{{ step.id }}"}
    }))
    .expect("a connector");
    bundle.catalog.connectors.insert("cases".to_owned(), connector);
    for id in ["echo", "fail", "flaky"] {
        let node = json!({"id": id, "name": id, "connector_id": "cases", "data": {"path": format!("/{id}")}});
        let node: Node = serde_json::from_value(node).expect("a node");
        bundle.catalog.nodes.insert(id.to_owned(), node);
    }
    bundle
}

/// Runs a case to its end; gives the job, its result, and how often each step's node ran.
async fn run(case: &Case) -> (JobRow, Value, BTreeMap<String, u64>) {
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let nodes = Arc::new(Nodes::default());
    let parts = RuntimeParts {
        store: store.clone(),
        http: nodes.clone(),
        evaluator: Arc::new(BoaEvaluator::new()),
        clock: clock.clone(),
    };
    // A lease that never runs out: whatever is due sooner is a wait of the job's own.
    let settings = RuntimeSettings { lease: LEASE, ..RuntimeSettings::new("cases") };
    let runtime = Runtime::new(parts, settings);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = runtime.clone();
    let working = tokio::spawn(async move {
        worker
            .work(async {
                let _closed = stopped.await;
            })
            .await;
    });
    let new = NewRun {
        id: "job".to_owned(),
        seed: 7,
        name: case.name.clone(),
        workflow_id: None,
        node_id: None,
        created_by: None,
        bundle: bundle(&case.flow),
        input: case.input.clone(),
        idempotency: None,
    };
    runtime.submit(new).await.expect("the job is made");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let job = loop {
        let job = runtime.wait("job", Duration::ZERO).await.expect("the store answers").expect("the job is there");
        if job.patch.status.is_final() {
            break job;
        }
        assert!(std::time::Instant::now() < deadline, "case `{}` does not end", case.name);
        if let Some(due) = store.next_due().await.expect("the store answers")
            && due > clock.now()
            && due < clock.now().plus_ms(LEASE.as_millis() as u64 / 2)
        {
            clock.advance_to(due);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let result = match &job.patch.output {
        Some(output) => runtime.resolve("job", output).await.expect("the output is there"),
        None => Value::Null,
    };
    let _ended = stop.send(());
    working.await.expect("the worker ends");
    replays_to_itself(case, store.as_ref(), &job).await;
    let runs = nodes.runs.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (job, result, runs)
}

/// Asserts that the journal alone gives the job's end, and that a snapshot at any point of it changes nothing.
async fn replays_to_itself(case: &Case, store: &MemoryStore, job: &JobRow) {
    let program = Arc::new(Program::compile(&bundle(&case.flow)).expect("the case was run"));
    let journal = store.events("job", 0, 100_000).await.expect("the store answers");
    let apply = |run: &mut Run, row: &EventRow| {
        let event: Event = serde_json::from_value(row.body.clone()).expect("an event");
        run.apply(row.seq, row.at, &event);
    };
    let mut whole = Run::new(program.clone());
    let mut snapshots = Vec::new();
    for row in &journal {
        apply(&mut whole, row);
        snapshots.push(whole.snapshot());
    }
    assert_eq!(whole.patch(), job.patch, "case `{}`: the journal gives another end", case.name);
    for (taken, snapshot) in snapshots.iter().enumerate() {
        let mut restored = Run::restore(program.clone(), snapshot).expect("a snapshot");
        for (row, expected) in journal.iter().zip(&snapshots).skip(taken + 1) {
            apply(&mut restored, row);
            assert_eq!(&restored.snapshot(), expected, "case `{}`, event {} after {taken}", case.name, row.seq);
        }
    }
}

/// What of a case did not come out as expected.
fn differences(case: &Case, job: &JobRow, result: &Value, runs: &BTreeMap<String, u64>) -> Vec<String> {
    let expect = &case.expect;
    let mut found = Vec::new();
    if job.patch.status.as_str() != expect.status {
        found.push(format!("status {} instead of {}: {result}", job.patch.status.as_str(), expect.status));
    }
    if let Some(wanted) = &expect.result
        && wanted != result
    {
        found.push(format!("result {result} instead of {wanted}"));
    }
    if let Some(wanted) = &expect.result_subset
        && !contains(result, wanted)
    {
        found.push(format!("result {result} does not contain {wanted}"));
    }
    for (step, wanted) in &expect.runs {
        let ran = runs.get(step).copied().unwrap_or_default();
        if ran != *wanted {
            found.push(format!("step `{step}` ran {ran} times instead of {wanted}"));
        }
    }
    let took = job.patch.finished_at.map_or(0, |end| end.since_ms(job.created_at));
    if expect.min_duration_ms.is_some_and(|least| took < least) {
        found.push(format!("took {took} ms"));
    }
    if let Some(text) = &expect.message_contains
        && !result.to_string().contains(text.as_str())
    {
        found.push(format!("result {result} does not say `{text}`"));
    }
    found
}

/// A failed node's error is named after its class here, and says who answered; in the cases it is `Error`.
fn renamed(result: &Value) -> Value {
    let text = result.to_string().replace("\"unavailable\"", "\"Error\"").replace("Cases answered 500: ", "");
    serde_json::from_str(&text).expect("still JSON")
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| value.get(key).is_some_and(|value| contains(value, wanted)))
        }
        (Value::Array(value), Value::Array(wanted)) => {
            value.len() == wanted.len() && value.iter().zip(wanted).all(|(value, wanted)| contains(value, wanted))
        }
        _ => value == wanted,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cases_come_out_as_openflow_has_them() {
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the cases are JSON");
    let waits = |case: &Case| NOT_YET.iter().any(|not| case.name == *not || case.features.iter().any(|has| has == not));
    let mut ran = 0;
    let mut failed = Vec::new();
    for case in cases.iter().filter(|case| !waits(case)) {
        let (job, result, runs) = run(case).await;
        let found = differences(case, &job, &renamed(&result), &runs);
        if !found.is_empty() {
            failed.push(format!("{}: {}", case.name, found.join("; ")));
        }
        ran += 1;
    }
    assert!(failed.is_empty(), "{} of {ran} cases differ:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(ran, 93);
}
