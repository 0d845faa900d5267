//! OpenFlow's cases as data, tried out with the nodes that they name as functions.

use std::collections::BTreeMap;

use apiflow_core::catalog::Catalog;
use apiflow_core::dry_run::{DryRunLimits, Outcome, Report, Sending};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{catalog, tried};

const CASES: &str = include_str!("../conformance/openflow_cases.json");

/// Features whose cases wait for their part of the engine.
const NOT_YET: [&str; 2] = ["suspend", "cache_ttl_reuses_result_for_equal_inputs"];

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
    runs: BTreeMap<String, usize>,
    skipped: Option<bool>,
    min_duration_ms: Option<u64>,
    message_contains: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
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
    let waits = |case: &Case| NOT_YET.iter().any(|not| case.name == *not || case.features.iter().any(|has| has == not));
    let catalog = nodes();
    let mut ran = 0;
    let mut failed = Vec::new();
    for case in cases.iter().filter(|case| !waits(case)) {
        let mut nodes = Nodes::default();
        let given = (case.input.clone(), Value::Null);
        let answer = |sending: &Sending<'_>| Some(nodes.answer(sending));
        let found = match tried(&case.flow, &catalog, given, DryRunLimits::default(), answer).await {
            Ok(report) => differences(&case.expect, &report, &nodes.runs),
            Err(error) => vec![error.to_string()],
        };
        if !found.is_empty() {
            failed.push(format!("{}: {}", case.name, found.join("; ")));
        }
        ran += 1;
    }
    assert!(failed.is_empty(), "{} of {ran} cases differ:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(ran, 93);
}
