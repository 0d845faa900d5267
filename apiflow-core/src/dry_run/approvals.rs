//! Answers to approval gates that are given beforehand, by step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mocks::{at_place, check_key};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::engine::Program;
use crate::json::pointer_push;
use crate::openflow::Module;

/// Answers to one gate, at most: a run keeps no more, so that a gate which wants more times out, here as anywhere.
const MAX_APPROVALS: usize = 1_000;

/// What somebody answers to a gate (`suspend`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenApproval {
    /// Whether to go on or to end.
    #[serde(default)]
    pub action: ApprovalAction,
    /// What comes with it: `resume` in the module after the step.
    #[serde(default = "empty_payload")]
    pub payload: Value,
    /// The name of the approver.
    #[serde(default)]
    pub approver: Option<String>,
}

/// What an answer to a gate asks for.
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

/// Answers to gates by step. A gate without answers is approved at once, as often as it requires, with an empty
/// object as the payload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Approvals {
    steps: BTreeMap<String, Given>,
}

#[derive(Debug, Clone, PartialEq)]
enum Given {
    /// As often as the gate wants.
    Each(GivenApproval),
    /// These, one after the other; if they are too few the gate waits until it times out.
    List(Vec<GivenApproval>),
}

impl Approvals {
    /// Reads an object of answers by step id or place, as mocks have them. A value is an answer
    /// (`{"action": "resume" | "cancel", "payload"?, "approver"?}`) that is given as often as the gate wants, or a list
    /// of answers that are given one after the other: with an empty list nobody answers, and the gate times out.
    ///
    /// # Errors
    /// Every fault, with pointers into what is given.
    pub fn parse(approvals: &Value) -> Result<Self, Vec<Diagnostic>> {
        let fields = match approvals {
            Value::Object(fields) => fields,
            Value::Null => return Ok(Self::default()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let found = Diagnostic::new_error(
                    codes::WRONG_TYPE,
                    "",
                    "approvals must be an object that maps step ids to answers",
                );
                return Err(vec![found]);
            }
        };
        let mut steps = BTreeMap::new();
        let mut found = Vec::new();
        for (step, given) in fields {
            let read = if given.is_array() {
                Vec::deserialize(given).map(Given::List)
            } else {
                GivenApproval::deserialize(given).map(Given::Each)
            };
            match read {
                Ok(given) => drop(steps.insert(step.clone(), given)),
                Err(error) => {
                    let message = format!("the approval of step `{step}` cannot be read: {error}");
                    found.push(Diagnostic::new_error(codes::WRONG_TYPE, pointer_push("", step), message));
                }
            }
        }
        if found.is_empty() { Ok(Self { steps }) } else { Err(found) }
    }

    /// A finding for each answer to a gate that does not exist.
    pub(super) fn check_gates(&self, program: &Program) -> Vec<Diagnostic> {
        let waits = |module: &Module| module.suspend.is_some();
        let check = |key: &String| check_key(key, program, waits, "does not wait for an approval: it has no `suspend`");
        self.steps.keys().filter_map(check).collect()
    }

    /// What is answered to the gate of a step that requires this many approvals.
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
