//! Checks approval gates: whether they wait, and how long.

use super::checker::Checker;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::{Module, Place, Suspend};

/// Longest plausible wait, in seconds (a year): a longer one is probably in the wrong unit.
const LONGEST_S: u64 = 366 * 24 * 60 * 60;

impl Checker<'_> {
    pub(super) fn check_suspend(&mut self, suspend: &Suspend, place: &Place<'_>) {
        if let Some(schema) = suspend.resume_form.as_ref().and_then(|form| form.get("schema")) {
            self.json_schema(schema, &place.key("resume_form").key("schema"));
        }
        if suspend.required_events.unwrap_or_default() == 0 {
            let meant = suspend.timeout.is_some()
                || suspend.resume_form.is_some()
                || suspend.continue_on_disapprove_timeout
                || !suspend.extra.is_empty();
            if meant {
                let message = "this approval step never waits: `required_events` is 0 or missing";
                let found = Diagnostic::new_warning(codes::APPROVAL_BOUNDS, place.pointer(), message);
                self.push(found.with_help("set `required_events` to the number of approvals, or remove `suspend`"));
            }
            return;
        }
        let at = place.key("timeout");
        match suspend.timeout {
            Some(0) => {
                let message = "the approval step is disapproved immediately: its timeout is 0 seconds";
                let found = Diagnostic::new_warning(codes::APPROVAL_BOUNDS, at.pointer(), message);
                self.push(
                    found.with_help("set `timeout` to a number of seconds, or omit it for the default of 30 minutes"),
                );
            }
            Some(seconds) if seconds > LONGEST_S => {
                let message = format!("the approval step stays open for {} days", seconds / (24 * 60 * 60));
                let found = Diagnostic::new_warning(codes::APPROVAL_BOUNDS, at.pointer(), message);
                self.push(found.with_help("`timeout` is in seconds"));
            }
            Some(_) | None => {}
        }
        if suspend.extra.get("user_groups_required").is_some_and(|groups| !groups.is_null()) {
            let message = "`user_groups_required` has no effect: there are no user groups";
            let found =
                Diagnostic::new_warning(codes::IGNORED_FIELD, place.key("user_groups_required").pointer(), message);
            self.push(
                found.with_help(
                    "set `user_auth_required` so that approvers must log in, and send the link only to them",
                ),
            );
        }
    }
}

/// Returns whether a module waits for approvals before the next one.
pub(super) fn waits_for_approval(module: &Module) -> bool {
    module.suspend.as_ref().is_some_and(|gate| gate.required_events > Some(0))
}
