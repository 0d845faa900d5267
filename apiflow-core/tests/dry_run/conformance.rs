//! OpenFlow's cases as data, tried out with the nodes that they name as functions.

use std::collections::BTreeMap;

use apiflow_core::catalog::Catalog;
use apiflow_core::dry_run::{Outcome, Report, Sending};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Given, catalog, tried};

const CASES: &str = include_str!("../conformance/openflow_cases.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    flow: Value,
    input: Value,
    #[serde(default)]
    events: Vec<Value>,
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
    runs: BTreeMap<String, usize>,
    skipped: Option<bool>,
    min_duration_ms: Option<u64>,
    message_contains: Option<String>,
    #[serde(default, deserialize_with = "present")]
    wait_response: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Case {
    /// The approvals that the case gives; nobody else answers.
    fn approvals(&self) -> Value {
        let mut approvals = serde_json::Map::new();
        for module in self.flow["value"]["modules"].as_array().into_iter().flatten() {
            let Some(id) = module["id"].as_str().filter(|_| module["suspend"].is_object()) else { continue };
            let given = self.events.iter().filter(|event| event["step"] == id).map(
                |event| json!({"action": event["type"], "payload": event["payload"], "approver": event["approver"]}),
            );
            approvals.insert(id.to_owned(), given.collect());
        }
        Value::Object(approvals)
    }
}

/// The three nodes that the cases name.
#[derive(Default)]
struct Nodes {
    runs: BTreeMap<String, usize>,
}

impl Nodes {
    fn answer(&mut self, sending: &Sending<'_>) -> Outcome {
        let run = self.runs.entry(sending.step_id.to_owned()).or_default();
        *run += 1;
        let input = sending.input;
        let fails = match sending.node {
            "node/fail" => true,
            "node/flaky" => *run as u64 <= input["fail_times"].as_u64().unwrap_or_default(),
            _ => false,
        };
        if !fails {
            return Outcome::Result(input.clone());
        }
        let message = input["message"].as_str().unwrap_or("flaky");
        Outcome::Error(json!({"name": "Error", "message": message}))
    }
}

fn nodes() -> Catalog {
    catalog(&["echo", "fail", "flaky"].map(|id| json!({"id": id, "data": {"path": format!("/{id}")}})))
}

fn differences(expect: &Expect, report: &Report, runs: &BTreeMap<String, usize>) -> Vec<String> {
    let result = &report.output;
    let mut found = Vec::new();
    if report.status.as_str() != expect.status {
        found.push(format!("status {} instead of {}: {result}", report.status.as_str(), expect.status));
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
    if expect.skipped.is_some_and(|skipped| report.skipped != skipped) {
        found.push(format!("skipped: {}", report.skipped));
    }
    if expect.min_duration_ms.is_some_and(|least| report.duration_ms < least) {
        found.push(format!("took {} ms", report.duration_ms));
    }
    if expect.wait_response.is_some() && report.early_return != expect.wait_response {
        found.push(format!("a caller that waits gets {:?}", report.early_return));
    }
    if let Some(text) = &expect.message_contains
        && !result.to_string().contains(text.as_str())
    {
        found.push(format!("result {result} does not say `{text}`"));
    }
    found
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

#[tokio::test]
async fn the_cases_come_out_as_openflow_has_them() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    let catalog = nodes();
    let mut failed = Vec::new();
    for case in &cases {
        let mut nodes = Nodes::default();
        let given = Given { input: case.input.clone(), approvals: case.approvals(), ..Given::default() };
        let answer = |sending: &Sending<'_>| Some(nodes.answer(sending));
        let found = match tried(&case.flow, &catalog, given, answer).await {
            Ok(report) => differences(&case.expect, &report, &nodes.runs),
            Err(error) => vec![error.to_string()],
        };
        if !found.is_empty() {
            failed.push(format!("{}: {}", case.name, found.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
    assert_eq!(cases.len(), 98);
}
