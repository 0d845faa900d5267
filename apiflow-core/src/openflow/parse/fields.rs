//! Reads the fields of one object.

use serde_json::{Map, Value};

use super::{DocumentReader, ReadPurpose, kind_of};
use crate::catalog::ValueType;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::fixes;
use crate::diagnostic::{codes, suggest};
use crate::openflow::Place;

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

/// The fields of an object, some of which have been taken.
pub(super) struct DocumentFields<'d, 'p> {
    map: &'d Map<String, Value>,
    place: &'p Place<'p>,
    taken: Vec<&'static str>,
}

impl<'d, 'p> DocumentFields<'d, 'p> {
    pub(super) fn new(map: &'d Map<String, Value>, place: &'p Place<'p>) -> Self {
        Self { map, place, taken: Vec::new() }
    }

    /// Takes a field that is present, including null.
    pub(super) fn take_present(&mut self, name: &'static str) -> Option<&'d Value> {
        self.taken.push(name);
        self.map.get(name)
    }

    /// Takes a field that is present and not null.
    pub(super) fn take_non_null(&mut self, name: &'static str) -> Option<&'d Value> {
        self.take_present(name).filter(|value| !value.is_null())
    }

    /// Takes a required field, or reports that it is missing.
    pub(super) fn take_required(&mut self, reader: &mut DocumentReader, name: &'static str) -> Option<&'d Value> {
        self.required_as(reader, name, codes::MISSING_FIELD)
    }

    /// Takes a required field, or reports that it is missing under the given code.
    pub(super) fn required_as(
        &mut self,
        reader: &mut DocumentReader,
        name: &'static str,
        code: &str,
    ) -> Option<&'d Value> {
        let value = self.take_non_null(name);
        if value.is_none() {
            reader.broken.insert(self.place.key(name).pointer());
            let message = format!("the required field `{name}` is missing");
            let mut found = Diagnostic::new_error(code, self.place.pointer(), message);
            let others = self.map.keys().map(String::as_str).filter(|key| *key != name);
            if let Some(near) = suggest::nearest_name(name, others) {
                found = found.with_help(format!("did you mean `{name}` instead of `{near}`?"));
                found.fix = fixes::renamed_field(self.map, self.place.pointer(), near, name);
            }
            reader.findings.push(found);
        }
        value
    }

    /// Takes an optional string.
    pub(super) fn take_string(&mut self, reader: &mut DocumentReader, name: &'static str) -> Option<String> {
        let value = self.take_non_null(name)?;
        self.text_of(reader, name, value)
    }

    /// Takes a required string.
    pub(super) fn required_text(&mut self, reader: &mut DocumentReader, name: &'static str) -> String {
        self.take_required(reader, name).and_then(|value| self.text_of(reader, name, value)).unwrap_or_default()
    }

    fn text_of(&self, reader: &mut DocumentReader, name: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.note_wrong_type(reader, name, "a string", value, ValueType::String);
        }
        text
    }

    /// Takes an optional boolean.
    pub(super) fn take_bool(&mut self, reader: &mut DocumentReader, name: &'static str) -> Option<bool> {
        let value = self.take_non_null(name)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.note_wrong_type(reader, name, "true or false", value, ValueType::Boolean);
        }
        flag
    }

    /// Takes an optional integer in the range of `T`.
    pub(super) fn take_integer<T: TryFrom<i128>>(
        &mut self,
        reader: &mut DocumentReader,
        name: &'static str,
    ) -> Option<T> {
        let value = self.take_non_null(name)?;
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
            match value {
                Value::Number(given) => {
                    let message = format!("`{name}` must be {expected}, found {given}");
                    reader.note_fault(&self.place.key(name), codes::WRONG_TYPE, message);
                }
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    self.note_wrong_type(reader, name, expected, value, ValueType::Integer);
                }
            }
        }
        number
    }

    /// Takes an optional field and reads it with `read`.
    pub(super) fn take_field_with<T>(
        &mut self,
        reader: &mut DocumentReader,
        name: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'d Value, &Place<'_>) -> T,
    ) -> Option<T> {
        let value = self.take_non_null(name)?;
        Some(read(reader, value, &self.place.key(name)))
    }

    /// Takes a required field and reads it with `read`.
    pub(super) fn required_inner<T>(
        &mut self,
        reader: &mut DocumentReader,
        name: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'d Value, &Place<'_>) -> T,
    ) -> Option<T> {
        let value = self.take_required(reader, name)?;
        Some(read(reader, value, &self.place.key(name)))
    }

    /// Takes a required list and reads it with `read`; a missing one is empty.
    pub(super) fn required_list<T>(
        &mut self,
        reader: &mut DocumentReader,
        name: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'d Value, &Place<'_>) -> Vec<T>,
    ) -> Vec<T> {
        let list = if reader.purpose == ReadPurpose::Running {
            self.take_field_with(reader, name, read)
        } else {
            self.required_inner(reader, name, read)
        };
        list.unwrap_or_default()
    }

    /// Returns the fields that were not taken, unchanged; reports those that look like misspelt known names.
    pub(super) fn take_rest(self, reader: &mut DocumentReader) -> Map<String, Value> {
        let mut rest = Map::new();
        for (key, value) in self.map {
            if self.taken.contains(&key.as_str()) {
                continue;
            }
            self.point_out_slip(reader, key);
            rest.insert(key.clone(), value.clone());
        }
        rest
    }

    fn point_out_slip(&self, reader: &mut DocumentReader, key: &str) {
        if key.len() < 4 || PASSED_THROUGH_FIELDS.contains(&key) || reader.purpose == ReadPurpose::Running {
            return;
        }
        let absent = self.taken.iter().filter(|name| !self.map.contains_key(**name));
        if let Some(near) = suggest::nearest_name(key, absent.copied()) {
            let message = format!("unknown field `{key}`: it has no effect");
            let mut found = Diagnostic::new_warning(codes::MISSPELT_FIELD, self.place.key(key).pointer(), message)
                .with_help(suggest::did_you_mean(near));
            found.fix = fixes::renamed_field(self.map, self.place.pointer(), key, near);
            reader.findings.push(found);
        }
    }

    /// Reports a field of the wrong type, with a fix if only the notation of the value is wrong.
    fn note_wrong_type(
        &self,
        reader: &mut DocumentReader,
        name: &str,
        expected: &str,
        value: &Value,
        wanted: ValueType,
    ) {
        let place = self.place.key(name);
        let message = format!("`{name}` must be {expected}, found {}", kind_of(value));
        let found = reader.broken_at(&place, codes::WRONG_TYPE, message);
        reader.findings.push(fixes::in_type(found, wanted, value));
    }
}
