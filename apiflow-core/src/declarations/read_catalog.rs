//! Reads a catalog as the API and other programs write it: fields that are not known are ignored.
//!
//! Without serde's derived code, which would be a tenth of the page's WebAssembly.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Catalog, Connector, Node, NodeInput, NodeOutput};
use crate::diagnostic::{Diagnostic, codes};
use crate::json::{Fields, pointer_push};
use crate::value_type::ValueType;

impl Catalog {
    /// Reads `{"connectors", "nodes", "workflows", "secrets"}`, all optional. The declarations were checked when they were
    /// saved: only what cannot be represented is refused.
    ///
    /// # Errors
    /// Every field of a wrong type, and every missing one, with its pointer.
    pub fn from_json(value: &Value) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Vec::new();
        let mut catalog = Self::default();
        if let Some(mut fields) = Fields::open(value, "", &mut faults) {
            catalog.connectors = read_all(&mut fields, "connectors", read_connector);
            catalog.nodes = read_all(&mut fields, "nodes", read_node);
            let workflows = fields.read_object("workflows").into_iter().flatten();
            catalog.workflows = workflows.map(|(id, document)| (id.clone(), document.clone())).collect();
            catalog.secrets = fields.read_strings("secrets").map(|names| names.into_iter().collect());
        }
        if faults.is_empty() { Ok(catalog) } else { Err(faults) }
    }
}

fn read_all<T>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    read: fn(&mut Fields<'_, '_>) -> T,
) -> BTreeMap<String, T> {
    let pointer = fields.pointer_of(key);
    let mut all = BTreeMap::new();
    for (id, declaration) in fields.read_object(key).into_iter().flatten() {
        if let Some(mut inner) = Fields::open(declaration, &pointer_push(&pointer, id), fields.sink) {
            all.insert(id.clone(), read(&mut inner));
        }
    }
    all
}

fn read_connector(fields: &mut Fields<'_, '_>) -> Connector {
    Connector {
        id: required_text(fields, "id"),
        name: required_text(fields, "name"),
        base_url: required_text(fields, "base_url"),
        method: required_text(fields, "method"),
        header: fields.read_object("header").cloned().unwrap_or_default(),
        body: fields.read_value("body").cloned(),
        data: fields.read_object("data").cloned(),
        own_secrets: read_owners(fields),
    }
}

fn read_node(fields: &mut Fields<'_, '_>) -> Node {
    Node {
        id: required_text(fields, "id"),
        name: required_text(fields, "name"),
        description: text(fields, "description").unwrap_or_default(),
        connector_id: required_text(fields, "connector_id"),
        input: read_list(fields, "input", read_input),
        output: read_list(fields, "output", read_output),
        data: fields.read_object("data").cloned(),
        own_secrets: read_owners(fields),
    }
}

fn read_list<T>(fields: &mut Fields<'_, '_>, key: &'static str, read: fn(&mut Fields<'_, '_>) -> T) -> Vec<T> {
    let pointer = fields.pointer_of(key);
    let mut all = Vec::new();
    for (index, item) in fields.read_array(key).into_iter().flatten().enumerate() {
        if let Some(mut inner) = Fields::open(item, &pointer_push(&pointer, &index.to_string()), fields.sink) {
            all.push(read(&mut inner));
        }
    }
    all
}

fn read_input(fields: &mut Fields<'_, '_>) -> NodeInput {
    NodeInput {
        name: required_text(fields, "name"),
        r#type: read_type(fields),
        required: fields.read_bool("required").unwrap_or_default(),
        default: fields.read_raw("default").cloned(),
        value: fields.read_raw("value").cloned(),
        description: text(fields, "description").unwrap_or_default(),
        r#enum: fields.read_array("enum").cloned(),
        minimum: fields.read_number("minimum"),
        maximum: fields.read_number("maximum"),
        items: fields.read_value("items").cloned(),
        r#as: text(fields, "as"),
        accept: fields.read_strings("accept"),
    }
}

fn read_output(fields: &mut Fields<'_, '_>) -> NodeOutput {
    NodeOutput {
        name: required_text(fields, "name"),
        r#type: read_type(fields),
        default: fields.read_raw("default").cloned(),
        mapping: text(fields, "mapping").unwrap_or_default(),
        description: text(fields, "description").unwrap_or_default(),
        pick: text(fields, "pick"),
        decode: text(fields, "decode"),
        link: text(fields, "link"),
        link_lifetime_s: fields.read_number("link_lifetime_s"),
        mime: text(fields, "mime"),
    }
}

fn read_type(fields: &mut Fields<'_, '_>) -> ValueType {
    let word = required_text(fields, "type");
    let found = ValueType::from_word(&word);
    if found.is_none() && !word.is_empty() {
        fields.note_fault(codes::BAD_VALUE, "type", format!("`type` cannot be `{word}`"));
    }
    found.unwrap_or(ValueType::String)
}

fn read_owners(fields: &mut Fields<'_, '_>) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for (name, owner) in fields.read_object("own_secrets").into_iter().flatten() {
        if let Some(owner) = owner.as_str() {
            owners.insert(name.clone(), owner.to_owned());
        }
    }
    owners
}

fn text(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    fields.read_string(key).map(str::to_owned)
}

/// Reads a string that must be there, but may be empty.
fn required_text(fields: &mut Fields<'_, '_>, key: &'static str) -> String {
    if fields.read_value(key).is_none() {
        fields.note_fault(codes::MISSING_FIELD, key, format!("`{key}` is missing"));
    }
    text(fields, key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let catalog = json!({
            "connectors": {"c": {
                "id": "c", "name": "C", "base_url": "https://a.example", "method": "POST", "header": {"A": "$KEY"},
                "body": null, "data": {"limits": {}}, "own_secrets": {"KEY": "u1"}, "created_at": "2026", "diagnostics": [],
            }},
            "nodes": {"n": {
                "id": "n", "name": "N", "description": "d", "connector_id": "c",
                "input": [
                    {"name": "a", "type": "image", "required": true, "default": null, "enum": [1], "minimum": 1.5,
                        "maximum": 2, "items": {"type": "string"}, "as": "url", "accept": ["image/*"], "description": "x"},
                    {"name": "b", "type": "string", "value": null},
                ],
                "output": [{"name": "o", "type": "array", "default": 1, "mapping": "x[0]", "pick": "all", "decode": "url",
                    "link": "/x", "link_lifetime_s": 60, "mime": "image/png"}],
            }},
            "workflows": {"w": {"value": {"modules": []}}}, "secrets": ["KEY"],
        });
        for value in [catalog, json!({}), json!({"nodes": {}, "secrets": null})] {
            let derived: Catalog = serde_json::from_value(value.clone()).expect("serde reads it");
            assert_eq!(Catalog::from_json(&value), Ok(derived.clone()));
            let written = serde_json::to_value(&derived).expect("it is plain data");
            assert_eq!(Catalog::from_json(&written), Ok(derived));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = json!({"connectors": {"a/b": {"id": 1}}, "nodes": {"n": {"id": "n", "name": "N", "connector_id": "c",
            "input": [{"name": "x", "type": "text"}, 5]}}, "workflows": []});
        let found = Catalog::from_json(&wrong).expect_err("it is wrong");
        let places: Vec<&str> = found.iter().map(|fault| fault.pointer.as_str()).collect();
        let connector = "/connectors/a~1b";
        let expected = [
            format!("{connector}/id"),
            format!("{connector}/name"),
            format!("{connector}/base_url"),
            format!("{connector}/method"),
            "/nodes/n/input/0/type".to_owned(),
            "/nodes/n/input/1".to_owned(),
            "/workflows".to_owned(),
        ];
        assert_eq!(places, expected);
    }
}
