//! Parses connectors and nodes, reporting all faults in one pass.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::data_schema::{Owner, parse_data};
use super::{Connector, Node, NodeInput, NodeOutput, ValueType};
use crate::declarations::headers::{read_headers, read_method};
use crate::diagnostic::{Diagnostic, codes};
use crate::json::Fields;
use crate::json::pointer_push;
use crate::json::{ID_RULE, is_valid_id};
use crate::url;

/// Ids that connectors cannot have, because paths of modules begin with them.
const RESERVED: [&str; 3] = ["node", "workflow", "connector"];

/// Parses a connector. `created_at` and `updated_at` are ignored; a missing `id` becomes an empty string, which the
/// caller replaces.
///
/// # Errors
/// Every fault for which saving is refused.
pub fn parse_connector(value: &Value) -> Result<Connector, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let connector = Fields::open(value, "", &mut faults).map(read_connector);
    match connector {
        Some(connector) if faults.is_empty() => Ok(connector),
        Some(_) | None => Err(faults),
    }
}

/// Parses a node. `created_at` and `updated_at` are ignored; a missing `id` becomes an empty string, which the caller
/// replaces.
///
/// # Errors
/// Every fault for which saving is refused.
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
        fields.note_fault(codes::RESERVED_ID, "id", format!("the id `{id}` is reserved: module paths begin with it"));
    }
    let name = fields.required_string("name").to_owned();
    let base_url = fields.required_string("base_url").to_owned();
    if !base_url.is_empty()
        && let Err(reason) = url::check_base(&base_url)
    {
        fields.note_fault(codes::BAD_URL, "base_url", format!("`base_url` {reason}"));
    }
    let method = read_method(&mut fields, "method").unwrap_or_else(|| "POST".to_owned());
    let header = read_headers(&mut fields, "header", false).cloned().unwrap_or_default();
    let body = fields.read_value("body").cloned();
    let data = read_data(&mut fields, Owner::Connector);
    ignore_times(fields);
    Connector { id, name, base_url, method, header, body, data, own_secrets: BTreeMap::new() }
}

fn read_node(mut fields: Fields<'_, '_>) -> Node {
    let id = read_id(&mut fields, "id").unwrap_or_default();
    let name = fields.required_string("name").to_owned();
    let description = fields.read_string("description").unwrap_or_default().to_owned();
    let connector_id = match fields.read_value("connector_id") {
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
    fields.read_raw("created_at");
    fields.read_raw("updated_at");
    fields.close();
}

fn read_id(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    let id = fields.read_string(key)?;
    if !is_valid_id(id) {
        fields.note_fault(codes::BAD_ID, key, format!("`{key}` {ID_RULE}"));
    }
    Some(id.to_owned())
}

fn read_data(fields: &mut Fields<'_, '_>, owner: Owner) -> Option<Map<String, Value>> {
    let data = fields.read_value("data")?;
    parse_data(data, "/data", owner, fields.sink);
    data.as_object().cloned()
}

fn read_items<T>(fields: &mut Fields<'_, '_>, key: &'static str, read: impl Fn(Fields<'_, '_>) -> Option<T>) -> Vec<T> {
    let pointer = fields.pointer_of(key);
    let items = fields.read_array(key).map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            Fields::open(item, &pointer_push(&pointer, &index.to_string()), fields.sink).and_then(&read)
        })
        .collect()
}

fn read_type(fields: &mut Fields<'_, '_>) -> Option<ValueType> {
    if fields.read_value("type").is_none() {
        fields.note_fault(codes::MISSING_FIELD, "type", "`type` is missing");
        return None;
    }
    let word = fields.read_word("type", &ValueType::NAMES.map(|(word, _)| word))?;
    ValueType::from_word(word)
}

fn read_input(mut fields: Fields<'_, '_>) -> Option<NodeInput> {
    let name = fields.required_string("name").to_owned();
    let value_type = read_type(&mut fields);
    let required = fields.read_bool("required").unwrap_or_default();
    let default = fields.read_raw("default").cloned();
    let value = fields.read_raw("value").cloned();
    let description = fields.read_string("description").unwrap_or_default().to_owned();
    let allowed = fields.read_array("enum").cloned();
    let minimum = fields.read_number("minimum");
    let maximum = fields.read_number("maximum");
    if let Some(items) = fields.read_value("items")
        && let pointer = fields.pointer_of("items")
        && let Some(mut inner) = Fields::open(items, &pointer, fields.sink)
    {
        read_type(&mut inner);
        inner.close();
    }
    let items = fields.read_value("items").cloned();
    let sent_as = fields.read_word("as", &["url", "data_uri", "base64", "multipart", "upload"]).map(str::to_owned);
    let accept = fields.read_strings("accept");
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
    let default = fields.read_raw("default").cloned();
    let mapping = fields.read_string("mapping").unwrap_or_default().to_owned();
    let description = fields.read_string("description").unwrap_or_default().to_owned();
    let pick = fields.read_word("pick", &["first", "last", "join", "all"]).map(str::to_owned);
    let decode = fields.read_word("decode", &["url", "data_uri", "base64", "text"]).map(str::to_owned);
    let link = fields.read_string("link").map(str::to_owned);
    let link_lifetime_s = fields.number_from("link_lifetime_s", 1.0);
    let mime = fields.read_string("mime").map(str::to_owned);
    fields.close();
    let r#type = value_type?;
    Some(NodeOutput { name, r#type, default, mapping, description, pick, decode, link, link_lifetime_s, mime })
}
