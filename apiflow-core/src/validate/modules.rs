//! Checks what a module does: calls, loops, branches.

use serde_json::Value;

use super::approvals::waits_for_approval;
use super::checker::Checker;
use super::expression_scope::Site;
use super::result_shape::Shape;
use crate::catalog::ValueType;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::{BranchAll, BranchOne, ForLoop, InputTransform, Module, ModuleValue, Place, each_list};

impl<'a> Checker<'a> {
    pub(super) fn check_value(&mut self, module: &'a Module, place: &Place<'_>, step: usize) {
        let mocked = module.mock.as_ref().is_some_and(|mock| mock.enabled);
        let mut item = None;
        match &module.value {
            ModuleValue::Script(script) => {
                // The workflow's input may replace all inputs.
                let whole = script.extra.get("pass_flow_input_directly") == Some(&Value::Bool(true));
                let slots = if mocked { None } else { self.check_script(&script.path, place).filter(|_| !whole) };
                self.check_inputs(&script.input_transforms, slots.as_ref(), place, step);
                if !mocked {
                    self.check_fallbacks(script, place, step);
                }
            }
            ModuleValue::RawScript(script) => {
                if !mocked {
                    self.check_code(script, place);
                }
                self.check_inputs(&script.input_transforms, None, place, step);
            }
            ModuleValue::Flow(flow) => {
                let slots = if mocked { None } else { self.sub_flow(flow, place) };
                self.check_inputs(&flow.input_transforms, slots.as_ref(), place, step);
            }
            ModuleValue::ForLoopFlow(inner) => item = Some(self.for_loop(inner, place, step)),
            ModuleValue::WhileLoopFlow(inner) => {
                let ends = module.stop_after_if.is_some() || may_stop_loop(&inner.modules);
                self.while_loop(ends, place);
                item = Some(Shape::Type(ValueType::Integer));
            }
            ModuleValue::BranchOne(inner) => self.branch_one(inner, place, step),
            ModuleValue::BranchAll(inner) => self.branch_all(inner, place, step),
            ModuleValue::Identity(_) | ModuleValue::AiAgent(_) => {}
        }
        let is_loop = item.is_some();
        self.items.extend(item);
        let gated = self.gated;
        each_list(&module.value, place, &mut |_, modules, place| {
            let again = is_loop && modules.last().is_some_and(waits_for_approval);
            self.list(modules, place, gated || again);
        });
        if is_loop {
            self.items.pop();
        }
    }

    /// Checks a loop's iterator; returns the shape of its items.
    fn for_loop(&mut self, inner: &'a ForLoop, place: &Place<'_>, step: usize) -> Shape<'a> {
        let at = place.key("iterator");
        let shape = self.check_transform(&inner.iterator, &at, Site::Iterator, step);
        let item = match &inner.iterator {
            InputTransform::Static { value: Value::Array(items), .. } => {
                if items.is_empty() && !inner.modules.is_empty() {
                    let message = "unreachable step: the loop iterates over an empty list";
                    let first = place.key("modules");
                    let found = Diagnostic::new_warning(codes::UNREACHABLE_STEP, first.index(0).pointer(), message);
                    self.push(found);
                }
                of_constants(items)
            }
            InputTransform::Static { value, .. } => {
                let message = "a loop iterates over an array, but this value is not an array";
                let pointer = if value.is_null() { at.pointer() } else { at.key("value").pointer() };
                self.push(Diagnostic::new_error(codes::ITERATOR_NOT_ARRAY, pointer, message));
                Shape::Any
            }
            InputTransform::Javascript { expr, .. } => {
                self.wants_list(&shape, expr, &at.key("expr"));
                shape.item_shape()
            }
            InputTransform::Ai { .. } => Shape::Any,
        };
        if let Some(parallelism) = &inner.parallelism {
            self.number_or_transform(parallelism, &place.key("parallelism"), "parallelism", step);
        }
        item
    }

    fn while_loop(&mut self, ends: bool, place: &Place<'_>) {
        if !ends {
            let message = "this loop ends only if a step fails";
            let found = Diagnostic::new_warning(codes::UNBOUNDED_LOOP, place.pointer(), message);
            self.push(found.with_help("add a `stop_after_if` to the loop or to a step of its body"));
        }
    }

    fn branch_one(&mut self, inner: &'a BranchOne, place: &Place<'_>, step: usize) {
        let branches = place.key("branches");
        for (index, branch) in inner.branches.iter().enumerate() {
            let at = branches.index(index);
            self.check_expression(&branch.expr, &at.key("expr"), Site::Predicate, Some(step));
        }
        self.check_branches(inner, place, &branches);
    }

    /// Reports branches that can never be taken, as far as their predicates alone show.
    fn check_branches(&mut self, inner: &BranchOne, place: &Place<'_>, branches: &Place<'_>) {
        let mut taken = false;
        for (index, branch) in inner.branches.iter().enumerate() {
            let predicate = branch.expr.trim();
            let message = match predicate {
                _ if taken => "this branch is never taken: an earlier predicate is always true",
                "false" => "this branch is never taken: its predicate is always false",
                "true" => {
                    taken = true;
                    continue;
                }
                _ if !is_steady(predicate) => continue,
                _ if inner.branches[..index].iter().any(|before| before.expr.trim() == predicate) => {
                    "this branch is never taken: an earlier one has the same predicate"
                }
                _ => continue,
            };
            let pointer = branches.index(index).pointer();
            self.push(Diagnostic::new_warning(codes::UNREACHABLE_BRANCH, pointer, message));
        }
        if taken && !inner.default.is_empty() {
            let message = "the default is never taken: an earlier predicate is always true";
            let pointer = place.key("default").pointer();
            self.push(Diagnostic::new_warning(codes::UNREACHABLE_BRANCH, pointer, message));
        }
    }

    fn branch_all(&mut self, inner: &'a BranchAll, place: &Place<'_>, step: usize) {
        if let Some(parallelism) = &inner.parallelism {
            self.number_or_transform(parallelism, &place.key("parallelism"), "parallelism", step);
        }
        if inner.race && inner.parallel == Some(false) {
            let message = "`race` has no effect on branches that run in sequence";
            let found = Diagnostic::new_error(codes::RACE_IN_SEQUENCE, place.key("race").pointer(), message);
            self.push(found.with_help("remove `parallel`, or set it to true"));
        }
    }
}

/// Returns whether an expression has the same value if it is evaluated twice in a row.
fn is_steady(source: &str) -> bool {
    !source.is_empty() && !["random", "Date", "now"].iter().any(|word| source.contains(word))
}

/// Returns the shape that some constants have in common.
fn of_constants<'a>(items: &[Value]) -> Shape<'a> {
    let shape = |value: &Value| match value {
        Value::String(_) => Shape::Type(ValueType::String),
        Value::Bool(_) => Shape::Type(ValueType::Boolean),
        Value::Number(number) if number.is_f64() => Shape::Type(ValueType::Number),
        Value::Number(_) => Shape::Type(ValueType::Integer),
        Value::Array(_) => Shape::Type(ValueType::Array),
        Value::Object(_) => Shape::Type(ValueType::Object),
        Value::Null => Shape::Any,
    };
    items.iter().map(shape).reduce(Shape::merge_with).unwrap_or(Shape::Any)
}

/// Returns whether a step of a loop's body may end the loop; an inner loop only ends itself.
fn may_stop_loop(modules: &[Module]) -> bool {
    modules.iter().any(|module| {
        let mut inside = false;
        if module.value.nesting().is_loop() {
            return module.stop_after_all_iters_if.is_some();
        }
        each_list(&module.value, &Place::ROOT, &mut |_, modules, _| {
            inside |= may_stop_loop(modules);
        });
        inside || module.stop_after_if.is_some() || module.stop_after_all_iters_if.is_some()
    })
}
