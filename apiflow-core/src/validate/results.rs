//! Determines the shapes of the results of steps.

use super::checker::Checker;
use super::result_shape::Shape;
use crate::openflow::{Module, Nesting, OpenFlow, Place, each_list};

impl<'a> Checker<'a> {
    /// Returns the shape of the result of a step of this workflow, if it ran to its end.
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
        if !module.value.fallbacks().is_empty() {
            // The outputs are those of the node that succeeds.
            return Shape::Any;
        }
        if let Some(path) = module.value.node_path() {
            return match self.catalog.node_at(path) {
                Some(node) if !node.output.is_empty() => Shape::Outputs(node),
                Some(_) | None => Shape::Any,
            };
        }
        if let Some(path) = module.value.sub_flow_path() {
            return self.result_of_flow(path);
        }
        let mut lists = module.value.child_lists();
        match module.value.nesting() {
            Nesting::None | Nesting::AllBranches { race: true, .. } => Shape::Any,
            Nesting::Loop { .. } | Nesting::AllBranches { race: false, .. } => {
                let lists = lists.into_iter().enumerate();
                let shapes = lists.map(|(number, list)| {
                    if module.value.tolerates_failure_of(number) { Shape::Any } else { self.last_of(list.modules) }
                });
                Shape::List(Box::new(shapes.reduce(Shape::merge_with).unwrap_or(Shape::Any)))
            }
            Nesting::OneBranch => {
                let default = lists.pop().map_or(Shape::Any, |list| self.last_of(list.modules));
                lists.into_iter().fold(default, |shape, list| shape.merge_with(self.last_of(list.modules)))
            }
        }
    }

    /// Returns the shape of a list's result: its last module's, unless it may end earlier.
    fn last_of(&mut self, modules: &[Module]) -> Shape<'a> {
        match modules.split_last() {
            Some((last, before)) if !may_end(before) && !last.continue_on_error => self.result_of(last),
            Some(_) | None => Shape::Any,
        }
    }

    /// Returns the shape of a sub-flow's result: its last module's, unless another result may replace it.
    fn result_of_flow(&mut self, path: &str) -> Shape<'a> {
        let Some((id, flow)) = self.sub_flows.flow_at(path) else { return Shape::Any };
        if let Some(known) = self.flow_shapes.get(id) {
            return known.clone();
        }
        if ends_elsewhere(flow) || self.inside == MAX_SUB_FLOW_DEPTH {
            return Shape::Any;
        }
        // Nothing is known about workflows that call each other without end.
        self.flow_shapes.insert(id, Shape::Any);
        self.inside += 1;
        let shape = self.last_of(&flow.value.modules);
        self.inside -= 1;
        self.flow_shapes.insert(id, shape.clone());
        shape
    }
}

/// Maximum depth of nested sub-flows whose results are determined.
const MAX_SUB_FLOW_DEPTH: usize = 16;

fn ends_elsewhere(flow: &OpenFlow) -> bool {
    flow.value.failure_module.is_some() || flow.value.skip_expr.is_some() || flow.value.preprocessor_module.is_some()
}

/// Returns whether a list may end at one of these modules, with that one's result.
fn may_end(modules: &[Module]) -> bool {
    modules.iter().any(|module| {
        let mut inside = false;
        if !module.value.nesting().is_loop() {
            each_list(&module.value, &Place::ROOT, &mut |_, modules, _| inside |= may_end(modules));
        }
        let after = !module.value.nesting().is_loop() && module.stop_after_if.is_some();
        inside || after || module.stop_after_all_iters_if.is_some()
    })
}
