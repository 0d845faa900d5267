//! The form of an approval page: its fields, made from a JSON Schema, and the answers that a browser sends.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use apiflow_core::json::pointer_push;
use serde_json::{Map, Value};

use super::html::escape_html;
use super::question::LinkAnswer;
use crate::api::{Fault, ResumeAction};
use crate::http::problem::Problem;

/// Prefix of a form's own fields, which separates them from those of the page.
const FIELD: &str = "field.";

/// The field for the name of who answers.
const APPROVER: &str = "approver";

/// What was entered into a form, by the name of its field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FormAnswers {
    entered: BTreeMap<String, String>,
    /// Whether the form was sent: a box that is not ticked is absent then.
    is_sent: bool,
}

impl FormAnswers {
    /// Reads the body that a browser sends.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, Problem> {
        let entered = serde_urlencoded::from_bytes(body)
            .map_err(|error| Problem::malformed(format!("the form cannot be read: {error}")))?;
        Ok(Self { entered, is_sent: true })
    }

    /// Converts what was entered to the types of the schema.
    pub(super) fn to_answer(&self, schema: &Value) -> Result<LinkAnswer, Problem> {
        let action = match self.entered.get("action").map(String::as_str) {
            Some("resume") => ResumeAction::Resume,
            Some("cancel") => ResumeAction::Cancel,
            Some(_) | None => return Err(Problem::malformed("`action` must be `resume` or `cancel`")),
        };
        let mut payload = Map::new();
        for (name, schema) in schema_properties(schema) {
            if let Some(value) = typed_value(schema, self.field(name).unwrap_or_default()) {
                payload.insert(name.clone(), value);
            }
        }
        let payload = if schema.is_object() { Value::Object(payload) } else { Value::Null };
        let approver = self.entered.get(APPROVER).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Ok(LinkAnswer { action, payload, approver })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.entered.get(&format!("{FIELD}{name}")).map(String::as_str)
    }
}

/// Converts a field's text to its type; an empty text means that the field was left out.
fn typed_value(schema: &Value, text: &str) -> Option<Value> {
    if let Some(choices) = schema["enum"].as_array() {
        return choices.iter().find(|choice| !text.is_empty() && plain_text(choice) == text).cloned();
    }
    match schema["type"].as_str() {
        Some("boolean") => Some(Value::Bool(!text.is_empty())),
        _ if text.is_empty() => None,
        Some("number" | "integer" | "object" | "array") => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
        }
        Some(_) | None => Some(text.into()),
    }
}

fn schema_properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// Renders the fields of a schema and that for the name, with what was entered and the errors.
pub(super) fn fields_html(schema: &Value, given: &FormAnswers, faults: &[Fault]) -> String {
    let mut html = String::new();
    for (name, property) in schema_properties(schema) {
        let pointer = pointer_push("/payload", name);
        let is_required = schema["required"].as_array().is_some_and(|names| names.iter().any(|wanted| wanted == name));
        let is_missing = is_required && !faults.is_empty() && given.field(name).is_none_or(str::is_empty);
        // A missing value is a fault of the whole payload.
        let missing = is_missing.then(|| missing_value(&pointer));
        let fault = faults.iter().find(|fault| is_within(&fault.pointer, &pointer)).or(missing.as_ref());
        let default = || Some(plain_text(&property["default"])).filter(|_| !given.is_sent);
        let value = given.field(name).map(str::to_owned).or_else(default).unwrap_or_default();
        html.push_str(&field_html(name, property, is_required, &value, fault));
    }
    let fault = faults.iter().find(|fault| fault.pointer == "/approver");
    let name = given.entered.get(APPROVER).map(String::as_str).unwrap_or_default();
    let input = format!(
        "<input type=\"text\" id=\"{APPROVER}\" name=\"{APPROVER}\" autocomplete=\"name\" value=\"{}\"{}>",
        escape_html(name),
        described_by(APPROVER, false, fault)
    );
    html.push_str(&labelled(APPROVER, "Your name", &input, "", fault));
    html
}

fn missing_value(pointer: &str) -> Fault {
    Fault { pointer: pointer.to_owned(), message: "a value is required".to_owned(), code: None, help: None }
}

/// Whether a place is in another one.
fn is_within(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn field_html(name: &str, schema: &Value, is_required: bool, value: &str, fault: Option<&Fault>) -> String {
    let label = schema["title"].as_str().unwrap_or(name);
    let about = schema["description"].as_str().unwrap_or_default();
    let id = format!("{FIELD}{name}");
    let shared = format!("id=\"{0}\" name=\"{0}\"{1}", escape_html(&id), described_by(&id, !about.is_empty(), fault));
    let required = if is_required { " required" } else { "" };
    let text = escape_html(value);
    let label = format!("{}{}", escape_html(label), if is_required { " (required)" } else { "" });
    if let Some(choices) = schema["enum"].as_array() {
        let mut options = String::from("<option value=\"\">Choose…</option>");
        for choice in choices {
            let choice = plain_text(choice);
            let selected = if choice == value { " selected" } else { "" };
            let _ = write!(options, "<option{selected}>{}</option>", escape_html(&choice));
        }
        return labelled(&id, &label, &format!("<select {shared}{required}>{options}</select>"), about, fault);
    }
    let input = match schema["type"].as_str() {
        Some("boolean") => {
            let checked = if matches!(value, "true") { " checked" } else { "" };
            let box_html = format!("<input type=\"checkbox\" {shared} value=\"true\"{checked}> {label}");
            let notes = notes_html(&id, about, fault);
            return format!("<div class=\"field\"><label class=\"check\">{box_html}</label>{notes}</div>");
        }
        Some("number") => format!("<input type=\"number\" step=\"any\" {shared} value=\"{text}\"{required}>"),
        Some("integer") => format!("<input type=\"number\" step=\"1\" {shared} value=\"{text}\"{required}>"),
        Some("object" | "array") => {
            format!("<textarea {shared} rows=\"4\" spellcheck=\"false\"{required}>{text}</textarea>")
        }
        Some(_) | None if is_long(name, schema) => format!("<textarea {shared} rows=\"4\"{required}>{text}</textarea>"),
        Some(_) | None => format!("<input type=\"text\" {shared} value=\"{text}\"{required}>"),
    };
    labelled(&id, &label, &input, about, fault)
}

/// Whether a text may have several lines; the frontend decides in the same way (`schema-form.ts`).
fn is_long(name: &str, schema: &Value) -> bool {
    let name = name.to_lowercase();
    schema["format"] == "textarea"
        || ["prompt", "text", "description", "message"].iter().any(|word| name.contains(word))
}

fn labelled(id: &str, label_html: &str, input_html: &str, about: &str, fault: Option<&Fault>) -> String {
    let (id_html, notes) = (escape_html(id), notes_html(id, about, fault));
    format!("<div class=\"field\"><label for=\"{id_html}\">{label_html}</label>{input_html}{notes}</div>")
}

/// Returns the attributes that join an input with its description and error.
fn described_by(id: &str, has_about: bool, fault: Option<&Fault>) -> String {
    let id = escape_html(id);
    let about = has_about.then(|| format!("{id}-about"));
    let error = fault.map(|_| format!("{id}-error"));
    let ids: Vec<String> = about.into_iter().chain(error).collect();
    let invalid = if fault.is_some() { " aria-invalid=\"true\"" } else { "" };
    if ids.is_empty() { String::new() } else { format!(" aria-describedby=\"{}\"{invalid}", ids.join(" ")) }
}

fn notes_html(id: &str, about: &str, fault: Option<&Fault>) -> String {
    let id = escape_html(id);
    let about = if about.is_empty() {
        String::new()
    } else {
        format!("<p class=\"about\" id=\"{id}-about\">{}</p>", escape_html(about))
    };
    let error = fault.map(|fault| format!("<p class=\"error\" id=\"{id}-error\">{}</p>", escape_html(&fault.message)));
    format!("{about}{}", error.unwrap_or_default())
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "title": "Size & shape"},
            "style": {"enum": ["flat", 3], "default": "flat"},
            "loud": {"type": "boolean", "description": "How it <sounds>"},
            "tags": {"type": "array"},
        }})
    }

    fn check(body: &str, expected: &Value) {
        let answer = FormAnswers::from_body(body.as_bytes()).and_then(|given| given.to_answer(&schema()));
        assert_eq!(answer.map(|answer| answer.payload).ok().as_ref(), Some(expected), "{body}");
    }

    #[test]
    fn answers_have_the_types_of_the_schema() {
        check("action=resume&field.size=4&field.style=3", &json!({"size": 4, "style": 3, "loud": false}));
        check("action=resume&field.size=big&field.loud=true", &json!({"size": "big", "loud": true}));
        check("action=resume&field.style=none&field.tags=[1]", &json!({"tags": [1], "loud": false}));
    }

    #[test]
    fn fields_show_what_was_entered_and_their_errors() {
        let given = FormAnswers::from_body(b"action=resume&field.size=%22big%22&field.style=&approver=Bob");
        let fault =
            Fault { pointer: "/payload/size".to_owned(), message: "is <no> number".to_owned(), code: None, help: None };
        let html = fields_html(&schema(), &given.unwrap_or_default(), &[fault]);
        assert!(html.contains("value=\"&quot;big&quot;\" required"), "{html}");
        assert!(html.contains("aria-describedby=\"field.size-error\" aria-invalid=\"true\""), "{html}");
        assert!(html.contains("is &lt;no&gt; number") && html.contains("Size &amp; shape (required)"), "{html}");
        assert!(html.contains("value=\"Bob\"") && !html.contains("selected"), "{html}");
        let fault =
            Fault { pointer: "/payload".to_owned(), message: "size is missing".to_owned(), code: None, help: None };
        let empty = FormAnswers::from_body(b"action=resume&field.size=").unwrap_or_default();
        assert!(fields_html(&schema(), &empty, &[fault]).contains("id=\"field.size-error\">a value is required<"));
        let fresh = fields_html(&schema(), &FormAnswers::default(), &[]);
        assert!(fresh.contains("<option selected>flat</option>") && !fresh.contains("aria-invalid"), "{fresh}");
    }
}
