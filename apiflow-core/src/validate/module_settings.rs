//! Checks the settings that any module may have, and those of the workflow as a whole.

use super::checker::Checker;
use super::expression_scope::Site;
use crate::diagnostic::{Diagnostic, codes};
use crate::openflow::{InputTransform, Module, Nesting, OpenFlow, Place};

impl<'a> Checker<'a> {
    pub(super) fn check_program(&mut self, flow: &'a OpenFlow, place: &Place<'_>) {
        self.ignored_of_flow(flow, place);
        if let Some(source) = &flow.value.skip_expr {
            self.check_expression(source, &place.key("skip_expr"), Site::SkipWorkflow, None);
        }
        if let Some(id) = &flow.value.early_return {
            self.names_step(id, &place.key("early_return"), "to take the early result from");
        }
    }

    pub(super) fn check_settings(&mut self, module: &'a Module, place: &Place<'_>, step: usize) {
        let some = Some(step);
        if let Some(stop) = &module.stop_after_if {
            let holder = place.key("stop_after_if");
            self.check_expression(&stop.expr, &holder.key("expr"), Site::Stop, some);
        }
        if let Some(stop) = &module.stop_after_all_iters_if {
            let holder = place.key("stop_after_all_iters_if");
            self.check_expression(&stop.expr, &holder.key("expr"), Site::StopAll, some);
        }
        self.stop_rules(module, place);
        if let Some(skip) = &module.skip_if {
            let holder = place.key("skip_if");
            self.check_expression(&skip.expr, &holder.key("expr"), Site::Predicate, some);
        }
        if let Some(retry) = &module.retry {
            let holder = place.key("retry");
            self.check_retry(retry, &holder);
            if let Some(condition) = &retry.retry_if {
                let condition_place = holder.key("retry_if");
                self.check_expression(&condition.expr, &condition_place.key("expr"), Site::RetryIf, some);
            }
        }
        if let Some(sleep) = &module.sleep {
            let at = place.key("sleep");
            self.check_number(sleep, &at, "sleep");
            let shape = self.check_transform(sleep, &at, Site::Sleep, step);
            if let InputTransform::Javascript { expr, .. } = sleep {
                self.wants_number(&shape, expr, &at.key("expr"), "sleep");
            }
        }
        if let Some(timeout) = &module.timeout {
            self.number_or_transform(timeout, &place.key("timeout"), "timeout", step);
        }
        if let Some(suspend) = &module.suspend {
            self.check_suspend(suspend, &place.key("suspend"));
        }
        self.ignored_of_module(module, place);
    }

    /// Reports stop conditions that are never evaluated.
    fn stop_rules(&mut self, module: &Module, place: &Place<'_>) {
        let (field, other) = match module.value.nesting() {
            Nesting::AllBranches { .. } if module.stop_after_if.is_some() => {
                ("stop_after_if", "stop_after_all_iters_if")
            }
            Nesting::Loop { .. } | Nesting::AllBranches { .. } => return,
            Nesting::None | Nesting::OneBranch => match &module.stop_after_all_iters_if {
                Some(_) => ("stop_after_all_iters_if", "stop_after_if"),
                None => return,
            },
        };
        let message = format!("`{field}` has no effect on a `{}`", module.value.kind_name());
        let mut found = Diagnostic::new_warning(codes::IGNORED_FIELD, place.key(field).pointer(), message);
        found = found.with_help(format!("use `{other}`"));
        found.fix = self.renamed_field(place, field, other);
        self.push(found);
    }
}
