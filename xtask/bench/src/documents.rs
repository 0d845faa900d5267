//! The workflows that are measured.

use serde_json::{Map, Value, json};

/// Number of branches of the workflow with parallel branches.
pub(crate) const BRANCH_COUNT: usize = 20;

/// Number of iterations of the workflow with a parallel loop.
pub(crate) const ITERATION_COUNT: usize = 100;

/// A node that calls `/step`, or `/slow`, of the provider.
pub(crate) fn build_node(id: &str) -> Value {
    json!({
        "id": id, "name": id, "connector_id": "instant",
        "input": [{"name": "value", "type": "integer", "required": true}],
        "output": [{"name": "value", "type": "integer", "mapping": "value"}],
        "data": {"path": format!("/{id}")},
    })
}

/// A node that calls `/picture` or `/film` of the provider, whose output is media.
pub(crate) fn build_media_node(id: &str, value_type: &str) -> Value {
    json!({
        "id": id, "name": id, "connector_id": "instant",
        "output": [{"name": "media", "type": value_type, "mapping": "media"}],
        "data": {"path": format!("/{id}"), "body": {}},
    })
}

/// One step with a picture or a film.
pub(crate) fn build_media_step(node: &str) -> Value {
    let module =
        json!({"id": node, "value": {"type": "script", "path": format!("node/{node}"), "input_transforms": {}}});
    build_document(&json!([module]))
}

/// A module that calls a node with a value.
fn build_module(id: &str, node: &str, value: Value) -> Value {
    let transforms = Map::from_iter([("value".to_owned(), value)]);
    json!({"id": id, "value": {"type": "script", "path": format!("node/{node}"), "input_transforms": transforms}})
}

fn build_document(modules: &Value) -> Value {
    json!({"summary": "Bench", "value": {"modules": modules}})
}

/// Steps in sequence; each gets the value of the one before.
pub(crate) fn build_sequence(step_count: usize) -> Value {
    let module = |at: usize| {
        let value = match at {
            0 => json!({"type": "static", "value": 0}),
            _ => json!({"type": "javascript", "expr": format!("results.step_{}.value", at - 1)}),
        };
        build_module(&format!("step_{at}"), "step", value)
    };
    build_document(&(0..step_count).map(module).collect())
}

/// Branches that run in parallel; the call of each takes 100 ms.
pub(crate) fn build_parallel_branches() -> Value {
    let branch = |at: usize| {
        let module = build_module(&format!("slow_{at}"), "slow", json!({"type": "static", "value": at}));
        json!({"summary": "Branch", "modules": [module]})
    };
    let branches: Vec<Value> = (0..BRANCH_COUNT).map(branch).collect();
    build_document(&json!([{"id": "branches", "value": {"type": "branchall", "parallel": true, "branches": branches}}]))
}

/// A loop whose iterations run in parallel; each makes one call.
pub(crate) fn build_parallel_loop() -> Value {
    let step = build_module("step", "step", json!({"type": "javascript", "expr": "flow_input.iter.value"}));
    build_document(&json!([{"id": "loop", "value": {
        "type": "forloopflow", "parallel": true, "skip_failures": false, "modules": [step],
        "iterator": {"type": "static", "value": (0..ITERATION_COUNT).collect::<Vec<_>>()}}}]))
}

/// One step that chooses a branch by a JavaScript expression.
pub(crate) fn build_choice(expression: &str) -> Value {
    let branches = json!([{"expr": expression, "modules": [{"id": "yes", "value": {"type": "identity"}}]}]);
    build_document(&json!([{"id": "choice", "value": {"type": "branchone", "branches": branches, "default": []}}]))
}

/// A loop of expressions that never end.
pub(crate) fn build_endless_loop() -> Value {
    let choice = build_choice("(() => { let n = 0; while (true) { for (let i = 0; i < 1e6; i++) n++; } })()");
    build_document(&json!([{"id": "loop", "value": {
        "type": "forloopflow", "skip_failures": true, "modules": choice["value"]["modules"],
        "iterator": {"type": "static", "value": (0..1_000).collect::<Vec<_>>()}}}]))
}

/// As many modules and about as many bytes as a document may have.
pub(crate) fn build_largest_document() -> Value {
    let module = |number: usize| {
        let text = json!({"type": "javascript", "expr": format!("`${{flow_input.text ?? 'nothing'}} and {number}`")});
        json!({"id": format!("step_{number}"), "summary": "A step of a document as large as it may be. ".repeat(3),
            "value": {"type": "identity"}, "skip_if": {"expr": format!("flow_input.skip === {number}")},
            "sleep": text, "retry": {"constant": {"attempts": 2, "seconds": 5}}})
    };
    build_document(&(0..5_000).map(module).collect())
}
