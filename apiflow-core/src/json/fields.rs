//! Reads JSON objects field by field and reports every fault with its pointer.

use serde_json::{Map, Value};

use crate::diagnostic::suggest::{did_you_mean, list_all, nearest_name};
use crate::diagnostic::{Diagnostic, codes};
use crate::json::pointer_push;

/// A JSON object being read: tracks which fields were read, so that unknown ones can be refused.
pub(crate) struct Fields<'a, 'f> {
    map: &'a Map<String, Value>,
    pointer: String,
    known: Vec<&'static str>,
    pub(crate) faults: &'f mut Vec<Diagnostic>,
}

impl<'a, 'f> Fields<'a, 'f> {
    /// Opens an object; any other value is reported as a fault.
    pub(crate) fn open(value: &'a Value, pointer: &str, faults: &'f mut Vec<Diagnostic>) -> Option<Self> {
        match value.as_object() {
            Some(map) => Some(Self { map, pointer: pointer.to_owned(), known: Vec::new(), faults }),
            None => {
                faults.push(wrong_type(pointer, "an object", value));
                None
            }
        }
    }

    /// Returns the JSON Pointer of a field.
    pub(crate) fn pointer_of(&self, key: &str) -> String {
        pointer_push(&self.pointer, key)
    }

    /// Reads a field as it is, including null.
    pub(crate) fn read_raw(&mut self, key: &'static str) -> Option<&'a Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.map.get(key)
    }

    /// Reads a field; null counts as absent.
    pub(crate) fn read_value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.read_raw(key).filter(|value| !value.is_null())
    }

    fn read_typed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.read_value(key)?;
        let found = read(value);
        if found.is_none() {
            let fault = wrong_type(&self.pointer_of(key), expected, value);
            self.faults.push(fault);
        }
        found
    }

    pub(crate) fn read_string(&mut self, key: &'static str) -> Option<&'a str> {
        self.read_typed(key, "a string", Value::as_str)
    }

    /// Reads a required, non-empty string.
    pub(crate) fn required_string(&mut self, key: &'static str) -> &'a str {
        if self.read_value(key).is_none() {
            let fault =
                Diagnostic::new_error(codes::MISSING_FIELD, self.pointer_of(key), format!("`{key}` is missing"));
            self.faults.push(fault);
            return "";
        }
        let text = self.read_string(key);
        if text == Some("") {
            let fault = Diagnostic::new_error(codes::BAD_VALUE, self.pointer_of(key), format!("`{key}` is empty"));
            self.faults.push(fault);
        }
        text.unwrap_or_default()
    }

    pub(crate) fn read_bool(&mut self, key: &'static str) -> Option<bool> {
        self.read_typed(key, "true or false", Value::as_bool)
    }

    pub(crate) fn read_number(&mut self, key: &'static str) -> Option<f64> {
        self.read_typed(key, "a number", Value::as_f64)
    }

    /// Reads a number that is at least `least`.
    pub(crate) fn number_from(&mut self, key: &'static str, least: f64) -> Option<f64> {
        let number = self.read_number(key)?;
        if number < least {
            let message = format!("`{key}` must be at least {least}, not {number}");
            let fault = Diagnostic::new_error(codes::BAD_VALUE, self.pointer_of(key), message);
            self.faults.push(fault);
            return None;
        }
        Some(number)
    }

    pub(crate) fn read_object(&mut self, key: &'static str) -> Option<&'a Map<String, Value>> {
        self.read_typed(key, "an object", Value::as_object)
    }

    pub(crate) fn read_array(&mut self, key: &'static str) -> Option<&'a Vec<Value>> {
        self.read_typed(key, "an array", Value::as_array)
    }

    /// Reads an array of strings; elements of other types are reported as faults.
    pub(crate) fn read_strings(&mut self, key: &'static str) -> Option<Vec<String>> {
        let items = self.read_array(key)?;
        let pointer = self.pointer_of(key);
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.faults.push(wrong_type(&pointer_push(&pointer, &index.to_string()), "a string", item)),
            }
        }
        Some(texts)
    }

    /// Reads a string that must be one of `words`.
    pub(crate) fn read_word(&mut self, key: &'static str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.read_string(key)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let fault = unknown_word(&self.pointer_of(key), key, text, words);
            self.faults.push(fault);
        }
        found
    }

    /// Reports a fault of a field.
    pub(crate) fn note_fault(&mut self, code: &str, key: &str, message: impl Into<String>) {
        let fault = Diagnostic::new_error(code, self.pointer_of(key), message);
        self.faults.push(fault);
    }

    /// Refuses the fields that were not read.
    pub(crate) fn close(self) {
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let message = format!("unknown field `{key}`");
            let help = match nearest_name(key, self.known.iter().copied()) {
                Some(near) => did_you_mean(near),
                None => format!("known fields are {}", list_all(&self.known)),
            };
            self.faults.push(
                Diagnostic::new_error(codes::UNKNOWN_FIELD, pointer_push(&self.pointer, key), message).with_help(help),
            );
        }
    }
}

/// Returns the diagnostic for a value of the wrong type.
pub(crate) fn wrong_type(pointer: &str, expected: &str, value: &Value) -> Diagnostic {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let subject = if name.is_empty() { "the document".to_owned() } else { format!("`{name}`") };
    Diagnostic::new_error(
        codes::WRONG_TYPE,
        pointer,
        format!("{subject} must be {expected}, not {}", describe_type(value)),
    )
}

/// Returns the diagnostic for a string that is not one of `words`.
pub(crate) fn unknown_word(pointer: &str, key: &str, text: &str, words: &[&str]) -> Diagnostic {
    let found = Diagnostic::new_error(codes::BAD_VALUE, pointer, format!("`{key}` cannot be `{text}`"));
    match nearest_name(text, words.iter().copied()) {
        Some(near) => found.with_help(format!("{} expected one of {}", did_you_mean(near), list_all(words))),
        None => found.with_help(format!("expected one of {}", list_all(words))),
    }
}

/// Describes a value for a message (`a string`, `null`).
pub(crate) fn describe_type(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
