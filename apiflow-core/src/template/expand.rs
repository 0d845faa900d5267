//! Expands templates. Values are inserted as they are and never parsed as templates.

use serde_json::{Map, Value, json};

use super::compile::Template;
use super::template_string::{Part, Placeholder, Root, Text};
use crate::json::scalar_text;

/// The values of placeholders.
#[derive(Debug)]
pub(crate) struct TemplateScope<'a> {
    input: Option<Value>,
    /// The inputs with files as objects, for paths that lead into a file.
    files: Option<Value>,
    reply: Option<&'a Value>,
    /// The file that is uploaded.
    file: Option<Value>,
    /// The value that an output's mapping finds.
    item: Option<&'a Value>,
    job: Value,
    step: Value,
}

/// A piece of expanded text: text, or the secret to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it is.
    Text(String),
    /// A secret, by name.
    Secret(String),
}

/// An expanded template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expanded {
    /// An input without a value: the key that it belongs to is omitted.
    Absent,
    /// A value without secrets.
    Value(Value),
    /// Text with secrets in it.
    Pieces(Vec<Piece>),
    /// An array of expanded values.
    List(Vec<Expanded>),
    /// An object of expanded values, in order.
    Object(Vec<(String, Expanded)>),
}

impl<'a> TemplateScope<'a> {
    /// Creates the scope of a submit.
    pub(crate) fn for_submit(input: &Map<String, Value>, job_id: &str, step_id: &str, attempt: u32) -> Self {
        Self {
            input: Some(Value::Object(input.clone())),
            files: None,
            reply: None,
            file: None,
            item: None,
            job: json!({"id": job_id}),
            step: json!({"id": step_id, "attempt": attempt}),
        }
    }

    /// Creates the scope of what is built from a reply.
    pub(crate) fn for_reply(reply: &'a Value) -> Self {
        Self { reply: Some(reply), ..Self::without_attempt() }
    }

    /// Creates the scope of a request that belongs to no attempt, in which every placeholder is absent.
    pub(crate) fn without_attempt() -> Self {
        Self { input: None, files: None, reply: None, file: None, item: None, job: json!({}), step: json!({}) }
    }

    /// Creates the scope of what is sent to upload a file; `reply` is the provider's answer so far.
    pub(crate) fn for_file(file: Value, reply: Option<&'a Value>) -> Self {
        Self { file: Some(file), reply, ..Self::without_attempt() }
    }

    /// Creates the scope of the link to a value of a reply.
    pub(crate) fn for_item(item: &'a Value) -> Self {
        Self { item: Some(item), ..Self::without_attempt() }
    }

    /// Adds the inputs with files as objects, which paths such as `input.image.mime` lead into.
    pub(crate) fn with_files(mut self, files: Option<Value>) -> Self {
        self.files = files;
        self
    }

    fn value_at(&self, place: &Placeholder) -> Option<Value> {
        let find = |root: Option<&Value>| root.and_then(|value| place.path.find_in(value).into_value());
        match place.root {
            Root::Input => find(self.input.as_ref()).or_else(|| find(self.files.as_ref())),
            Root::Reply => find(self.reply),
            Root::File => find(self.file.as_ref()),
            Root::Item => find(self.item),
            Root::Job => find(Some(&self.job)),
            Root::Step => find(Some(&self.step)),
        }
    }
}

impl Template {
    /// Inserts the values; a string that consists of one placeholder keeps the value's type.
    pub(crate) fn expand_value(&self, scope: &TemplateScope<'_>) -> Expanded {
        match self {
            Self::Constant(value) => Expanded::Value(value.clone()),
            Self::Text(text) => text.expand_text(scope),
            Self::List(items) => Expanded::List(items.iter().map(|item| item.expand_value(scope)).collect()),
            Self::Object(fields) => {
                Expanded::Object(fields.iter().map(|(key, item)| (key.clone(), item.expand_value(scope))).collect())
            }
        }
    }
}

impl Text {
    /// Inserts the values into a string. If a placeholder is absent or null, the whole string is absent, because a part
    /// of it would mean something else.
    pub(crate) fn expand_text(&self, scope: &TemplateScope<'_>) -> Expanded {
        if let [Part::Place(place)] = self.parts.as_slice() {
            return scope.value_at(place).map_or(Expanded::Absent, Expanded::Value);
        }
        let mut pieces = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Literal(literal) => push_text(&mut pieces, literal),
                Part::Secret(name) => pieces.push(Piece::Secret(name.clone())),
                Part::Place(place) => match scope.value_at(place).as_ref().and_then(inserted_text) {
                    Some(text) => push_text(&mut pieces, &text),
                    None => return Expanded::Absent,
                },
            }
        }
        match pieces.as_slice() {
            [] => Expanded::Value(Value::String(String::new())),
            [Piece::Text(text)] => Expanded::Value(Value::String(text.clone())),
            _ => Expanded::Pieces(pieces),
        }
    }

    /// Inserts the values into a path, percent-encoded, so that no value can add or remove segments.
    ///
    /// # Errors
    /// Names the placeholder whose value is not possible in a path.
    pub(crate) fn expand_path(&self, scope: &TemplateScope<'_>) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Literal(literal) => push_text(&mut pieces, literal),
                Part::Secret(name) => pieces.push(Piece::Secret(name.clone())),
                Part::Place(place) => {
                    let name = place.source();
                    let value = scope.value_at(place).unwrap_or(Value::Null);
                    match scalar_text(&value) {
                        None => return Err(format!("`{name}` must be a string or a number to be used in a path")),
                        Some(text) if text.is_empty() => {
                            return Err(format!("`{name}` is empty, so it cannot be used in a path"));
                        }
                        Some(text) => push_text(&mut pieces, &percent_encode(&text)),
                    }
                }
            }
        }
        let whole = join_pieces(&pieces, &mut |_| "secret".to_owned());
        refuse_dot_segment(&whole)?;
        Ok(pieces)
    }

    /// Inserts the values into a link without secrets, percent-encoded. In the query, a value may be empty or missing.
    ///
    /// # Errors
    /// Names the placeholder whose value is not possible.
    pub(crate) fn expand_link(&self, scope: &TemplateScope<'_>) -> Result<String, String> {
        let mut link = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => link.push_str(literal),
                Part::Secret(_) => {}
                Part::Place(place) => {
                    let value = scope.value_at(place).unwrap_or(Value::Null);
                    let text = if value.is_null() { Some(String::new()) } else { scalar_text(&value) };
                    match text.filter(|text| !text.is_empty() || link.contains('?')) {
                        Some(text) => link.push_str(&percent_encode(&text)),
                        None => return Err(format!("`item.{}` must be a string or a number", place.source())),
                    }
                }
            }
        }
        refuse_dot_segment(&link)?;
        Ok(link)
    }
}

fn refuse_dot_segment(path: &str) -> Result<(), String> {
    match dot_segment(path) {
        Some(segment) => {
            Err(format!("`{segment}` is not allowed as a segment of a path, because it would change the address"))
        }
        None => Ok(()),
    }
}

impl Expanded {
    /// Converts to JSON, with `write` returning the text that stands for a secret; `None` if absent.
    pub(crate) fn to_value(&self, write: &mut impl FnMut(&str) -> String) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Value(value) => Some(value.clone()),
            Self::Pieces(pieces) => Some(Value::String(join_pieces(pieces, write))),
            Self::List(items) => Some(items.iter().filter_map(|item| item.to_value(write)).collect()),
            Self::Object(fields) => Some(Value::Object(
                fields.iter().filter_map(|(key, item)| Some((key.clone(), item.to_value(write)?))).collect(),
            )),
        }
    }

    /// Returns whether the value contains a secret.
    pub(crate) fn has_secrets(&self) -> bool {
        let mut found = false;
        self.to_value(&mut |_| {
            found = true;
            String::new()
        });
        found
    }

    /// Returns the text for a header, a query, a form or a raw body; `None` if the value is absent or null. An object
    /// or array is formatted as JSON.
    ///
    /// # Errors
    /// If a secret is inside an object or array, where it could not be escaped correctly.
    pub(crate) fn into_pieces(self) -> Result<Option<Vec<Piece>>, String> {
        if let Self::Pieces(pieces) = self {
            return Ok(Some(pieces));
        }
        if self.has_secrets() {
            return Err("a secret is not allowed inside an object or array here".to_owned());
        }
        let value = self.to_value(&mut |_| String::new());
        Ok(value.as_ref().and_then(inserted_text).map(|text| vec![Piece::Text(text)]))
    }
}

/// Joins the pieces, with `write` returning the text that stands for a secret.
pub(crate) fn join_pieces(pieces: &[Piece], write: &mut impl FnMut(&str) -> String) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Secret(name) => write(name),
        })
        .collect()
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Returns a string as it is, any other value as JSON, and `None` for null.
fn inserted_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        Some(Piece::Secret(_)) | None => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// Returns the first dot segment of a path, which URL parsers resolve, in any of its spellings.
pub(crate) fn dot_segment(path: &str) -> Option<&str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).find(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}
