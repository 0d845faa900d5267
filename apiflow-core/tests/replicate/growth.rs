//! The cost of a step does not grow with the number of steps before it.

use apiflow_core::ports::{JobJournal as _, JobRecords as _, JobStatus};
use serde::Serialize;
use serde_json::{Value, json};

use super::scripted::{Scripted, reply};
use super::{Bench, fast};

/// A loop whose body evaluates and passes on: nothing but the engine and its store.
fn looping(count: usize) -> Value {
    json!({"summary": "loop", "value": {"modules": [{
        "id": "loop",
        "value": {
            "type": "forloopflow",
            "iterator": {"type": "static", "value": (0..count).collect::<Vec<_>>()},
            "modules": [{"id": "pick", "value": {"type": "branchone", "branches": [{
                "expr": "flow_input.iter.index >= 0",
                "modules": [{"id": "same", "value": {"type": "identity"}}],
            }], "default": []}}],
        },
    }]}})
}

async fn bytes(count: usize) -> u64 {
    let bench = Bench::start(fast()).await;
    bench.submit(looping(count), json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let output = bench.output(&job).await;
    assert_eq!(output.as_array().map(Vec::len), Some(count));
    let bytes = bench.store.bytes_written();
    bench.finish().await;
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_2000_iterations_writes_a_constant_number_of_bytes_per_step() {
    let (short, long) = (bytes(200).await, bytes(2000).await);
    let (each_short, each_long) = (short / 200, long / 2000);
    assert!(each_long <= each_short * 11 / 10, "{each_short} bytes per iteration grow to {each_long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_results_of_a_long_loop_are_read_together() {
    let bench = Bench::start(fast()).await;
    bench.submit(looping(1_000), json!({})).await;
    let job = bench.ended().await;
    let output = bench.output(&job).await;
    assert_eq!(output.as_array().map(Vec::len), Some(1_000));
    let reads = bench.store.value_reads();
    assert!(reads <= 20, "1,000 results and what the run itself looked up took {reads} questions");
    bench.finish().await;
}

fn json_len(value: &impl Serialize) -> usize {
    serde_json::to_string(value).expect("plain data").len()
}

/// The most that the journal's events and the step's row take for a call that is answered at once, in bytes of JSON,
/// its arguments, result and call records aside.
const MAX_CONTROL_BYTES_PER_STEP: usize = 330;

#[expect(clippy::print_stdout, reason = "the figures are for whoever changes what a step writes")]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_answered_at_once_writes_little_beside_its_values() {
    const STEPS: usize = 10;
    let provider = Scripted::start(vec![("POST /v1/x", vec![reply(200, &json!({"fine": true}))])]).await;
    let bench = Bench::start_allowing(fast(), &provider.address).await;
    let step = |number: usize| {
        json!({"id": format!("step_{number}"), "value": {"type": "script", "path": "node/n",
        "input_transforms": {"prompt": {"type": "static", "value": "a cat"}}}})
    };
    let document = json!({"summary": "chain", "value": {"modules": (0..STEPS).map(step).collect::<Vec<_>>()}});
    bench.submit_as("job", provider.bundle(&json!({"path": "/x"}), &json!([]), document), json!({})).await;
    assert_eq!(bench.ended().await.state.status, JobStatus::Completed);
    let events = bench.store.read_events("job", 0, 1_000).await.expect("events");
    let steps = bench.steps().await;
    let (mut values, mut calls) = (0, 0);
    for event in &events {
        values += event.value.as_ref().map_or(0, json_len);
    }
    for step in &steps {
        calls += bench.store.list_calls("job", step.ordinal).await.expect("calls").iter().map(json_len).sum::<usize>();
    }
    let control =
        events.iter().map(|event| json_len(&event.body)).sum::<usize>() + steps.iter().map(json_len).sum::<usize>();
    let each = control / STEPS;
    println!("bytes per step: {each} of events and rows, {} of values, {} of calls", values / STEPS, calls / STEPS);
    assert!(each <= MAX_CONTROL_BYTES_PER_STEP, "{each} bytes: {events:?} {steps:?}");
    bench.finish().await;
}
