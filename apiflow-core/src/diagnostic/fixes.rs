//! Fixes that are certain, because a wrong value differs from the right one only by a name or a type.

use serde_json::{Map, Value};

use super::{Diagnostic, Fix};
use crate::value_type::ValueType;

/// Maximum number of values in an object whose field is renamed: the edit contains the whole object.
const MAX_VALUES: usize = 400;

/// Adds a fix that replaces the value at the finding's pointer.
pub(crate) fn with_replacement(mut found: Diagnostic, value: Value) -> Diagnostic {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    found.fix = Some(Fix { label: format!("change to `{shown}`"), pointer: found.pointer.clone(), value });
    found
}

/// Converts a value to the wanted type if nothing is lost: `"5"` to 5, 5 to `"5"`.
fn convert_type(wanted: ValueType, value: &Value) -> Option<Value> {
    let right = match (wanted, value) {
        (ValueType::Number | ValueType::Integer | ValueType::Boolean, Value::String(text)) => {
            serde_json::from_str(text.trim()).ok()?
        }
        (ValueType::String, Value::Number(_) | Value::Bool(_)) => Value::from(value.to_string()),
        (_, _) => return None,
    };
    wanted.matches(&right).then_some(right)
}

/// Adds the fix that converts the value to the wanted type, if that is possible.
pub(crate) fn in_type(mut found: Diagnostic, wanted: ValueType, value: &Value) -> Diagnostic {
    if let Some(value) = convert_type(wanted, value) {
        found.fix = Some(Fix { label: format!("change to `{value}`"), pointer: found.pointer.clone(), value });
    }
    found
}

/// Builds the edit that renames a field and keeps the order of fields; `None` if the object is large.
pub(crate) fn renamed_field(fields: &Map<String, Value>, pointer: String, old: &str, new: &str) -> Option<Fix> {
    let mut left = MAX_VALUES;
    if fields.contains_key(new) || !fields.values().all(|value| is_small(value, &mut left)) {
        return None;
    }
    let rename = |key: &String| if key == old { new.to_owned() } else { key.clone() };
    let renamed: Map<String, Value> = fields.iter().map(|(key, value)| (rename(key), value.clone())).collect();
    Some(Fix { label: format!("rename to `{new}`"), pointer, value: Value::Object(renamed) })
}

/// Returns whether a value contains at most `left` values, which are subtracted.
fn is_small(value: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| is_small(item, left)),
        Value::Object(fields) => fields.values().all(|field| is_small(field, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::renamed_field;

    #[test]
    fn a_field_keeps_its_place_and_large_objects_are_left_alone() {
        let fields = |value: &Value| value.as_object().cloned().expect("an object");
        let small = fields(&json!({"a": 1, "bb": {"x": [2]}, "c": 3}));
        let fix = renamed_field(&small, "/p".to_owned(), "bb", "b").expect("a small object");
        assert_eq!(fix.value.to_string(), r#"{"a":1,"b":{"x":[2]},"c":3}"#);
        assert_eq!(renamed_field(&small, String::new(), "bb", "c"), None);
        let large = fields(&json!({"a": vec![0; 500]}));
        assert_eq!(renamed_field(&large, String::new(), "a", "b"), None);
    }
}
