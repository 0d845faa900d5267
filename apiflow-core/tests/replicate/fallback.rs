//! Nodes that are called instead of one whose call failed, and runs that use no cached results.

use std::time::Duration;

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::ports::{JobBundle, JobRecords as _, JobRow, JobStatus};
use apiflow_core::runtime::JobRequest;
use serde_json::{Value, json};

use super::scripted::{Reply, Scripted, reply};
use super::{Bench, fast};

/// A document whose step calls the node `first`, else `second` with its own input.
fn document(fallback: &Value, module: &Value) -> Value {
    let mut step = json!({"id": "draw", "value": {"type": "script", "path": "node/first",
        "input_transforms": {"prompt": {"type": "static", "value": "a fox"}}, "fallback": fallback}});
    for (key, value) in module.as_object().into_iter().flatten() {
        step[key] = value.clone();
    }
    json!({"summary": "", "value": {"modules": [step]}})
}

fn second() -> Value {
    json!([{"path": "node/second", "input_transforms": {"text": {"type": "javascript", "expr": "`${'a'} hare`"}}}])
}

/// Two providers, each with a node.
fn bundle(providers: [&Scripted; 2], document: Value) -> JobBundle {
    let mut bundle = JobBundle { document, ..JobBundle::default() };
    for (name, provider) in ["first", "second"].into_iter().zip(providers) {
        let connector = json!({"id": name, "name": name, "base_url": format!("http://{}/v1", provider.address)});
        let node = json!({"id": name, "name": name, "connector_id": name,
            "data": {"path": "/x", "timeout_s": 2, "price": {"currency": "USD", "per_call": 0.25}}});
        bundle.catalog.connectors.insert(name.to_owned(), parse_connector(&connector).expect("a connector"));
        bundle.catalog.nodes.insert(name.to_owned(), parse_node(&node).expect("a node"));
    }
    bundle
}

fn answers(replies: Vec<Reply>) -> Vec<(&'static str, Vec<Reply>)> {
    vec![("POST /v1/x", replies)]
}

/// Runs the document; returns the job and how often each provider was called.
async fn run(first: Reply, fallback: &Value, module: &Value) -> (Bench, JobRow, [usize; 2]) {
    let providers = [
        Scripted::start(answers(vec![first])).await,
        Scripted::start(answers(vec![reply(200, &json!({"n": 2}))])).await,
    ];
    let addresses = format!("{},{}", providers[0].address, providers[1].address);
    let bench = Bench::start_allowing(fast(), &addresses).await;
    let [one, other] = &providers;
    bench.submit_as("job", bundle([one, other], document(fallback, module)), json!({})).await;
    let job = bench.ended().await;
    let calls = [one.seen("POST /v1/x").len(), other.seen("POST /v1/x").len()];
    (bench, job, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_is_called_after_an_outage() {
    let (bench, job, calls) = run(reply(503, &json!({"detail": "down"})), &second(), &json!({})).await;
    assert_eq!((job.state.status, calls), (JobStatus::Completed, [1, 1]), "{:?}", job.state.error);
    assert_eq!(bench.output(&job).await, json!({"n": 2}));
    let steps = bench.steps().await;
    assert_eq!((steps.len(), steps[0].attempt, steps[0].fallback.as_deref()), (1, 2, Some("node/second")));
    assert_eq!(job.state.cost.to_json(), json!({"amounts": {"USD": "0.25"}, "unknown": 0}), "only the second is paid");
    let records = bench.store.list_calls("job", steps[0].ordinal).await.expect("calls are listed");
    let sent: Vec<(u32, &Value)> = records.iter().map(|call| (call.attempt, &call.request["body"])).collect();
    assert_eq!(sent, [(1, &json!({"prompt": "a fox"})), (2, &json!({"text": "a hare"}))]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_retries_of_a_node_come_before_its_fallback() {
    let retry = json!({"retry": {"constant": {"attempts": 2, "seconds": 0}}});
    let (bench, job, calls) = run(reply(503, &json!({})), &second(), &retry).await;
    assert_eq!((job.state.status, calls), (JobStatus::Completed, [3, 1]));
    assert_eq!(bench.steps().await[0].attempt, 4);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_called_after_a_refusal_of_the_content_unless_asked() {
    let refused = || reply(400, &json!({"error": {"code": "content_policy_violation", "message": "no"}}));
    let (bench, job, calls) = run(refused(), &second(), &json!({})).await;
    assert_eq!((job.state.error.expect("an error")["name"].as_str(), calls), (Some("moderated"), [1, 0]));
    bench.finish().await;
    let mut asked = second();
    asked[0]["on"] = json!(["moderated"]);
    let (bench, job, calls) = run(refused(), &asked, &json!({})).await;
    assert_eq!((job.state.status, calls), (JobStatus::Completed, [1, 1]));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_without_inputs_takes_those_of_the_step() {
    let (bench, job, calls) = run(reply(402, &json!({})), &json!([{"path": "node/second"}]), &json!({})).await;
    assert_eq!((job.state.status, calls), (JobStatus::Completed, [1, 1]));
    let records = bench.store.list_calls("job", bench.steps().await[0].ordinal).await.expect("calls are listed");
    assert_eq!(records[1].request["body"], json!({"prompt": "a fox"}));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_nodes_error_is_the_steps() {
    let outage = json!([{"path": "node/second", "on": ["unavailable"]}, {"path": "node/first", "on": ["timeout"]}]);
    let providers = [
        Scripted::start(answers(vec![reply(503, &json!({}))])).await,
        Scripted::start(answers(vec![reply(402, &json!({}))])).await,
    ];
    let addresses = format!("{},{}", providers[0].address, providers[1].address);
    let bench = Bench::start_allowing(fast(), &addresses).await;
    let [one, other] = &providers;
    bench.submit_as("job", bundle([one, other], document(&outage, &json!({}))), json!({})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.error.expect("an error")["name"], "payment");
    assert_eq!([one.seen("POST /v1/x").len(), other.seen("POST /v1/x").len()], [1, 1]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_run_uses_no_cached_result_and_replaces_it() {
    let replies = [1, 2, 3].map(|n| reply(200, &json!({"n": n}))).to_vec();
    let provider = Scripted::start(answers(replies)).await;
    let bench = Bench::start_allowing(fast(), &provider.address).await;
    let mut outputs = Vec::new();
    for (id, fresh) in [("a", false), ("b", false), ("c", true), ("d", false)] {
        let document = document(&json!([]), &json!({"cache_ttl": 600}));
        let request =
            JobRequest { fresh, ..JobRequest::new(id, 1, bundle([&provider, &provider], document), json!({})) };
        bench.runtime.submit_job(request).await.expect("the job is made");
        let job = bench.runtime.wait_for_job(id, Duration::from_mins(1)).await.expect("the store answers");
        outputs.push(bench.output(&job.expect("the job is there")).await["n"].clone());
    }
    assert_eq!(outputs, [1, 1, 2, 2]);
    bench.finish().await;
}
