//! Secrets that a step's connector and node need.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::checker::Checker;
use super::codes;
use crate::catalog::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::openflow::Place;

/// The keys of `data` that hold templates.
const TEMPLATES: [&str; 5] = ["auth", "body", "header", "path", "query"];

impl Checker<'_> {
    /// Points out each secret that is not set at the first step that needs it.
    pub(super) fn secrets(&mut self, connector: &Connector, node: &Node, place: &Place<'_>) {
        let Some(set) = &self.catalog.secrets else {
            return;
        };
        for name in needed(connector, node) {
            if !set.contains(&name) && self.missing_secrets.insert(name.clone()) {
                let message = format!("the secret `{name}` that connector `{}` needs is not set", connector.id);
                let found = Diagnostic::error(codes::UNRESOLVED_SECRET, place.pointer(), message);
                self.push(found.help("an admin sets it, or lists it among the secrets from the environment"));
            }
        }
    }
}

/// Names of the secrets that the templates of a connector and a node refer to.
fn needed(connector: &Connector, node: &Node) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    connector.header.values().for_each(|value| collect(value, &mut names));
    connector.body.iter().for_each(|value| collect(value, &mut names));
    let data: [Option<&Map<String, Value>>; 2] = [connector.data.as_ref(), node.data.as_ref()];
    for data in data.into_iter().flatten() {
        let templates = TEMPLATES.iter().filter_map(|key| data.get(*key));
        templates.for_each(|value| collect(value, &mut names));
    }
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => in_text(text, names),
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(map) => map.values().for_each(|item| collect(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `$NAME` is a reference, `$$` a dollar sign.
fn in_text(text: &str, names: &mut BTreeSet<String>) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        let end =
            rest.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).unwrap_or(rest.len());
        if rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            names.insert(rest[..end].to_owned());
        } else if rest.starts_with('$') {
            rest = &rest[1..];
        }
    }
}
