//! The checks of connectors and nodes in the browser: a module of its own, because only their forms need it.

use apiflow_core::catalog::{self, Catalog};
use apiflow_core::diagnostic::{Diagnostic, codes};
use serde_json::Value;
use wasm_bindgen::prelude::wasm_bindgen;

/// Checks a connector as the server does when it is saved; takes JSON, returns a JSON array of diagnostics.
#[wasm_bindgen]
#[must_use]
pub fn validate_connector(connector: &str) -> String {
    write_json(read_json(connector).map_or_else(|fault| vec![*fault], |value| catalog::validate_connector(&value)))
}

/// Checks a node and its call as the server does when it is saved; returns a JSON array of diagnostics.
///
/// `catalog` is an object with the `connectors` by id; both are JSON strings.
#[wasm_bindgen]
#[must_use]
pub fn validate_node(node: &str, catalog: &str) -> String {
    write_json(find_node_faults(node, catalog).unwrap_or_else(|fault| vec![*fault]))
}

fn find_node_faults(node: &str, catalog: &str) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
    let (node, catalog) = (read_json(node)?, read_json(catalog)?);
    let catalog = Catalog::from_json(&catalog).map_err(|mut faults| Box::new(faults.swap_remove(0)))?;
    Ok(catalog::validate_node(&node, &catalog))
}

fn read_json(text: &str) -> Result<Value, Box<Diagnostic>> {
    serde_json::from_str(text)
        .map_err(|error| Box::new(Diagnostic::new_error(codes::MALFORMED_JSON, "", format!("not valid JSON: {error}"))))
}

fn write_json(diagnostics: Vec<Diagnostic>) -> String {
    serde_json::to_string(&diagnostics).expect("diagnostics are plain data")
}
