//! Determines which steps' results an expression can see.
//!
//! Results belong to the innermost enclosing run that is a root: the workflow, or one iteration of a parallel loop.
//! Parallel branches see the results that existed when they began and their own. Source: OpenFlow as Windmill executes
//! it.

use super::steps::{FAILURE_LIST, PREPROCESSOR_LIST, Steps};
use crate::openflow::Nesting;

/// Whether an expression can read the result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    /// The result is visible; it is null if the step did not run.
    Visible,
    /// The result is null because the step runs later, for this reason.
    Later(&'static str),
    /// The result is null because the step is outside of the scope, for this reason.
    Never(&'static str),
}

/// When an expression of a module is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Before the module runs.
    Before,
    /// After it ran.
    After,
}

/// Returns what an expression of the module `from` sees of the module `to`.
pub(super) fn visibility_of(steps: &Steps<'_>, from: usize, when: When, to: usize) -> Visibility {
    let (from_path, to_path) = (steps.path_to(from), steps.path_to(to));
    let shared = from_path.iter().zip(&to_path).take_while(|(a, b)| a == b).count();
    let again = may_repeat(steps, &from_path[..shared]);
    let inside = shared - usize::from(shared == from_path.len());
    let kept = keeps_to_itself(steps, to_path.get(inside..to_path.len() - 1).unwrap_or_default());
    let (Some(&mine), Some(&theirs)) = (from_path.get(shared), to_path.get(shared)) else {
        return visibility_within(steps, &from_path[..shared], (from, when, to), kept);
    };
    let (mine, theirs) = (&steps.all[mine], &steps.all[theirs]);
    if mine.list != theirs.list && mine.list.0.is_none() {
        return between_roots(mine.list.1, theirs.list.1);
    }
    if kept {
        return Visibility::Never(PARALLEL_LOOP);
    }
    if mine.list == theirs.list {
        return if theirs.position < mine.position || again {
            Visibility::Visible
        } else {
            Visibility::Later("it runs later")
        };
    }
    match mine.list.0 {
        Some(holder) if !again => {
            between_branches(steps.all[holder].module.value.nesting(), mine.list.1, theirs.list.1)
        }
        Some(_) | None => Visibility::Visible,
    }
}

const PARALLEL_LOOP: &str =
    "results are private to each iteration of a parallel loop: read the result of the loop instead";

/// Determines the visibility if one of the two modules is or contains the other.
fn visibility_within(
    steps: &Steps<'_>,
    shared: &[usize],
    (from, when, to): (usize, When, usize),
    kept: bool,
) -> Visibility {
    let holders = &shared[..shared.len() - 1];
    if from != to && shared.last() == Some(&to) {
        // The other module contains this one.
        return if may_repeat(steps, holders) {
            Visibility::Visible
        } else {
            Visibility::Later("it does not finish before this step")
        };
    }
    if kept {
        return Visibility::Never(PARALLEL_LOOP);
    }
    if when == When::After || may_repeat(steps, holders) {
        Visibility::Visible
    } else if from == to {
        Visibility::Later("a step cannot read its own result")
    } else {
        Visibility::Later("it runs inside this step")
    }
}

/// Returns whether the contents of the modules run again within the same root, so that results of an earlier iteration
/// exist.
fn may_repeat(steps: &Steps<'_>, holders: &[usize]) -> bool {
    for &holder in holders.iter().rev() {
        if let Nesting::Loop { parallel } = steps.all[holder].module.value.nesting() {
            return !parallel;
        }
    }
    false
}

/// Returns whether one of the containing modules is a parallel loop.
fn keeps_to_itself(steps: &Steps<'_>, holders: &[usize]) -> bool {
    holders.iter().any(|&holder| steps.all[holder].module.value.nesting() == Nesting::Loop { parallel: true })
}

/// Determines the visibility between lists that no module contains. The failure handler sees everything, because it
/// runs in the scope of the failure.
fn between_roots(mine: usize, theirs: usize) -> Visibility {
    if theirs == FAILURE_LIST {
        Visibility::Never("the failure handler's result is the result of the workflow")
    } else if mine == PREPROCESSOR_LIST {
        Visibility::Later("the preprocessor runs before all steps")
    } else {
        Visibility::Visible
    }
}

fn between_branches(holder: Nesting, mine: usize, theirs: usize) -> Visibility {
    match holder {
        Nesting::AllBranches { parallel: false, .. } => {
            if theirs < mine {
                Visibility::Visible
            } else {
                Visibility::Later("its branch runs later")
            }
        }
        Nesting::AllBranches { parallel: true, .. } => {
            Visibility::Never("branches that run in parallel cannot read each other's results")
        }
        Nesting::None | Nesting::OneBranch | Nesting::Loop { .. } => {
            Visibility::Never("it is in another branch, and only one of the branches runs")
        }
    }
}
