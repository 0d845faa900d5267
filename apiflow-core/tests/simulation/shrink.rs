//! Making a failing world smaller: fewer decisions, fewer modules, fewer settings, as long as the same rule breaks.

use serde_json::Value;

use super::decisions::Script;
use super::document::Document;

/// Tries at making it smaller, at most.
const TRIES: usize = 3_000;

/// A failing world.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) document: Document,
    pub(crate) script: Script,
}

/// The smallest case found for which `fails` still holds.
pub(crate) fn shrink(mut case: Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut tries = 0;
    loop {
        let before = tries;
        let mut shrunk = false;
        for candidate in candidates(&case) {
            tries += 1;
            if tries > TRIES {
                return case;
            }
            if fails(&candidate) {
                case = candidate;
                shrunk = true;
                break;
            }
        }
        if !shrunk || tries == before {
            return case;
        }
    }
}

/// Cases with a little less, the largest cuts first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    let keys: Vec<_> = case.script.keys().copied().collect();
    for size in [keys.len(), keys.len() / 2, keys.len() / 4, 1] {
        for chunk in keys.chunks(size.max(1)).filter(|_| size > 0) {
            let mut script = case.script.clone();
            script.retain(|key, _| !chunk.contains(key));
            found.push(Case { script, ..case.clone() });
        }
    }
    for flow in smaller(&case.document.flow) {
        found.push(Case { document: Document { flow, ..case.document.clone() }, ..case.clone() });
    }
    for (id, flow) in &case.document.workflows {
        for flow in smaller(flow) {
            let mut document = case.document.clone();
            document.workflows.insert(id.clone(), flow);
            found.push(Case { document, ..case.clone() });
        }
    }
    found
}

/// Settings that may be left out.
const OPTIONAL: [&str; 18] = [
    "failure_module",
    "skip_expr",
    "flow_env",
    "skip_if",
    "mock",
    "retry",
    "retry_if",
    "exponential",
    "constant",
    "continue_on_error",
    "stop_after_all_iters_if",
    "sleep",
    "parallelism",
    "timeout",
    "suspend",
    "cache_ttl",
    "race",
    "preprocessor_module",
];

/// A value with one thing less.
fn smaller(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(fields) => {
            for name in OPTIONAL.iter().filter(|name| fields.contains_key(**name)) {
                let mut fields = fields.clone();
                fields.remove(*name);
                found.push(Value::Object(fields));
            }
            if fields.get("type").is_none() && fields.contains_key("stop_after_if") && !ends_a_loop(value) {
                let mut fields = fields.clone();
                fields.remove("stop_after_if");
                found.push(Value::Object(fields));
            }
            for (name, inner) in fields {
                for inner in smaller(inner) {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), inner);
                    found.push(Value::Object(fields));
                }
            }
        }
        Value::Array(items) => {
            for index in 0..items.len() {
                if !ends_a_loop(&items[index]) {
                    let mut items = items.clone();
                    items.remove(index);
                    found.push(Value::Array(items));
                }
            }
            for (index, item) in items.iter().enumerate() {
                for item in smaller(item) {
                    let mut items = items.clone();
                    items[index] = item;
                    found.push(Value::Array(items));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// Whether a module is the one that ends a while loop.
fn ends_a_loop(module: &Value) -> bool {
    let expr = module["stop_after_if"]["expr"].as_str().unwrap_or_default();
    module["value"]["type"] == "identity" && expr.starts_with("flow_input.iter.index >= ")
}
