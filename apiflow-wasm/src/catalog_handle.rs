//! A catalog that stays in WebAssembly, so that it is read once and not for each check.

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::layout::{Layout, LayoutOptions, layout_parsed};
use apiflow_core::openflow::parse_leniently;
use apiflow_core::validate::{complete_expression, validate_parsed, validate_workflow};
use serde::Serialize;
use serde_json::{Map, Value};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{read_catalog, read_json, write_json};

/// The connectors, nodes and workflows that documents may refer to, and the checks that look them up.
///
/// All texts are JSON. `pointer` is the JSON Pointer of the OpenFlow document within a text; pointers in results are
/// relative to that document.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CatalogHandle {
    catalog: Catalog,
}

/// The findings and the layout of one text.
#[derive(Serialize)]
struct CheckedWorkflow {
    diagnostics: Vec<Diagnostic>,
    layout: Option<Layout>,
}

#[wasm_bindgen]
impl CatalogHandle {
    /// Reads a catalog: an object of `connectors`, `nodes` and `workflows` by id.
    ///
    /// # Errors
    /// The message of why it can't be read.
    #[wasm_bindgen(constructor)]
    pub fn new(catalog: &str) -> Result<Self, String> {
        Self::read(catalog).map_err(|fault| fault.message)
    }

    /// Adds or replaces a document; `kind` is `connectors`, `nodes` or `workflows`.
    ///
    /// # Errors
    /// The message of why it can't be read; the catalog is unchanged.
    pub fn set_document(&mut self, kind: &str, id: &str, document: &str) -> Result<(), String> {
        let document = read_json(document, "document").map_err(|fault| fault.message)?;
        let alone = Map::from_iter([(kind.to_owned(), Value::Object(Map::from_iter([(id.to_owned(), document)])))]);
        let added = read_catalog(&write_json(&alone)).map_err(|fault| fault.message)?;
        self.catalog.connectors.extend(added.connectors);
        self.catalog.nodes.extend(added.nodes);
        self.catalog.workflows.extend(added.workflows);
        Ok(())
    }

    /// Removes a document, if it exists.
    pub fn remove_document(&mut self, kind: &str, id: &str) {
        match kind {
            "connectors" => drop(self.catalog.connectors.remove(id)),
            "nodes" => drop(self.catalog.nodes.remove(id)),
            _ => drop(self.catalog.workflows.remove(id)),
        }
    }

    /// Validates a workflow; returns a JSON array of diagnostics.
    #[must_use]
    pub fn validate(&self, text: &str, pointer: &str) -> String {
        write_json(&read_part(text, pointer).map_or_else(|fault| vec![*fault], |flow| self.validate_flow(&flow)))
    }

    /// Validates a workflow and lays it out; returns a JSON object of `diagnostics` and `layout`.
    #[must_use]
    pub fn check(&self, text: &str, pointer: &str) -> String {
        write_json(&match read_part(text, pointer) {
            Ok(flow) => {
                let reading = parse_leniently(&flow);
                let layout = Some(layout_parsed(&reading, &LayoutOptions::default()));
                CheckedWorkflow { diagnostics: validate_parsed(&flow, reading, &self.catalog), layout }
            }
            Err(fault) => CheckedWorkflow { diagnostics: vec![*fault], layout: None },
        })
    }

    /// Completes an expression of a workflow. `expression` is its JSON Pointer within the OpenFlow document, `before` its
    /// text before the cursor. Returns a JSON object of `replaced`, the number of UTF-16 units before the cursor that a
    /// completion replaces, and `options`: `label`, `insert`, `kind`, `type` and `description` of each.
    #[must_use]
    pub fn complete(&self, text: &str, pointer: &str, expression: &str, before: &str) -> String {
        let flow = read_part(text, pointer).unwrap_or_default();
        write_json(&complete_expression(&flow, &self.catalog, expression, before))
    }
}

impl CatalogHandle {
    pub(crate) fn read(catalog: &str) -> Result<Self, Box<Diagnostic>> {
        read_catalog(catalog).map(|catalog| Self { catalog })
    }

    fn validate_flow(&self, flow: &Value) -> Vec<Diagnostic> {
        validate_workflow(flow, &self.catalog)
    }
}

/// Reads the part of a text at a JSON Pointer; a missing part is null.
fn read_part(text: &str, pointer: &str) -> Result<Value, Box<Diagnostic>> {
    let mut whole = read_json(text, "workflow")?;
    Ok(whole.pointer_mut(pointer).map(Value::take).unwrap_or_default())
}
