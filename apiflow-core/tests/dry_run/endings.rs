//! How dry runs end, and what does not begin.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::dry_run::{DryRunError, DryRunLimits};
use serde_json::{Value, json};

use super::{Given, catalog, flow, ran, report, step, tried};

fn node() -> Value {
    json!({"id": "n", "data": {"path": "/n"}})
}

#[tokio::test]
async fn a_loop_without_end_is_ended_with_an_error_and_told_as_far_as_it_came() {
    let body = json!([step("again", "n", &[("index", "flow_input.iter.index")])]);
    let endless = json!([{"id": "loop", "stop_after_if": {"expr": "false"}, "value": {"type": "whileloopflow", "modules": body}}]);
    let limits = DryRunLimits { calls: 5, ..DryRunLimits::default() };
    let given = Given { limits, ..Given::default() };
    let found = tried(&flow(endless), &catalog(&[node()]), given, |_| None).await.unwrap();
    let error = found.error.clone().unwrap();
    assert_eq!(error["name"], "dry_run_limit");
    assert_eq!(error["message"], "a dry run makes at most 5 calls: check for an endless loop");
    assert_eq!((found.status.as_str(), found.output.clone()), ("failed", json!({"error": error})));
    assert_eq!(found.steps.iter().map(|step| step.requests.len()).sum::<usize>(), 5);
    assert_eq!(ran(&found)[..2], ["loop cancelled 1", "loop[0]/again completed 1"]);
    assert_eq!(ran(&found).last().unwrap(), "loop[5]/again cancelled 1");
}

#[tokio::test]
async fn a_loop_without_calls_is_ended_too() {
    let endless = json!([{"id": "loop", "stop_after_if": {"expr": "false"},
        "value": {"type": "whileloopflow", "modules": [{"id": "same", "value": {"type": "identity"}}]}}]);
    let limits = DryRunLimits { events: 1000, ..DryRunLimits::default() };
    let given = Given { limits, ..Given::default() };
    let found = tried(&flow(endless), &catalog(&[]), given, |_| None).await.unwrap();
    assert_eq!(found.error.unwrap()["message"], "a dry run has at most 1000 events: check for an endless loop");
}

#[tokio::test]
async fn values_that_double_are_ended() {
    let double = json!({"id": "double", "value": {"type": "script", "path": "node/n", "input_transforms": {
        "list": {"type": "javascript", "expr": "[previous_result, previous_result]"}}}});
    let mut modules = Vec::new();
    for index in 0..30 {
        let mut module = double.clone();
        module["id"] = json!(format!("double{index}"));
        modules.push(module);
    }
    let limits = DryRunLimits { value_bytes: 100_000, ..DryRunLimits::default() };
    let given = Given { limits, ..Given::default() };
    let found = tried(&flow(json!(modules)), &catalog(&[node()]), given, |_| None).await.unwrap();
    let error = found.error.unwrap();
    assert_eq!(error["name"], "dry_run_limit", "{error}");
    assert!(error["message"].as_str().unwrap().contains("100000 bytes"), "{error}");
}

#[tokio::test]
async fn a_sleep_takes_virtual_time_only() {
    let mut sleeper = step("a", "n", &[]);
    sleeper["sleep"] = json!({"type": "static", "value": 86_400});
    let found = report(&flow(json!([sleeper, step("b", "n", &[])])), &catalog(&[node()]), json!({}), Value::Null).await;
    assert_eq!((found.status.as_str(), found.duration_ms), ("completed", 86_400_000));
    assert_eq!(found.steps[1].started_ms, 86_400_000);
}

#[tokio::test]
async fn events_are_the_journal_with_its_values() {
    let document = flow(json!([step("a", "n", &[("x", "flow_input.x")])]));
    let found = report(&document, &catalog(&[node()]), json!({"x": 1}), json!({"a": "done"})).await;
    let journal: Vec<_> = found
        .events
        .iter()
        .map(|event| (event.seq, serde_json::to_value(&event.body).unwrap()["type"].clone(), event.value.clone()))
        .collect();
    assert_eq!(
        journal,
        [
            (1, json!("created"), Some(json!({"x": 1}))),
            (2, json!("step_started"), Some(json!({"x": 1}))),
            (3, json!("step_completed"), Some(json!("done"))),
            (4, json!("advanced"), None),
            (5, json!("job_finished"), None),
        ]
    );
}

#[tokio::test]
async fn what_is_no_workflow_does_not_begin() {
    let missing = json!({"id": "a", "value": {"type": "flow", "path": "workflow/missing", "input_transforms": {}}});
    for (document, code) in [(flow(json!([missing])), "unknown-workflow"), (flow(json!(5)), "wrong-type")] {
        let tried = tried(&document, &catalog(&[]), Given::default(), |_| None).await;
        let Err(DryRunError::Document(found)) = tried else { panic!("{tried:?}") };
        assert_eq!(found[0].code, code);
    }
}

#[tokio::test]
async fn a_step_without_its_node_fails_where_it_stands() {
    let document = flow(json!([step("a", "n", &[]), step("b", "unknown", &[])]));
    let found = report(&document, &catalog(&[node()]), json!({}), Value::Null).await;
    assert_eq!(ran(&found), ["a completed 1", "b failed 1"]);
    assert_eq!(found.error.unwrap()["message"], "there is no node at `node/unknown`");
}

#[tokio::test]
async fn a_mock_that_no_step_can_have_is_refused() {
    let same = json!({"id": "same", "value": {"type": "identity"}});
    let document = flow(json!([step("resize", "n", &[]), same]));
    let mocks = json!({"resise": 1, "loop[0]/resize": 2, "x/y": 3, "same": {"error": "no"}, "loop[0]/same": 1});
    let given = Given { mocks, ..Given::default() };
    let error = tried(&document, &catalog(&[node()]), given, |_| None).await.unwrap_err();
    let DryRunError::Mocks(found) = error else { panic!("{error}") };
    let help = |found: &Diagnostic| found.help.clone().unwrap_or_default();
    let told: Vec<_> = found.iter().map(|found| format!("{} {} {}", found.pointer, found.code, help(found))).collect();
    assert_eq!(
        told,
        [
            "/loop[0]~1same wrong-type ",
            "/resise unknown-step did you mean `resize`?",
            "/same wrong-type ",
            "/x~1y unknown-step the workflow has `resize`, `same`",
        ]
    );
}

#[tokio::test]
async fn an_approval_for_no_gate_is_refused() {
    let document = flow(json!([step("a", "n", &[])]));
    let given = Given { approvals: json!({"a": {}, "b": []}), ..Given::default() };
    let error = tried(&document, &catalog(&[node()]), given, |_| None).await.unwrap_err();
    let DryRunError::Approvals(found) = error else { panic!("{error}") };
    let told: Vec<_> = found.iter().map(|found| (found.pointer.as_str(), found.code.as_str())).collect();
    assert_eq!(told, [("/a", "wrong-type"), ("/b", "unknown-step")]);
}
