//! Answers to approval gates in a dry run, by step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::by_step::{at_place, check_key, parse_by_step};
use crate::diagnostic::{Diagnostic, codes};
use crate::engine::Program;
use crate::json::pointer_push;
use crate::openflow::Module;

/// Maximum number of answers to one gate: runs store no more, so a gate that requires more times out, here as anywhere.
const MAX_APPROVALS: usize = 1_000;

/// An answer to a gate (`suspend`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenApproval {
    /// Whether the step is approved.
    #[serde(default)]
    pub action: ApprovalAction,
    /// Payload of the answer: `resume` in the module after the step.
    #[serde(default = "empty_payload")]
    pub payload: Value,
    /// Name of the approver.
    #[serde(default)]
    pub approver: Option<String>,
}

/// What an answer to a gate decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalAction {
    /// The step is approved.
    #[default]
    Resume,
    /// The step is disapproved.
    Cancel,
}

fn empty_payload() -> Value {
    json!({})
}

impl Default for GivenApproval {
    fn default() -> Self {
        Self { action: ApprovalAction::Resume, payload: empty_payload(), approver: None }
    }
}

/// Answers to gates, by step. A gate without answers is approved immediately, as often as it requires, with an empty
/// object as the payload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Approvals {
    steps: BTreeMap<String, Given>,
}

#[derive(Debug, Clone, PartialEq)]
enum Given {
    /// The same answer as often as the gate requires.
    Each(GivenApproval),
    /// These answers in order; if there are too few, the gate waits until it times out.
    List(Vec<GivenApproval>),
}

impl Approvals {
    /// Parses an object of answers by step id or path, as for mocks. A value is an answer (`{"action": "resume" |
    /// "cancel", "payload"?, "approver"?}`) that is repeated as often as the gate requires, or a list of answers that
    /// are given in order: with an empty list nobody answers, and the gate times out.
    ///
    /// # Errors
    /// Every fault; pointers are relative to `approvals`.
    pub fn parse(approvals: &Value) -> Result<Self, Vec<Diagnostic>> {
        let read = |step: &str, given: &Value, found: &mut Vec<Diagnostic>| {
            let read = if given.is_array() {
                Vec::deserialize(given).map(Given::List)
            } else {
                GivenApproval::deserialize(given).map(Given::Each)
            };
            let noted = read.map_err(|error| {
                let message = format!("the approval of step `{step}` cannot be read: {error}");
                found.push(Diagnostic::new_error(codes::WRONG_TYPE, pointer_push("", step), message));
            });
            noted.ok()
        };
        parse_by_step("approvals", approvals, read).map(|steps| Self { steps })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns a finding for each answer to a gate that does not exist.
    pub(super) fn check_gates(&self, program: &Program) -> Vec<Diagnostic> {
        let waits = |module: &Module| module.suspend.is_some();
        let check = |key: &String| check_key(key, program, waits, "does not wait for an approval: it has no `suspend`");
        self.steps.keys().filter_map(check).collect()
    }

    /// Returns the answers to the gate of a step that requires this many approvals.
    pub(super) fn approvals_for_gate(&self, path: &str, step_id: &str, required: u64) -> Vec<GivenApproval> {
        let times = usize::try_from(required).unwrap_or(usize::MAX).min(MAX_APPROVALS);
        match at_place(&self.steps, path, step_id) {
            None => vec![GivenApproval::default(); times],
            Some(Given::Each(approval)) => vec![approval.clone(); times],
            Some(Given::List(approvals)) => approvals.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(approvals: Value, expected: Result<usize, &[&str]>) {
        let given = Approvals::parse(&approvals)
            .map(|approvals| approvals.approvals_for_gate("", "a", 2).len())
            .map_err(|found| found.into_iter().map(|found| found.pointer).collect::<Vec<_>>());
        let expected = expected.map_err(|pointers| pointers.iter().map(|pointer| (*pointer).to_owned()).collect());
        assert_eq!(given, expected, "{approvals}");
    }

    #[test]
    fn one_answer_is_given_as_often_as_it_is_wanted_and_a_list_as_it_is() {
        check(Value::Null, Ok(2));
        check(json!({"a": {"payload": 1}}), Ok(2));
        check(json!({"a": [{"action": "cancel"}]}), Ok(1));
        check(json!({"a": []}), Ok(0));
        check(json!({"b": []}), Ok(2));
    }

    #[test]
    fn a_gate_that_nobody_can_open_takes_no_memory() {
        assert_eq!(Approvals::default().approvals_for_gate("", "a", u64::from(u32::MAX)).len(), MAX_APPROVALS);
    }

    #[test]
    fn what_is_no_answer_is_told_with_its_place() {
        check(json!(5), Err(&[""]));
        check(json!({"a": {"action": "maybe"}, "b": [{"reason": "x"}], "c": {}}), Err(&["/a", "/b"]));
    }
}
