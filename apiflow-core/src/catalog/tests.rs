mod accepted;
mod credentials;
mod refused;
mod schema;

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;

/// Returns the founding document's own JSON.
fn founding(name: &str) -> Value {
    let text = match name {
        "connector" => include_str!("../../tests/conformance/founding/connector.json"),
        "node" => include_str!("../../tests/conformance/founding/node.json"),
        "node_inputs" => include_str!("../../tests/conformance/founding/node_inputs.json"),
        "node_outputs" => include_str!("../../tests/conformance/founding/node_outputs.json"),
        "template_connector" => include_str!("../../tests/conformance/founding/template_connector.json"),
        "template_node" => include_str!("../../tests/conformance/founding/template_node.json"),
        _ => panic!("there is no {name}"),
    };
    serde_json::from_str(text).expect("the founding documents are JSON")
}

fn connector() -> Value {
    json!({"id": "c", "name": "C", "base_url": "https://api.example.com/v1"})
}

fn node() -> Value {
    json!({"id": "n", "name": "N", "connector_id": "c"})
}

/// Replaces top-level fields of a document.
fn with(mut document: Value, changes: &Value) -> Value {
    let fields = document.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    document
}

/// Formats faults as `pointer code: message; help`.
fn shown(faults: &[Diagnostic]) -> Vec<String> {
    faults
        .iter()
        .map(|fault| {
            let help = fault.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("{} {}: {}{help}", fault.pointer, fault.code, fault.message)
        })
        .collect()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}
