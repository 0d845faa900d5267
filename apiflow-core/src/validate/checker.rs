//! The walk over a workflow that makes all checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names::Site;
use super::steps::Steps;
use super::{codes, unsupported, unsupported_fields};
use crate::catalog::Catalog;
use crate::diagnostic::Diagnostic;
use crate::openflow::{Findings, FlowValue, ForLoop, InputTransform, Module, ModuleValue, OpenFlow, Place, each_list};

/// The state of one check.
pub(super) struct Checker<'a> {
    pub(super) document: &'a Value,
    pub(super) catalog: &'a Catalog,
    pub(super) steps: Steps<'a>,
    /// The inputs that the schema has; `None` where anything may be given.
    pub(super) flow_inputs: Option<BTreeSet<&'a str>>,
    /// How many loops are around.
    pub(super) loops: usize,
    /// Whether the failure handler is being checked.
    pub(super) in_failure: bool,
    /// Secrets already reported.
    pub(super) missing_secrets: BTreeSet<String>,
    /// The cycles that workflows of the catalog lead to, as far as asked.
    pub(super) cycles: BTreeMap<String, Option<Vec<String>>>,
    /// Workflows of the catalog that are known to lead to no cycle.
    pub(super) acyclic: BTreeSet<&'a str>,
    broken: &'a BTreeSet<String>,
    findings: &'a mut Findings,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        document: &'a Value,
        flow: &'a OpenFlow,
        catalog: &'a Catalog,
        broken: &'a BTreeSet<String>,
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            document,
            catalog,
            steps: Steps::of(flow),
            flow_inputs: declared_inputs(flow),
            loops: 0,
            in_failure: false,
            missing_secrets: BTreeSet::new(),
            cycles: BTreeMap::new(),
            acyclic: BTreeSet::new(),
            broken,
            findings,
        }
    }

    /// Adds a finding, unless its place can't be read anyway.
    pub(super) fn push(&mut self, found: Diagnostic) {
        let mut pointer = found.pointer.as_str();
        loop {
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

    pub(super) fn flow(&mut self, flow: &'a OpenFlow) {
        let root = Place::ROOT;
        let value = root.key("value");
        self.program(&flow.value, &value);
        if let Some(module) = &flow.value.preprocessor_module {
            self.module(module, &value.key("preprocessor_module"));
        }
        self.list(&flow.value.modules, &value.key("modules"));
        if let Some(module) = &flow.value.failure_module {
            self.in_failure = true;
            // It may run inside of a loop, where a failure was.
            self.loops += 1;
            self.module(module, &value.key("failure_module"));
            self.loops -= 1;
            self.in_failure = false;
        }
    }

    fn program(&mut self, flow: &'a FlowValue, place: &Place<'_>) {
        for (field, why) in unsupported_fields(flow) {
            self.push(Diagnostic::error(codes::UNSUPPORTED, place.key(field).pointer(), why));
        }
        self.ignored(flow.cache_ttl, place);
        if let Some(source) = &flow.skip_expr {
            self.expression(source, &place.key("skip_expr"), Site::SkipWorkflow, None);
        }
        if let Some(id) = &flow.early_return
            && self.steps.find(id).is_none()
        {
            let message = format!("there is no step `{id}` whose result could answer early");
            let mut found = Diagnostic::error(codes::UNKNOWN_STEP, place.key("early_return").pointer(), message);
            if let Some(near) = super::suggest::nearest(id, self.steps.ids()) {
                found = found.help(super::suggest::did_you_mean(near));
            }
            self.push(found);
        }
    }

    fn ignored(&mut self, cache_ttl: Option<u64>, place: &Place<'_>) {
        if cache_ttl > Some(0) {
            let message = "`cache_ttl` has no effect here yet: results are not kept for later runs";
            let found = Diagnostic::warning(codes::IGNORED_FIELD, place.key("cache_ttl").pointer(), message);
            self.push(found);
        }
    }

    fn list(&mut self, modules: &'a [Module], place: &Place<'_>) {
        for (index, module) in modules.iter().enumerate() {
            self.module(module, &place.index(index));
        }
    }

    fn module(&mut self, module: &'a Module, place: &Place<'_>) {
        let pointer = place.pointer();
        let step = self.steps.at(&pointer);
        self.id(module, step, place, &pointer);
        if let Some(why) = unsupported(module) {
            self.push(Diagnostic::error(codes::UNSUPPORTED, pointer.as_str(), why));
        }
        self.settings(module, place, step);
        self.value(module, &place.key("value"), step);
    }

    fn id(&mut self, module: &Module, step: usize, place: &Place<'_>, pointer: &str) {
        if module.id.is_empty() {
            // Workflows have at most one of each of the other kinds, which go by a fixed name.
            if pointer.starts_with("/value/modules/") {
                let message = "the module has no id: its result can't be referred to";
                let found = Diagnostic::warning(codes::MISSING_ID, pointer, message);
                self.push(found.help("give it an `id` of its own"));
            }
            return;
        }
        if let Some(first) = self.steps.find(&module.id)
            && first != step
        {
            let other = &self.steps.all[first].pointer;
            let message = format!("the id `{}` is that of the module at {other} already", module.id);
            self.push(Diagnostic::error(codes::DUPLICATE_ID, place.key("id").pointer(), message));
        }
    }

    fn settings(&mut self, module: &'a Module, place: &Place<'_>, step: usize) {
        let some = Some(step);
        if let Some(stop) = &module.stop_after_if {
            let holder = place.key("stop_after_if");
            self.expression(&stop.expr, &holder.key("expr"), Site::Stop, some);
        }
        if let Some(stop) = &module.stop_after_all_iters_if {
            let holder = place.key("stop_after_all_iters_if");
            self.expression(&stop.expr, &holder.key("expr"), Site::StopAll, some);
        }
        if let Some(skip) = &module.skip_if {
            let holder = place.key("skip_if");
            self.expression(&skip.expr, &holder.key("expr"), Site::Predicate, some);
        }
        if let Some(retry) = &module.retry {
            let holder = place.key("retry");
            self.retry(retry, &holder);
            if let Some(condition) = &retry.retry_if {
                let condition_place = holder.key("retry_if");
                self.expression(&condition.expr, &condition_place.key("expr"), Site::RetryIf, some);
            }
        }
        if let Some(sleep) = &module.sleep {
            let at = place.key("sleep");
            self.number(sleep, &at, "sleep");
            self.transform(sleep, &at, Site::Sleep, step);
        }
        if let Some(timeout) = &module.timeout {
            self.number_or_transform(timeout, &place.key("timeout"), "timeout", step);
        }
        self.ignored(module.cache_ttl, place);
    }

    fn value(&mut self, module: &'a Module, place: &Place<'_>, step: usize) {
        let mocked = module.mock.as_ref().is_some_and(|mock| mock.enabled);
        let mut is_loop = false;
        match &module.value {
            ModuleValue::Script(script) => {
                if !mocked {
                    self.script(script, place);
                }
                self.transforms(&script.input_transforms, place, step);
            }
            ModuleValue::RawScript(script) => {
                self.transforms(&script.input_transforms, place, step);
            }
            ModuleValue::Flow(flow) => {
                if !mocked {
                    self.sub_flow(flow, place);
                }
                self.transforms(&flow.input_transforms, place, step);
            }
            ModuleValue::ForLoopFlow(inner) => {
                self.for_loop(inner, place, step);
                is_loop = true;
            }
            ModuleValue::WhileLoopFlow(inner) => {
                let ends = module.stop_after_if.is_some() || stops(&inner.modules);
                self.while_loop(ends, place);
                is_loop = true;
            }
            ModuleValue::BranchOne(inner) => {
                let branches = place.key("branches");
                let predicates = inner.branches.iter().map(|branch| branch.expr.as_str());
                for (index, predicate) in predicates.clone().enumerate() {
                    let branch = branches.index(index);
                    self.expression(predicate, &branch.key("expr"), Site::Predicate, Some(step));
                }
                self.reach(predicates, &branches);
            }
            ModuleValue::BranchAll(inner) => {
                if let Some(parallelism) = &inner.parallelism {
                    self.number_or_transform(parallelism, &place.key("parallelism"), "parallelism", step);
                }
            }
            ModuleValue::Identity(_) | ModuleValue::AiAgent(_) => {}
        }
        self.loops += usize::from(is_loop);
        each_list(&module.value, place, &mut |_, modules, place| {
            self.list(modules, place);
        });
        self.loops -= usize::from(is_loop);
    }

    fn for_loop(&mut self, inner: &'a ForLoop, place: &Place<'_>, step: usize) {
        let at = place.key("iterator");
        if let InputTransform::Static { value, .. } = &inner.iterator
            && !value.is_array()
        {
            let message = "a loop goes through a list, and this is none";
            let pointer = at.key("value").pointer();
            self.push(Diagnostic::error(codes::ITERATOR_NOT_ARRAY, pointer, message));
        }
        self.transform(&inner.iterator, &at, Site::Iterator, step);
        if let Some(parallelism) = &inner.parallelism {
            let at = place.key("parallelism");
            self.number_or_transform(parallelism, &at, "parallelism", step);
        }
    }

    fn while_loop(&mut self, ends: bool, place: &Place<'_>) {
        if !ends {
            let message = "nothing ends this loop but a failure";
            let found = Diagnostic::warning(codes::UNBOUNDED_LOOP, place.pointer(), message);
            self.push(found.help("give it, or a step of its body, a `stop_after_if`"));
        }
    }

    /// Points out branches that can't be taken, where the predicates are constants.
    fn reach<'p>(&mut self, predicates: impl Iterator<Item = &'p str>, branches: &Place<'_>) {
        let mut taken = false;
        for (index, predicate) in predicates.enumerate() {
            let message = match predicate.trim() {
                _ if taken => "this branch is never taken: an earlier predicate is always true",
                "false" => "this branch is never taken: its predicate is always false",
                text => {
                    taken |= text == "true";
                    continue;
                }
            };
            let pointer = branches.index(index).pointer();
            self.push(Diagnostic::warning(codes::UNREACHABLE_BRANCH, pointer, message));
        }
    }
}

/// Whether a step of a loop's body may end the loop; a loop inside ends only itself.
fn stops(modules: &[Module]) -> bool {
    modules.iter().any(|module| {
        let mut inside = false;
        let looped = matches!(&module.value, ModuleValue::ForLoopFlow(_) | ModuleValue::WhileLoopFlow(_));
        if looped {
            return false;
        }
        each_list(&module.value, &Place::ROOT, &mut |_, modules, _| {
            inside |= stops(modules);
        });
        inside || module.stop_after_if.is_some() || module.stop_after_all_iters_if.is_some()
    })
}

/// The inputs that a run may be given, where the schema lists them.
fn declared_inputs(flow: &OpenFlow) -> Option<BTreeSet<&str>> {
    let schema = flow.schema.as_ref()?.as_object()?;
    let open = |key: &str| schema.get(key).is_some_and(|value| !value.is_null());
    let more = schema.get("additionalProperties").is_some_and(|value| !value.is_null() && *value != Value::Bool(false));
    let elsewhere = ["$ref", "allOf", "anyOf", "oneOf", "patternProperties", "if"].into_iter().any(open);
    if more || elsewhere || flow.value.preprocessor_module.is_some() {
        return None;
    }
    let mut names: BTreeSet<&str> = schema.get("properties")?.as_object()?.keys().map(String::as_str).collect();
    if flow.value.extra.get("chat_input_enabled") == Some(&Value::Bool(true)) {
        names.insert("user_message");
    }
    Some(names)
}
