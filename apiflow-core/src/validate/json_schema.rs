//! Checks JSON Schemas in a workflow: limits on the cost of validating a value, and mistakes that would refuse every
//! run.
//!
//! Nothing is compiled here. With these limits, compiling a schema and validating one value of an input against it is
//! cheap whatever the schema contains; the number of values in an input is limited where it is validated.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::json::pointer_push;

/// Maximum number of schemas within a JSON Schema.
pub(crate) const MAX_SCHEMAS: usize = 10_000;

/// Maximum number of schemas that one value is checked against: those behind `$ref`, `allOf` and the like count once
/// per reference.
pub const MAX_SCHEMAS_PER_VALUE: u64 = 2_000;

/// Maximum length of a chain of `$ref`, `allOf` and the like before a part of the value is checked.
pub(crate) const MAX_CHAIN: usize = 64;

/// Maximum nesting depth of a JSON Schema, in levels of JSON.
pub(crate) const MAX_SCHEMA_DEPTH: usize = 64;

/// What the schemas of a keyword apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliesTo {
    /// The value itself.
    Value,
    /// Parts of the value.
    Parts,
    /// Nothing, unless a `$ref` refers to them.
    Nothing,
}

/// A keyword that contains schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaKeyword {
    /// What its schemas apply to.
    pub applies_to: AppliesTo,
    /// Whether its value is an object of schemas by name; otherwise it is a schema, or an array of them.
    pub is_map: bool,
}

/// Returns the properties of a keyword that contains schemas. Source: JSON Schema, drafts 4 to 2020-12.
pub fn schema_keyword(keyword: &str) -> Option<SchemaKeyword> {
    let (applies_to, is_map) = match keyword {
        "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" => (AppliesTo::Value, false),
        "dependentSchemas" | "dependencies" => (AppliesTo::Value, true),
        "properties" | "patternProperties" => (AppliesTo::Parts, true),
        "items"
        | "prefixItems"
        | "additionalItems"
        | "unevaluatedItems"
        | "contains"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "contentSchema" => (AppliesTo::Parts, false),
        "$defs" | "definitions" => (AppliesTo::Nothing, true),
        _ => return None,
    };
    Some(SchemaKeyword { applies_to, is_map })
}

/// Finds what makes a JSON Schema too expensive or impossible to use, and mistakes in it; `pointer` is its location.
pub fn check_json_schema(schema: &Value, pointer: &str) -> Vec<Diagnostic> {
    if let Some(deep) = place_below(schema, pointer.to_owned(), MAX_SCHEMA_DEPTH) {
        let message = format!("the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels");
        let help = "move the inner schemas into `$defs` and refer to them by `$ref`";
        return vec![Diagnostic::new_error(codes::SCHEMA_LIMIT, deep, message).with_help(help)];
    }
    let mut survey = Survey::new(schema, pointer);
    survey.walk_schema();
    check_defaults(schema, pointer, &mut survey.found);
    survey.found
}

/// Returns the first location that is nested deeper than `levels`.
fn place_below(value: &Value, pointer: String, levels: usize) -> Option<String> {
    let (Some(left), Value::Array(_) | Value::Object(_)) = (levels.checked_sub(1), value) else {
        return (levels == 0).then_some(pointer);
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| place_below(item, format!("{pointer}/{index}"), left))
        }
        Value::Object(fields) => {
            fields.iter().find_map(|(name, field)| place_below(field, pointer_push(&pointer, name), left))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A schema with its location.
type Placed<'a> = (&'a Value, String);

struct Survey<'a> {
    root: &'a Value,
    base: String,
    /// The cost of each schema that was reached; `None` while it is being computed.
    costs: BTreeMap<usize, Option<u64>>,
    /// Schemas that have a name.
    anchors: BTreeMap<&'a str, Placed<'a>>,
    /// Schemas of parts that still have to be checked.
    ahead: Vec<Placed<'a>>,
    is_over: bool,
    found: Vec<Diagnostic>,
}

impl<'a> Survey<'a> {
    fn new(root: &'a Value, base: &str) -> Self {
        let (mut anchors, mut found) = (BTreeMap::new(), Vec::new());
        collect_anchors(root, base.to_owned(), &mut anchors, &mut found);
        let base = base.to_owned();
        Self { root, base, costs: BTreeMap::new(), anchors, ahead: Vec::new(), is_over: false, found }
    }

    fn walk_schema(&mut self) {
        self.ahead.push((self.root, self.base.clone()));
        while let Some((schema, pointer)) = self.ahead.pop() {
            self.check_cost(schema, &pointer, 0);
            if self.costs.len() > MAX_SCHEMAS {
                let message = format!("the schema has more than {MAX_SCHEMAS} subschemas");
                return self.report_limit(
                    &self.base.clone(),
                    message,
                    "use fewer subschemas, or check the rest in a step",
                );
            }
            if self.is_over {
                return;
            }
        }
    }

    /// Returns the number of schemas that a value is checked against if it is checked against this one.
    fn check_cost(&mut self, schema: &'a Value, pointer: &str, chain: usize) -> u64 {
        let Value::Object(fields) = schema else { return 1 };
        let key = std::ptr::from_ref(schema) as usize;
        match self.costs.get(&key) {
            Some(Some(cost)) => return *cost,
            Some(None) => {
                let message = "infinite recursion: the schema refers back to itself without descending into the value";
                let help = "put a `$ref` to an enclosing schema below `properties` or `items`";
                self.found.push(Diagnostic::new_error(codes::BAD_SCHEMA, pointer, message).with_help(help));
                self.is_over = true;
                return 0;
            }
            None => {}
        }
        if chain > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} schemas refer to one another in a chain");
            self.report_limit(pointer, message, "refer to the last schema of the chain directly");
            return 0;
        }
        self.costs.insert(key, None);
        let mut cost = 1_u64;
        for (keyword, value) in fields {
            cost = cost.saturating_add(self.keyword_cost(keyword, value, pointer, chain));
        }
        self.costs.insert(key, Some(cost));
        repeated_required(fields, pointer, &mut self.found);
        if cost > MAX_SCHEMAS_PER_VALUE {
            let message = format!(
                "validating one value would evaluate more than {MAX_SCHEMAS_PER_VALUE} schemas, counting repetitions"
            );
            self.report_limit(pointer, message, "repeated references multiply the work: refer to each schema once");
        }
        cost
    }

    fn keyword_cost(&mut self, keyword: &str, value: &'a Value, pointer: &str, chain: usize) -> u64 {
        if let ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) = (keyword, value) {
            return match self.resolve_reference(reference) {
                Ok(Some((target, place))) => self.check_cost(target, &place, chain + 1),
                Ok(None) => MAX_CHAIN as u64,
                Err(message) => {
                    let found = Diagnostic::new_error(codes::BAD_SCHEMA, pointer_push(pointer, keyword), message);
                    self.found.push(found.with_help("external schemas are not fetched: copy them into `$defs`"));
                    0
                }
            };
        }
        let Some(SchemaKeyword { applies_to, .. }) = schema_keyword(keyword) else { return 0 };
        let mut cost = 0_u64;
        for (schema, place) in schemas_in(keyword, value, pointer) {
            match applies_to {
                AppliesTo::Value => cost = cost.saturating_add(self.check_cost(schema, &place, chain + 1)),
                AppliesTo::Parts => self.ahead.push((schema, place)),
                AppliesTo::Nothing => {}
            }
        }
        cost
    }

    /// Returns the schema that a reference names; `None` for one of the drafts' own.
    fn resolve_reference(&self, reference: &str) -> Result<Option<Placed<'a>>, String> {
        let own = self.root.get("$id").or_else(|| self.root.get("id")).and_then(Value::as_str);
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if !address.is_empty() && own.map(|id| id.trim_end_matches('#')) != Some(address) {
            let is_draft = ["http://json-schema.org/", "https://json-schema.org/"];
            if is_draft.iter().any(|start| address.starts_with(start)) {
                return Ok(None);
            }
            return Err(format!("`{reference}` refers to a schema outside of this document"));
        }
        let fragment = percent_decode(fragment);
        let target = match fragment.as_str() {
            "" => Some((self.root, self.base.clone())),
            path if path.starts_with('/') => {
                self.root.pointer(path).map(|target| (target, format!("{}{path}", self.base)))
            }
            name => self.anchors.get(name).cloned(),
        };
        target.map(Some).ok_or_else(|| format!("`{reference}` does not match anything in this schema"))
    }

    fn report_limit(&mut self, pointer: &str, message: String, help: &str) {
        if !self.is_over {
            self.found.push(Diagnostic::new_error(codes::SCHEMA_LIMIT, pointer, message).with_help(help));
        }
        self.is_over = true;
    }
}

/// Returns the schemas of a keyword, each with its location.
fn schemas_in<'a>(keyword: &str, value: &'a Value, pointer: &str) -> Vec<Placed<'a>> {
    let at = pointer_push(pointer, keyword);
    let is_schema = |value: &Value| value.is_object() || value.is_boolean();
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate().filter(|(_, item)| is_schema(item));
            items.map(|(index, item)| (item, format!("{at}/{index}"))).collect()
        }
        Value::Object(fields) if schema_keyword(keyword).is_some_and(|keyword| keyword.is_map) => {
            let fields = fields.iter().filter(|(_, field)| is_schema(field));
            fields.map(|(name, field)| (field, pointer_push(&at, name))).collect()
        }
        Value::Object(_) | Value::Bool(_) => vec![(value, at)],
        Value::Null | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn collect_anchors<'a>(
    value: &'a Value,
    pointer: String,
    anchors: &mut BTreeMap<&'a str, Placed<'a>>,
    found: &mut Vec<Diagnostic>,
) {
    match value {
        Value::Object(fields) => {
            for keyword in ["$anchor", "$dynamicAnchor"] {
                let Some(name) = fields.get(keyword).and_then(Value::as_str) else { continue };
                let other = anchors.insert(name, (value, pointer.clone()));
                if other.is_some_and(|(other, _)| !std::ptr::eq(other, value)) {
                    let message = format!("the anchor `{name}` is defined twice");
                    found.push(Diagnostic::new_error(codes::BAD_SCHEMA, pointer_push(&pointer, keyword), message));
                }
            }
            let fields = fields.iter();
            fields.for_each(|(name, field)| collect_anchors(field, pointer_push(&pointer, name), anchors, found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| collect_anchors(item, format!("{pointer}/{index}"), anchors, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn repeated_required(fields: &Map<String, Value>, pointer: &str, found: &mut Vec<Diagnostic>) {
    let names = fields.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(name) = name.as_str()
            && !seen.insert(name)
        {
            let message = format!("`{name}` is listed twice in `required`");
            let at = format!("{pointer}/required/{index}");
            found.push(
                Diagnostic::new_warning(codes::REPEATED_REQUIRED, at, message).with_help("remove one of the two"),
            );
        }
    }
}

/// Reports the defaults of inputs that do not match the input's own type and are therefore left out.
fn check_defaults(schema: &Value, pointer: &str, found: &mut Vec<Diagnostic>) {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, property) in properties {
        let Some(default) = property.get("default").filter(|default| !accepts_value(property, default)) else {
            continue;
        };
        let at = pointer_push(&format!("{pointer}/properties"), name);
        found.push(bad_default(name, &format!("{at}/default"), default));
    }
}

/// Creates the finding about a default that does not match its own schema.
pub fn bad_default(name: &str, pointer: &str, default: &Value) -> Diagnostic {
    let text = default.to_string();
    let shown: String = text.chars().take(40).collect();
    let rest = if shown.len() < text.len() { "…" } else { "" };
    let message = format!("the default {shown}{rest} of `{name}` does not match its own schema and is ignored");
    Diagnostic::new_warning(codes::BAD_DEFAULT, pointer, message)
        .with_help("remove the default, or change it to match the schema")
}

/// Returns whether a property's `type` allows a value, without a full validation.
fn accepts_value(property: &Value, value: &Value) -> bool {
    if value.is_null() && property.get("nullable") == Some(&Value::Bool(true)) {
        return true;
    }
    match property.get("type") {
        Some(Value::String(word)) => is_of_type(word, value),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).any(|word| is_of_type(word, value)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => true,
    }
}

fn is_of_type(word: &str, value: &Value) -> bool {
    match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    }
}
