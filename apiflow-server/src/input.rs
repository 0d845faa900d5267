//! The input of a run, checked against the workflow's schema.

use apiflow_core::call::CallError;
use apiflow_core::diagnostic::{Diagnostic, pointer_push};
use apiflow_core::validate::codes;
use jsonschema::{Retrieve, Uri};
use serde_json::{Map, Value};

use crate::api::Fault;
use crate::problem::Problem;

/// Faults that are told at once.
const MOST_FAULTS: usize = 50;

/// Refuses references to schemas elsewhere: checking an input sends nothing.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is not part of the schema, and remote schemas are not fetched").into())
    }
}

/// Fills in top-level defaults and checks the input in full; faults have pointers below `/input`.
pub(crate) fn checked(schema: Option<&Value>, input: Map<String, Value>) -> Result<Value, Problem> {
    checked_at("/input", "the input does not match the schema", schema, input)
}

/// The same for a value at another place of a request.
pub(crate) fn checked_at(
    place: &str,
    mismatch: &str,
    schema: Option<&Value>,
    mut input: Map<String, Value>,
) -> Result<Value, Problem> {
    let Some(schema) = schema.filter(|schema| !schema.is_null()) else { return Ok(Value::Object(input)) };
    fill(schema, &mut input);
    let input = Value::Object(input);
    let validator = compiled(schema)
        .map_err(|found| Problem::not_runnable("the workflow's schema cannot be used", vec![*found]))?;
    let faults: Vec<_> = validator
        .iter_errors(&input)
        .take(MOST_FAULTS)
        .map(|error| Fault {
            pointer: format!("{place}{}", error.instance_path()),
            message: error.masked().to_string(),
            code: None,
            help: None,
        })
        .collect();
    if faults.is_empty() { Ok(input) } else { Err(Problem::invalid(mismatch, faults)) }
}

/// A workflow's schema, ready to check inputs; the finding where it is no JSON Schema.
pub(crate) fn compiled(schema: &Value) -> Result<jsonschema::Validator, Box<Diagnostic>> {
    let built =
        jsonschema::options().with_retriever(Nowhere).build(if schema.is_null() { &Value::Bool(true) } else { schema });
    built.map_err(|error| {
        let message = format!("the schema cannot be used: {error}");
        Box::new(Diagnostic::error(codes::BAD_SCHEMA, "/schema", message))
    })
}

/// The problem of an input that a node's call cannot take.
pub(crate) fn refused(error: &CallError) -> Problem {
    let fields = error.detail.get("fields").and_then(Value::as_array).into_iter().flatten();
    let faults = fields.map(|field| {
        let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
        Fault {
            pointer: pointer_push("/input", field_name(text("field"))),
            message: text("message").to_owned(),
            code: None,
            help: None,
        }
    });
    Problem::invalid(error.message.clone(), faults.collect())
}

/// The input's own name: fields at fault are told as `input.NAME`.
fn field_name(field: &str) -> &str {
    field.strip_prefix("input.").unwrap_or(field)
}

fn fill(schema: &Value, input: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, property) in properties {
        if let Some(default) = property.get("default")
            && !input.contains_key(name)
        {
            input.insert(name.clone(), default.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: Value, input: Value, expected: Result<Value, &[&str]>) {
        let Value::Object(fields) = input else { panic!("an input is an object") };
        let found = checked(Some(&schema), fields)
            .map_err(|problem| problem.faults().iter().map(|fault| fault.pointer.clone()).collect::<Vec<_>>());
        let expected = expected.map_err(|pointers| pointers.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(found, expected, "{schema}");
    }

    #[test]
    fn defaults_fill_what_is_absent_and_nothing_else() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "integer", "default": 1}, "b": {"type": ["string", "null"], "default": "x"}}});
        check(schema.clone(), json!({}), Ok(json!({"a": 1, "b": "x"})));
        check(schema.clone(), json!({"a": 2, "b": null}), Ok(json!({"a": 2, "b": null})));
        check(schema, json!({"a": null}), Err(&["/input/a"]));
    }

    #[test]
    fn faults_have_their_place() {
        let schema = json!({"type": "object", "required": ["image"], "properties": {
            "kind": {"enum": ["cartoon", "vintage"]},
            "deep": {"type": "object", "properties": {"a/b": {"type": "string"}}}}});
        check(schema, json!({"kind": "oil", "deep": {"a/b": 5}}), Err(&["/input", "/input/kind", "/input/deep/a~1b"]));
    }

    #[test]
    fn references_inside_are_followed_and_others_are_refused() {
        let inside = json!({"$defs": {"n": {"type": "number"}}, "properties": {"n": {"$ref": "#/$defs/n"}}});
        check(inside, json!({"n": "x"}), Err(&["/input/n"]));
        for reference in ["http://127.0.0.1:1/schema.json", "file:///etc/passwd"] {
            check(json!({"properties": {"n": {"$ref": reference}}}), json!({"n": 1}), Err(&[]));
        }
    }
}
