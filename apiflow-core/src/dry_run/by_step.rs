//! Parses objects with an entry for each step: mocks and approvals.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostic::suggest::{did_you_mean, list_names, nearest_name};
use crate::diagnostic::{Diagnostic, codes};
use crate::engine::{Program, step_key};
use crate::json::pointer_push;
use crate::openflow::Module;

/// Parses an object with an entry for each step; null is an empty one. `what` names it in messages. `read` returns
/// `None` for an entry that it reports as a fault.
pub(super) fn parse_by_step<T>(
    what: &str,
    given: &Value,
    read: impl Fn(&str, &Value, &mut Vec<Diagnostic>) -> Option<T>,
) -> Result<BTreeMap<String, T>, Vec<Diagnostic>> {
    let fields = match given {
        Value::Object(fields) => fields,
        Value::Null => return Ok(BTreeMap::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let message = format!("{what} must be an object that maps step ids to answers");
            return Err(vec![Diagnostic::new_error(codes::WRONG_TYPE, "", message)]);
        }
    };
    let mut steps = BTreeMap::new();
    let mut found = Vec::new();
    for (step, value) in fields {
        if let Some(value) = read(step, value, &mut found) {
            steps.insert(step.clone(), value);
        }
    }
    if found.is_empty() { Ok(steps) } else { Err(found) }
}

/// Returns the entry for a step: by its path and id, else by its id.
pub(super) fn at_place<'m, T>(steps: &'m BTreeMap<String, T>, path: &str, step_id: &str) -> Option<&'m T> {
    steps.get(&step_key(path, step_id)).or_else(|| steps.get(step_id))
}

/// Checks a key: no step has the id, or the step does not accept such an entry.
pub(super) fn check_key(
    key: &str,
    program: &Program,
    takes: impl Fn(&Module) -> bool,
    otherwise: &str,
) -> Option<Diagnostic> {
    // A key may name one position.
    let step = key.rsplit('/').next().unwrap_or(key);
    let of_id: Vec<&Module> = program.modules().filter(|module| module.id == key || module.id == step).collect();
    if of_id.iter().any(|module| takes(module)) {
        return None;
    }
    let pointer = pointer_push("", key);
    if !of_id.is_empty() {
        return Some(Diagnostic::new_error(codes::WRONG_TYPE, pointer, format!("step `{step}` {otherwise}")));
    }
    let mut known: Vec<&str> = program.modules().map(|module| module.id.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let help = match nearest_name(step, known.iter().copied()) {
        Some(near) => did_you_mean(near),
        None => format!("the workflow has {}", list_names(known)),
    };
    Some(Diagnostic::new_error(codes::UNKNOWN_STEP, pointer, format!("there is no step `{step}`")).with_help(help))
}
