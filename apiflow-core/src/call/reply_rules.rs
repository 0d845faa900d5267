//! The smaller rules of `data`: which replies succeeded, where errors are, which hosts links may lead to.

use serde_json::{Map, Value};

use super::ErrorClass;
use super::operation_rule::{read_inner, read_path, read_paths};
use super::retry_after::DeclaredHint;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::pointer_push;
use crate::json::{Fields, unknown_word, wrong_type};
use crate::json::{JsonPath, PathMatch, scalar_text};

/// Which replies succeeded; by default every 2xx.
#[derive(Debug, Clone, Default)]
pub(super) struct Success {
    /// Statuses of success; if empty, every 2xx.
    statuses: Vec<u16>,
    /// A path whose value must be one of a list (a `code` that must be 0).
    word: Option<ExpectedWord>,
    /// A path that must have no value (`error`): absent, null, false and the empty string count as none.
    absent: Option<JsonPath>,
}

/// The values at a path that mean success.
#[derive(Debug, Clone)]
struct ExpectedWord {
    path: JsonPath,
    /// Values in the form of [`scalar_text`].
    words: Vec<String>,
    /// Whether the value may be absent or null: if the list contains `null`, or 0, because some providers omit fields
    /// that have the default value of their type.
    ///
    /// Source: the JSON mapping of Protocol Buffers omits defaults; QuantumNous/new-api PR#7168.
    optional: bool,
}

impl Success {
    /// Parses a list of statuses, or `{"status": […], "path": …, "values": […], "absent": path}`.
    pub(super) fn read(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Self {
        if let Value::Array(items) = value {
            return Self { statuses: read_statuses(items, pointer, found), ..Self::default() };
        }
        let Some(mut fields) = Fields::open(value, pointer, found) else { return Self::default() };
        let status = fields.read_array("status");
        let at = fields.pointer_of("status");
        let statuses = status.map(|items| read_statuses(items, &at, fields.sink)).unwrap_or_default();
        let values = fields.read_array("values");
        let at = fields.pointer_of("values");
        let words = values.map(|values| read_values(values, &at, fields.sink));
        let word = read_path(&mut fields, "path");
        if word.is_some() != values.is_some() {
            let (there, missing) = if values.is_some() { ("values", "path") } else { ("path", "values") };
            fields.note_fault(codes::MISSING_FIELD, missing, format!("`{missing}` is missing: `{there}` requires it"));
        }
        let word = word.zip(words).map(|(path, (words, optional))| ExpectedWord { path, words, optional });
        let absent = read_path(&mut fields, "absent");
        fields.close();
        Self { statuses, word, absent }
    }

    /// Returns whether a status is one of success.
    pub(super) fn accepts_status(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }

    /// Returns the path whose value must be one of a list, if the rule has one: only a JSON reply can satisfy it.
    pub(super) fn word_path(&self) -> Option<&JsonPath> {
        self.word.as_ref().map(|word| &word.path)
    }

    /// Returns whether a reply's JSON is one of success.
    pub(super) fn accepts_body(&self, json: &Value) -> bool {
        let word = self.word.as_ref().is_none_or(|word| match word.path.find_in(json) {
            PathMatch::Absent | PathMatch::Null => word.optional,
            PathMatch::One(_) | PathMatch::Many(_) => word
                .path
                .find_text(json)
                .is_some_and(|found| word.words.iter().any(|word| word.eq_ignore_ascii_case(&found))),
        });
        let nothing = |path: &JsonPath| match path.find_in(json) {
            PathMatch::Absent | PathMatch::Null => true,
            PathMatch::One(value) => value == &Value::Bool(false) || value.as_str() == Some(""),
            PathMatch::Many(values) => values.is_empty(),
        };
        word && self.absent.as_ref().is_none_or(nothing)
    }
}

/// Parses the values of a rule; also returns whether the value may be absent.
fn read_values(values: &[Value], pointer: &str, found: &mut Vec<Diagnostic>) -> (Vec<String>, bool) {
    let mut words = Vec::new();
    let mut optional = false;
    for (index, value) in values.iter().enumerate() {
        optional |= value.is_null() || value.as_f64() == Some(0.0) || value.as_str() == Some("0");
        match scalar_text(value) {
            Some(word) => words.push(word),
            None if value.is_null() => {}
            None => {
                let at = pointer_push(pointer, &index.to_string());
                found.push(wrong_type(&at, "a string, a number, a boolean or null", value));
            }
        }
    }
    (words, optional)
}

fn read_statuses(items: &[Value], pointer: &str, found: &mut Vec<Diagnostic>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item.as_u64().and_then(|status| u16::try_from(status).ok()) {
            Some(status) => statuses.push(status),
            None => found.push(wrong_type(&pointer_push(pointer, &index.to_string()), "an HTTP status", item)),
        }
    }
    statuses
}

/// Where a connector's replies describe errors.
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorPaths {
    /// Declared paths of the message.
    pub(super) message: Vec<JsonPath>,
    /// Declared path of the list of invalid fields.
    pub(super) fields: Vec<JsonPath>,
    /// Declared paths of the provider's error code.
    pub(super) code: Vec<JsonPath>,
    /// Declared classes of codes.
    pub(super) classes: Vec<(String, ErrorClass)>,
    /// Where replies say when to try again, if it is not one of the usual places.
    pub(super) retry_after: Option<DeclaredHint>,
}

impl ErrorPaths {
    /// Parses `{"message": path or paths, "fields": path or paths, "code": path or paths, "classes": {code: class},
    /// "retry_after": {"header" | "path", "unit"}}`.
    pub(super) fn read(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Self {
        let Some(mut fields) = Fields::open(value, pointer, found) else { return Self::default() };
        let message = read_paths(&mut fields, "message").unwrap_or_default();
        let list = read_paths(&mut fields, "fields").unwrap_or_default();
        let code = read_paths(&mut fields, "code").unwrap_or_default();
        let classes = fields.read_object("classes");
        let at = fields.pointer_of("classes");
        let classes = classes.map(|classes| read_classes(classes, &at, fields.sink)).unwrap_or_default();
        let retry_after = read_inner(&mut fields, "retry_after", DeclaredHint::read);
        fields.close();
        Self { message, fields: list, code, classes, retry_after }
    }

    /// Returns the class that the connector declares for a code.
    pub(super) fn class_of(&self, code: &str) -> Option<ErrorClass> {
        self.classes.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, class)| *class)
    }
}

/// Classes that a declaration may give to a provider's codes: those that a reply can express.
const DECLARED_CLASSES: [ErrorClass; 8] = [
    ErrorClass::Auth,
    ErrorClass::Payment,
    ErrorClass::InvalidInput,
    ErrorClass::Moderated,
    ErrorClass::NotFound,
    ErrorClass::RateLimited,
    ErrorClass::Unavailable,
    ErrorClass::ProviderFailed,
];

fn read_classes(classes: &Map<String, Value>, pointer: &str, found: &mut Vec<Diagnostic>) -> Vec<(String, ErrorClass)> {
    let mut read = Vec::new();
    for (code, name) in classes {
        let at = pointer_push(pointer, code);
        let Some(name) = name.as_str() else {
            found.push(wrong_type(&at, "the name of an error class", name));
            continue;
        };
        match DECLARED_CLASSES.into_iter().find(|class| class.name() == name) {
            Some(class) => read.push((code.clone(), class)),
            None => found.push(unknown_word(&at, code, name, &DECLARED_CLASSES.map(ErrorClass::name))),
        }
    }
    read
}

/// A further host that links may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FollowedHost {
    /// `host[:port]`, or `*.domain` for all hosts below a domain; in lower case.
    pub(super) pattern: String,
    /// Whether requests to the host carry the connector's credentials.
    pub(super) credentials: bool,
}

impl FollowedHost {
    /// Parses a list of `"host"` and `{"host": …, "credentials": true}`.
    pub(super) fn read_all(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Vec<Self> {
        let Some(items) = value.as_array() else {
            found.push(wrong_type(pointer, "an array", value));
            return Vec::new();
        };
        let mut hosts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = pointer_push(pointer, &index.to_string());
            let (pattern, credentials) = match item {
                Value::String(text) => (text.clone(), false),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    let Some(mut fields) = Fields::open(item, &at, found) else { continue };
                    let pattern = fields.required_string("host").to_owned();
                    let credentials = fields.read_bool("credentials").unwrap_or_default();
                    fields.close();
                    (pattern, credentials)
                }
            };
            if item.as_str() == Some("") || pattern.contains(['/', '@', ' ']) {
                let message = format!("`{pattern}` is not a host, such as `files.example.com` or `*.example.com`");
                found.push(Diagnostic::new_error(codes::BAD_VALUE, at, message));
            }
            hosts.push(Self { pattern: pattern.to_ascii_lowercase(), credentials });
        }
        hosts
    }

    /// Returns whether a host (in lower case) matches: the exact host, or a name below the domain.
    pub(super) fn matches_host(&self, host: &str) -> bool {
        matches_host(&self.pattern, host)
    }
}

/// Returns whether a host (in lower case) matches `host[:port]`, or `*.domain` for all hosts below a domain.
pub(super) fn matches_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => pattern == host,
    }
}

/// Codes of findings about the form of a declaration, which refuse saving.
const FORM: [&str; 5] =
    [codes::WRONG_TYPE, codes::UNKNOWN_FIELD, codes::MISSING_FIELD, codes::BAD_VALUE, codes::BAD_METHOD];

/// Keeps the findings about the form of a part of a declaration.
pub(super) fn keep_form(read: impl FnOnce(&mut Vec<Diagnostic>), faults: &mut Vec<Diagnostic>) {
    let mut found = Vec::new();
    read(&mut found);
    faults.extend(found.into_iter().filter(|fault| FORM.contains(&fault.code.as_str())));
}

/// Checks the form of `success`.
pub(crate) fn check_success(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(Success::read(value, pointer, found)), faults);
}

/// Checks the form of `errors`.
pub(crate) fn check_errors(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(ErrorPaths::read(value, pointer, found)), faults);
}

/// Checks the form of `hosts`.
pub(crate) fn check_hosts(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(FollowedHost::read_all(value, pointer, found)), faults);
}

/// Checks the form of `operation`.
pub(crate) fn check_operation(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(super::operation_rule::read(value, pointer, found)), faults);
}

/// Checks the form of `upload`.
pub(crate) fn check_upload(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(super::upload_rule::UploadRule::read(value, pointer, found)), faults);
}
