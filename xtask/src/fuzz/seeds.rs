//! What cases are made from: the documents of the tests and of the examples.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Result, root};

/// Texts and documents that are right, or wrong in a known way.
#[derive(Default)]
pub(super) struct Seeds {
    /// Objects of a `document` and the `catalog` that it refers to.
    pub(super) workflows: Vec<Value>,
    /// Connectors and nodes.
    pub(super) declarations: Vec<Value>,
    /// Expressions.
    pub(super) expressions: Vec<String>,
    /// Inline code.
    pub(super) codes: Vec<String>,
}

/// All of them, in an order that does not change.
pub(super) fn all() -> Result<Seeds> {
    let conformance = root().join("apiflow-core/tests/conformance");
    let mut seeds = Seeds::default();
    for case in list(&conformance.join("validate_cases.json"))? {
        seeds.workflow(case["document"].clone(), case["catalog"].clone());
    }
    for case in list(&conformance.join("openflow_cases.json"))? {
        seeds.workflow(case["flow"].clone(), json!({}));
    }
    for folder in [conformance.join("founding"), root().join("examples/documents")] {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
            seeds.declaration(json(file)?);
        }
    }
    seeds.codes.push("export async function main(a: string, b = 1) {\n  return `${a} ${b}`\n}".to_owned());
    seeds
        .codes
        .push("type T<K> = {[k in keyof K]?: Array<T<K>>}\nfunction main(x: T<string>) { return x! }".to_owned());
    if seeds.workflows.len() < 200 || seeds.expressions.len() < 50 || seeds.declarations.len() < 4 {
        return Err("the documents to begin with are not where they were".to_owned());
    }
    Ok(seeds)
}

impl Seeds {
    fn workflow(&mut self, document: Value, catalog: Value) {
        self.gather(&document);
        self.workflows.push(json!({"document": document, "catalog": catalog}));
    }

    fn declaration(&mut self, value: Value) {
        match value.get("nodes") {
            Some(document) => self.workflow(document.clone(), json!({})),
            None => self.declarations.push(value),
        }
    }

    /// Adds the expressions and the code of a document.
    fn gather(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match (name.as_str(), field) {
                        ("expr" | "skip_expr", Value::String(text)) => self.expressions.push(text.clone()),
                        ("content", Value::String(text)) => self.codes.push(text.clone()),
                        (_, field) => self.gather(field),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn json(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", file.display()))
}

fn list(file: &Path) -> Result<Vec<Value>> {
    match json(file)? {
        Value::Array(items) => Ok(items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(format!("{} is no list", file.display()))
        }
    }
}
