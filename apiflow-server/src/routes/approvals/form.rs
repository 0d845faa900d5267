//! The page behind an approval link: works without scripts and without an account.

use crate::api::ResumeAction;
use crate::http::problem::Problem;
use crate::routes::approvals::{BTreeMap, Html, LinkAnswer, Map, Question, Value};

/// Prefix of a form's own fields, which separates them from those of the page.
const FIELD: &str = "field.";

/// Renders the approval gate, with buttons to answer it.
pub(super) fn question_page(question: &Question) -> Html<String> {
    let Question { name, step, open, approval, form, .. } = question;
    if !open {
        return framed_page(
            "Answered",
            &format!("<p>Step <b>{}</b> no longer waits for an approval.</p>", escape_html(step)),
        );
    }
    let until = approval.as_ref().map(|approval| format!("<p>Open until {}.</p>", escape_html(&approval.until)));
    let fields: String = schema_properties(form).map(|(name, schema)| field_html(name, schema, form)).collect();
    framed_page(
        "Approval",
        &format!(
            "<p>The job <b>{}</b> waits after step <b>{}</b>.</p>{}<form method=\"post\">{fields}\
             <p><label>Your name <input name=\"approver\" autocomplete=\"name\"></label></p>\
             <p><button name=\"action\" value=\"resume\">Approve</button> \
             <button name=\"action\" value=\"cancel\" formnovalidate>Disapprove</button></p></form>",
            escape_html(name),
            escape_html(step),
            until.unwrap_or_default(),
        ),
    )
}

/// Renders the confirmation of an answer.
pub(super) fn thanks_page(action: ResumeAction) -> Html<String> {
    match action {
        ResumeAction::Resume => framed_page("Approved", "<p>Thank you: the job continues.</p>"),
        ResumeAction::Cancel => framed_page("Disapproved", "<p>Thank you: the job does not continue.</p>"),
    }
}

/// Reads the submitted form of the page; fields are converted to the types of the schema.
pub(super) fn read(schema: &Value, body: &[u8]) -> Result<LinkAnswer, Problem> {
    let given: BTreeMap<String, String> = serde_urlencoded::from_bytes(body)
        .map_err(|error| Problem::malformed(format!("the form cannot be read: {error}")))?;
    let action = match given.get("action").map(String::as_str) {
        Some("resume") => ResumeAction::Resume,
        Some("cancel") => ResumeAction::Cancel,
        Some(_) | None => return Err(Problem::malformed("`action` must be `resume` or `cancel`")),
    };
    let mut payload = Map::new();
    for (name, schema) in schema_properties(schema) {
        let value = given.get(&format!("{FIELD}{name}")).map(String::as_str).unwrap_or_default();
        if let Some(value) = typed_value(schema, value) {
            payload.insert(name.clone(), value);
        }
    }
    let payload = if schema.is_object() { Value::Object(payload) } else { Value::Null };
    let approver = given.get("approver").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Ok(LinkAnswer { action, payload, approver })
}

/// Converts a field's text to its type; an empty text means that the field was left out.
fn typed_value(schema: &Value, value: &str) -> Option<Value> {
    match schema["type"].as_str() {
        Some("boolean") => Some(Value::Bool(!value.is_empty())),
        _ if value.is_empty() => None,
        Some("number" | "integer") => Some(serde_json::from_str(value).unwrap_or_else(|_| value.into())),
        Some("object" | "array") => Some(serde_json::from_str(value).unwrap_or_else(|_| value.into())),
        Some(_) | None => Some(value.into()),
    }
}

fn schema_properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn field_html(name: &str, schema: &Value, form: &Value) -> String {
    let label = schema["title"].as_str().or(schema["description"].as_str()).unwrap_or(name);
    let wanted = form["required"].as_array().is_some_and(|names| names.iter().any(|wanted| wanted == name));
    let required = if wanted { " required" } else { "" };
    let (label, name) = (escape_html(label), escape_html(&format!("{FIELD}{name}")));
    let default = schema["default"].as_str().map_or_else(|| plain_text(&schema["default"]), str::to_owned);
    let default = escape_html(&default);
    if let Some(choices) = schema["enum"].as_array() {
        let option = |choice: &Value| format!("<option>{}</option>", escape_html(&plain_text(choice)));
        let options: String = choices.iter().map(option).collect();
        return format!("<p><label>{label} <select name=\"{name}\"{required}>{options}</select></label></p>");
    }
    let kind = match schema["type"].as_str() {
        Some("boolean") => {
            return format!("<p><label><input type=\"checkbox\" name=\"{name}\" value=\"true\"> {label}</label></p>");
        }
        Some("number") => "type=\"number\" step=\"any\"",
        Some("integer") => "type=\"number\" step=\"1\"",
        Some(_) | None => "type=\"text\"",
    };
    format!("<p><label>{label} <input {kind} name=\"{name}\" value=\"{default}\"{required}></label></p>")
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Escapes a text inside a page or an attribute.
fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn framed_page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} – apiflow</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
         <style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}}\
         label{{display:block}}input:not([type=checkbox]),select{{width:100%;font:inherit;padding:.4rem}}\
         button{{font:inherit;padding:.5rem 1rem;min-height:2.75rem}}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    ))
}
