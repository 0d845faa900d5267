//! One expression: whether it parses, and whether what it refers to is there.
//!
//! The only user of [`crate::expression`] among the checks.

use super::checker::Checker;
use super::names::Site;
use super::sight::{Sight, sight};
use super::{codes, suggest};
use crate::diagnostic::Diagnostic;
use crate::expression::{Reference, Segment, check, references};
use crate::openflow::{ModuleValue, Place};

impl Checker<'_> {
    /// Checks an expression that stands at `place` in the module `step`.
    pub(super) fn expression(&mut self, source: &str, place: &Place<'_>, site: Site, step: Option<usize>) {
        if source.trim().is_empty() {
            let (pointer, message) = (place.pointer(), site.when_empty());
            self.push(match site {
                Site::Iterator => Diagnostic::error(codes::EMPTY_EXPRESSION, pointer, message),
                Site::Transform
                | Site::Failure
                | Site::Predicate
                | Site::Stop
                | Site::StopAll
                | Site::RetryIf
                | Site::Sleep
                | Site::SkipWorkflow => Diagnostic::warning(codes::EMPTY_EXPRESSION, pointer, message),
            });
            return;
        }
        if let Err(fault) = check(source, site.is_predicate()) {
            let mut found = Diagnostic::error(codes::EXPRESSION_SYNTAX, place.pointer(), fault.message);
            found.span = fault.span;
            self.push(found);
            return;
        }
        let uses = references(source);
        for name in uses.names.keys() {
            self.name(name, place, site);
        }
        for reference in &uses.flow_input {
            self.flow_input(reference, place);
        }
        if site.knows("results") {
            for reference in &uses.results {
                self.step_result(reference, place, site, step);
            }
        }
    }

    fn name(&mut self, name: &str, place: &Place<'_>, site: Site) {
        if name == "variable" || name == "resource" {
            let message = format!("`{name}()` exists only in Windmill");
            let found = Diagnostic::error(codes::UNSUPPORTED_VARIABLE, place.pointer(), message);
            self.push(found.help(super::values::USE_SECRETS));
        } else if !site.knows(name) {
            let message = format!("`{name}` is not known at this place");
            let help = match suggest::nearest(name, site.all()) {
                Some(near) => suggest::did_you_mean(near),
                None => format!("known are {} and JavaScript's own names", suggest::listed(site.all())),
            };
            self.push(Diagnostic::warning(codes::UNKNOWN_NAME, place.pointer(), message).help(help));
        }
    }

    fn flow_input(&mut self, reference: &Reference, place: &Place<'_>) {
        let key = reference.key.as_str();
        let Some(known) = &self.flow_inputs else {
            return;
        };
        if known.contains(key) || (self.loops > 0 && is_iter(key)) {
            return;
        }
        let help = match suggest::nearest(key, known.iter().copied()) {
            _ if is_iter(key) => "`flow_input.iter` exists only inside of loops".to_owned(),
            Some(near) => suggest::did_you_mean(near),
            None if known.is_empty() => "the schema has no inputs".to_owned(),
            None => format!("the schema has {}", suggest::listed(known.iter().copied())),
        };
        let message = format!("the workflow's schema has no input `{key}`");
        let found = Diagnostic::warning(codes::UNKNOWN_FLOW_INPUT, place.pointer(), message);
        self.push(found.help(help).at(reference.span));
    }

    fn step_result(&mut self, reference: &Reference, place: &Place<'_>, site: Site, step: Option<usize>) {
        let key = reference.key.as_str();
        let Some(target) = self.steps.find(key) else {
            let help = match suggest::nearest(key, self.steps.ids()) {
                Some(near) => suggest::did_you_mean(near),
                None => format!("the steps are {}", suggest::listed(self.steps.ids())),
            };
            let message = format!("there is no step `{key}`");
            let found = Diagnostic::error(codes::UNKNOWN_STEP, place.pointer(), message);
            self.push(found.help(help).at(reference.span));
            return;
        };
        let Some(step) = step else { return };
        let (code, why) = match sight(&self.steps, step, site.when(), target) {
            Sight::Visible => return self.output(reference, target, place),
            Sight::Later(why) => (codes::LATER_STEP, why),
            Sight::Never(why) => (codes::INVISIBLE_STEP, why),
        };
        let message = format!("the result of step `{key}` is always null here: {why}");
        self.push(Diagnostic::error(code, place.pointer(), message).at(reference.span));
    }

    /// Checks that the first key after the step's id is one that its result can have.
    fn output(&mut self, reference: &Reference, target: usize, place: &Place<'_>) {
        let module = self.steps.all[target].module;
        let Some(first) = reference.path.first() else {
            return;
        };
        let first = match first {
            Segment::Key(key) => key.clone(),
            Segment::Index(index) => index.to_string(),
        };
        let other_result = module.skip_if.is_some() || module.mock.as_ref().is_some_and(|mock| mock.enabled);
        // A step that failed and did not end the run has an error object as its result.
        if first == "error" || other_result {
            return;
        }
        let (what, help) = match &module.value {
            ModuleValue::Script(script) => {
                let Some(node) = self.catalog.node_at(&script.path) else {
                    return;
                };
                let outputs = || node.output.iter().map(|output| output.name.as_str());
                if node.output.is_empty() || outputs().any(|name| name == first) {
                    return;
                }
                let help = match suggest::nearest(&first, outputs()) {
                    Some(near) => suggest::did_you_mean(near),
                    None => format!("node `{}` has {}", node.id, suggest::listed(outputs())),
                };
                (format!("step `{}` has no output `{first}`", reference.key), help)
            }
            ModuleValue::ForLoopFlow(_) | ModuleValue::WhileLoopFlow(_) | ModuleValue::BranchAll(_) => {
                if first.parse::<u32>().is_ok() {
                    return;
                }
                let help = format!("take one by its number, `results.{}[0]`, or go through all of them", reference.key);
                (format!("the result of step `{}` is a list, without `{first}`", reference.key), help)
            }
            ModuleValue::RawScript(_)
            | ModuleValue::Flow(_)
            | ModuleValue::BranchOne(_)
            | ModuleValue::Identity(_)
            | ModuleValue::AiAgent(_) => return,
        };
        let found = Diagnostic::error(codes::UNKNOWN_OUTPUT, place.pointer(), what);
        self.push(found.help(help).at(reference.span));
    }
}

/// `iter`, or the one of a loop further out.
fn is_iter(key: &str) -> bool {
    let rest = key.strip_prefix("iter").unwrap_or(key);
    rest.len() < key.len() && rest.split("_parent").all(str::is_empty)
}
