//! A step that calls a node: the path, and what the node is given.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::checker::Checker;
use super::{codes, suggest};
use crate::catalog::{Node, NodeInput};
use crate::diagnostic::{Diagnostic, Fix};
use crate::openflow::{InputTransform, Place, Script};

/// Owners in paths of Windmill's own scripts.
const WINDMILL: [&str; 4] = ["u", "f", "g", "hub"];

impl<'a> Checker<'a> {
    pub(super) fn script(&mut self, script: &'a Script, place: &Place<'_>) {
        let catalog = self.catalog;
        let Some(node) = catalog.node_at(&script.path) else {
            self.unknown_node(&script.path, &place.key("path"));
            return;
        };
        match catalog.connectors.get(&node.connector_id) {
            Some(connector) => self.secrets(connector, node, &place.key("path")),
            None => {
                let message = format!(
                    "node `{}` goes through the connector `{}`, which does not exist",
                    node.id, node.connector_id
                );
                let near = suggest::nearest(&node.connector_id, catalog.connectors.keys().map(String::as_str));
                let mut found = Diagnostic::error(codes::UNKNOWN_CONNECTOR, place.key("path").pointer(), message);
                if let Some(near) = near {
                    found = found.help(suggest::did_you_mean(near));
                }
                self.push(found);
            }
        }
        if !node.input.is_empty() {
            self.given(&script.input_transforms, node, place);
        }
    }

    /// Compares what is given with what the node declares.
    fn given(&mut self, given: &'a BTreeMap<String, InputTransform>, node: &'a Node, place: &Place<'_>) {
        let holder = place.key(self.inputs_key(place));
        let declared: BTreeMap<&str, &NodeInput> =
            node.input.iter().map(|input| (input.name.as_str(), input)).collect();
        for input in declared.values().filter(|input| needs_giving(input) && !given.contains_key(&input.name)) {
            let message = format!("the required input `{}` of node `{}` is missing", input.name, node.id);
            self.push(Diagnostic::error(codes::MISSING_INPUT, place.pointer(), message));
        }
        for (name, transform) in given {
            let at = holder.key(name);
            let Some(input) = declared.get(name.as_str()) else {
                let free = declared.keys().copied().filter(|known| !given.contains_key(*known));
                let near = suggest::nearest(name, free);
                self.unknown_input(name, near, node, &holder);
                continue;
            };
            let InputTransform::Static { value, .. } = transform else {
                continue;
            };
            if !value.is_null() {
                self.constant(input, value, &at.key("value"));
            } else if input.required {
                let message = format!("the required input `{name}` of node `{}` is null", node.id);
                self.push(Diagnostic::error(codes::MISSING_INPUT, at.pointer(), message));
            }
        }
    }

    fn unknown_input(&mut self, name: &str, near: Option<&str>, node: &Node, holder: &Place<'_>) {
        let message = format!("node `{}` has no input `{name}`", node.id);
        let mut found = Diagnostic::error(codes::UNKNOWN_INPUT, holder.key(name).pointer(), message);
        let names = node.input.iter().map(|input| input.name.as_str());
        found = found.help(match near {
            Some(near) => suggest::did_you_mean(near),
            None => format!("its inputs are {}", suggest::listed(names)),
        });
        let pointer = holder.pointer();
        if let (Some(near), Some(Value::Object(inputs))) = (near, self.document.pointer(&pointer)) {
            let renamed: Map<String, Value> = inputs
                .iter()
                .map(|(key, value)| (if key == name { near } else { key }.to_owned(), value.clone()))
                .collect();
            found.fix = Some(Fix { label: format!("rename to `{near}`"), pointer, value: Value::Object(renamed) });
        }
        self.push(found);
    }

    fn unknown_node(&mut self, path: &str, place: &Place<'_>) {
        let catalog = self.catalog;
        let connectors = || catalog.connectors.keys().map(String::as_str);
        let nodes = || catalog.nodes.keys().map(String::as_str);
        let pointer = place.pointer();
        let (owner, id) = path.split_once('/').unwrap_or(("", path));
        if let Some(node) = catalog.nodes.get(id).or_else(|| catalog.nodes.get(path)) {
            let message = match owner {
                "" => format!("`{path}` is no path: a node's begins with `node/`, or with its connector's id"),
                owner => format!("the connector of node `{}` is `{}`, not `{owner}`", node.id, node.connector_id),
            };
            let mend = format!("node/{}", node.id);
            return self.push(renamed(Diagnostic::error(codes::UNKNOWN_NODE, pointer, message), &mend));
        }
        let known_owner =
            ["", "node", "connector", "workflow"].contains(&owner) || catalog.connectors.contains_key(owner);
        if !known_owner && !WINDMILL.contains(&owner) && !id.is_empty() {
            let message = format!("there is no connector `{owner}`");
            let found = Diagnostic::error(codes::UNKNOWN_CONNECTOR, pointer, message);
            return self.push(match suggest::nearest(owner, connectors().chain(["node"])) {
                Some(near) => found.help(suggest::did_you_mean(&format!("{near}/{id}"))),
                None => found.help("a node's path is `node/<id>`, or `<connector>/<id>`"),
            });
        }
        let message = format!("`{path}` names no node");
        let found = Diagnostic::error(codes::UNKNOWN_NODE, pointer, message);
        self.push(match suggest::nearest(id, nodes()) {
            _ if owner == "workflow" => found.help("a module that runs a workflow has the type `flow`"),
            _ if WINDMILL.contains(&owner) => found.help("Windmill's scripts are not run here: declare a node"),
            Some(near) => renamed(found, &format!("node/{near}")),
            None if catalog.nodes.is_empty() => found.help("there are no nodes yet: declare one"),
            None => found.help(format!("the nodes are {}", suggest::listed(nodes()))),
        });
    }
}

/// Adds a suggestion and the edit that follows it.
pub(super) fn renamed(mut found: Diagnostic, mend: &str) -> Diagnostic {
    found.fix =
        Some(Fix { label: format!("change to `{mend}`"), pointer: found.pointer.clone(), value: Value::from(mend) });
    found.help(suggest::did_you_mean(mend))
}

/// Whether a step must give an input: it is required, and nothing of the node's own stands in.
fn needs_giving(input: &NodeInput) -> bool {
    let given = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
    input.required && !given(&input.value) && !given(&input.default)
}
