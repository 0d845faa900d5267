//! Parses the methods and headers of declarations.

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, codes};
use crate::json::{Fields, pointer_push, unknown_word, wrong_type};

/// The methods that a call may have.
pub(crate) const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

/// Reads a method in any case and converts it to upper case.
pub(crate) fn read_method(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    let text = fields.read_string(key)?;
    let method = text.to_ascii_uppercase();
    if !METHODS.contains(&method.as_str()) {
        let fault = unknown_word(&fields.pointer_of(key), key, text, &METHODS);
        fields.sink.push(Diagnostic { code: codes::BAD_METHOD.to_owned(), ..fault });
    }
    Some(method)
}

/// Reads header templates by name; null, which removes a header of the connector, is accepted only if `removable`.
pub(crate) fn read_headers<'a>(
    fields: &mut Fields<'a, '_>,
    key: &'static str,
    removable: bool,
) -> Option<&'a Map<String, Value>> {
    let headers = fields.read_object(key)?;
    let pointer = fields.pointer_of(key);
    for (name, value) in headers {
        let at = pointer_push(&pointer, name);
        if !is_header_name(name) {
            fields.sink.push(Diagnostic::new_error(codes::BAD_VALUE, &at, format!("`{name}` is not a header name")));
        }
        match value {
            Value::String(text) if text.chars().any(char::is_control) => {
                let message = format!("header `{name}` contains a line break or another control character");
                fields.sink.push(Diagnostic::new_error(codes::BAD_VALUE, &at, message));
            }
            Value::String(_) => {}
            Value::Null if removable => {}
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                fields.sink.push(wrong_type(&at, "a string", value));
            }
        }
    }
    Some(headers)
}

/// Returns whether a string is a header name (RFC 9110 §5.6.2).
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
