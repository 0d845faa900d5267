//! How many iterations and branches are at work at the same time, and which results are visible where.

use apiflow_core::ports::{JobStatus, StepRow};
use serde_json::{Value, json};

use super::{Bench, fast};

fn loop_of(items: usize, parallelism: &Value) -> Value {
    json!({"summary": "", "value": {"modules": [{"id": "loop", "value": {
        "type": "forloopflow", "parallel": true, "parallelism": parallelism, "skip_failures": false,
        "iterator": {"type": "static", "value": vec!["https://example.com/a.png"; items]},
        "modules": [{"id": "draw", "value": {
            "type": "script", "path": "node/replicate_flux_kontext_pro_node_id",
            "input_transforms": {"input_image": {"type": "javascript", "expr": "flow_input.iter.value"}},
        }}],
    }}]}})
}

/// The most steps of this id that were at work at one moment.
fn overlap(steps: &[StepRow], id: &str) -> usize {
    let spans: Vec<_> = steps.iter().filter(|step| step.step_id == id).collect();
    let at_work = |moment| {
        let holds = |step: &&&StepRow| step.started_at <= moment && step.finished_at.is_none_or(|end| end > moment);
        spans.iter().filter(holds).count()
    };
    spans.iter().map(|step| at_work(step.started_at)).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_iterations_are_at_work_than_the_limit_allows() {
    for (parallelism, most) in [(json!(1), 1), (json!({"type": "javascript", "expr": "1 + 1"}), 2), (Value::Null, 4)] {
        // Long enough for all to begin before the first one ends, where nothing limits them.
        let delay_ms = if parallelism.is_null() { 2_000 } else { 100 };
        let bench = Bench::start(fake_providers::Behaviour { delay_ms, ..fast() }).await;
        bench.submit(loop_of(4, &parallelism), json!({})).await;
        let job = bench.ended().await;
        assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
        assert_eq!(overlap(&bench.steps().await, "draw"), most, "parallelism {parallelism}");
        assert_eq!(bench.provider.creates().len(), 4);
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_flow_sees_its_parents_results_and_keeps_its_own() {
    let bench = Bench::start(fast()).await;
    let mut bundle = bench.bundle(json!({"summary": "", "value": {
        "flow_env": {"style": "outer"},
        "modules": [
            {"id": "first", "value": {"type": "identity"}},
            {"id": "inner", "value": {"type": "flow", "path": "workflow/sub", "input_transforms": {
                "word": {"type": "static", "value": "given"},
            }}},
            {"id": "last", "value": {"type": "branchone", "default": [], "branches": [{
                "expr": "results.hidden === null && results.inner.hidden === undefined && flow_env.style === 'outer'",
                "modules": [{"id": "ok", "value": {"type": "identity"}}],
            }]}},
        ],
    }}));
    let sub = json!({"summary": "", "value": {"modules": [
        {"id": "hidden", "value": {"type": "identity"}},
        {"id": "loop", "value": {
            "type": "forloopflow", "skip_failures": false, "modules": [{"id": "same", "value": {"type": "identity"}}],
            "iterator": {"type": "javascript", "expr": "[flow_input.word, results.first.word, flow_env.style]"},
        }},
    ]}});
    bundle.catalog.workflows.insert("sub".to_owned(), sub);
    bench.submit_as("job", bundle, json!({"word": "outside"})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let steps = bench.steps().await;
    let inner = steps.iter().find(|step| step.step_id == "inner").expect("the sub-flow ran");
    let result =
        bench.runtime.resolve_reference("job", inner.output.as_ref().expect("an output")).await.expect("a value");
    let items: Vec<&Value> = result.as_array().expect("a list").iter().map(|args| &args["iter"]["value"]).collect();
    assert_eq!(items, ["given", "outside", "outer"]);
    assert!(steps.iter().any(|step| step.step_id == "ok"), "what is inside is not visible outside");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_runs_itself_ends_with_an_error() {
    let bench = Bench::start(fast()).await;
    let own = json!({"summary": "", "value": {"modules": [
        {"id": "again", "value": {"type": "flow", "path": "workflow/own", "input_transforms": {}}},
    ]}});
    let mut bundle = bench.bundle(own.clone());
    bundle.catalog.workflows.insert("own".to_owned(), own);
    bench.submit_as("job", bundle, json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.error.expect("an error")["name"], "recursion_limit");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_slower_than_its_timeout_is_cancelled_at_the_provider() {
    let bench = Bench::start(fake_providers::Behaviour { delay_ms: 60_000, ..fast() }).await;
    let mut document = loop_of(1, &Value::Null);
    document["value"]["modules"][0]["value"]["modules"][0]["timeout"] = json!(1);
    bench.submit(document, json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.error.expect("an error")["name"], "timeout");
    assert_eq!(bench.provider.stats().predictions[0]["status"], "canceled");
    bench.finish().await;
}
