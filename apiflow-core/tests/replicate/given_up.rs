//! What is given up is cancelled at its provider: the losers of a race, and what is inside a module that takes too long.

use apiflow_core::ports::{JobStatus, StepStatus};
use fake_providers::Behaviour;
use serde_json::{Value, json};

use super::{Bench, fast};

fn draw(id: &str) -> Value {
    json!({"id": id, "value": {"type": "script", "path": "node/replicate_flux_kontext_pro_node_id",
        "input_transforms": {"input_image": {"type": "static", "value": "https://example.com/a.png"}}}})
}

fn identity(id: &str) -> Value {
    json!({"id": id, "value": {"type": "identity"}})
}

fn race(branches: &[Value]) -> Value {
    let branches: Vec<Value> = branches.iter().map(|modules| json!({"modules": modules})).collect();
    json!({"summary": "", "value": {"modules": [{"id": "race", "value": {
        "type": "branchall", "race": true, "branches": branches}}, identity("after")]}})
}

/// The states of the provider's predictions.
fn states(bench: &Bench) -> Vec<String> {
    let predictions = bench.provider.stats().predictions;
    predictions.iter().map(|prediction| prediction["status"].as_str().unwrap_or_default().to_owned()).collect()
}

fn patient() -> Behaviour {
    Behaviour { delay_ms: 60_000, ..fast() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_branch_that_succeeds_wins_and_the_others_are_cancelled() {
    let bench = Bench::start(patient()).await;
    // The quick branch sleeps until both predictions are accepted.
    let mut quick = identity("quick");
    quick["sleep"] = json!({"type": "static", "value": 1});
    let slow = json!({"id": "loop", "value": {"type": "forloopflow", "skip_failures": false,
        "iterator": {"type": "static", "value": [1]}, "modules": [draw("nested")]}});
    bench.submit(race(&[json!([draw("slow")]), json!([slow]), json!([quick])]), json!({"word": "x"})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.output(&job).await, json!({"word": "x"}), "the winner's own result, not a list");
    assert_eq!(states(&bench), ["canceled", "canceled"]);
    let steps = bench.steps().await;
    let ended = |id: &str| steps.iter().find(|step| step.step_id == id).map(|step| step.status);
    assert_eq!((ended("slow"), ended("nested")), (Some(StepStatus::Cancelled), Some(StepStatus::Cancelled)));
    assert_eq!((ended("race"), ended("after")), (Some(StepStatus::Completed), Some(StepStatus::Completed)));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_fails_has_not_won() {
    let bench = Bench::start(Behaviour { fail_predictions: 1, ..fast() }).await;
    let mut late = identity("late");
    late["sleep"] = json!({"type": "static", "value": 2});
    bench.submit(race(&[json!([draw("fails")]), json!([late])]), json!({"word": "x"})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.output(&job).await, json!({"word": "x"}));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_that_nobody_wins_fails_with_all_errors() {
    let bench = Bench::start(Behaviour { fail_predictions: 2, ..fast() }).await;
    bench.submit(race(&[json!([draw("one")]), json!([draw("other")])]), json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Failed);
    let output = bench.output(&job).await;
    let names: Vec<&Value> = output.as_array().expect("a list").iter().map(|one| &one["error"]["step_id"]).collect();
    assert_eq!(names, ["one", "other"]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_holds_others_is_bounded_by_its_timeout() {
    let bench = Bench::start(patient()).await;
    let mut document = race(&[json!([draw("one")]), json!([draw("other")])]);
    document["value"]["modules"][0]["value"]["race"] = json!(false);
    document["value"]["modules"][0]["timeout"] = json!(1);
    document["value"]["failure_module"] = json!({"id": "failure", "value": {"type": "rawscript", "language": "javascript",
        "content": "function main(error, job, at) { return {recover: true, name: error.name, step: error.step_id, job, at: typeof at} }",
        "input_transforms": {"error": {"type": "javascript", "expr": "error"},
            "job": {"type": "javascript", "expr": "flow_job_id"}, "at": {"type": "javascript", "expr": "started_at"}}}});
    bench.submit(document, json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let expected = json!({"recover": true, "name": "timeout", "step": "race", "job": "job", "at": "string"});
    assert_eq!(bench.output(&job).await, expected);
    assert_eq!(states(&bench), ["canceled", "canceled"]);
    bench.finish().await;
}
