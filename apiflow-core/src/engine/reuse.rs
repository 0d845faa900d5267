//! Determines which steps precede another one, and so can be reused by a run that starts from it.

use super::program::Program;
use crate::openflow::Nesting;

/// Marks an error handler in a path.
const HANDLER: &str = "failure";

/// A list of modules, and the flow that it belongs to.
#[derive(Clone, Copy)]
struct Here {
    flow: usize,
    list: usize,
}

/// A module that contains a step, with the branch or iteration: `loop[2]`.
struct EnclosingModule<'a> {
    module: &'a str,
    slot: &'a str,
}

impl Program {
    /// Returns whether a run that starts again at `from` can take over the outcome of a step: the step precedes it, or
    /// runs beside it in another parallel branch or iteration. Steps are identified by their path (`loop[2]/branch[0]`,
    /// empty at top level) and id.
    pub(crate) fn is_reusable(&self, (path, step_id): (&str, &str), from: (&str, &str)) -> bool {
        let Some(root) = self.flows.first() else { return false };
        let (mine, theirs) = (enclosing_modules(path), enclosing_modules(from.0));
        let mut here = Here { flow: 0, list: root.list };
        for (level, theirs_here) in theirs.iter().enumerate() {
            let Some(mine_here) = mine.get(level) else {
                // The step is in this list, and `from` is inside one of its modules. The step whose error a handler
                // handles must have failed first.
                if theirs_here.slot == HANDLER && step_id == theirs_here.module {
                    return true;
                }
                return self.is_earlier(here.list, step_id, theirs_here.module);
            };
            if mine_here.module != theirs_here.module {
                return self.is_earlier(here.list, mine_here.module, theirs_here.module);
            }
            if mine_here.slot != theirs_here.slot {
                return self.is_other_round_reusable(here.list, mine_here, theirs_here);
            }
            let next = theirs.get(level + 1).map_or(from.1, |around| around.module);
            match self.list_inside(here, theirs_here, next) {
                Some(inside) => here = inside,
                None => return false,
            }
        }
        // The step is in the list of `from`, or inside one of that list's modules.
        let mine_here = mine.get(theirs.len()).map_or(step_id, |around| around.module);
        self.is_earlier(here.list, mine_here, from.1)
    }

    fn is_earlier(&self, list: usize, module: &str, from: &str) -> bool {
        let place = |id: &str| self.lists.get(list)?.iter().position(|&index| self.modules[index].module.id == id);
        matches!((place(module), place(from)), (Some(module), Some(from)) if module < from)
    }

    /// Handles another branch or iteration of the same module: reusable if it is an earlier one of a sequence, or runs
    /// in parallel.
    fn is_other_round_reusable(&self, list: usize, mine: &EnclosingModule<'_>, theirs: &EnclosingModule<'_>) -> bool {
        let (Ok(mine_slot), Ok(theirs_slot)) = (mine.slot.parse::<u64>(), theirs.slot.parse::<u64>()) else {
            // An error handler comes after what it handles.
            return theirs.slot == HANDLER && mine.slot != HANDLER;
        };
        let Some(module) = self.module_in(list, mine.module) else { return false };
        let beside = match self.modules[module].module.value.nesting() {
            Nesting::Loop { parallel } | Nesting::AllBranches { parallel, race: false } => parallel,
            Nesting::None | Nesting::OneBranch | Nesting::AllBranches { race: true, .. } => false,
        };
        beside || mine_slot < theirs_slot
    }

    fn module_in(&self, list: usize, id: &str) -> Option<usize> {
        self.lists.get(list)?.iter().copied().find(|&index| self.modules[index].module.id == id)
    }

    /// Returns the list in a branch or iteration of a module that contains the module `next`: the slot of a `branchone`
    /// does not tell which branch was taken.
    fn list_inside(&self, here: Here, around: &EnclosingModule<'_>, next: &str) -> Option<Here> {
        if around.slot == HANDLER {
            let list = self.flows.get(here.flow)?.failure?;
            return Some(Here { list, ..here });
        }
        let definition = &self.modules[self.module_in(here.list, around.module)?];
        if let Some(flow) = definition.flow {
            return Some(Here { flow, list: self.flows.get(flow)?.list });
        }
        let slot: usize = around.slot.parse().ok()?;
        let list = match definition.module.value.nesting() {
            Nesting::AllBranches { .. } => definition.children.get(slot).copied(),
            Nesting::Loop { .. } => definition.children.first().copied(),
            Nesting::OneBranch => {
                definition.children.iter().copied().find(|&list| self.module_in(list, next).is_some())
            }
            Nesting::None => None,
        };
        list.map(|list| Here { list, ..here })
    }
}

/// Returns the modules that contain a step, outermost first.
fn enclosing_modules(path: &str) -> Vec<EnclosingModule<'_>> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments
        .map(|segment| match segment.strip_suffix(']').and_then(|segment| segment.rsplit_once('[')) {
            Some((module, slot)) => EnclosingModule { module, slot },
            None => EnclosingModule { module: segment, slot: "" },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ports::JobBundle;

    fn step(id: &str) -> Value {
        json!({"id": id, "value": {"type": "identity"}})
    }

    fn program() -> Program {
        let parallel = json!({"type": "branchall", "branches": [{"modules": [step("p0")]}, {"modules": [step("p1")]}]});
        let sequence = json!({"type": "branchall", "parallel": false,
            "branches": [{"modules": [step("s0")]}, {"modules": [step("s1")]}]});
        let choice = json!({"type": "branchone", "branches": [{"expr": "true", "modules": [step("c0"), step("c1")]}],
            "default": [step("d")]});
        let body = json!([step("l0"), {"id": "choice", "value": choice}, step("l1")]);
        let looped = json!({"type": "forloopflow", "iterator": {"type": "static", "value": []}, "modules": body});
        let document = json!({"value": {"modules": [
            step("a"), {"id": "par", "value": parallel}, {"id": "seq", "value": sequence},
            {"id": "loop", "value": looped}, step("z")
        ], "failure_module": step("failure")}});
        Program::compile_bundle(&JobBundle { document, ..JobBundle::default() }).expect("a document")
    }

    fn check(from: (&str, &str), reusable: &[(&str, &str)], again: &[(&str, &str)]) {
        let program = program();
        for (steps, expected) in [(reusable, true), (again, false)] {
            for step in steps {
                assert_eq!(program.is_reusable(*step, from), expected, "{step:?} for a run from {from:?}");
            }
        }
    }

    #[test]
    fn what_comes_before_in_the_document_is_reusable() {
        check(("", "seq"), &[("", "a"), ("", "par"), ("par[1]", "p1")], &[("", "seq"), ("seq[0]", "s0"), ("", "z")]);
        check(("", "a"), &[], &[("", "a"), ("", "par"), ("", "failure"), ("", "unknown")]);
    }

    #[test]
    fn earlier_iterations_and_sequential_branches_are_kept() {
        check(
            ("loop[2]", "choice"),
            &[("", "seq"), ("loop[0]", "l1"), ("loop[1]/choice[0]", "c1"), ("loop[2]", "l0")],
            &[("", "loop"), ("loop[2]", "l1"), ("loop[2]/choice[0]", "c0"), ("loop[3]", "l0")],
        );
        check(("loop[1]/choice[0]", "c1"), &[("loop[1]/choice[0]", "c0"), ("loop[1]", "l0")], &[("loop[1]", "choice")]);
        check(("seq[1]", "s1"), &[("seq[0]", "s0"), ("", "par")], &[("", "seq"), ("loop[0]", "l0")]);
    }

    #[test]
    fn what_runs_beside_is_reusable() {
        check(("par[0]", "p0"), &[("par[1]", "p1"), ("", "a")], &[("", "par"), ("par[0]", "p0"), ("", "seq")]);
    }

    #[test]
    fn an_error_handler_comes_after_what_it_handles() {
        check(("z[failure]", "failure"), &[("", "a"), ("", "loop"), ("", "z")], &[("z[failure]", "failure")]);
        check(("", "z"), &[], &[("z[failure]", "failure")]);
    }
}
