//! JSON Schemas of users: compiled once, with limits on their cost.
//!
//! Architecture invariant: users' schemas are compiled and evaluated only here. Schemas beyond the core's limits
//! ([`apiflow_core::validate::check_json_schema`]) are not compiled; a validation has a budget of steps, time and
//! stack.

mod cache;
mod lenient;
mod meter;
mod pattern;
mod pattern_engine;

pub(crate) use self::cache::SchemaCache;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::diagnostic::{Diagnostic, codes, has_errors};
use apiflow_core::json::pointer_push;
use apiflow_core::validate::{bad_default, check_json_schema};
use jsonschema::{Retrieve, Uri, ValidationError, Validator};
use serde_json::{Map, Value};

use self::lenient::LenientSchema;
use self::meter::{Budget, GivenUp, Metered, run_metered};
use self::pattern_engine::pattern_options;
use crate::api::Fault;

/// Step budget of a validation: accesses to values.
const MAX_STEPS: u64 = 20_000_000;

/// Step budget of collecting the faults of an invalid value: each access may produce a fault, which takes memory.
const MAX_FAULT_STEPS: u64 = 200_000;

/// Time budget of a validation.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Maximum number of faults that are reported at once.
const MAX_FAULTS: usize = 50;

/// A compiled schema that values can be validated against.
#[derive(Debug)]
pub(crate) struct CompiledSchema {
    validator: Validator<Metered>,
    /// Defaults of top-level properties that match their own schema.
    defaults: Map<String, Value>,
    pattern_states: u64,
    name_pattern_states: u64,
}

/// The result of compiling a schema; pointers are within the schema.
#[derive(Debug)]
pub(crate) struct SchemaCheck {
    /// The schema, unless the findings contain errors.
    pub(crate) compiled: Option<CompiledSchema>,
    /// Findings beyond those of the core's validator.
    pub(crate) findings: Vec<Diagnostic>,
}

/// The reason why a value was refused.
#[derive(Debug)]
pub(crate) enum SchemaRefusal {
    /// The value does not match; pointers are within the value.
    Mismatch(Vec<Fault>),
    /// Validating the value would be too expensive.
    TooExpensive(&'static str),
}

/// Refuses references to remote schemas: validating an input sends nothing.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is not part of the schema, and remote schemas are not fetched").into())
    }
}

/// Compiles a schema, unless it is beyond the core's limits.
pub(crate) fn compile_schema(schema: &Value) -> SchemaCheck {
    // The core's validator reports these itself.
    let told = check_json_schema(schema, "");
    if has_errors(&told) {
        return SchemaCheck { compiled: None, findings: Vec::new() };
    }
    let LenientSchema { schema: lenient, mut warnings, pattern_states, name_pattern_states } =
        lenient::read(schema, "");
    let options = jsonschema::options_for::<Metered>().with_retriever(Nowhere).with_pattern_options(pattern_options());
    let validator = match options.build(if lenient.is_null() { &Value::Bool(true) } else { &lenient }) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the schema cannot be used: {}", error.masked());
            let findings = vec![Diagnostic::new_error(codes::BAD_SCHEMA, error.instance_path().as_str(), message)];
            return SchemaCheck { compiled: None, findings };
        }
    };
    let mut compiled =
        CompiledSchema { validator, defaults: top_level_defaults(schema), pattern_states, name_pattern_states };
    for name in compiled.drop_bad_defaults() {
        let pointer = pointer_push(&pointer_push("/properties", &name), "default");
        if !told.iter().any(|told| told.pointer == pointer) {
            let default = schema.pointer(&pointer).unwrap_or(&Value::Null);
            warnings.push(bad_default(&name, &pointer, default));
        }
    }
    SchemaCheck { compiled: Some(compiled), findings: warnings }
}

fn top_level_defaults(schema: &Value) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone()))).collect()
}

impl CompiledSchema {
    fn check_budget(&self, steps: u64) -> Budget {
        let Self { pattern_states, name_pattern_states, .. } = *self;
        Budget { steps, deadline: Instant::now() + MAX_TIME, pattern_states, name_pattern_states }
    }

    /// Removes the defaults that the schema refuses; returns their names.
    fn drop_bad_defaults(&mut self) -> Vec<String> {
        if self.defaults.is_empty() {
            return Vec::new();
        }
        let all = Value::Object(self.defaults.clone());
        let find = || -> BTreeSet<String> {
            let names = self.validator.iter_errors(&all).filter_map(|error| top_name(&error));
            names.collect()
        };
        let bad = run_metered(self.check_budget(MAX_FAULT_STEPS), find).unwrap_or_default();
        self.defaults.retain(|name, _| !bad.contains(name));
        bad.into_iter().collect()
    }

    /// Fills in absent defaults and validates the value.
    pub(crate) fn check_input(&self, mut input: Map<String, Value>) -> Result<Value, SchemaRefusal> {
        for (name, default) in &self.defaults {
            if !input.contains_key(name) {
                input.insert(name.clone(), default.clone());
            }
        }
        let input = Value::Object(input);
        match run_metered(self.check_budget(MAX_STEPS), || self.validator.is_valid(&input)) {
            Ok(true) => return Ok(input),
            Ok(false) => {}
            Err(given_up) => return Err(SchemaRefusal::TooExpensive(give_up_reason(given_up))),
        }
        let all = || {
            self.validator.iter_errors(&input).take(MAX_FAULTS).map(|error| schema_fault(&error)).collect::<Vec<_>>()
        };
        let first = || self.validator.validate(&input).err().iter().map(schema_fault).collect::<Vec<_>>();
        let faults = run_metered(self.check_budget(MAX_FAULT_STEPS), all);
        let faults = faults.or_else(|_| run_metered(self.check_budget(MAX_STEPS), first));
        Err(faults
            .map_or_else(|given_up| SchemaRefusal::TooExpensive(give_up_reason(given_up)), SchemaRefusal::Mismatch))
    }
}

fn give_up_reason(given_up: GivenUp) -> &'static str {
    match given_up {
        GivenUp::Steps => "validating it against the schema takes too many steps: simplify the schema or the value",
        GivenUp::Time => "validating it against the schema takes too long: simplify the schema or the value",
        GivenUp::Depth => "it is nested too deeply to be validated against the schema",
    }
}

fn top_name(error: &ValidationError<'_>) -> Option<String> {
    let path = error.instance_path().as_str();
    let name = path.split('/').nth(1)?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

fn schema_fault(error: &ValidationError<'_>) -> Fault {
    let pointer = error.instance_path().as_str().to_owned();
    Fault { pointer, message: error.masked().to_string(), code: None, help: None }
}

/// Returns the JSON Schemas of a workflow that values of its runs are validated against, with their pointers.
fn schemas_of(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    if let Some(schema) = document.get("schema").filter(|schema| !schema.is_null()) {
        found.push(("/schema".to_owned(), schema));
    }
    if let Some(value) = document.get("value") {
        collect_forms(value, "/value".to_owned(), &mut found);
    }
    found
}

/// Modules are in lists, branches and handlers: the form of every object with a gate is found.
fn collect_forms<'a>(value: &'a Value, pointer: String, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            if let (true, Some(schema)) = (fields.contains_key("value"), value.pointer("/suspend/resume_form/schema")) {
                found.push((format!("{pointer}/suspend/resume_form/schema"), schema));
            }
            for (name, field) in fields.iter().filter(|(name, _)| name.as_str() != "input_transforms") {
                collect_forms(field, pointer_push(&pointer, name), found);
            }
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| collect_forms(item, format!("{pointer}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the findings about the JSON Schemas of a workflow beyond those of the core's validator: what a run would
/// report.
pub(crate) fn check_document(document: &Value, cache: &SchemaCache) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (place, schema) in schemas_of(document) {
        let check: Arc<SchemaCheck> = cache.compile_cached(schema);
        let within = |found: &Diagnostic| Diagnostic { pointer: format!("{place}{}", found.pointer), ..found.clone() };
        findings.extend(check.findings.iter().map(within));
    }
    findings
}

#[cfg(test)]
mod tests;
