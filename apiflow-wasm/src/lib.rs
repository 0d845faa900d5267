//! The core in the browser: takes and returns JSON strings, and has no logic of its own.

mod catalog_handle;

pub use catalog_handle::CatalogHandle;

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::{Diagnostic, codes};
use apiflow_core::layout as layouts;
use apiflow_core::layout::LayoutOptions;
use serde::Serialize;
use serde_json::Value;
use wasm_bindgen::prelude::wasm_bindgen;

/// Validates a workflow once; returns a JSON array of diagnostics. Checks of many texts use a [`CatalogHandle`].
///
/// `workflow` is an OpenFlow document, `catalog` an object of `connectors`, `nodes` and `workflows` by id; both are
/// JSON strings. A string that is not JSON, or a catalog of another shape, is reported as a diagnostic too.
#[wasm_bindgen]
#[must_use]
pub fn validate(workflow: &str, catalog: &str) -> String {
    match CatalogHandle::read(catalog) {
        Ok(handle) => handle.validate(workflow, ""),
        Err(fault) => write_json(&[*fault]),
    }
}

/// Lays out the steps of a workflow; returns a JSON object of `nodes` and `edges`, or `null` if a string is not JSON.
///
/// `options` is an object with `direction` (`down` or `right`) and `aspect` (width divided by height), both optional.
#[wasm_bindgen]
#[must_use]
pub fn layout(workflow: &str, options: &str) -> String {
    let document = read_json(workflow, "workflow").ok();
    let options = read_json(options, "options").ok().and_then(|options| LayoutOptions::from_json(&options));
    write_json(&document.zip(options).map(|(document, options)| layouts::layout_document(&document, &options)))
}

/// Returns the version of the core.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn read_catalog(catalog: &str) -> Result<Catalog, Box<Diagnostic>> {
    let catalog = read_json(catalog, "catalog")?;
    Catalog::from_json(&catalog).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect();
        let message = format!("the catalog cannot be read: {}", faults.join("; "));
        Box::new(Diagnostic::new_error(codes::MALFORMED_JSON, "", message))
    })
}

fn read_json(text: &str, what: &str) -> Result<Value, Box<Diagnostic>> {
    serde_json::from_str(text).map_err(|error| {
        Box::new(Diagnostic::new_error(codes::MALFORMED_JSON, "", format!("the {what} cannot be read: {error}")))
    })
}

fn write_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("diagnostics, layouts and completions are plain data")
}
