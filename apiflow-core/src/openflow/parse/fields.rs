//! Reads the objects of a workflow: unknown fields are kept, and a fault only invalidates its own place.

use serde_json::{Map, Value};

use super::{DocumentFields, DocumentReader, ReadPurpose};
use crate::diagnostic::{Diagnostic, codes, fixes, suggest};
use crate::json::{FaultSink, describe_type};
use crate::openflow::Place;
use crate::value_type::ValueType;

/// Fields that OpenFlow defines and that are stored unchanged.
const PASSED_THROUGH_FIELDS: [&str; 23] = [
    "agent",
    "apply_preprocessor",
    "assets",
    "cache_ignore_s3_path",
    "debouncing",
    "groups",
    "hash",
    "hide_cancel",
    "is_trigger",
    "lock",
    "notes",
    "on_behalf_of",
    "parallel",
    "parallelism",
    "pass_flow_input_directly",
    "path",
    "preserve_step_tags",
    "skin",
    "squash",
    "tag",
    "tag_override",
    "timeout",
    "tools",
];

impl FaultSink for DocumentReader {
    /// Adds a fix if only the notation of the value is wrong.
    fn note_field_type(&mut self, field: &Place<'_>, name: &str, wanted: ValueType, value: &Value) {
        self.note_converted(field, name, (wanted, wanted.describe()), value);
    }
}

impl DocumentReader {
    fn note_converted(&mut self, field: &Place<'_>, name: &str, wanted: (ValueType, &str), value: &Value) {
        let (wanted, expected) = wanted;
        let message = format!("`{name}` must be {expected}, found {}", describe_type(value));
        let found = self.broken_at(field, codes::WRONG_TYPE, message);
        self.findings.push(fixes::in_type(found, wanted, value));
    }
}

impl<'d> DocumentFields<'d, '_> {
    /// Reads a required field, or reports that it is missing.
    pub(super) fn required_value(&mut self, name: &'static str) -> Option<&'d Value> {
        self.required_as(name, codes::MISSING_FIELD)
    }

    /// Reads a required field, or reports that it is missing under the given code.
    pub(super) fn required_as(&mut self, name: &'static str, code: &str) -> Option<&'d Value> {
        let value = self.read_value(name);
        if value.is_none() {
            self.sink.broken.insert(self.place.key(name).pointer());
            let message = format!("the required field `{name}` is missing");
            let mut found = Diagnostic::new_error(code, self.place.pointer(), message);
            let others = self.map.keys().map(String::as_str).filter(|key| *key != name);
            if let Some(near) = suggest::nearest_name(name, others) {
                found = found.with_help(format!("did you mean `{name}` instead of `{near}`?"));
                found.fix = fixes::renamed_field(self.map, self.place.pointer(), near, name);
            }
            self.sink.findings.push(found);
        }
        value
    }

    /// Reads a required string.
    pub(super) fn required_text(&mut self, name: &'static str) -> String {
        self.required_value(name).and_then(|_| self.read_string(name)).unwrap_or_default().to_owned()
    }

    /// Reads an optional integer in the range of `T`.
    pub(super) fn read_integer<T: TryFrom<i128>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.read_value(name)?;
        let number = value
            .as_i64()
            .map(i128::from)
            .or_else(|| value.as_u64().map(i128::from))
            .and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            let expected = match T::try_from(-1) {
                Ok(_) => "a whole number",
                Err(_) => "a whole number, not negative",
            };
            let place = self.place.key(name);
            if let Value::Number(given) = value {
                let message = format!("`{name}` must be {expected}, found {given}");
                self.sink.note_fault(&place, codes::WRONG_TYPE, message);
            } else {
                self.sink.note_converted(&place, name, (ValueType::Integer, expected), value);
            }
        }
        number
    }

    /// Reads an optional field with `read`.
    pub(super) fn read_with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'d Value, &Place<'_>) -> T,
    ) -> Option<T> {
        let value = self.read_value(name)?;
        Some(read(self.sink, value, &self.place.key(name)))
    }

    /// Reads a required field with `read`.
    pub(super) fn required_with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'d Value, &Place<'_>) -> T,
    ) -> Option<T> {
        let value = self.required_value(name)?;
        Some(read(self.sink, value, &self.place.key(name)))
    }

    /// Reads a required list with `read`; a missing one is empty.
    pub(super) fn required_list<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'d Value, &Place<'_>) -> Vec<T>,
    ) -> Vec<T> {
        let list = match self.sink.purpose {
            ReadPurpose::Running => self.read_with(name, read),
            ReadPurpose::Checking => self.required_with(name, read),
        };
        list.unwrap_or_default()
    }

    /// Returns the fields that were not read, unchanged; reports those that look like misspelt known names.
    pub(super) fn into_rest(mut self) -> Map<String, Value> {
        let mut rest = Map::new();
        for (key, value) in self.map {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            self.point_out_slip(key);
            rest.insert(key.clone(), value.clone());
        }
        rest
    }

    fn point_out_slip(&mut self, key: &str) {
        if key.len() < 4 || PASSED_THROUGH_FIELDS.contains(&key) || self.sink.purpose == ReadPurpose::Running {
            return;
        }
        let absent = self.known.iter().filter(|name| !self.map.contains_key(**name));
        if let Some(near) = suggest::nearest_name(key, absent.copied()) {
            let message = format!("unknown field `{key}`: it has no effect");
            let mut found = Diagnostic::new_warning(codes::MISSPELT_FIELD, self.place.key(key).pointer(), message)
                .with_help(suggest::did_you_mean(near));
            found.fix = fixes::renamed_field(self.map, self.place.pointer(), key, near);
            self.sink.findings.push(found);
        }
    }
}
