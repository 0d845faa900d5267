//! What an operation's rule says of its limits and of cancelling it.

use super::duration_ms::to_ms;
use super::operation_rule::{CancelRule, DeadlineHeader, Limits};
use super::plan::CallPlan;

impl CallPlan {
    fn limits(&self) -> Limits {
        self.rule.as_ref().map(|rule| rule.limits).unwrap_or_default()
    }

    /// Returns how long work may wait at the provider before it runs, in milliseconds.
    pub fn queue_timeout_ms(&self) -> Option<u64> {
        self.limits().queue_timeout_s.map(to_ms)
    }

    /// Returns how long work may run, in milliseconds.
    pub fn run_timeout_ms(&self) -> Option<u64> {
        self.limits().run_timeout_s.map(to_ms)
    }

    /// Returns how long after its acceptance the provider may not know the work yet, in milliseconds.
    pub fn missing_grace_ms(&self) -> u64 {
        to_ms(self.limits().missing_grace_s)
    }

    /// Returns whether the status of the reply to a cancellation certainly says that the work has already ended.
    pub fn is_ended_by_status(&self, status: u16) -> bool {
        self.cancel_rule().is_some_and(|rule| rule.says_ended(status))
    }

    /// Returns whether cancelled work is charged; `None` if that is unknown.
    pub fn is_cancelled_work_billed(&self) -> Option<bool> {
        self.cancel_rule()?.billed
    }

    pub(super) fn deadline_header(&self) -> Option<&DeadlineHeader> {
        self.rule.as_ref()?.deadline_header.as_ref()
    }

    fn cancel_rule(&self) -> Option<&CancelRule> {
        self.rule.as_ref()?.cancel.as_ref()
    }
}
