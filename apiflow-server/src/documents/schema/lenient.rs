//! Converts schemas as they are written in practice to schemas that a strict validator accepts.
//!
//! Editors write `nullable`, empty strings and nulls, browser patterns, and an `$id` per property. None of that
//! prevents a run: it is interpreted as intended, or ignored with a warning.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::diagnostic::codes;
use apiflow_core::json::pointer_push;
use apiflow_core::validate::schema_keyword;
use serde_json::{Map, Value, json};

use crate::documents::schema::pattern;
use crate::documents::schema::pattern::LinearPattern;
use crate::documents::schema::pattern_engine::pattern_compiles;

/// Maximum number of states of all patterns of a schema together.
const MAX_STATES: u64 = 200_000;

/// A schema that a strict validator accepts.
#[derive(Debug)]
pub(super) struct LenientSchema {
    pub(super) schema: Value,
    pub(super) warnings: Vec<Diagnostic>,
    /// States of the largest pattern for strings.
    pub(super) pattern_states: u64,
    /// States of all patterns for property names together.
    pub(super) name_pattern_states: u64,
}

/// Reads a schema leniently; pointers of the warnings start with `pointer`.
pub(super) fn read(schema: &Value, pointer: &str) -> LenientSchema {
    let own_address = ["$id", "id"].into_iter().find_map(|key| schema.get(key)?.as_str());
    let mut reader = Reader {
        own_address: own_address.unwrap_or_default().trim_end_matches('#').to_owned(),
        warnings: Vec::new(),
        states: 0,
        pattern_states: 0,
        name_pattern_states: 0,
    };
    let mut read = reader.read_schema(schema, pointer);
    if let (Value::Object(fields), Some(draft)) = (&mut read, schema.get("$schema").filter(|draft| is_draft(draft))) {
        fields.insert("$schema".to_owned(), draft.clone());
    }
    let Reader { warnings, pattern_states, name_pattern_states, .. } = reader;
    LenientSchema { schema: read, warnings, pattern_states, name_pattern_states }
}

/// Whether this is the URL of a draft that the validator knows.
fn is_draft(address: &Value) -> bool {
    let Some(address) = address.as_str() else { return false };
    let path = address.split_once("json-schema.org/").map_or("", |(_, path)| path).trim_end_matches('#');
    ["draft-04/schema", "draft-06/schema", "draft-07/schema", "draft/2019-09/schema", "draft/2020-12/schema"]
        .contains(&path)
}

struct Reader {
    own_address: String,
    warnings: Vec<Diagnostic>,
    states: u64,
    pattern_states: u64,
    name_pattern_states: u64,
}

impl Reader {
    fn read_schema(&mut self, schema: &Value, pointer: &str) -> Value {
        let Value::Object(fields) = schema else { return schema.clone() };
        let mut read = Map::new();
        for (keyword, value) in fields {
            if let Some((keyword, value)) = self.read_keyword(keyword, value, pointer) {
                read.insert(keyword, value);
            }
        }
        // The property names that an unenforced pattern would have matched.
        if is_missing_pattern(fields, &read) {
            read.shift_remove("additionalProperties");
            read.shift_remove("unevaluatedProperties");
        }
        if fields.get("nullable") == Some(&Value::Bool(true)) { make_nullable(read) } else { Value::Object(read) }
    }

    /// Interprets a keyword; returns nothing if it is ignored.
    fn read_keyword(&mut self, keyword: &str, value: &Value, pointer: &str) -> Option<(String, Value)> {
        let at = pointer_push(pointer, keyword);
        let same = |value: Value| Some((keyword.to_owned(), value));
        match keyword {
            // Identifiers of the schema itself are dropped: only pointers and anchors are used as references.
            "$schema" | "$id" | "id" | "$recursiveAnchor" | "$vocabulary" | "nullable" => None,
            "const" | "default" | "examples" | "example" => same(value.clone()),
            _ if value.is_null() => None,
            "$ref" | "$dynamicRef" | "$recursiveRef" => Some(("$ref".to_owned(), self.read_reference(value))),
            "$dynamicAnchor" => Some(("$anchor".to_owned(), value.clone())),
            "type" if matches!(value.as_str(), Some("" | "any")) => None,
            "format" | "pattern" if value.as_str() == Some("") => None,
            "enum" if value.as_array().is_some_and(Vec::is_empty) => None,
            "required" => required_names(value).and_then(same),
            "pattern" => match value.as_str() {
                Some(text) => {
                    let LinearPattern { text, states } = self.read_pattern(text, &at)?;
                    self.pattern_states = self.pattern_states.max(states);
                    same(Value::from(text))
                }
                None => same(value.clone()),
            },
            "patternProperties" => {
                let Value::Object(fields) = value else { return same(value.clone()) };
                let mut read = Map::new();
                for (name, schema) in fields {
                    let place = pointer_push(&at, name);
                    let Some(LinearPattern { text, states }) = self.read_pattern(name, &place) else { continue };
                    self.name_pattern_states = self.name_pattern_states.saturating_add(states);
                    let schema = self.read_schema(schema, &place);
                    // Two spellings of one pattern: both apply.
                    let schema = match read.shift_remove(&text) {
                        Some(other) => json!({"allOf": [other, schema]}),
                        None => schema,
                    };
                    read.insert(text, schema);
                }
                same(Value::Object(read))
            }
            _ => same(self.read_schemas(keyword, value, &at)),
        }
    }

    /// Converts the schemas in a keyword; any other value is returned as it is.
    fn read_schemas(&mut self, keyword: &str, value: &Value, at: &str) -> Value {
        let Some(holds) = schema_keyword(keyword) else { return value.clone() };
        match value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| self.read_schema(item, &format!("{at}/{index}"))).collect()
            }
            Value::Object(fields) if holds.is_map => {
                let fields = fields.iter();
                let read = fields.map(|(name, field)| (name.clone(), self.read_schema(field, &pointer_push(at, name))));
                Value::Object(read.collect())
            }
            Value::Object(_) => self.read_schema(value, at),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    /// Returns a reference without the schema's own URL, which is dropped.
    fn read_reference(&self, value: &Value) -> Value {
        let Some(text) = value.as_str() else { return value.clone() };
        match text.strip_prefix(self.own_address.as_str()) {
            Some("") => Value::from("#"),
            Some(fragment) if fragment.starts_with('#') => Value::from(fragment),
            Some(_) | None => value.clone(),
        }
    }

    fn read_pattern(&mut self, pattern: &str, at: &str) -> Option<LinearPattern> {
        let translated = pattern::translate_pattern(pattern).and_then(|translated| {
            let states = self.states.saturating_add(translated.states);
            if states > MAX_STATES {
                return Err("the patterns before it are too large".to_owned());
            }
            if !pattern_compiles(&translated.text) {
                return Err("it cannot be read".to_owned());
            }
            self.states = states;
            Ok(translated)
        });
        match translated {
            Ok(translated) => Some(translated),
            Err(reason) => {
                let message = format!("the pattern is not enforced: {reason}");
                let found = Diagnostic::new_warning(codes::PATTERN_NOT_ENFORCED, at, message);
                self.warnings.push(found.with_help(
                    "rewrite it as a valid pattern without lookarounds, backreferences and large repetitions",
                ));
                None
            }
        }
    }
}

fn is_missing_pattern(fields: &Map<String, Value>, read: &Map<String, Value>) -> bool {
    let count = |fields: &Map<String, Value>| fields.get("patternProperties").and_then(Value::as_object).map(Map::len);
    count(fields) > count(read)
}

/// Returns the distinct required names; nothing if the value is not a list of names, as in draft 3.
fn required_names(value: &Value) -> Option<Value> {
    let mut names: Vec<&str> = Vec::new();
    for name in value.as_array()? {
        let name = name.as_str()?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| Value::from(names))
}

/// Allows null too. Source: `OpenAPI` 3.0.
fn make_nullable(mut fields: Map<String, Value>) -> Value {
    let applies = ["$ref", "allOf", "anyOf", "oneOf", "not", "if", "const"];
    if applies.into_iter().any(|keyword| fields.contains_key(keyword)) {
        // They keep their place, so that references to what is inside still resolve.
        let definitions = ["$defs", "definitions", "$anchor", "default"].map(|key| (key, fields.shift_remove(key)));
        let mut outer = Map::from_iter([("anyOf".to_owned(), json!([Value::Object(fields), {"type": "null"}]))]);
        for (key, value) in definitions {
            outer.extend(value.map(|value| (key.to_owned(), value)));
        }
        return Value::Object(outer);
    }
    let types = match fields.get("type") {
        Some(Value::String(word)) if word != "null" => Some(json!([word, "null"])),
        Some(Value::Array(words)) if !words.iter().any(|word| word == "null") => {
            Some(words.iter().cloned().chain([json!("null")]).collect())
        }
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_),
        )
        | None => None,
    };
    if let Some(types) = types {
        fields.insert("type".to_owned(), types);
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    Value::Object(fields)
}
