//! Reads JSON objects field by field and reports every fault with its pointer.

use serde_json::{Map, Value};

use super::type_words::{describe_with_length, display_number};
use super::{Place, pointer_push};
use crate::diagnostic::suggest::{did_you_mean, list_all, nearest_name};
use crate::diagnostic::{Diagnostic, codes};
use crate::value_type::ValueType;

/// A JSON object being read: tracks which fields were read, so that unknown ones can be refused (in declarations) or
/// kept (in workflows).
pub(crate) struct Fields<'d, 's, S = Vec<Diagnostic>> {
    pub(crate) map: &'d Map<String, Value>,
    pub(crate) place: Place<'s>,
    pub(crate) known: Vec<&'static str>,
    pub(crate) sink: &'s mut S,
}

/// Collects faults, worded for the kind of document that is read.
pub(crate) trait FaultSink {
    /// Reports that a field does not have the type `wanted`.
    fn note_field_type(&mut self, field: &Place<'_>, name: &str, wanted: ValueType, value: &Value);
}

impl FaultSink for Vec<Diagnostic> {
    fn note_field_type(&mut self, field: &Place<'_>, _name: &str, wanted: ValueType, value: &Value) {
        self.push(wrong_type(&field.pointer(), wanted.describe(), value));
    }
}

impl<'d, 's, S: FaultSink> Fields<'d, 's, S> {
    pub(crate) fn new(map: &'d Map<String, Value>, place: Place<'s>, sink: &'s mut S) -> Self {
        Self { map, place, known: Vec::new(), sink }
    }

    /// Reads a field as it is, including null.
    pub(crate) fn read_raw(&mut self, key: &'static str) -> Option<&'d Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.map.get(key)
    }

    /// Reads a field; null counts as absent.
    pub(crate) fn read_value(&mut self, key: &'static str) -> Option<&'d Value> {
        self.read_raw(key).filter(|value| !value.is_null())
    }

    fn read_typed<T>(
        &mut self,
        key: &'static str,
        wanted: ValueType,
        read: impl FnOnce(&'d Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.read_value(key)?;
        let found = read(value);
        if found.is_none() {
            self.sink.note_field_type(&self.place.key(key), key, wanted, value);
        }
        found
    }

    pub(crate) fn read_string(&mut self, key: &'static str) -> Option<&'d str> {
        self.read_typed(key, ValueType::String, Value::as_str)
    }

    pub(crate) fn read_bool(&mut self, key: &'static str) -> Option<bool> {
        self.read_typed(key, ValueType::Boolean, Value::as_bool)
    }

    pub(crate) fn read_number(&mut self, key: &'static str) -> Option<f64> {
        self.read_typed(key, ValueType::Number, Value::as_f64)
    }

    pub(crate) fn read_object(&mut self, key: &'static str) -> Option<&'d Map<String, Value>> {
        self.read_typed(key, ValueType::Object, Value::as_object)
    }

    pub(crate) fn read_array(&mut self, key: &'static str) -> Option<&'d Vec<Value>> {
        self.read_typed(key, ValueType::Array, Value::as_array)
    }
}

/// Readers of connectors and nodes.
impl<'d, 's> Fields<'d, 's> {
    /// Opens an object; any other value is reported as a fault.
    pub(crate) fn open(value: &'d Value, pointer: &'s str, faults: &'s mut Vec<Diagnostic>) -> Option<Self> {
        match value.as_object() {
            Some(map) => Some(Self::new(map, Place::at_pointer(pointer), faults)),
            None => {
                faults.push(wrong_type(pointer, "an object", value));
                None
            }
        }
    }

    /// Returns the JSON Pointer of a field.
    pub(crate) fn pointer_of(&self, key: &str) -> String {
        self.place.key(key).pointer()
    }

    /// Reads a required, non-empty string.
    pub(crate) fn required_string(&mut self, key: &'static str) -> &'d str {
        if self.read_value(key).is_none() {
            self.note_fault(codes::MISSING_FIELD, key, format!("`{key}` is missing"));
            return "";
        }
        let text = self.read_string(key);
        if text == Some("") {
            self.note_fault(codes::BAD_VALUE, key, format!("`{key}` is empty"));
        }
        text.unwrap_or_default()
    }

    /// Reads a number that is at least `least`.
    pub(crate) fn number_from(&mut self, key: &'static str, least: f64) -> Option<f64> {
        let number = self.read_number(key)?;
        if number < least {
            let (least, number) = (display_number(least), display_number(number));
            self.note_fault(codes::BAD_VALUE, key, format!("`{key}` must be at least {least}, not {number}"));
            return None;
        }
        Some(number)
    }

    /// Reads an array of strings; elements of other types are reported as faults.
    pub(crate) fn read_strings(&mut self, key: &'static str) -> Option<Vec<String>> {
        let items = self.read_array(key)?;
        let pointer = self.pointer_of(key);
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.sink.push(wrong_type(&pointer_push(&pointer, &index.to_string()), "a string", item)),
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
            self.sink.push(fault);
        }
        found
    }

    /// Reports a fault of a field.
    pub(crate) fn note_fault(&mut self, code: &str, key: &str, message: impl Into<String>) {
        let fault = Diagnostic::new_error(code, self.pointer_of(key), message);
        self.sink.push(fault);
    }

    /// Refuses the fields that were not read.
    pub(crate) fn close(self) {
        #[cfg(test)]
        recording::note_fields(self.place.pointer(), &self.known);
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let help = match nearest_name(key, self.known.iter().copied()) {
                Some(near) => did_you_mean(near),
                None => format!("known fields are {}", list_all(&self.known)),
            };
            let fault =
                Diagnostic::new_error(codes::UNKNOWN_FIELD, self.pointer_of(key), format!("unknown field `{key}`"));
            self.sink.push(fault.with_help(help));
        }
    }
}

/// Returns the diagnostic for a value of the wrong type.
pub(crate) fn wrong_type(pointer: &str, expected: &str, value: &Value) -> Diagnostic {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let subject = if name.is_empty() { "the document".to_owned() } else { format!("`{name}`") };
    let message = format!("{subject} must be {expected}, not {}", describe_with_length(value));
    Diagnostic::new_error(codes::WRONG_TYPE, pointer, message)
}

/// Returns the diagnostic for a string that is not one of `words`.
pub(crate) fn unknown_word(pointer: &str, key: &str, text: &str, words: &[&str]) -> Diagnostic {
    let found = Diagnostic::new_error(codes::BAD_VALUE, pointer, format!("`{key}` cannot be `{text}`"));
    match nearest_name(text, words.iter().copied()) {
        Some(near) => found.with_help(format!("{} expected one of {}", did_you_mean(near), list_all(words))),
        None => found.with_help(format!("expected one of {}", list_all(words))),
    }
}

/// Notes which fields are read, for tests that compare them with a schema.
#[cfg(test)]
pub(crate) mod recording {
    use std::cell::RefCell;

    /// The pointer of an object, and the fields that were read.
    type ReadFields = (String, Vec<&'static str>);

    thread_local! {
        static READ: RefCell<Option<Vec<ReadFields>>> = const { RefCell::new(None) };
    }

    pub(super) fn note_fields(pointer: String, known: &[&'static str]) {
        READ.with_borrow_mut(|read| read.iter_mut().for_each(|read| read.push((pointer.clone(), known.to_vec()))));
    }

    /// Runs a reader; returns which fields of which objects it read.
    pub(crate) fn record_fields(run: impl FnOnce()) -> Vec<ReadFields> {
        READ.set(Some(Vec::new()));
        run();
        READ.take().unwrap_or_default()
    }
}
