//! The documents of the tests and of the examples, from which cases are made.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Result, workspace_root};

/// Documents and expressions that are correct, or wrong in a known way.
#[derive(Default)]
pub(super) struct Seeds {
    /// Objects of a `document` and the `catalog` that it refers to.
    pub(super) workflows: Vec<Value>,
    /// Connectors and nodes.
    pub(super) declarations: Vec<Value>,
    /// Expressions of all documents.
    pub(super) expressions: Vec<String>,
    /// Inline code of all documents.
    pub(super) codes: Vec<String>,
}

/// Reads all seeds, always in the same order.
pub(super) fn read_seeds() -> Result<Seeds> {
    let conformance = workspace_root().join("apiflow-core/tests/conformance");
    let mut seeds = Seeds::default();
    for case in read_list(&conformance.join("validate_cases.json"))? {
        seeds.add_workflow(case["document"].clone(), case["catalog"].clone());
    }
    for case in read_list(&conformance.join("openflow_cases.json"))? {
        seeds.add_workflow(case["flow"].clone(), json!({}));
    }
    for folder in [conformance.join("founding"), workspace_root().join("examples/documents")] {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{} can't be read: {error}", folder.display()))?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
            seeds.add_declaration(read_json(file)?);
        }
    }
    seeds.codes.push("export async function main(a: string, b = 1) {\n  return `${a} ${b}`\n}".to_owned());
    seeds
        .codes
        .push("type T<K> = {[k in keyof K]?: Array<T<K>>}\nfunction main(x: T<string>) { return x! }".to_owned());
    if seeds.workflows.len() < 200 || seeds.expressions.len() < 50 || seeds.declarations.len() < 4 {
        return Err("there are too few seeds: did the tests' documents move?".to_owned());
    }
    Ok(seeds)
}

impl Seeds {
    fn add_workflow(&mut self, document: Value, catalog: Value) {
        self.add_code(&document);
        self.workflows.push(json!({"document": document, "catalog": catalog}));
    }

    fn add_declaration(&mut self, value: Value) {
        match value.get("nodes") {
            Some(document) => self.add_workflow(document.clone(), json!({})),
            None => self.declarations.push(value),
        }
    }

    /// Adds the expressions and the code of a document.
    fn add_code(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match (name.as_str(), field) {
                        ("expr" | "skip_expr", Value::String(text)) => self.expressions.push(text.clone()),
                        ("content", Value::String(text)) => self.codes.push(text.clone()),
                        (_, field) => self.add_code(field),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_code(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn read_json(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).map_err(|error| format!("{} can't be read: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", file.display()))
}

fn read_list(file: &Path) -> Result<Vec<Value>> {
    match read_json(file)? {
        Value::Array(items) => Ok(items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(format!("{} is not a list", file.display()))
        }
    }
}
