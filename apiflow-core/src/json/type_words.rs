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

/// Formats a number for a message: `3`, `0.5`. Through JSON, because Rust's own formatting of floats would be a fiftieth of
/// the page's WebAssembly.
pub(crate) fn display_number(number: f64) -> String {
    /// The maximum integer up to which every integer is exactly representable as `f64`.
    const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT_INTEGER {
        return (number as i64).to_string();
    }
    Value::from(number).to_string()
}
