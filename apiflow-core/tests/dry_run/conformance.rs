//! OpenFlow's cases as data, tried out with the nodes that they name as functions.

#[path = "../openflow/cases.rs"]
mod cases;

use std::collections::BTreeMap;

use apiflow_core::catalog::Catalog;
use apiflow_core::dry_run::{Outcome, Report, Sending};
use serde_json::{Value, json};

use super::{Given, catalog, tried};
use cases::{Case, Expect, Observed, assert_all_passed, read_cases};

/// The approvals that a case gives; nobody else answers.
fn approvals(case: &Case) -> Value {
    let mut approvals = serde_json::Map::new();
    for module in case.flow["value"]["modules"].as_array().into_iter().flatten() {
        let Some(id) = module["id"].as_str().filter(|_| module["suspend"].is_object()) else { continue };
        let given = case
            .events
            .iter()
            .filter(|event| event.step == id)
            .map(|event| json!({"action": event.r#type, "payload": event.payload, "approver": event.approver}));
        approvals.insert(id.to_owned(), given.collect());
    }
    Value::Object(approvals)
}

/// The three nodes that the cases name.
#[derive(Default)]
struct Nodes {
    runs: BTreeMap<String, u64>,
}

impl Nodes {
    fn answer(&mut self, sending: &Sending<'_>) -> Outcome {
        let run = self.runs.entry(sending.step_id.to_owned()).or_default();
        *run += 1;
        let input = sending.input;
        let fails = match sending.node {
            "node/fail" => true,
            "node/flaky" => *run <= input["fail_times"].as_u64().unwrap_or_default(),
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

fn list_differences(expect: &Expect, report: &Report, runs: &BTreeMap<String, u64>) -> Vec<String> {
    expect.list_differences(&Observed {
        status: report.status.as_str(),
        result: &report.output,
        runs,
        skipped: Some(report.skipped),
        duration_ms: report.duration_ms,
        early_return: report.early_return.as_ref(),
    })
}

#[tokio::test]
async fn the_cases_come_out_as_openflow_has_them() {
    let catalog = nodes();
    let mut failed = Vec::new();
    for case in &read_cases() {
        let mut nodes = Nodes::default();
        let given = Given { input: case.input.clone(), approvals: approvals(case), ..Given::default() };
        let answer = |sending: &Sending<'_>| Some(nodes.answer(sending));
        let found = match tried(&case.flow, &catalog, given, answer).await {
            Ok(report) => list_differences(&case.expect, &report, &nodes.runs),
            Err(error) => vec![error.to_string()],
        };
        if !found.is_empty() {
            failed.push(format!("{}: {}", case.name, found.join("; ")));
        }
    }
    assert_all_passed(&failed);
}
