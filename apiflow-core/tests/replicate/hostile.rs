//! Documents that would take a worker down or keep it for ever, and jobs that do.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use apiflow_core::ports::{EvaluationError, Evaluator, JobStatus, Script};
use apiflow_core::runtime::RuntimeSettings;
use apiflow_core::runtime::clock::SystemClock;
use serde_json::{Value, json};

use super::{Bench, fast};

/// Four times as many as overflowed the stack of a thread when each was opened from inside of the one before.
const MANY: usize = 8_000;

fn flow(id: &str, value: Value) -> Value {
    json!({"summary": id, "value": {"modules": [{"id": id, "value": value}]}})
}

fn identity() -> Value {
    json!({"id": "same", "value": {"type": "identity"}})
}

/// A loop that goes on for ever, in one that does.
fn endless() -> Value {
    let inner = json!({"type": "whileloopflow", "modules": [identity()]});
    flow("outer", json!({"type": "whileloopflow", "modules": [{"id": "inner", "value": inner}]}))
}

/// Settings under which no loop ends by itself.
fn unbounded() -> RuntimeSettings {
    RuntimeSettings { max_while_iterations: u64::MAX, ..RuntimeSettings::new("tests") }
}

async fn completes(document: Value) -> Value {
    let bench = Bench::start(fast()).await;
    bench.submit(document, json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let output = bench.output(&job).await;
    bench.finish().await;
    output
}

#[tokio::test]
async fn branches_that_end_at_once_take_no_stack() {
    for parallel in [true, false] {
        let branches: Vec<Value> = (0..MANY).map(|_| json!({"modules": []})).collect();
        let all = json!({"type": "branchall", "parallel": parallel, "branches": branches});
        assert_eq!(completes(flow("all", all)).await.as_array().map(Vec::len), Some(MANY));
    }
}

#[tokio::test]
async fn iterations_that_end_at_once_take_no_stack() {
    // One after the other no more than one is open, however many there are.
    for (parallel, count) in [(true, MANY), (false, MANY / 10)] {
        let items: Vec<usize> = (0..count).collect();
        let body = json!({"type": "forloopflow", "parallel": parallel,
            "iterator": {"type": "static", "value": items}, "modules": [identity()]});
        assert_eq!(completes(flow("loop", body)).await.as_array().map(Vec::len), Some(count));
    }
}

#[tokio::test]
async fn a_long_list_of_modules_takes_no_stack() {
    let modules: Vec<Value> =
        (0..MANY).map(|index| json!({"id": format!("m{index}"), "value": {"type": "identity"}})).collect();
    assert_eq!(completes(json!({"summary": "long", "value": {"modules": modules}})).await, json!({}));
}

#[tokio::test]
async fn a_job_without_end_is_cancelled() {
    let bench = Bench::start_at(fast(), Arc::new(SystemClock), unbounded()).await;
    let mut watch = bench.runtime.watch_jobs();
    bench.submit(endless(), json!({})).await;
    while bench.runtime.wait_for_job("job", Duration::ZERO).await.unwrap().unwrap().state.status != JobStatus::Running {
        watch.job_changed("job").await;
    }
    assert!(bench.runtime.cancel_job("job", "enough", None).await.unwrap());
    assert_eq!(bench.ended().await.state.status, JobStatus::Cancelled);
    bench.finish().await;
}

#[tokio::test]
async fn a_worker_that_has_a_job_without_end_stops() {
    let bench = Bench::start_at(fast(), Arc::new(SystemClock), unbounded()).await;
    let (runtime, mut watch) = (bench.runtime.clone(), bench.runtime.watch_jobs());
    bench.submit(endless(), json!({})).await;
    watch.job_changed("job").await;
    bench.finish().await;
    let job = runtime.wait_for_job("job", Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(job.state.status, JobStatus::Running, "another worker may go on with it");
}

#[tokio::test]
async fn a_job_of_too_many_events_fails() {
    let settings = RuntimeSettings { max_events: 5_000, ..unbounded() };
    let bench = Bench::start_at(fast(), Arc::new(SystemClock), settings).await;
    bench.submit(endless(), json!({})).await;
    let job = bench.ended().await;
    let error = job.state.error.clone().unwrap();
    assert_eq!((job.state.status, &error["name"]), (JobStatus::Failed, &json!("job_limit")));
    assert!(error["message"].as_str().unwrap().contains("exceeded 5000 events"), "{error}");
    assert_eq!(bench.output(&job).await, json!({"error": error}));
    bench.finish().await;
}

#[tokio::test]
async fn a_job_whose_values_take_too_much_room_fails_and_sends_nothing_more() {
    let settings = RuntimeSettings { max_job_bytes: 30_000, ..RuntimeSettings::new("tests") };
    let bench = Bench::start_at(fast(), Arc::new(SystemClock), settings).await;
    let draw = json!({"id": "draw", "value": {
        "type": "script", "path": "node/replicate_flux_kontext_pro_node_id",
        "input_transforms": {
            "input_image": {"type": "static", "value": "https://example.com/a.png"},
            "prompt": {"type": "static", "value": "x".repeat(5_000)},
        },
    }});
    let body = json!({"type": "forloopflow", "parallel": false,
        "iterator": {"type": "static", "value": vec![1; 100]}, "modules": [draw]});
    bench.submit(flow("loop", body), json!({})).await;
    let job = bench.ended().await;
    let error = job.state.error.clone().unwrap();
    assert_eq!((job.state.status, &error["name"]), (JobStatus::Failed, &json!("job_limit")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("more than 30000 bytes") && message.contains("APIFLOW_MAX_JOB_BYTES"), "{error}");
    let creates = bench.provider.creates().len();
    // Five attempts fit; the one that goes over is not sent, and what is paid for is kept.
    assert!((1..=5).contains(&creates), "{creates}");
    let kept = bench.steps().await.iter().filter(|step| step.step_id == "draw" && step.output.is_some()).count();
    assert_eq!(kept, creates);
    assert_eq!(bench.output(&job).await, json!({"error": error}));
    bench.finish().await;
}

#[tokio::test]
async fn an_input_that_takes_too_much_room_by_itself_fails_the_job() {
    let settings = RuntimeSettings { max_job_bytes: 1_000, ..RuntimeSettings::new("tests") };
    let bench = Bench::start_at(fast(), Arc::new(SystemClock), settings).await;
    bench.submit(flow("same", json!({"type": "identity"})), json!({"text": "x".repeat(1_000)})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.error.unwrap()["name"], "job_limit");
    bench.finish().await;
}

/// An evaluator that takes whoever calls it down.
struct Deadly(AtomicU32);

#[async_trait::async_trait]
impl Evaluator for Deadly {
    async fn evaluate_script(&self, _: Script) -> Result<Value, EvaluationError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("this worker dies of the expression, as the test wants it");
    }
}

#[tokio::test]
async fn a_job_that_crashes_its_worker_is_abandoned() {
    let deadly = Arc::new(Deadly(AtomicU32::new(0)));
    let settings = RuntimeSettings { lease: Duration::from_millis(100), ..RuntimeSettings::new("tests") };
    let bench = Bench::start_evaluating(fast(), settings, deadly.clone()).await;
    let choice = json!({"type": "branchone", "branches": [{"expr": "[1].length > 0", "modules": []}], "default": []});
    bench.submit(flow("deadly", choice), json!({})).await;
    let job = bench.ended().await;
    let error = job.state.error.clone().unwrap();
    assert_eq!((job.state.status, &error["name"]), (JobStatus::Failed, &json!("job_abandoned")));
    assert!(error["message"].as_str().unwrap().contains("crashed its worker 5 times"), "{error}");
    // Twice beside others, before it was suspected, and five times alone.
    assert_eq!(deadly.0.load(Ordering::Relaxed), 7);
    let open = bench.steps().await.into_iter().filter(|step| step.finished_at.is_none()).count();
    assert_eq!(open, 0);
    bench.finish().await;
}
