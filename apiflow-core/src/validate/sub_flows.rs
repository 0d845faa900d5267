//! The workflows that a workflow runs, directly or through others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::checker::{Checker, Surroundings};
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Severity};
use crate::openflow::{Findings, Module, OpenFlow, ParsedDocument, Place, each_list, parse_leniently};

/// All workflows of the catalog that a workflow leads to, each parsed once.
#[derive(Debug, Default)]
pub(super) struct SubFlows<'a> {
    all: BTreeMap<&'a str, ReadSubFlow<'a>>,
    /// The workflow that contains a step with an id; the first one if there are several.
    steps: BTreeMap<String, &'a str>,
}

#[derive(Debug)]
struct ReadSubFlow<'a> {
    document: &'a Value,
    reading: ParsedDocument,
    /// Ids of the workflows of the catalog that it runs.
    calls: Vec<&'a str>,
}

/// The errors of a workflow that another one calls.
#[derive(Debug)]
pub(super) struct SubFlowFault {
    /// Number of its diagnostics that are errors, at least 1.
    pub(super) errors: usize,
    /// The first of its errors.
    pub(super) first: Diagnostic,
}

impl<'a> SubFlows<'a> {
    /// Parses all workflows that a workflow leads to.
    pub(super) fn read_reachable(flow: &OpenFlow, catalog: &'a Catalog) -> Self {
        let mut found = Self::default();
        let mut open = workflows_called_by(flow, catalog);
        while let Some(id) = open.pop() {
            let Some(document) = catalog.workflows.get(id).filter(|_| !found.all.contains_key(id)) else { continue };
            let reading = parse_leniently(document);
            let calls = reading.flow.as_ref().map(|flow| workflows_called_by(flow, catalog)).unwrap_or_default();
            open.extend(&calls);
            let modules = reading.flow.as_ref().map(|flow| flow.value.modules.as_slice()).unwrap_or_default();
            found.add_steps(modules, id);
            found.all.insert(id, ReadSubFlow { document, reading, calls });
        }
        found
    }

    /// Returns the sub-flow that a path names, if it could be parsed.
    pub(super) fn flow_at(&self, path: &str) -> Option<(&'a str, &OpenFlow)> {
        let (id, found) = self.all.get_key_value(path.strip_prefix("workflow/")?)?;
        Some((id, found.reading.flow.as_ref()?))
    }

    /// Returns the path of a workflow that contains a step with this id.
    pub(super) fn with_step(&self, step: &str) -> Option<String> {
        self.steps.get(step).map(|id| format!("workflow/{id}"))
    }

    fn add_steps(&mut self, modules: &[Module], id: &'a str) {
        for module in modules {
            self.steps.entry(module.id.clone()).or_insert(id);
            each_list(&module.value, &Place::ROOT, &mut |_, modules, _| self.add_steps(modules, id));
        }
    }

    /// Returns the workflows that have errors of their own.
    pub(super) fn find_faults(&self, catalog: &Catalog) -> BTreeMap<&'a str, SubFlowFault> {
        let faults = self.all.iter().filter_map(|(id, found)| {
            let mut findings = Findings::default();
            if let Some(flow) = &found.reading.flow {
                let around = Surroundings { catalog, sub_flows: self, faults: None };
                Checker::new(found.document, flow, around, &found.reading.broken, &mut findings).check_flow(flow);
            }
            let all = found.reading.findings.list().iter().chain(findings.list());
            let mut errors = all.filter(|one| one.severity == Severity::Error);
            let first = errors.next()?.clone();
            Some((*id, SubFlowFault { errors: 1 + errors.count(), first }))
        });
        faults.collect()
    }

    /// Returns the first workflow among these that a workflow is or leads to.
    pub(super) fn leads_to<'f>(
        &self,
        start: &str,
        faults: &'f BTreeMap<&'a str, SubFlowFault>,
    ) -> Option<(&'f str, &'f SubFlowFault)> {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            if let Some((id, fault)) = faults.get_key_value(id) {
                return Some((id, fault));
            }
            if seen.insert(id) {
                open.extend(self.called_workflows(id));
            }
        }
        None
    }

    /// Returns the ids of the workflows of the catalog that a workflow runs.
    pub(super) fn called_workflows(&self, id: &str) -> &[&'a str] {
        self.all.get(id).map(|found| found.calls.as_slice()).unwrap_or_default()
    }
}

fn workflows_called_by<'a>(flow: &OpenFlow, catalog: &'a Catalog) -> Vec<&'a str> {
    let mut called = BTreeSet::new();
    collect_calls(&flow.value.modules, &mut called);
    for module in [&flow.value.failure_module, &flow.value.preprocessor_module].into_iter().flatten() {
        collect_calls(std::slice::from_ref(module), &mut called);
    }
    called.iter().filter_map(|id| catalog.workflows.get_key_value(*id)).map(|(id, _)| id.as_str()).collect()
}

fn collect_calls<'f>(modules: &'f [Module], called: &mut BTreeSet<&'f str>) {
    for module in modules {
        called.extend(module.value.sub_flow_id());
        each_list(&module.value, &Place::ROOT, &mut |_, modules, _| collect_calls(modules, called));
    }
}
