//! Checks a step that calls a node: its path and its inputs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::accepted_inputs::{AcceptedInput, AcceptedInputs, Others};
use super::checker::Checker;
use super::expression_scope::Site;
use crate::call::ErrorClass;
use crate::diagnostic::fixes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::diagnostic::{codes, suggest};
use crate::openflow::{InputTransform, NodeCall, Place};

/// Prefixes of paths of Windmill's own scripts.
const WINDMILL: [&str; 4] = ["u", "f", "g", "hub"];

impl<'a> Checker<'a> {
    /// Checks the path of a node's call; returns the inputs that the call accepts, if the node exists.
    pub(super) fn check_script(&mut self, path: &str, place: &Place<'_>) -> Option<AcceptedInputs<'a>> {
        let catalog = self.catalog;
        let Some(node) = catalog.node_at(path) else {
            self.unknown_node(path, &place.key("path"));
            return None;
        };
        match catalog.connectors.get(&node.connector_id) {
            Some(connector) => self.check_secrets(connector, node, &place.key("path")),
            None => {
                let message =
                    format!("node `{}` uses the connector `{}`, which does not exist", node.id, node.connector_id);
                let near = suggest::nearest_name(&node.connector_id, catalog.connectors.keys().map(String::as_str));
                let found = Diagnostic::new_error(codes::UNKNOWN_CONNECTOR, place.key("path").pointer(), message);
                self.push(match near {
                    Some(near) => found.with_help(suggest::did_you_mean(near)),
                    None => found.with_help("declare the connector, or change the node's `connector_id`"),
                });
            }
        }
        Some(AcceptedInputs::of_node(node))
    }

    /// Checks the nodes that are called if a step's own call fails: their paths, their inputs, and after which errors.
    pub(super) fn check_fallbacks(&mut self, script: &'a NodeCall, place: &Place<'_>, step: usize) {
        let list = place.key("fallback");
        for (index, fallback) in script.fallback.iter().enumerate() {
            let at = list.index(index);
            let slots = self.check_script(&fallback.path, &at);
            match &fallback.input_transforms {
                Some(own) => self.check_inputs(own, slots.as_ref(), &at, step),
                None => self.check_shared_inputs(&script.input_transforms, slots.as_ref(), &at),
            }
            for (position, name) in fallback.on.iter().flatten().enumerate() {
                let entry = at.key("on");
                let entry = entry.index(position);
                if name == ErrorClass::SubmitUnknown.name() {
                    let message = "a call of unknown fate is never followed by a fallback: it could be paid twice";
                    self.push(Diagnostic::new_error(codes::BAD_VALUE, entry.pointer(), message));
                } else if ErrorClass::parse(name).is_none() {
                    let names: Vec<&str> = ErrorClass::all_names().collect();
                    let found = Diagnostic::new_error(
                        codes::BAD_VALUE,
                        entry.pointer(),
                        format!("`{name}` is not the class of an error"),
                    );
                    self.push(found.with_help(match suggest::nearest_name(name, names.iter().copied()) {
                        Some(near) => suggest::did_you_mean(near),
                        None => format!("the classes are {}", suggest::list_names(names.into_iter())),
                    }));
                }
            }
        }
    }

    /// Compares a step's inputs, which are checked already, with those that a fallback accepts.
    fn check_shared_inputs(
        &mut self,
        given: &BTreeMap<String, InputTransform>,
        slots: Option<&AcceptedInputs<'a>>,
        place: &Place<'_>,
    ) {
        let Some(slots) = slots else { return };
        let help = "give the fallback its own `input_transforms`";
        for slot in
            slots.list.iter().filter(|slot| slot.required && !slot.has_default && !given.contains_key(slot.name))
        {
            let message = format!("the required input `{}` of {} is missing", slot.name, slots.owner);
            self.push(Diagnostic::new_error(codes::MISSING_INPUT, place.pointer(), message).with_help(help));
        }
        if !matches!(slots.others, Others::Refused) {
            return;
        }
        for name in given.keys().filter(|name| slots.find_input(name).is_none()) {
            let message = format!("{} has no input `{name}`", slots.owner);
            self.push(Diagnostic::new_error(codes::UNKNOWN_INPUT, place.pointer(), message).with_help(help));
        }
    }

    /// Checks the inputs of a step, and compares them with those that it accepts, if they are known.
    pub(super) fn check_inputs(
        &mut self,
        given: &'a BTreeMap<String, InputTransform>,
        slots: Option<&AcceptedInputs<'a>>,
        place: &Place<'_>,
        step: usize,
    ) {
        let wanting = |slot: &&AcceptedInput<'_>| slot.required && !slot.has_default && !given.contains_key(slot.name);
        for slot in slots.into_iter().flat_map(|slots| &slots.list).filter(wanting) {
            let owner = slots.map(|slots| slots.owner.as_str()).unwrap_or_default();
            let message = format!("the required input `{}` of {owner} is missing", slot.name);
            let found = Diagnostic::new_error(codes::MISSING_INPUT, place.pointer(), message);
            self.push(found.with_help("add it to `input_transforms`"));
        }
        if given.is_empty() {
            return;
        }
        let site = if self.in_failure { Site::Failure } else { Site::Transform };
        let holder = place.key(self.inputs_key(place));
        for (name, transform) in given {
            let at = holder.key(name);
            let shape = self.check_transform(transform, &at, site, step);
            let Some(slots) = slots else { continue };
            let Some(slot) = slots.find_input(name) else {
                self.unknown_input(name, slots, given, place);
                continue;
            };
            match transform {
                InputTransform::Static { value, .. } if !value.is_null() => {
                    self.check_constant(slot, value, &at.key("value"));
                }
                InputTransform::Static { .. } if slot.required => {
                    let message = format!("the required input `{name}` of {} is null", slots.owner);
                    self.push(Diagnostic::new_error(codes::MISSING_INPUT, at.pointer(), message));
                }
                InputTransform::Javascript { expr, .. } => {
                    self.check_computed_input(slot, &shape, expr, &at.key("expr"));
                }
                InputTransform::Static { .. } | InputTransform::Ai { .. } => {}
            }
        }
    }

    fn unknown_input(
        &mut self,
        name: &str,
        slots: &AcceptedInputs<'a>,
        given: &BTreeMap<String, InputTransform>,
        place: &Place<'_>,
    ) {
        let (severity, message) = match slots.others {
            Others::Accepted => return,
            Others::Unexpected => (Severity::Warning, format!("the schema of {} has no input `{name}`", slots.owner)),
            Others::Refused => (Severity::Error, format!("{} has no input `{name}`", slots.owner)),
        };
        let near = suggest::nearest_name(name, slots.input_names().filter(|known| !given.contains_key(*known)));
        let help = match near {
            Some(near) => suggest::did_you_mean(near),
            None if slots.list.is_empty() => "it has none".to_owned(),
            None => format!("its inputs are {}", suggest::list_names(slots.input_names())),
        };
        self.report_unused_input(
            name,
            near,
            Diagnostic { severity, ..Diagnostic::new_error(codes::UNKNOWN_INPUT, "", message) }.with_help(help),
            place,
        );
    }

    /// Reports an input that is not accepted, at its location in the step's inputs.
    pub(super) fn report_unused_input(&mut self, name: &str, near: Option<&str>, found: Diagnostic, place: &Place<'_>) {
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
                    "`{path}` is not a node path: it must begin with `node/` or with the id of the node's connector"
                ),
                owner => format!("the connector of node `{}` is `{}`, not `{owner}`", node.id, node.connector_id),
            };
            let right = format!("node/{}", node.id);
            return self.push(suggest_rename(Diagnostic::new_error(codes::UNKNOWN_NODE, pointer, message), &right));
        }
        let known_owner =
            ["", "node", "connector", "workflow"].contains(&owner) || catalog.connectors.contains_key(owner);
        if !known_owner && !WINDMILL.contains(&owner) && !id.is_empty() {
            let message = format!("there is no connector `{owner}`");
            let found = Diagnostic::new_error(codes::UNKNOWN_CONNECTOR, pointer, message);
            return self.push(match suggest::nearest_name(owner, connectors().chain(["node"])) {
                Some(near) => found.with_help(suggest::did_you_mean(&format!("{near}/{id}"))),
                None => found.with_help("a node's path is `node/<id>`, or `<connector>/<id>`"),
            });
        }
        let message = format!("`{path}` does not name a node");
        let found = Diagnostic::new_error(codes::UNKNOWN_NODE, pointer, message);
        self.push(match suggest::nearest_name(id, nodes()) {
            _ if owner == "workflow" => found.with_help("to run a workflow, use a module of the type `flow`"),
            _ if WINDMILL.contains(&owner) => {
                found.with_help("Windmill scripts are not supported: declare a node instead")
            }
            Some(near) => suggest_rename(found, &format!("node/{near}")),
            None if catalog.nodes.is_empty() => found.with_help("there are no nodes yet: declare one"),
            None => found.with_help(format!("the nodes are {}", suggest::list_names(nodes()))),
        });
    }
}

/// Adds a suggestion, and the edit that applies it.
pub(super) fn suggest_rename(found: Diagnostic, right: &str) -> Diagnostic {
    fixes::with_replacement(found.with_help(suggest::did_you_mean(right)), Value::from(right))
}
