//! The lists of modules inside a module, and how they are run.

use super::{BranchAll, ForLoop, Module, ModuleValue, NumberOrTransform, Place, WhileLoop};

/// How the lists inside a module are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// The module contains no lists.
    None,
    /// One list, run once for each iteration.
    Loop {
        /// Whether the iterations run at the same time.
        parallel: bool,
    },
    /// Branches, one of which runs.
    OneBranch,
    /// Branches that all run.
    AllBranches {
        /// Whether they run at the same time.
        parallel: bool,
        /// Whether the first one that succeeds ends the module; no effect on branches that run in order.
        race: bool,
    },
}

impl Nesting {
    /// Returns whether the module is a loop.
    pub(crate) fn is_loop(self) -> bool {
        matches!(self, Self::Loop { .. })
    }

    /// Returns whether several lists, or iterations of one, run at the same time.
    pub(crate) fn is_parallel(self) -> bool {
        match self {
            Self::Loop { parallel } | Self::AllBranches { parallel, .. } => parallel,
            Self::None | Self::OneBranch => false,
        }
    }

    /// Returns whether the module's result is the list of the results of its branches or iterations.
    pub(crate) fn collects_results(self) -> bool {
        match self {
            Self::Loop { .. } | Self::AllBranches { .. } => true,
            Self::None | Self::OneBranch => false,
        }
    }
}

/// A list of modules inside a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildList<'m> {
    /// The modules, in order.
    pub modules: &'m [Module],
    /// Label of the branch, if it has one: its summary or its predicate, or `default` for the default branch.
    pub label: Option<&'m str>,
    field: ListField,
}

/// The field of a module's `value` that contains a list.
#[derive(Debug, Clone, Copy)]
enum ListField {
    Modules,
    Branch(usize),
    Default,
}

impl<'m> ChildList<'m> {
    fn of_branch(index: usize, modules: &'m [Module], labels: [Option<&'m str>; 2]) -> Self {
        let label = labels.into_iter().flatten().find(|text| !text.trim().is_empty());
        Self { modules, label, field: ListField::Branch(index) }
    }

    /// Calls `visit` with the list's location; `value` is that of the module's `value`.
    pub(crate) fn visit_at<R>(&self, value: &Place<'_>, visit: impl FnOnce(&Place<'_>) -> R) -> R {
        match self.field {
            ListField::Modules => visit(&value.key("modules")),
            ListField::Branch(index) => visit(&value.key("branches").index(index).key("modules")),
            ListField::Default => visit(&value.key("default")),
        }
    }
}

/// Only types that contain lists are named here: a type without lists needs no change.
impl ModuleValue {
    /// Returns how the lists inside the module are run.
    pub(crate) fn nesting(&self) -> Nesting {
        if let Self::ForLoopFlow(body) = self {
            Nesting::Loop { parallel: body.parallel }
        } else if let Self::WhileLoopFlow(_) = self {
            Nesting::Loop { parallel: false }
        } else if let Self::BranchOne(_) = self {
            Nesting::OneBranch
        } else if let Self::BranchAll(all) = self {
            Nesting::AllBranches { parallel: all.parallel != Some(false), race: all.race }
        } else {
            Nesting::None
        }
    }

    /// Returns the lists inside the module: a loop's body, or the branches in order, for `branchone` with the default
    /// last.
    pub(crate) fn child_lists(&self) -> Vec<ChildList<'_>> {
        if let Self::ForLoopFlow(ForLoop { modules, .. }) | Self::WhileLoopFlow(WhileLoop { modules, .. }) = self {
            vec![ChildList { modules, label: None, field: ListField::Modules }]
        } else if let Self::BranchOne(choice) = self {
            let branches = choice.branches.iter().enumerate().map(|(index, branch)| {
                ChildList::of_branch(index, &branch.modules, [branch.summary.as_deref(), Some(&branch.expr)])
            });
            let default = ChildList { modules: &choice.default, label: Some("default"), field: ListField::Default };
            branches.chain([default]).collect()
        } else if let Self::BranchAll(all) = self {
            let branches = all.branches.iter().enumerate();
            let branches = branches
                .map(|(index, branch)| ChildList::of_branch(index, &branch.modules, [branch.summary.as_deref(), None]));
            branches.collect()
        } else {
            Vec::new()
        }
    }

    /// Returns the lists of [`ModuleValue::child_lists`], mutably.
    pub(crate) fn child_lists_mut(&mut self) -> Vec<&mut Vec<Module>> {
        if let Self::ForLoopFlow(ForLoop { modules, .. }) | Self::WhileLoopFlow(WhileLoop { modules, .. }) = self {
            vec![modules]
        } else if let Self::BranchOne(choice) = self {
            choice.branches.iter_mut().map(|branch| &mut branch.modules).chain([&mut choice.default]).collect()
        } else if let Self::BranchAll(all) = self {
            all.branches.iter_mut().map(|branch| &mut branch.modules).collect()
        } else {
            Vec::new()
        }
    }

    /// Returns how many branches or iterations may run at the same time, if that is limited.
    pub fn parallelism(&self) -> Option<&NumberOrTransform> {
        if let Self::ForLoopFlow(ForLoop { parallelism, .. }) | Self::BranchAll(BranchAll { parallelism, .. }) = self {
            parallelism.as_ref()
        } else {
            None
        }
    }

    /// Returns whether the failure of a branch (by index) or iteration becomes a result instead of failing the module
    /// (`skip_failures`, `skip_failure`).
    pub(crate) fn tolerates_failure_of(&self, child: usize) -> bool {
        if let Self::ForLoopFlow(ForLoop { skip_failures, .. }) | Self::WhileLoopFlow(WhileLoop { skip_failures, .. }) =
            self
        {
            *skip_failures
        } else if let Self::BranchAll(all) = self {
            // A branch that failed has not won the race.
            !all.race && all.branches.get(child).is_some_and(|branch| branch.skip_failure)
        } else {
            false
        }
    }
}

/// Calls `visit` with each list of a module, its index (branches in order, then the default) and its location; `place`
/// is that of the module's `value`.
pub(crate) fn each_list<'m>(
    value: &'m ModuleValue,
    place: &Place<'_>,
    visit: &mut dyn FnMut(usize, &'m [Module], &Place<'_>),
) {
    for (number, list) in value.child_lists().into_iter().enumerate() {
        list.visit_at(place, |place| visit(number, list.modules, place));
    }
}
