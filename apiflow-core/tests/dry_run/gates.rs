//! Approval gates, and steps that are no calls.

use apiflow_core::dry_run::DryRunError;
use serde_json::{Value, json};

use super::{Given, catalog, flow, ran, report, step, tried};

fn gated(suspend: Value) -> Value {
    let mut gate = step("a", "n", &[]);
    gate["suspend"] = suspend;
    flow(json!([gate, step("b", "n", &[("resumes", "resumes"), ("by", "approvers")])]))
}

fn node() -> Value {
    json!({"id": "n", "data": {"path": "/n"}})
}

async fn check(suspend: Value, approvals: Value, expected: (&str, u64, Value)) {
    let document = gated(suspend);
    let given = Given { approvals: approvals.clone(), ..Given::default() };
    let found = tried(&document, &catalog(&[node()]), given, |_| None).await.unwrap();
    assert_eq!((found.status.as_str(), found.duration_ms, found.output), expected, "{approvals}");
}

#[tokio::test]
async fn a_gate_is_approved_at_once_unless_it_is_said_otherwise() {
    let approved = |resumes: Value, by: Value| ("completed", 0, json!({"by": by, "resumes": resumes}));
    check(json!({"required_events": 2}), Value::Null, approved(json!([{}, {}]), json!([]))).await;
    let by = json!({"a": {"payload": 5, "approver": "ruben"}});
    check(json!({"required_events": 1}), by, approved(json!([5]), json!(["ruben"]))).await;
    let two = json!({"a": [{"payload": 1}, {"payload": 2, "approver": "mia"}]});
    check(json!({"required_events": 2}), two, approved(json!([1, 2]), json!(["mia"]))).await;
}

#[tokio::test]
async fn a_gate_fails_where_it_is_disapproved_or_nobody_answers() {
    let failed =
        |ms: u64, name: &str, message: &str| ("failed", ms, json!({"error": {"name": name, "message": message}}));
    let disapproved = json!({"a": [{"action": "cancel", "approver": "mia"}]});
    check(json!({"required_events": 1}), disapproved, failed(0, "SuspendedDisapproved", "Disapproved by mia")).await;
    for too_few in [json!({"a": []}), json!({"a": [{}]})] {
        let late = failed(60_000, "SuspendedTimedOut", "Timed out waiting to be resumed");
        check(json!({"required_events": 2, "timeout": 60}), too_few, late).await;
    }
}

#[tokio::test]
async fn gates_in_a_loop_are_each_answered() {
    let mut gate = step("a", "n", &[]);
    gate["suspend"] = json!({"required_events": 1});
    let body = json!([gate, step("b", "n", &[("resume", "resume")])]);
    let looped = json!([{"id": "loop", "value": {"type": "forloopflow", "iterator": {"type": "static", "value": [1, 2]}, "modules": body}}]);
    let given =
        Given { approvals: json!({"a": {"payload": "any"}, "loop[1]/a": {"payload": "second"}}), ..Given::default() };
    let found = tried(&flow(looped), &catalog(&[node()]), given, |_| None).await.unwrap();
    assert_eq!(found.output, json!([{"resume": "any"}, {"resume": "second"}]));
}

#[tokio::test]
async fn inline_code_runs_and_any_step_can_be_mocked() {
    let code = json!({"id": "code", "value": {"type": "rawscript", "language": "bun",
        "content": "export async function main(x: number) { return x * 2 }",
        "input_transforms": {"x": {"type": "static", "value": 21}}}});
    let body = json!([step("inner", "n", &[])]);
    let looped = json!({"id": "loop", "value": {"type": "forloopflow", "iterator": {"type": "static", "value": [1]}, "modules": body}});
    let agent = json!({"id": "agent", "value": {"type": "aiagent", "input_transforms": {}, "tools": []}});
    let document = flow(json!([code, looped, agent]));
    let mocks = json!({"loop": ["mocked"], "agent": {"text": "hello"}});
    let found = report(&document, &catalog(&[node()]), json!({}), mocks).await;
    assert_eq!(ran(&found), ["code completed 1", "loop completed 0", "agent completed 0"]);
    let outputs: Vec<_> = found.steps.iter().map(|step| step.output.clone()).collect();
    assert_eq!(outputs, [json!(42), json!(["mocked"]), json!({"text": "hello"})]);
}

#[tokio::test]
async fn numbers_keep_their_last_digit() {
    let document = flow(json!([step("a", "n", &[("third", "272 / 3")])]));
    let found = report(&document, &catalog(&[node()]), json!({}), Value::Null).await;
    assert_eq!(found.output.to_string(), r#"{"third":90.66666666666667}"#);
}

#[tokio::test]
async fn a_part_is_run_with_the_mocks_of_the_rest() {
    let document = flow(json!([step("a", "n", &[]), step("b", "n", &[("x", "results.a")]), step("c", "n", &[])]));
    let mocks = json!({"a": "mocked", "b": {"attempts": ["first"]}, "c": {"error": "never"}});
    let given = |until: Option<&str>, only: Option<&str>| Given {
        until: until.map(str::to_owned),
        only: only.map(str::to_owned),
        mocks: mocks.clone(),
        ..Given::default()
    };
    let until = tried(&document, &catalog(&[node()]), given(Some("b"), None), |_| None).await.unwrap();
    assert_eq!(
        (ran(&until), until.output),
        (vec!["a completed 1".to_owned(), "b completed 1".to_owned()], json!("first"))
    );
    let only = tried(&document, &catalog(&[node()]), given(None, Some("b")), |_| None).await.unwrap();
    assert_eq!(only.steps[1].requests[0].request["body"], json!({"x": "mocked"}));
    let none = tried(&document, &catalog(&[node()]), given(Some("d"), None), |_| None).await;
    let Err(DryRunError::Selection(found)) = none else { panic!("{none:?}") };
    assert_eq!(found[0].pointer, "/until");
}
