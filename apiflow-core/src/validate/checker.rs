//! Walks through a workflow and runs all checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::approvals::waits_for_approval;
use super::completion::ExpressionAtCursor;
use super::json_schema::check_json_schema;
use super::result_shape::{Shape, closed_properties};
use super::steps::Steps;
use super::sub_flows::{SubFlowFault, SubFlows};
use super::unsupported_reason;
use crate::catalog::Catalog;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::{codes, suggest};
use crate::expression::Reader;
use crate::openflow::{Findings, Module, OpenFlow, Place};

/// The other workflows that a check depends on.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) catalog: &'a Catalog,
    /// The workflows that the checked one leads to.
    pub(super) sub_flows: &'a SubFlows<'a>,
    /// Those with errors; `None` if only the checked workflow itself matters.
    pub(super) faults: Option<&'a BTreeMap<&'a str, SubFlowFault>>,
}

/// The state of one check.
pub(super) struct Checker<'a> {
    pub(super) document: &'a Value,
    pub(super) catalog: &'a Catalog,
    pub(super) sub_flows: &'a SubFlows<'a>,
    pub(super) faults: Option<&'a BTreeMap<&'a str, SubFlowFault>>,
    pub(super) steps: Steps<'a>,
    /// The schema of the inputs, if the inputs of runs must match it.
    pub(super) schema: Option<&'a Value>,
    /// The inputs that the schema lists; `None` if any input is possible.
    pub(super) flow_inputs: Option<BTreeSet<&'a str>>,
    /// The shapes of the items of the enclosing loops, innermost last.
    pub(super) items: Vec<Shape<'a>>,
    /// Whether steps may use the older name of the field for their inputs.
    pub(super) older_inputs: bool,
    /// Whether the failure handler is being checked.
    pub(super) in_failure: bool,
    /// Whether the previous step waited for approvals.
    pub(super) gated: bool,
    /// Secrets already reported.
    pub(super) missing_secrets: BTreeSet<String>,
    /// The cycles that workflows of the catalog lead to, as far as they have been searched for.
    pub(super) cycles: BTreeMap<&'a str, Option<Vec<String>>>,
    /// Workflows of the catalog that are known to lead to no cycle.
    pub(super) acyclic: BTreeSet<&'a str>,
    /// Shapes of the results of steps, as far as they have been determined.
    pub(super) shapes: BTreeMap<usize, Shape<'a>>,
    /// Shapes of the results of sub-flows, as far as they have been determined.
    pub(super) flow_shapes: BTreeMap<&'a str, Shape<'a>>,
    /// Current depth of nested sub-flows.
    pub(super) inside: usize,
    pub(super) reader: Reader,
    /// The expression that is being completed, if this check is done for that.
    pub(super) completing: Option<ExpressionAtCursor>,
    broken: &'a BTreeSet<String>,
    findings: &'a mut Findings,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        document: &'a Value,
        flow: &'a OpenFlow,
        around: Surroundings<'a>,
        broken: &'a BTreeSet<String>,
        findings: &'a mut Findings,
    ) -> Self {
        // The preprocessor's result replaces the inputs.
        let schema = flow.schema.as_ref().filter(|_| flow.value.preprocessor_module.is_none());
        Self {
            document,
            catalog: around.catalog,
            sub_flows: around.sub_flows,
            faults: around.faults,
            steps: Steps::of_flow(flow),
            schema,
            flow_inputs: schema.and_then(|schema| declared_inputs(schema, flow)),
            items: Vec::new(),
            older_inputs: has_key(document, "input_transform"),
            in_failure: false,
            gated: false,
            missing_secrets: BTreeSet::new(),
            cycles: BTreeMap::new(),
            acyclic: BTreeSet::new(),
            shapes: BTreeMap::new(),
            flow_shapes: BTreeMap::new(),
            inside: 0,
            reader: Reader::default(),
            completing: None,
            broken,
            findings,
        }
    }

    /// Adds a finding, unless its location is inside something that could not be parsed.
    pub(super) fn push(&mut self, found: Diagnostic) {
        let mut pointer = found.pointer.as_str();
        while !self.broken.is_empty() {
            if self.broken.contains(pointer) {
                return;
            }
            match pointer.rsplit_once('/') {
                Some((before, _)) => pointer = before,
                None => break,
            }
        }
        self.findings.push(found);
    }

    /// Returns whether further findings are only counted, so that their fixes need not be built.
    pub(super) fn only_counts(&self) -> bool {
        self.findings.is_full()
    }

    pub(super) fn check_flow(&mut self, flow: &'a OpenFlow) {
        let root = Place::ROOT;
        let value = root.key("value");
        self.check_program(flow, &value);
        if let Some(schema) = &flow.schema {
            self.json_schema(schema, &root.key("schema"));
        }
        if let Some(module) = &flow.value.preprocessor_module {
            self.check_module(module, &value.key("preprocessor_module"));
        }
        self.list(&flow.value.modules, &value.key("modules"), false);
        if let Some(module) = &flow.value.failure_module {
            self.in_failure = true;
            // The failure may have happened inside a loop.
            self.items.push(Shape::Any);
            self.check_module(module, &value.key("failure_module"));
            self.items.pop();
            self.in_failure = false;
        }
        self.check_groups(flow, &value);
    }

    /// Checks a JSON Schema that values are validated against during a run.
    pub(super) fn json_schema(&mut self, schema: &Value, place: &Place<'_>) {
        for found in check_json_schema(schema, &place.pointer()) {
            self.push(found);
        }
    }

    /// Checks a list; `gated` says whether its first module follows a gate.
    pub(super) fn list(&mut self, modules: &'a [Module], place: &Place<'_>, gated: bool) {
        self.check_reachability(modules, place);
        let mut follows_gate = gated;
        for (index, module) in modules.iter().enumerate() {
            self.gated = follows_gate;
            self.check_module(module, &place.index(index));
            follows_gate = waits_for_approval(module);
        }
    }

    fn check_module(&mut self, module: &'a Module, place: &Place<'_>) {
        let step = self.steps.of_module(module);
        self.check_id(module, step, place);
        if let Some(why) = unsupported_reason(module) {
            self.push(Diagnostic::new_error(codes::UNSUPPORTED, place.pointer(), why));
        }
        self.check_settings(module, place, step);
        self.check_value(module, &place.key("value"), step);
    }

    fn check_id(&mut self, module: &Module, step: usize, place: &Place<'_>) {
        if module.id.is_empty() {
            let pointer = place.pointer();
            // Modules of other kinds exist at most once per workflow and have a fixed name.
            if pointer.starts_with("/value/modules/") && !self.broken.contains(&place.key("id").pointer()) {
                let message = "the module has no `id`, so no expression can refer to its result";
                let found = Diagnostic::new_warning(codes::MISSING_ID, pointer, message);
                self.push(found.with_help("add a unique `id`"));
            }
            return;
        }
        if let Some(first) = self.steps.find_step(&module.id)
            && first != step
        {
            let other = &self.steps.all[first].pointer;
            let message = format!("the id `{}` is already used by the module at {other}", module.id);
            let found = Diagnostic::new_error(codes::DUPLICATE_ID, place.key("id").pointer(), message);
            self.push(found.with_help("give each module a unique id, also inside loops and branches"));
        }
    }

    /// Reports the modules after one that always ends its list.
    fn check_reachability(&mut self, modules: &[Module], place: &Place<'_>) {
        let Some(end) = modules.iter().position(always_ends).filter(|end| end + 1 < modules.len()) else { return };
        let name = match modules[end].id.as_str() {
            "" => "the step before".to_owned(),
            id => format!("step `{id}`"),
        };
        let message = format!("unreachable step: {name} always stops the list");
        self.push(Diagnostic::new_warning(codes::UNREACHABLE_STEP, place.index(end + 1).pointer(), message));
    }

    /// Reports a reference to a step that does not exist.
    pub(super) fn names_step(&mut self, id: &str, place: &Place<'_>, what: &str) {
        if self.steps.find_step(id).is_some() {
            return;
        }
        let message = format!("there is no step `{id}` {what}");
        let found = Diagnostic::new_error(codes::UNKNOWN_STEP, place.pointer(), message);
        self.push(match suggest::nearest_name(id, self.steps.step_ids()) {
            Some(near) => super::step_inputs::suggest_rename(found, near),
            None => found.with_help(format!("the steps are {}", suggest::list_names(self.steps.step_ids()))),
        });
    }
}

/// Returns whether a module always ends its list, so that no module after it runs.
fn always_ends(module: &Module) -> bool {
    let always = module.stop_rule().is_some_and(|rule| rule.expr.trim() == "true");
    always && module.skip_if.is_none() && !module.continue_on_error
}

/// Returns the inputs that a run accepts, if the schema lists them.
fn declared_inputs<'a>(schema: &'a Value, flow: &OpenFlow) -> Option<BTreeSet<&'a str>> {
    let mut names: BTreeSet<&str> = closed_properties(schema)?.into_iter().collect();
    if flow.value.extra.get("chat_input_enabled") == Some(&Value::Bool(true)) {
        names.insert("user_message");
    }
    Some(names)
}

/// Returns whether an object within a value has a key with this name.
fn has_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(name) || fields.values().any(|field| has_key(field, name)),
        Value::Array(items) => items.iter().any(|item| has_key(item, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
