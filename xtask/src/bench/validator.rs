//! The validator on a large document, against reading its JSON alone.

use std::time::{Duration, Instant};

use apiflow_core::catalog::Catalog;
use apiflow_core::validate;
use serde_json::{Value, json};

use super::{median, ms};
use crate::Result;
use crate::say::say;

/// Modules of the document.
const MODULES: usize = 1_000;

/// Lists in each other.
const DEPTH: usize = 10;

/// Measures `runs` checks, and as many readings of the same text by `serde_json`, in turns.
pub(super) fn run(runs: usize) -> Result {
    let document = document();
    let text = document.to_string();
    let catalog: Catalog =
        serde_json::from_value(catalog()).map_err(|error| format!("the catalog is none: {error}"))?;
    let found = validate::workflow(&document, &catalog);
    if let Some(first) = found.first() {
        return Err(format!("the document is meant to be right: {first:?}"));
    }
    let mut readings = Vec::with_capacity(runs);
    let mut checks = Vec::with_capacity(runs);
    for _ in 0..runs {
        readings.push(timed(|| serde_json::from_str::<Value>(&text)));
        checks.push(timed(|| validate::workflow(&document, &catalog)));
    }
    let (reading, check) = (median(readings), median(checks));
    let ratio = check.as_secs_f64() / reading.as_secs_f64();
    say(format!("\nmedian of {runs} checks of {MODULES} modules, {DEPTH} deep, {} KiB\n", text.len() / 1024));
    say("| reading its JSON, ms | checking it, ms | ratio |\n|---:|---:|---:|");
    say(format!("| {:.2} | {:.2} | {ratio:.2} |", ms(reading), ms(check)));
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let done = std::hint::black_box(work());
    let took = began.elapsed();
    drop(done);
    took
}

fn catalog() -> Value {
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
fn document() -> Value {
    let mut list: Vec<Value> = Vec::new();
    for level in 0..DEPTH {
        let mut steps: Vec<Value> = (1..MODULES / DEPTH).map(|number| step(level, number)).collect();
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

fn step(level: usize, number: usize) -> Value {
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
