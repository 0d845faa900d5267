//! Dry runs: the real engine with made-up answers.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod conformance;
mod endings;
mod gates;
mod requests;

use apiflow_core::catalog::{Catalog, parse_connector, parse_node};
use apiflow_core::dry_run::{Approvals, DryRun, DryRunError, DryRunLimits, Mocks, Outcome, Report, Sending};
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use serde_json::{Value, json};

/// A catalog of one connector, `c`, and these nodes of it.
fn catalog(nodes: &[Value]) -> Catalog {
    let mut catalog = Catalog::default();
    let connector = json!({
        "id": "c", "name": "C", "base_url": "https://c.test/v1", "header": {"Authorization": "Bearer $KEY"}
    });
    catalog.connectors.insert("c".to_owned(), parse_connector(&connector).unwrap());
    for node in nodes {
        let mut node = node.clone();
        node["connector_id"] = json!("c");
        node["name"] = node["id"].clone();
        let node = parse_node(&node).unwrap();
        catalog.nodes.insert(node.id.clone(), node);
    }
    catalog
}

/// A step that calls a node with expressions as inputs.
fn step(id: &str, node: &str, inputs: &[(&str, &str)]) -> Value {
    let transforms: serde_json::Map<_, _> =
        inputs.iter().map(|(name, expr)| ((*name).to_owned(), json!({"type": "javascript", "expr": expr}))).collect();
    json!({"id": id, "value": {"type": "script", "path": format!("node/{node}"), "input_transforms": transforms}})
}

fn flow(modules: Value) -> Value {
    json!({"summary": "", "value": {"modules": modules}})
}

/// What a workflow is tried out with.
#[derive(Default)]
struct Given {
    input: Value,
    preprocess: bool,
    until: Option<String>,
    only: Option<String>,
    mocks: Value,
    approvals: Value,
    limits: DryRunLimits,
}

async fn tried<F>(document: &Value, catalog: &Catalog, given: Given, answer: F) -> Result<Report, DryRunError>
where
    F: FnMut(&Sending<'_>) -> Option<Outcome>,
{
    let Given { input, preprocess, until, only, mocks, approvals, limits } = given;
    let mocks = Mocks::parse(&mocks).unwrap();
    let approvals = Approvals::parse(&approvals).unwrap();
    let dry_run = DryRun { input, preprocess, until, only, mocks, approvals, limits };
    let prepared = dry_run.prepare(document.clone(), catalog.clone())?;
    Ok(dry_run.run(&prepared, &BoaEvaluator::new(), answer).await)
}

/// The report of a dry run that begins, without a function.
async fn report(document: &Value, catalog: &Catalog, input: Value, mocks: Value) -> Report {
    tried(document, catalog, Given { input, mocks, ..Given::default() }, |_| None).await.unwrap()
}

/// The steps that ran: place, status, attempt.
fn ran(report: &Report) -> Vec<String> {
    let shown = report.steps.iter().map(|step| {
        let slash = if step.path.is_empty() { "" } else { "/" };
        format!("{}{slash}{} {} {}", step.path, step.id, step.status.as_str(), step.attempt)
    });
    shown.collect()
}
