//! Validates the input of a run against the workflow's schema.

use std::sync::Arc;

use apiflow_core::call::CallError;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::json::pointer_push;
use serde_json::{Map, Value};

use crate::api::Fault;
use crate::documents::schema::{CompiledSchema, SchemaCache, SchemaCheck, SchemaRefusal};
use crate::http::problem::Problem;
use crate::state::AppState;

/// The location in a request of a value that is validated against a schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValuePlace {
    /// JSON Pointer of the value.
    pub(crate) pointer: &'static str,
    /// The message if it does not match.
    pub(crate) mismatch: &'static str,
}

/// The input of a run.
pub(crate) const INPUT: ValuePlace = ValuePlace { pointer: "/input", mismatch: "the input does not match the schema" };

/// The payload of an approval.
pub(crate) const PAYLOAD: ValuePlace =
    ValuePlace { pointer: "/payload", mismatch: "the payload does not match the form" };

/// Fills in top-level defaults and validates a value, in one of the user's places.
pub(crate) async fn check_input(
    state: &AppState,
    user: &str,
    place: ValuePlace,
    schema: Option<&Value>,
    input: Map<String, Value>,
) -> Result<Value, Problem> {
    let Some(schema) = schema.filter(|schema| !schema.is_null()).cloned() else { return Ok(Value::Object(input)) };
    let schemas = state.validation.schemas.clone();
    state.validation.places.run(user, move || check_here(&schemas, place, &schema, input)).await?
}

/// Validates a value against a compiled schema.
pub(crate) async fn check_against(
    state: &AppState,
    user: &str,
    place: ValuePlace,
    schema: Arc<SchemaCheck>,
    input: Map<String, Value>,
) -> Result<Value, Problem> {
    let check = move || match &schema.compiled {
        Some(compiled) => check_compiled(compiled, place, input),
        None => Err(Problem::internal("a schema with errors was prepared")),
    };
    state.validation.places.run(user, check).await?
}

/// Validates a value on the current thread.
pub(crate) fn check_here(
    schemas: &SchemaCache,
    place: ValuePlace,
    schema: &Value,
    input: Map<String, Value>,
) -> Result<Value, Problem> {
    let check = schemas.compile_cached(schema);
    let Some(compiled) = &check.compiled else {
        let mut found = apiflow_core::validate::check_json_schema(schema, "/schema");
        found.extend(check.findings.iter().map(|found| below_schema(found.clone())));
        return Err(Problem::not_runnable("the schema cannot be used", found));
    };
    check_compiled(compiled, place, input)
}

fn below_schema(found: Diagnostic) -> Diagnostic {
    Diagnostic { pointer: format!("/schema{}", found.pointer), ..found }
}

fn check_compiled(compiled: &CompiledSchema, place: ValuePlace, input: Map<String, Value>) -> Result<Value, Problem> {
    let at = |pointer: &str| format!("{}{pointer}", place.pointer);
    compiled.check_input(input).map_err(|refusal| match refusal {
        SchemaRefusal::Mismatch(faults) => {
            let faults = faults.into_iter().map(|fault| Fault { pointer: at(&fault.pointer), ..fault });
            Problem::invalid(place.mismatch, faults.collect())
        }
        SchemaRefusal::TooExpensive(reason) => Problem::single_fault(at(""), reason),
    })
}

/// The problem of an input that a node's call does not accept.
pub(crate) fn input_problem(error: &CallError) -> Problem {
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

/// Returns the input's own name: invalid fields are reported as `input.NAME`.
fn field_name(field: &str) -> &str {
    field.strip_prefix("input.").unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_input(schema: Value, input: Value, expected: Result<Value, &[&str]>) {
        let Value::Object(fields) = input else { panic!("an input is an object") };
        let found = check_here(&SchemaCache::default(), INPUT, &schema, fields)
            .map_err(|problem| problem.faults().iter().map(|fault| fault.pointer.clone()).collect::<Vec<_>>());
        let expected = expected.map_err(|pointers| pointers.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(found, expected, "{schema}");
    }

    #[test]
    fn defaults_fill_what_is_absent_and_nothing_else() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "integer", "default": 1}, "b": {"type": ["string", "null"], "default": "x"}}});
        check_input(schema.clone(), json!({}), Ok(json!({"a": 1, "b": "x"})));
        check_input(schema.clone(), json!({"a": 2, "b": null}), Ok(json!({"a": 2, "b": null})));
        check_input(schema, json!({"a": null}), Err(&["/input/a"]));
    }

    #[test]
    fn faults_have_their_place() {
        let schema = json!({"type": "object", "required": ["image"], "properties": {
            "kind": {"enum": ["cartoon", "vintage"]},
            "deep": {"type": "object", "properties": {"a/b": {"type": "string"}}}}});
        check_input(
            schema,
            json!({"kind": "oil", "deep": {"a/b": 5}}),
            Err(&["/input", "/input/kind", "/input/deep/a~1b"]),
        );
    }

    #[test]
    fn references_inside_are_followed_and_others_are_refused() {
        let inside = json!({"$defs": {"n": {"type": "number"}}, "properties": {"n": {"$ref": "#/$defs/n"}}});
        check_input(inside, json!({"n": "x"}), Err(&["/input/n"]));
        for reference in ["http://127.0.0.1:1/schema.json", "file:///etc/passwd"] {
            check_input(json!({"properties": {"n": {"$ref": reference}}}), json!({"n": 1}), Err(&[]));
        }
    }
}
