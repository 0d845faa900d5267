//! The validator on a large document, against reading its JSON alone.

use std::time::{Duration, Instant};

use apiflow_core::catalog::Catalog;
use apiflow_core::validate;
use serde_json::{Value, json};

use super::{Bench, RowTable};
use crate::Result;
use crate::measurement::Measurement;
use crate::statistics::to_ms;

/// Modules of the document.
const MODULE_COUNT: usize = 1_000;

/// Loops of the document, each inside of the one before.
const LOOP_DEPTH: usize = 10;

/// Measures checks of a document, in turns with reading the same text by `serde_json`.
pub(super) fn measure(bench: &Bench, table: RowTable) -> Result<Vec<Measurement>> {
    let document = build_document();
    let text = document.to_string();
    let catalog: Catalog =
        serde_json::from_value(build_catalog()).map_err(|error| format!("the catalog is not valid: {error}"))?;
    let found = validate::validate_workflow(&document, &catalog);
    if let Some(first) = found.first() {
        return Err(format!("the document should be valid: {first:?}"));
    }
    let mut readings = Vec::with_capacity(bench.runs);
    let mut checks = Vec::with_capacity(bench.runs);
    for _ in 0..bench.runs {
        readings.push(measure_time(|| serde_json::from_str::<Value>(&text)));
        checks.push(measure_time(|| validate::validate_workflow(&document, &catalog)));
    }
    // Nothing is waited for, so whatever is above the least time is the work of other processes.
    let (reading, check) = (find_least(readings), find_least(checks));
    Ok(vec![table.build_ratio("ms per document, least", to_ms(reading), to_ms(check), None)])
}

fn find_least(times: Vec<Duration>) -> Duration {
    times.into_iter().min().unwrap_or_default()
}

fn measure_time<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let done = std::hint::black_box(work());
    let took = began.elapsed();
    drop(done);
    took
}

fn build_catalog() -> Value {
    json!({
        "connectors": {"c": {"id": "c", "name": "C", "base_url": "https://example.org", "method": "POST"}},
        "nodes": {"edit": {
            "id": "edit", "name": "Edit", "connector_id": "c",
            "input": [
                {"name": "prompt", "type": "string", "required": true},
                {"name": "image", "type": "image"},
                {"name": "style", "type": "string", "enum": ["cartoon", "vintage"]},
            ],
            "output": [{"name": "url", "type": "string"}],
        }},
    })
}

/// Loops in each other, each with as many steps, of which each has a constant, a path and an expression.
fn build_document() -> Value {
    let mut list: Vec<Value> = Vec::new();
    for level in 0..LOOP_DEPTH {
        let mut steps: Vec<Value> = (1..MODULE_COUNT / LOOP_DEPTH).map(|number| build_step(level, number)).collect();
        steps.push(json!({"id": format!("loop_{level}"), "value": {
            "type": "forloopflow", "skip_failures": false, "modules": list,
            "iterator": {"type": "javascript", "expr": "flow_input.pages"},
        }}));
        list = steps;
    }
    let schema = json!({"type": "object", "properties": {
        "prompt": {"type": "string"}, "image": {"type": "string"}, "pages": {"type": "array"},
    }});
    json!({"summary": "Bench", "schema": schema, "value": {"modules": list}})
}

fn build_step(level: usize, number: usize) -> Value {
    let before = match number {
        1 => "flow_input.image".to_owned(),
        _ => format!("results.step_{level}_{}.url", number - 1),
    };
    json!({
        "id": format!("step_{level}_{number}"),
        "summary": "A step",
        "value": {"type": "script", "path": "node/edit", "input_transforms": {
            "prompt": {"type": "javascript", "expr": format!("`${{flow_input.prompt}}, after ${{{before} ?? 'nothing'}}`")},
            "image": {"type": "javascript", "expr": before},
            "style": {"type": "static", "value": "cartoon"},
        }},
        "retry": {"constant": {"attempts": 2, "seconds": 5}},
    })
}
