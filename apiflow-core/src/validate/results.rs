//! What the results of steps are known to be.

use super::checker::Checker;
use super::shape::Shape;
use crate::openflow::{Module, ModuleValue, OpenFlow, Place, each_list};

impl<'a> Checker<'a> {
    /// What the result of a step of this workflow is, where it ran to its end.
    pub(super) fn result_of_step(&mut self, step: usize) -> Shape<'a> {
        if let Some(known) = self.shapes.get(&step) {
            return known.clone();
        }
        let shape = self.result_of(self.steps.all[step].module);
        self.shapes.insert(step, shape.clone());
        shape
    }

    fn result_of(&mut self, module: &Module) -> Shape<'a> {
        if module.skip_if.is_some() || module.mock.as_ref().is_some_and(|mock| mock.enabled) {
            return Shape::Any;
        }
        match &module.value {
            ModuleValue::Script(script) => match self.catalog.node_at(&script.path) {
                Some(node) if !node.output.is_empty() => Shape::Outputs(node),
                Some(_) | None => Shape::Any,
            },
            ModuleValue::Flow(flow) => self.result_of_flow(&flow.path),
            ModuleValue::ForLoopFlow(inner) => self.list_of(inner.skip_failures, &inner.modules),
            ModuleValue::WhileLoopFlow(inner) => self.list_of(inner.skip_failures, &inner.modules),
            ModuleValue::BranchOne(inner) => {
                let default = self.last_of(&inner.default);
                inner.branches.iter().fold(default, |shape, branch| shape.either(self.last_of(&branch.modules)))
            }
            ModuleValue::BranchAll(inner) if inner.race => Shape::Any,
            ModuleValue::BranchAll(inner) => {
                let same = inner
                    .branches
                    .iter()
                    .map(|branch| if branch.skip_failure { Shape::Any } else { self.last_of(&branch.modules) });
                Shape::List(Box::new(same.reduce(Shape::either).unwrap_or(Shape::Any)))
            }
            ModuleValue::RawScript(_) | ModuleValue::Identity(_) | ModuleValue::AiAgent(_) => Shape::Any,
        }
    }

    fn list_of(&mut self, keeps_errors: bool, body: &[Module]) -> Shape<'a> {
        Shape::List(Box::new(if keeps_errors { Shape::Any } else { self.last_of(body) }))
    }

    /// What a list's result is: its last module's, unless it may end before.
    fn last_of(&mut self, modules: &[Module]) -> Shape<'a> {
        match modules.split_last() {
            Some((last, before)) if !may_end(before) && !last.continue_on_error => self.result_of(last),
            Some(_) | None => Shape::Any,
        }
    }

    /// What a sub-flow's result is: its last module's, unless another may stand in.
    fn result_of_flow(&mut self, path: &str) -> Shape<'a> {
        let Some((id, flow)) = self.sub_flows.at(path) else { return Shape::Any };
        if let Some(known) = self.flow_shapes.get(id) {
            return known.clone();
        }
        if ends_elsewhere(flow) || self.inside == MOST_INSIDE {
            return Shape::Any;
        }
        // Of workflows that call each other without end nothing is known.
        self.flow_shapes.insert(id, Shape::Any);
        self.inside += 1;
        let shape = self.last_of(&flow.value.modules);
        self.inside -= 1;
        self.flow_shapes.insert(id, shape.clone());
        shape
    }
}

/// How many sub-flows are looked into, one from the other.
const MOST_INSIDE: usize = 16;

fn ends_elsewhere(flow: &OpenFlow) -> bool {
    flow.value.failure_module.is_some() || flow.value.skip_expr.is_some() || flow.value.preprocessor_module.is_some()
}

/// Whether a list may end at one of these modules, with that one's result.
fn may_end(modules: &[Module]) -> bool {
    modules.iter().any(|module| {
        let mut inside = false;
        let is_loop = matches!(&module.value, ModuleValue::ForLoopFlow(_) | ModuleValue::WhileLoopFlow(_));
        if !is_loop {
            each_list(&module.value, &Place::ROOT, &mut |_, modules, _| inside |= may_end(modules));
        }
        let after = !is_loop && module.stop_after_if.is_some();
        inside || after || module.stop_after_all_iters_if.is_some()
    })
}
