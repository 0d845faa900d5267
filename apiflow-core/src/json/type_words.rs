//! Names the JSON types of values, for messages.

use serde_json::Value;

/// Names the type of a value.
pub(crate) fn describe_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Names the type of a value, with the number of elements of an array.
pub(crate) fn describe_with_length(value: &Value) -> String {
    match value.as_array() {
        Some(items) => format!("an array of {}", items.len()),
        None => describe_type(value).to_owned(),
    }
}
