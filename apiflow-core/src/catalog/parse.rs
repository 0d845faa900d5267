//! From JSON to connectors and nodes, all faults in one pass.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::data_schema::{Owner, parse_data};
use super::{Connector, Node, NodeInput, NodeOutput, ValueType};
use crate::diagnostic::Diagnostic;
use crate::json::pointer_push;
use crate::json::{Fields, unknown_word, wrong_type};
use crate::url;

/// The methods that a call may have.
pub(crate) const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
/// Ids that connectors cannot have, because they begin paths of modules.
const RESERVED: [&str; 3] = ["node", "workflow", "connector"];
const MAX_ID: usize = 64;

/// Reads a connector. `created_at` and `updated_at` are ignored; a missing `id` reads as empty, for the caller to
/// give one.
///
/// # Errors
/// Every fault that refuses a write.
pub fn parse_connector(value: &Value) -> Result<Connector, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let connector = Fields::open(value, "", &mut faults).map(read_connector);
    match connector {
        Some(connector) if faults.is_empty() => Ok(connector),
        Some(_) | None => Err(faults),
    }
}

/// Reads a node. `created_at` and `updated_at` are ignored; a missing `id` reads as empty, for the caller to give
/// one.
///
/// # Errors
/// Every fault that refuses a write.
pub fn parse_node(value: &Value) -> Result<Node, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let node = Fields::open(value, "", &mut faults).map(read_node);
    match node {
        Some(node) if faults.is_empty() => Ok(node),
        Some(_) | None => Err(faults),
    }
}

fn read_connector(mut fields: Fields<'_, '_>) -> Connector {
    let id = read_id(&mut fields, "id").unwrap_or_default();
    if RESERVED.contains(&id.as_str()) {
        fields.fault(
            "reserved-id",
            "id",
            format!("a connector cannot have the id `{id}`: paths of modules begin with it"),
        );
    }
    let name = fields.required_string("name").to_owned();
    let base_url = fields.required_string("base_url").to_owned();
    if !base_url.is_empty()
        && let Err(reason) = url::check_base(&base_url)
    {
        fields.fault("bad-url", "base_url", format!("`base_url` {reason}"));
    }
    let method = read_method(&mut fields, "method").unwrap_or_else(|| "POST".to_owned());
    let header = read_headers(&mut fields, "header", false).cloned().unwrap_or_default();
    let body = fields.value("body").cloned();
    let data = read_data(&mut fields, Owner::Connector);
    ignore_times(fields);
    Connector { id, name, base_url, method, header, body, data, own_secrets: BTreeMap::new() }
}

fn read_node(mut fields: Fields<'_, '_>) -> Node {
    let id = read_id(&mut fields, "id").unwrap_or_default();
    let name = fields.required_string("name").to_owned();
    let description = fields.string("description").unwrap_or_default().to_owned();
    let connector_id = match fields.value("connector_id") {
        Some(_) => read_id(&mut fields, "connector_id").unwrap_or_default(),
        None => fields.required_string("connector_id").to_owned(),
    };
    let input = read_items(&mut fields, "input", read_input);
    let output = read_items(&mut fields, "output", read_output);
    let data = read_data(&mut fields, Owner::Node);
    ignore_times(fields);
    Node { id, name, description, connector_id, input, output, data, own_secrets: BTreeMap::new() }
}

fn ignore_times(mut fields: Fields<'_, '_>) {
    fields.raw("created_at");
    fields.raw("updated_at");
    fields.close();
}

fn read_id(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    let id = fields.string(key)?;
    let shaped = id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.len() <= MAX_ID
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !shaped {
        let message = format!(
            "`{key}` must begin with a letter or digit and have at most {MAX_ID} letters, digits, `_`, `.` or `-`"
        );
        fields.fault("bad-id", key, message);
    }
    Some(id.to_owned())
}

/// A method in any case, as upper case.
pub(crate) fn read_method(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    let text = fields.string(key)?;
    let method = text.to_ascii_uppercase();
    if !METHODS.contains(&method.as_str()) {
        let fault = unknown_word(&fields.at(key), key, text, &METHODS);
        fields.faults.push(Diagnostic { code: "bad-method".to_owned(), ..fault });
    }
    Some(method)
}

/// Header templates by name; null, which removes a header of the connector, only where `removable`.
pub(crate) fn read_headers<'a>(
    fields: &mut Fields<'a, '_>,
    key: &'static str,
    removable: bool,
) -> Option<&'a Map<String, Value>> {
    let headers = fields.object(key)?;
    let pointer = fields.at(key);
    for (name, value) in headers {
        let at = pointer_push(&pointer, name);
        if !is_header_name(name) {
            fields.faults.push(Diagnostic::error("bad-value", &at, format!("`{name}` is no name of a header")));
        }
        match value {
            Value::String(text) if text.chars().any(char::is_control) => {
                let message = format!("header `{name}` contains a line break or another control character");
                fields.faults.push(Diagnostic::error("bad-value", &at, message));
            }
            Value::String(_) => {}
            Value::Null if removable => {}
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                fields.faults.push(wrong_type(&at, "a string", value));
            }
        }
    }
    Some(headers)
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

fn read_data(fields: &mut Fields<'_, '_>, owner: Owner) -> Option<Map<String, Value>> {
    let data = fields.value("data")?;
    parse_data(data, "/data", owner, fields.faults);
    data.as_object().cloned()
}

fn read_items<T>(fields: &mut Fields<'_, '_>, key: &'static str, read: impl Fn(Fields<'_, '_>) -> Option<T>) -> Vec<T> {
    let pointer = fields.at(key);
    let items = fields.array(key).map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            Fields::open(item, &pointer_push(&pointer, &index.to_string()), fields.faults).and_then(&read)
        })
        .collect()
}

fn read_type(fields: &mut Fields<'_, '_>) -> Option<ValueType> {
    if fields.value("type").is_none() {
        fields.fault("missing-field", "type", "`type` is missing");
        return None;
    }
    let word = fields.word("type", &ValueType::NAMES.map(|(word, _)| word))?;
    ValueType::NAMES.iter().find(|(known, _)| *known == word).map(|(_, value_type)| *value_type)
}

fn read_input(mut fields: Fields<'_, '_>) -> Option<NodeInput> {
    let name = fields.required_string("name").to_owned();
    let value_type = read_type(&mut fields);
    let required = fields.boolean("required").unwrap_or_default();
    let default = fields.raw("default").cloned();
    let value = fields.raw("value").cloned();
    let description = fields.string("description").unwrap_or_default().to_owned();
    let allowed = fields.array("enum").cloned();
    let minimum = fields.number("minimum");
    let maximum = fields.number("maximum");
    if let Some(items) = fields.value("items")
        && let pointer = fields.at("items")
        && let Some(mut inner) = Fields::open(items, &pointer, fields.faults)
    {
        read_type(&mut inner);
        inner.close();
    }
    let items = fields.value("items").cloned();
    let sent_as = fields.word("as", &["url", "data_uri", "base64", "multipart", "upload"]).map(str::to_owned);
    let accept = fields.strings("accept");
    fields.close();
    Some(NodeInput {
        name,
        r#type: value_type?,
        required,
        default,
        value,
        description,
        r#enum: allowed,
        minimum,
        maximum,
        items,
        r#as: sent_as,
        accept,
    })
}

fn read_output(mut fields: Fields<'_, '_>) -> Option<NodeOutput> {
    let name = fields.required_string("name").to_owned();
    let value_type = read_type(&mut fields);
    let default = fields.raw("default").cloned();
    let mapping = fields.string("mapping").unwrap_or_default().to_owned();
    let description = fields.string("description").unwrap_or_default().to_owned();
    let pick = fields.word("pick", &["first", "last", "join", "all"]).map(str::to_owned);
    let decode = fields.word("decode", &["url", "data_uri", "base64", "text"]).map(str::to_owned);
    let mime = fields.string("mime").map(str::to_owned);
    fields.close();
    Some(NodeOutput { name, r#type: value_type?, default, mapping, description, pick, decode, mime })
}
