//! Validation of a create body, with Replicate's error names and wording.
//!
//! Source: 422 replies of api.replicate.com quoted in public repositories.

use serde_json::{Map, Value, json};

/// One entry of `invalid_fields`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InvalidField {
    kind: &'static str,
    /// The field: `input`, `input.seed`, or empty for the body itself.
    field: String,
    description: String,
}

impl InvalidField {
    fn new(kind: &'static str, field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { kind, field: field.into(), description: description.into() }
    }

    /// The message, which is a line of `detail`.
    pub(crate) fn format_line(&self) -> String {
        match self.field.as_str() {
            "" => format!("- {}\n", self.description),
            field => format!("- {field}: {}\n", self.description),
        }
    }

    /// Returns the entry as JSON.
    pub(crate) fn to_json(&self) -> Value {
        json!({"type": self.kind, "field": self.field, "description": self.description})
    }
}

/// Checks the top level of a create body: all `required` keys are present, and no key is unknown.
pub(crate) fn check_body(body: &Map<String, Value>, required: &[&str]) -> Vec<InvalidField> {
    const KNOWN: [&str; 4] = ["input", "webhook", "webhook_events_filter", "stream"];
    let missing = required.iter().filter(|key| !body.contains_key(**key));
    let unknown = body.keys().filter(|key| !KNOWN.contains(&key.as_str()) && !required.contains(&key.as_str()));
    let missing = missing.map(|key| InvalidField::new("required", "", format!("{key} is required")));
    let unknown = unknown.map(|key| {
        InvalidField::new("additional_property_not_allowed", "", format!("Additional property {key} is not allowed"))
    });
    let mut wrong: Vec<InvalidField> = missing.chain(unknown).collect();
    if body.get("input").is_some_and(|input| !input.is_object()) {
        wrong.push(wrong_type("input", "object", &body["input"]));
    }
    wrong
}

/// Checks an input object against a model's schema. Keys that are not in the schema are accepted, as in Cog.
pub(crate) fn check_input(schema: &Value, input: &Value) -> Vec<InvalidField> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut wrong: Vec<InvalidField> = required
        .filter(|name| input.get(name).is_none())
        .map(|name| InvalidField::new("required", "input", format!("{name} is required")))
        .collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let nullable = property["nullable"] == true;
        if let Some(value) = input.get(name).filter(|value| !(nullable && value.is_null())) {
            wrong.extend(check_property(name, property, value));
        }
    }
    wrong
}

fn check_property(name: &str, property: &Value, value: &Value) -> Option<InvalidField> {
    let field = format!("input.{name}");
    let expected = property["type"].as_str().unwrap_or("any");
    let fits = match expected {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _any => true,
    };
    if !fits {
        return Some(wrong_type(&field, expected, value));
    }
    if let Some(allowed) = property["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        let list: Vec<String> = allowed.iter().map(Value::to_string).collect();
        let description = format!("{name} must be one of the following: {}", list.join(", "));
        return Some(InvalidField::new("enum", field, description));
    }
    if property["format"] == "uri" && !value.as_str().is_some_and(is_uri) {
        return Some(InvalidField::new("format", field, "Does not match format 'uri'"));
    }
    let number = value.as_f64()?;
    if let Some(most) = property["maximum"].as_f64().filter(|most| number > *most) {
        return Some(InvalidField::new("number_lte", field, format!("Must be less than or equal to {most}")));
    }
    let least = property["minimum"].as_f64().filter(|least| number < *least)?;
    Some(InvalidField::new("number_gte", field, format!("Must be greater than or equal to {least}")))
}

fn wrong_type(field: &str, expected: &str, value: &Value) -> InvalidField {
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    InvalidField::new("invalid_type", field, format!("Invalid type. Expected: {expected}, given: {given}"))
}

fn is_uri(text: &str) -> bool {
    text.starts_with("data:")
        || text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    fn check(input: Value, expected: &[(&str, &str, &str)]) {
        let model = models::by_name("black-forest-labs/flux-kontext-pro", &[]).expect("the model is built in");
        let found = check_input(&model.input, &input);
        let found: Vec<_> = found.iter().map(|f| (f.kind, f.field.as_str(), f.description.as_str())).collect();
        assert_eq!(found, expected, "{input}");
    }

    #[test]
    fn a_right_input_passes_with_keys_that_the_schema_does_not_know() {
        check(json!({"prompt": "p", "input_image": "https://a/b.png", "seed": null, "hat": true}), &[]);
        check(json!({"prompt": "p", "input_image": "data:image/png;base64,AA==", "safety_tolerance": 6}), &[]);
    }

    #[test]
    fn each_fault_is_named_with_its_field() {
        check(json!({}), &[("required", "input", "prompt is required")]);
        check(
            json!({"prompt": "p", "output_format": "webp"}),
            &[("enum", "input.output_format", "output_format must be one of the following: \"jpg\", \"png\"")],
        );
        check(
            json!({"prompt": 1, "safety_tolerance": 7}),
            &[
                ("invalid_type", "input.prompt", "Invalid type. Expected: string, given: integer"),
                ("number_lte", "input.safety_tolerance", "Must be less than or equal to 6"),
            ],
        );
        check(
            json!({"prompt": "p", "safety_tolerance": -1, "input_image": "cat.png"}),
            &[
                ("format", "input.input_image", "Does not match format 'uri'"),
                ("number_gte", "input.safety_tolerance", "Must be greater than or equal to 0"),
            ],
        );
    }

    #[test]
    fn the_top_level_is_closed() {
        let body = json!({"input": 1, "model": "m", "webhook": "https://a/b"});
        let found = check_body(body.as_object().expect("it is an object"), &["version", "input"]);
        let lines: String = found.iter().map(InvalidField::format_line).collect();
        assert_eq!(
            lines,
            "- version is required\n- Additional property model is not allowed\n- input: Invalid type. Expected: object, given: integer\n"
        );
    }
}
