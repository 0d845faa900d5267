//! A step that runs another workflow: the path, its inputs, and calls without end.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checker::Checker;
use super::inputs::renamed;
use super::{codes, suggest};
use crate::diagnostic::Diagnostic;
use crate::openflow::{Module, ModuleValue, Place, SubFlow, each_list, read};

impl<'a> Checker<'a> {
    pub(super) fn sub_flow(&mut self, flow: &'a SubFlow, place: &Place<'_>) {
        let catalog = self.catalog;
        let at = place.key("path");
        let known = || catalog.workflows.keys().map(String::as_str);
        let id = flow.path.strip_prefix("workflow/");
        let Some((id, document)) = id.and_then(|id| catalog.workflows.get_key_value(id)) else {
            let message = format!("`{}` names no workflow", flow.path);
            let found = Diagnostic::error(codes::UNKNOWN_WORKFLOW, at.pointer(), message);
            let bare = flow.path.rsplit('/').next().unwrap_or_default();
            return self.push(match suggest::nearest(bare, known()) {
                Some(near) => renamed(found, &format!("workflow/{near}")),
                None => found.help("a workflow's path is `workflow/<id>`"),
            });
        };
        self.required_inputs(flow, id, document, place);
        let cycle = match self.cycles.get(id) {
            Some(known) => known.clone(),
            None => {
                let found = self.cycle_from(id);
                self.cycles.insert(id.clone(), found.clone());
                found
            }
        };
        if let Some(cycle) = cycle {
            let message = format!("workflows call each other without end: {}", cycle.join(" → "));
            self.push(Diagnostic::error(codes::WORKFLOW_CYCLE, at.pointer(), message));
        }
    }

    fn required_inputs(&mut self, flow: &SubFlow, id: &str, document: &Value, place: &Place<'_>) {
        let schema = document.get("schema");
        let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            let property = schema.and_then(|schema| schema.get("properties")?.get(name));
            let has_default = property.is_some_and(|property| property.get("default").is_some());
            if !has_default && !flow.input_transforms.contains_key(name) {
                let message = format!("the required input `{name}` of workflow `{id}` is missing");
                self.push(Diagnostic::error(codes::MISSING_INPUT, place.pointer(), message));
            }
        }
    }

    /// The way by which a workflow of the catalog leads to one that is already on the way.
    ///
    /// Each workflow is read once, also over several questions: what is known to lead to no cycle is
    /// kept in `acyclic`.
    fn cycle_from(&mut self, start: &'a str) -> Option<Vec<String>> {
        if self.acyclic.contains(start) {
            return None;
        }
        let mut on_way = BTreeSet::from([start]);
        let mut way: Vec<(&'a str, Vec<&'a str>)> = vec![(start, self.calls(start))];
        while let Some((id, open)) = way.last_mut() {
            let Some(next) = open.pop() else {
                on_way.remove(*id);
                self.acyclic.insert(*id);
                way.pop();
                continue;
            };
            if on_way.contains(next) {
                let round = way.iter().map(|(id, _)| *id).skip_while(|id| *id != next);
                return Some(round.chain([next]).map(str::to_owned).collect());
            }
            if !self.acyclic.contains(next) {
                on_way.insert(next);
                way.push((next, self.calls(next)));
            }
        }
        None
    }

    /// Ids of the workflows of the catalog that one of them calls.
    fn calls(&self, id: &str) -> Vec<&'a str> {
        let mut called: BTreeSet<String> = BTreeSet::new();
        let reading = self.catalog.workflows.get(id).map(read);
        if let Some(flow) = reading.and_then(|reading| reading.flow) {
            collect(&flow.value.modules, &mut called);
            for module in [&flow.value.failure_module, &flow.value.preprocessor_module].into_iter().flatten() {
                collect(std::slice::from_ref(module), &mut called);
            }
        }
        let known = called.iter().filter_map(|id| self.catalog.workflows.get_key_value(id));
        known.map(|(id, _)| id.as_str()).collect()
    }
}

fn collect(modules: &[Module], called: &mut BTreeSet<String>) {
    for module in modules {
        if let ModuleValue::Flow(flow) = &module.value
            && let Some(id) = flow.path.strip_prefix("workflow/")
        {
            called.insert(id.to_owned());
        }
        each_list(&module.value, &Place::ROOT, &mut |_, modules, _| {
            collect(modules, called);
        });
    }
}
