//! The cost of a step does not grow with the number of steps before it.

use apiflow_core::ports::JobStatus;
use serde_json::{Value, json};

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
    let reads = bench.store.reads();
    assert!(reads <= 20, "1,000 results and what the run itself looked up took {reads} questions");
    bench.finish().await;
}
