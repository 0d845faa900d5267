//! The core in the browser: a skin that takes and gives JSON texts, and has no logic of its own.

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::layout::LayoutOptions;
use apiflow_core::{layout as layouts, validate as validator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::wasm_bindgen;

/// The findings about a workflow, as a JSON array of diagnostics.
///
/// `workflow` is an OpenFlow document, `catalog` an object of `connectors`, `nodes` and `workflows` by id; both are
/// JSON texts. A text that is not JSON, or a catalog of another form, is a finding too.
#[wasm_bindgen]
#[must_use]
pub fn validate(workflow: &str, catalog: &str) -> String {
    let checked = read(workflow, "workflow").and_then(|document| {
        let catalog: Catalog = read(catalog, "catalog")?;
        Ok(validator::workflow(&document, &catalog))
    });
    write(&checked.unwrap_or_else(|fault| vec![*fault]))
}

/// Where the steps of a workflow are drawn, as a JSON object of `nodes` and `edges`; `null` where a text is not JSON.
///
/// `options` is an object with `direction` (`down` or `right`) and `aspect` (width divided by height), both optional.
#[wasm_bindgen]
#[must_use]
pub fn layout(workflow: &str, options: &str) -> String {
    let drawn = read(workflow, "workflow").and_then(|document| {
        let options: LayoutOptions = read(options, "options")?;
        Ok(layouts::layout(&document, &options))
    });
    write(&drawn.ok())
}

/// The version of the core.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Box<Diagnostic>> {
    serde_json::from_str(text).map_err(|error| {
        Box::new(Diagnostic::error("malformed-json", "", format!("the {what} cannot be read: {error}")))
    })
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("diagnostics and layouts are plain data")
}
