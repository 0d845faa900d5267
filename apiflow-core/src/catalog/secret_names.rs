//! Secret references in declarations.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Connector, Node};
use crate::template::{Root, TemplateCompiler};

impl Connector {
    /// Returns the names of all secrets that the connector's templates refer to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        let mut names = secrets_of_headers(&self.header);
        if let Some(body) = &self.body {
            gather_names(body, &mut names);
        }
        names.extend(secrets_of_data(self.data.as_ref()));
        names
    }
}

impl Node {
    /// Returns the names of all secrets that the node's templates refer to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        secrets_of_data(self.data.as_ref())
    }
}

fn secrets_of_headers(headers: &Map<String, Value>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    headers.values().for_each(|value| gather_names(value, &mut names));
    names
}

/// Returns the secrets in those keys of `data` that are templates; a `$` elsewhere (a price's currency sign) refers to
/// no secret.
fn secrets_of_data(data: Option<&Map<String, Value>>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for key in ["path", "query", "header", "body", "auth"] {
        if let Some(value) = data.and_then(|data| data.get(key)) {
            gather_names(value, &mut names);
        }
    }
    let operation = data.and_then(|data| data.get("operation"));
    for key in ["ack", "hold"] {
        if let Some(value) = operation.and_then(|operation| operation.get(key)?.get("header")) {
            gather_names(value, &mut names);
        }
    }
    names
}

fn gather_names(value: &Value, names: &mut BTreeSet<String>) {
    let template = TemplateCompiler { roots: &Root::ALL, diagnostics: &mut Vec::new() }.compile_value(value, "");
    template.each_text(&mut |text| names.extend(text.secret_names().map(str::to_owned)));
}
