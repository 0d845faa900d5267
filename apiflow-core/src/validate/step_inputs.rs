//! A step that calls a node: the path, and what the node is given.

use std::collections::BTreeMap;

use serde_json::Value;

use super::accepted_inputs::{Others, Slot, Slots};
use super::checker::Checker;
use super::expression_scope::Site;
use crate::diagnostic::fixes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::diagnostic::{codes, suggest};
use crate::openflow::{InputTransform, Place, Script};

/// Owners in paths of Windmill's own scripts.
const WINDMILL: [&str; 4] = ["u", "f", "g", "hub"];

impl<'a> Checker<'a> {
    /// Checks the path of a node's call; what the call takes, where there is such a node.
    pub(super) fn script(&mut self, script: &Script, place: &Place<'_>) -> Option<Slots<'a>> {
        let catalog = self.catalog;
        let Some(node) = catalog.node_at(&script.path) else {
            self.unknown_node(&script.path, &place.key("path"));
            return None;
        };
        match catalog.connectors.get(&node.connector_id) {
            Some(connector) => self.secrets(connector, node, &place.key("path")),
            None => {
                let message = format!(
                    "node `{}` goes through the connector `{}`, which does not exist",
                    node.id, node.connector_id
                );
                let near = suggest::nearest(&node.connector_id, catalog.connectors.keys().map(String::as_str));
                let found = Diagnostic::error(codes::UNKNOWN_CONNECTOR, place.key("path").pointer(), message);
                self.push(match near {
                    Some(near) => found.help(suggest::did_you_mean(near)),
                    None => found.help("declare the connector, or name another one in the node"),
                });
            }
        }
        Some(Slots::of_node(node))
    }

    /// Checks the inputs of a step, and compares them with what it takes where that is known.
    pub(super) fn inputs(
        &mut self,
        given: &'a BTreeMap<String, InputTransform>,
        slots: Option<&Slots<'a>>,
        place: &Place<'_>,
        step: usize,
    ) {
        let wanting = |slot: &&Slot<'_>| slot.required && !slot.has_default && !given.contains_key(slot.name);
        for slot in slots.into_iter().flat_map(|slots| &slots.list).filter(wanting) {
            let owner = slots.map(|slots| slots.owner.as_str()).unwrap_or_default();
            let message = format!("the required input `{}` of {owner} is missing", slot.name);
            let found = Diagnostic::error(codes::MISSING_INPUT, place.pointer(), message);
            self.push(found.help("add it to `input_transforms`"));
        }
        if given.is_empty() {
            return;
        }
        let site = if self.in_failure { Site::Failure } else { Site::Transform };
        let holder = place.key(self.inputs_key(place));
        for (name, transform) in given {
            let at = holder.key(name);
            let shape = self.transform(transform, &at, site, step);
            let Some(slots) = slots else { continue };
            let Some(slot) = slots.find(name) else {
                self.unknown_input(name, slots, given, place);
                continue;
            };
            match transform {
                InputTransform::Static { value, .. } if !value.is_null() => {
                    self.constant(slot, value, &at.key("value"));
                }
                InputTransform::Static { .. } if slot.required => {
                    let message = format!("the required input `{name}` of {} is null", slots.owner);
                    self.push(Diagnostic::error(codes::MISSING_INPUT, at.pointer(), message));
                }
                InputTransform::Javascript { expr, .. } => self.computed(slot, &shape, expr, &at.key("expr")),
                InputTransform::Static { .. } | InputTransform::Ai { .. } => {}
            }
        }
    }

    fn unknown_input(
        &mut self,
        name: &str,
        slots: &Slots<'a>,
        given: &BTreeMap<String, InputTransform>,
        place: &Place<'_>,
    ) {
        let (severity, message) = match slots.others {
            Others::Taken => return,
            Others::Unheard => (Severity::Warning, format!("the schema of {} has no input `{name}`", slots.owner)),
            Others::Refused => (Severity::Error, format!("{} has no input `{name}`", slots.owner)),
        };
        let near = suggest::nearest(name, slots.names().filter(|known| !given.contains_key(*known)));
        let help = match near {
            Some(near) => suggest::did_you_mean(near),
            None if slots.list.is_empty() => "it has none".to_owned(),
            None => format!("its inputs are {}", suggest::listed(slots.names())),
        };
        self.needless(
            name,
            near,
            Diagnostic { severity, ..Diagnostic::error(codes::UNKNOWN_INPUT, "", message) }.help(help),
            place,
        );
    }

    /// Points out an input that nothing takes, at its place in the step's inputs.
    pub(super) fn needless(&mut self, name: &str, near: Option<&str>, found: Diagnostic, place: &Place<'_>) {
        let holder = place.key(self.inputs_key(place));
        let mut found = Diagnostic { pointer: holder.key(name).pointer(), ..found };
        let pointer = holder.pointer();
        if let (Some(near), Some(Value::Object(inputs))) = (near, self.document.pointer(&pointer)) {
            found.fix = fixes::renamed_field(inputs, pointer, name, near);
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
                "" => format!(
                    "`{path}` is not a path: the path of a node begins with `node/`, or with its connector's id"
                ),
                owner => format!("the connector of node `{}` is `{}`, not `{owner}`", node.id, node.connector_id),
            };
            let right = format!("node/{}", node.id);
            return self.push(renamed(Diagnostic::error(codes::UNKNOWN_NODE, pointer, message), &right));
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
            _ if WINDMILL.contains(&owner) => found.help("Windmill scripts cannot run here: declare a node"),
            Some(near) => renamed(found, &format!("node/{near}")),
            None if catalog.nodes.is_empty() => found.help("there are no nodes yet: declare one"),
            None => found.help(format!("the nodes are {}", suggest::listed(nodes()))),
        });
    }
}

/// Adds a suggestion and the edit that follows it.
pub(super) fn renamed(found: Diagnostic, right: &str) -> Diagnostic {
    fixes::changed(found.help(suggest::did_you_mean(right)), Value::from(right))
}
