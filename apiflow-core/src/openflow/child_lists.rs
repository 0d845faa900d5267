//! The lists of modules that a module holds.

use super::{Module, ModuleValue, Place};

/// Shows each list of a module with its number (branches in order, then the default) and its place;
/// `place` is that of the module's `value`.
pub(crate) fn each_list<'m>(
    value: &'m ModuleValue,
    place: &Place<'_>,
    visit: &mut dyn FnMut(usize, &'m [Module], &Place<'_>),
) {
    match value {
        ModuleValue::Script(_)
        | ModuleValue::RawScript(_)
        | ModuleValue::Flow(_)
        | ModuleValue::Identity(_)
        | ModuleValue::AiAgent(_) => {}
        ModuleValue::ForLoopFlow(inner) => visit(0, &inner.modules, &place.key("modules")),
        ModuleValue::WhileLoopFlow(inner) => visit(0, &inner.modules, &place.key("modules")),
        ModuleValue::BranchOne(inner) => {
            let branches = place.key("branches");
            for (index, branch) in inner.branches.iter().enumerate() {
                visit(index, &branch.modules, &branches.index(index).key("modules"));
            }
            visit(inner.branches.len(), &inner.default, &place.key("default"));
        }
        ModuleValue::BranchAll(inner) => {
            let branches = place.key("branches");
            for (index, branch) in inner.branches.iter().enumerate() {
                visit(index, &branch.modules, &branches.index(index).key("modules"));
            }
        }
    }
}
