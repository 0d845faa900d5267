//! What the names of an expression mean in the reference.

use serde_json::{Map, Value, json};

use super::{Here, Resume};
use crate::expression::Names;

/// The names at one place and moment.
pub(super) struct Known<'p, 'd> {
    here: &'p Here<'d>,
    previous: Value,
    result: Value,
    resumes: &'p [Resume],
    all_iters: Option<Value>,
}

impl<'p, 'd> Known<'p, 'd> {
    /// Before a module begins: `result` is the previous result too.
    pub(super) fn before(here: &'p Here<'d>, previous: &Value, resumes: &'p [Resume]) -> Self {
        Self { here, previous: previous.clone(), result: previous.clone(), resumes, all_iters: None }
    }

    /// After a step: both are its result.
    pub(super) fn after(here: &'p Here<'d>, result: &Value, resumes: &'p [Resume]) -> Self {
        Self::before(here, result, resumes)
    }

    pub(super) fn with_iterations(self, all: &[Value]) -> Self {
        Self { all_iters: Some(json!(all)), ..self }
    }
}

impl Names for Known<'_, '_> {
    fn name(&self, name: &str) -> Option<Value> {
        match name {
            "flow_input" => Some(self.here.args.clone()),
            "flow_env" => Some(self.here.env.clone()),
            "previous_result" => Some(self.previous.clone()),
            "result" => Some(self.result.clone()),
            "error" => Some(error_of(&self.previous)),
            "resume" => Some(self.resumes.last().map(|resume| resume.payload.clone()).unwrap_or_default()),
            "resumes" => Some(self.resumes.iter().map(|resume| resume.payload.clone()).collect()),
            "approvers" => Some(self.resumes.iter().filter_map(|resume| resume.approver.clone()).collect()),
            "all_iters" => self.all_iters.clone(),
            _ => None,
        }
    }

    fn result(&self, step_id: &str) -> Value {
        self.here.scope.find(step_id)
    }
}

/// What `error` names: the error of a result, or of the only element that has one.
pub(crate) fn error_of(previous: &Value) -> Value {
    if let Some(error) = previous.get("error") {
        return error.clone();
    }
    let Value::Array(items) = previous else { return json!({"name": "UnknownError"}) };
    let errors: Vec<&Value> = items.iter().filter_map(|item| item.get("error")).collect();
    match errors[..] {
        [error] => error.clone(),
        _ => json!({"name": "MultipleErrors", "errors": errors}),
    }
}

/// The arguments of an iteration: an `iter` that is there already becomes `iter_parent`, and so on outwards.
pub(super) fn with_iter(args: &Value, index: usize, value: &Value) -> Value {
    let mut iterations = Vec::new();
    let mut inner = Map::new();
    for (name, value) in args.as_object().into_iter().flatten() {
        if name == "iter" || name.starts_with("iter_parent") {
            iterations.push((name.replacen("iter", "iter_parent", 1), value.clone()));
        } else {
            inner.insert(name.clone(), value.clone());
        }
    }
    inner.extend(iterations);
    inner.insert("iter".to_owned(), json!({"index": index, "value": value}));
    Value::Object(inner)
}
