//! The core in the browser: takes and returns JSON strings, and has no logic of its own.

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::{Diagnostic, codes};
use apiflow_core::layout::LayoutOptions;
use apiflow_core::{layout as layouts, validate as validator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::wasm_bindgen;

/// Validates a workflow; returns a JSON array of diagnostics.
///
/// `workflow` is an OpenFlow document, `catalog` an object of `connectors`, `nodes` and `workflows` by id; both are
/// JSON strings. A string that is not JSON, or a catalog of another shape, is reported as a diagnostic too.
#[wasm_bindgen]
#[must_use]
pub fn validate(workflow: &str, catalog: &str) -> String {
    let checked = read_json(workflow, "workflow").and_then(|document| {
        let catalog: Catalog = read_json(catalog, "catalog")?;
        Ok(validator::validate_workflow(&document, &catalog))
    });
    write_json(&checked.unwrap_or_else(|fault| vec![*fault]))
}

/// Lays out the steps of a workflow; returns a JSON object of `nodes` and `edges`, or `null` if a string is not JSON.
///
/// `options` is an object with `direction` (`down` or `right`) and `aspect` (width divided by height), both optional.
#[wasm_bindgen]
#[must_use]
pub fn layout(workflow: &str, options: &str) -> String {
    let drawn = read_json(workflow, "workflow").and_then(|document| {
        let options: LayoutOptions = read_json(options, "options")?;
        Ok(layouts::layout_document(&document, &options))
    });
    write_json(&drawn.ok())
}

/// Returns the version of the core.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn read_json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Box<Diagnostic>> {
    serde_json::from_str(text).map_err(|error| {
        Box::new(Diagnostic::new_error(codes::MALFORMED_JSON, "", format!("the {what} cannot be read: {error}")))
    })
}

fn write_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("diagnostics and layouts are plain data")
}
