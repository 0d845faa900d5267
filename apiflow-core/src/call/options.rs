//! Smaller parts of `data`: what counts as success, where errors are, which hosts may be followed to.

use serde_json::Value;

use super::rule::{path, paths};
use crate::catalog::fields::{Fields, wrong_type};
use crate::diagnostic::{Diagnostic, pointer_push};
use crate::template::{Found, Path, scalar_text};

/// Which replies succeeded. Default: every 2xx.
#[derive(Debug, Clone, Default)]
pub(super) struct Success {
    /// Statuses; empty means every 2xx.
    statuses: Vec<u16>,
    /// A path at which one of the words must stand (`code` that must be 0).
    word: Option<(Path, Vec<String>)>,
    /// A path at which nothing may stand (`error`): absent, null, false and empty text are nothing.
    absent: Option<Path>,
}

impl Success {
    /// Reads a list of statuses, or `{"status": […], "path": …, "values": […], "absent": path}`.
    pub(super) fn read(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Self {
        if let Value::Array(items) = value {
            return Self { statuses: read_statuses(items, pointer, found), ..Self::default() };
        }
        let Some(mut fields) = Fields::open(value, pointer, found) else { return Self::default() };
        let status = fields.array("status");
        let at = fields.at("status");
        let statuses = status.map(|items| read_statuses(items, &at, fields.faults)).unwrap_or_default();
        let values = fields.array("values");
        let words = values.map(|values| values.iter().filter_map(scalar_text).collect());
        let word = path(&mut fields, "path");
        if word.is_some() != values.is_some() {
            let (there, missing) = if values.is_some() { ("values", "path") } else { ("path", "values") };
            fields.fault("missing-field", missing, format!("`{missing}` is missing: `{there}` needs it"));
        }
        let word = word.zip(words);
        let absent = path(&mut fields, "absent");
        fields.close();
        Self { statuses, word, absent }
    }

    /// Whether the status is one of success.
    pub(super) fn accepts_status(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }

    /// Whether the body, if it is JSON, agrees.
    pub(super) fn accepts_body(&self, json: Option<&Value>) -> bool {
        let json = json.unwrap_or(&Value::Null);
        let word = self.word.as_ref().is_none_or(|(path, words)| {
            path.find_text(json).is_some_and(|found| words.iter().any(|word| word.eq_ignore_ascii_case(&found)))
        });
        let nothing = |path: &Path| match path.find(json) {
            Found::Absent | Found::Null => true,
            Found::One(value) => value == &Value::Bool(false) || value.as_str() == Some(""),
            Found::Many(values) => values.is_empty(),
        };
        word && self.absent.as_ref().is_none_or(nothing)
    }
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

/// Where a connector's replies say what went wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorPaths {
    /// Declared paths of the message.
    pub(super) message: Vec<Path>,
    /// Declared path of the list of fields at fault.
    pub(super) fields: Vec<Path>,
}

impl ErrorPaths {
    /// Reads `{"message": path or paths, "fields": path or paths}`.
    pub(super) fn read(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Self {
        let Some(mut fields) = Fields::open(value, pointer, found) else { return Self::default() };
        let message = paths(&mut fields, "message").unwrap_or_default();
        let list = paths(&mut fields, "fields").unwrap_or_default();
        fields.close();
        Self { message, fields: list }
    }
}

/// A further host whose links may be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FollowedHost {
    /// `host[:port]`, or `*.domain` for all hosts below a domain; lower case.
    pub(super) pattern: String,
    /// Whether it is given the connector's credentials.
    pub(super) credentials: bool,
}

impl FollowedHost {
    /// Reads a list of `"host"` and `{"host": …, "credentials": true}`.
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
                    let credentials = fields.boolean("credentials").unwrap_or_default();
                    fields.close();
                    (pattern, credentials)
                }
            };
            if item.as_str() == Some("") || pattern.contains(['/', '@', ' ']) {
                let message = format!("`{pattern}` is no host, such as `files.example.com` or `*.example.com`");
                found.push(Diagnostic::error("bad-value", at, message));
            }
            hosts.push(Self { pattern: pattern.to_ascii_lowercase(), credentials });
        }
        hosts
    }

    /// Whether a host (lower case) is meant: the exact host, or a name below the domain.
    pub(super) fn matches(&self, host: &str) -> bool {
        match self.pattern.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => self.pattern == host,
        }
    }
}

/// Codes of findings that concern the form of a declaration, so that they refuse a write.
const FORM: [&str; 5] = ["wrong-type", "unknown-field", "missing-field", "bad-value", "bad-method"];

fn keep_form(read: impl FnOnce(&mut Vec<Diagnostic>), faults: &mut Vec<Diagnostic>) {
    let mut found = Vec::new();
    read(&mut found);
    faults.extend(found.into_iter().filter(|fault| FORM.contains(&fault.code.as_str())));
}

/// The form of `success`.
pub(crate) fn check_success(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(Success::read(value, pointer, found)), faults);
}

/// The form of `errors`.
pub(crate) fn check_errors(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(ErrorPaths::read(value, pointer, found)), faults);
}

/// The form of `hosts`.
pub(crate) fn check_hosts(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(FollowedHost::read_all(value, pointer, found)), faults);
}

/// The form of `operation`.
pub(crate) fn check_operation(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(super::rule::read(value, pointer, found)), faults);
}
