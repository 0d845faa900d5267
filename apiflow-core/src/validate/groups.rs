//! Checks the groups of steps that editors draw as one.

use super::checker::Checker;
use super::step_inputs::suggest_rename;
use crate::diagnostic::{Diagnostic, codes, fixes, suggest};
use crate::openflow::{GroupFault, OpenFlow, Place, find_groups};

impl<'a> Checker<'a> {
    /// Reports groups that can't be drawn. They have no effect on runs, so these are warnings.
    pub(super) fn check_groups(&mut self, flow: &'a OpenFlow, value: &Place<'_>) {
        let groups = value.key("groups");
        for (index, group) in find_groups(&flow.value) {
            let Err(fault) = group else { continue };
            let place = groups.index(index);
            let found = match fault {
                GroupFault::UnknownStep { field, id: "", .. } => {
                    let message = format!("the group has no `{field}`");
                    Diagnostic::new_warning(codes::UNKNOWN_GROUP_STEP, place.pointer(), message)
                        .with_help("name the group's first and last step, or remove the group")
                }
                GroupFault::UnknownStep { field, id, other } => {
                    let message = format!("there is no step `{id}`, so the group is not shown");
                    let found = Diagnostic::new_warning(codes::UNKNOWN_GROUP_STEP, place.key(field).pointer(), message);
                    if let Some(near) = suggest::nearest_name(id, self.steps.step_ids()) {
                        suggest_rename(found, near)
                    } else if let Some(other) = other.filter(|other| self.steps.find_step(other).is_some()) {
                        let help = format!("let the group contain only `{other}`");
                        fixes::with_replacement(found.with_help(help), other.into())
                    } else {
                        found.with_help("remove the group")
                    }
                }
                GroupFault::DifferentLists { start, end } => {
                    let message = format!("the steps `{start}` and `{end}` of the group are in different lists");
                    let found = Diagnostic::new_warning(codes::BROKEN_GROUP, place.key("end_id").pointer(), message);
                    fixes::with_replacement(found.with_help(format!("end the group at `{start}`")), start.into())
                }
                GroupFault::Overlap { start, other } => {
                    let other = groups.index(other).pointer();
                    let message = format!("the group contains only a part of the group at {other}");
                    let found = Diagnostic::new_warning(codes::BROKEN_GROUP, place.key("end_id").pointer(), message);
                    fixes::with_replacement(found.with_help(format!("end the group at `{start}`")), start.into())
                }
            };
            self.push(found);
        }
    }
}
