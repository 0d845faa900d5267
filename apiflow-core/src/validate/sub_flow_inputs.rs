//! Checks a step that runs another workflow: its path, its inputs, and cycles.

use std::collections::BTreeSet;

use super::accepted_inputs::AcceptedInputs;
use super::checker::Checker;
use super::step_inputs::suggest_rename;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::{codes, suggest};
use crate::openflow::{Place, SubFlow};

impl<'a> Checker<'a> {
    /// Checks the path of a sub-flow; returns the inputs that it accepts, if the workflow exists.
    pub(super) fn sub_flow(&mut self, flow: &SubFlow, place: &Place<'_>) -> Option<AcceptedInputs<'a>> {
        let catalog = self.catalog;
        let at = place.key("path");
        let known = || catalog.workflows.keys().map(String::as_str);
        let id = flow.path.strip_prefix("workflow/");
        let Some((id, document)) = id.and_then(|id| catalog.workflows.get_key_value(id)) else {
            let message = format!("`{}` does not name a workflow", flow.path);
            let found = Diagnostic::new_error(codes::UNKNOWN_WORKFLOW, at.pointer(), message);
            let bare = flow.path.rsplit('/').next().unwrap_or_default();
            self.push(match suggest::nearest_name(bare, known()) {
                Some(near) => suggest_rename(found, &format!("workflow/{near}")),
                None => found.with_help("a workflow's path is `workflow/<id>`"),
            });
            return None;
        };
        if let Some(faults) = self.faults {
            if let Some(cycle) = self.find_cycle(id) {
                let message = format!("workflows call each other in a cycle: {}", cycle.join(" → "));
                self.push(Diagnostic::new_error(codes::WORKFLOW_CYCLE, at.pointer(), message));
            } else if let Some((broken, fault)) = self.sub_flows.leads_to(id, faults) {
                let way = if broken == id { String::new() } else { format!(", called through workflow `{id}`,") };
                let errors = if fault.errors == 1 { "an error".to_owned() } else { format!("{} errors", fault.errors) };
                let message = format!("workflow `{broken}`{way} has {errors} and can't run");
                let help = format!("fix {}: {}", display_pointer(&fault.first.pointer), fault.first.message);
                self.push(Diagnostic::new_error(codes::BROKEN_WORKFLOW, at.pointer(), message).with_help(help));
            }
        }
        Some(AcceptedInputs::of_schema(id, document.get("schema")))
    }

    fn find_cycle(&mut self, id: &'a str) -> Option<Vec<String>> {
        if let Some(known) = self.cycles.get(id) {
            return known.clone();
        }
        let found = self.cycle_from(id);
        self.cycles.insert(id, found.clone());
        found
    }

    /// Returns the path on which a workflow of the catalog leads to one that is already on the path.
    ///
    /// Visits each workflow once, also over several calls: workflows that lead to no cycle are recorded in `acyclic`.
    fn cycle_from(&mut self, start: &'a str) -> Option<Vec<String>> {
        if self.acyclic.contains(start) {
            return None;
        }
        let mut on_way = BTreeSet::from([start]);
        let mut way: Vec<(&'a str, Vec<&'a str>)> = vec![(start, self.sub_flows.called_workflows(start).to_vec())];
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
                way.push((next, self.sub_flows.called_workflows(next).to_vec()));
            }
        }
        None
    }
}

/// Formats a pointer for a message.
fn display_pointer(pointer: &str) -> &str {
    if pointer.is_empty() { "it" } else { pointer }
}
