//! Certain mends: what is wrong and what is right differ by a name.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::catalog::ValueType;
use crate::diagnostic::{Diagnostic, Fix};
use crate::expression::NameUse;

/// The most values that an object may hold to be given back with a renamed field: an edit is made of the whole object.
const MAX_VALUES: usize = 400;

/// A finding whose place is mended by another value.
pub(crate) fn changed(mut found: Diagnostic, value: Value) -> Diagnostic {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    found.fix = Some(Fix { label: format!("change to `{shown}`"), pointer: found.pointer.clone(), value });
    found
}

/// A value written in the wrong type, in the right one: `"5"` as 5, 5 as `"5"`.
fn retyped(wanted: ValueType, value: &Value) -> Option<Value> {
    let right = match (wanted, value) {
        (ValueType::Number | ValueType::Integer | ValueType::Boolean, Value::String(text)) => {
            serde_json::from_str(text.trim()).ok()?
        }
        (ValueType::String, Value::Number(_) | Value::Bool(_)) => Value::from(value.to_string()),
        (_, _) => return None,
    };
    super::values::fits(wanted, &right).then_some(right)
}

/// A finding whose place is mended by the same value in the right type, where there is one.
pub(crate) fn in_type(mut found: Diagnostic, wanted: ValueType, value: &Value) -> Diagnostic {
    if let Some(value) = retyped(wanted, value) {
        found.fix = Some(Fix { label: format!("change to `{value}`"), pointer: found.pointer.clone(), value });
    }
    found
}

/// A finding of an expression that is mended by another text, in which something is renamed.
pub(super) fn rewritten(mut found: Diagnostic, name: &str, text: String) -> Diagnostic {
    let label = format!("rename to `{name}`");
    found.fix = Some(Fix { label, pointer: found.pointer.clone(), value: Value::from(text) });
    found
}

/// The edit that renames a field, its place among the others kept; none where the object is large.
pub(crate) fn renamed_field(fields: &Map<String, Value>, pointer: String, old: &str, new: &str) -> Option<Fix> {
    let mut left = MAX_VALUES;
    if fields.contains_key(new) || !fields.values().all(|value| is_small(value, &mut left)) {
        return None;
    }
    let rename = |key: &String| if key == old { new.to_owned() } else { key.clone() };
    let renamed: Map<String, Value> = fields.iter().map(|(key, value)| (rename(key), value.clone())).collect();
    Some(Fix { label: format!("rename to `{new}`"), pointer, value: Value::Object(renamed) })
}

/// Whether a value holds no more values than are left.
fn is_small(value: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| is_small(item, left)),
        Value::Object(fields) => fields.values().all(|field| is_small(field, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// An expression in which the keys at these bytes are another one.
pub(super) fn with_key(source: &str, keys: &[Range<usize>], new: &str) -> String {
    let mut text = source.to_owned();
    for key in keys.iter().rev() {
        let (before, written) = (&source[..key.start], &source[key.clone()]);
        let (from, written) = match written.chars().next() {
            Some(quote @ ('"' | '\'')) if !new.contains([quote, '\\', '\n', '\r']) => {
                (key.start, format!("{quote}{new}{quote}"))
            }
            Some('"' | '\'' | '0'..='9') => (key.start, quoted(new)),
            Some(_) | None if is_identifier(new) => (key.start, new.to_owned()),
            // `a?.b` becomes `a?.["b"]`, `a.b` becomes `a["b"]`.
            Some(_) | None if before.ends_with('.') && !before.ends_with("?.") => {
                (key.start - 1, format!("[{}]", quoted(new)))
            }
            Some(_) | None => (key.start, format!("[{}]", quoted(new))),
        };
        text.replace_range(from..key.end, &written);
    }
    text
}

/// An expression in which a name is another one, or a path.
pub(super) fn with_name(source: &str, uses: &[NameUse], new: &str) -> String {
    let mut text = source.to_owned();
    for used in uses.iter().rev() {
        let written = match used.shorthand {
            true => format!("{}: {new}", &source[used.written.clone()]),
            false => new.to_owned(),
        };
        text.replace_range(used.written.clone(), &written);
    }
    text
}

fn quoted(key: &str) -> String {
    Value::from(key).to_string()
}

/// Whether a name may stand after a dot.
pub(super) fn is_identifier(name: &str) -> bool {
    let first = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | '$');
    name.starts_with(first) && name.chars().all(|character| first(character) || character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{renamed_field, with_key, with_name};
    use crate::expression::references;

    #[test]
    fn a_key_is_renamed_in_the_form_that_it_is_written_in() {
        let check = |source: &str, new: &str, expected: &str| {
            let keys: Vec<_> = references(source).results.iter().map(|used| used.written[0].clone()).collect();
            let text = with_key(source, &keys, new);
            assert_eq!(text, expected);
            assert!(references(&text).results.iter().all(|used| used.key == new), "{text}");
        };
        check("results.a.url + results['a']", "b", "results.b.url + results['b']");
        check("results.a?.x", "b-c", "results[\"b-c\"]?.x");
        check("results?.a", "b c", "results?.[\"b c\"]");
        check("results['a']", "b'c", "results[\"b'c\"]");
        check("[results[0], 'é', results.a]", "1", "[results[\"1\"], 'é', results[\"1\"]]");
    }

    #[test]
    fn a_name_is_renamed_wherever_it_is_used() {
        let source = "{errr, y: errr.z, 'errr': 1}";
        assert_eq!(
            with_name(source, &references(source).names["errr"], "error"),
            "{errr: error, y: error.z, 'errr': 1}"
        );
    }

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
