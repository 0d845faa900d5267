//! Mocked replies of calls in a dry run, by step.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::by_step::{at_place, check_key, parse_by_step};
use crate::diagnostic::{Diagnostic, codes};
use crate::engine::Program;
use crate::json::pointer_push;
use crate::openflow::{Module, OpenFlow, find_module};

/// The outcome of a mocked call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It succeeds with this result of the step.
    Result(Value),
    /// It fails with this error object, which has `name` and `message`.
    Error(Value),
}

impl Outcome {
    /// Parses an answer: `{"error": …}` is a failure, any other value the step's result.
    ///
    /// The error is an object or only its message. Without a `name` it is `provider_failed`, which a step's `retry`
    /// repeats.
    pub fn read(answer: Value) -> Self {
        let error = match &answer {
            Value::Object(fields) if fields.len() == 1 => fields.get("error"),
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                None
            }
        };
        match error {
            Some(Value::String(message)) => {
                Self::Error(named_error(Map::from_iter([("message".to_owned(), json!(message))])))
            }
            Some(Value::Object(error)) => Self::Error(named_error(error.clone())),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => Self::Result(answer),
        }
    }
}

/// Adds a missing name and message to an error object.
fn named_error(given: Map<String, Value>) -> Value {
    let mut error = Map::new();
    error.insert("name".to_owned(), json!("provider_failed"));
    error.insert("message".to_owned(), json!("the mock makes this call fail"));
    error.extend(given);
    Value::Object(error)
}

/// Answers by step: one for each attempt; the last one is repeated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mocks {
    steps: BTreeMap<String, Vec<Outcome>>,
}

impl Mocks {
    /// Parses an object of answers. A key is a step's id, or, for one position only, the step's path and id
    /// (`loop[2]/draw`). A value is what [`Outcome::read`] accepts, or `{"attempts": [answer, …]}` with answers to the
    /// step's attempts in order, of which the last one is repeated.
    ///
    /// # Errors
    /// Every fault; pointers are relative to `mocks`.
    pub fn parse(mocks: &Value) -> Result<Self, Vec<Diagnostic>> {
        let read = |step: &str, mock: &Value, found: &mut Vec<Diagnostic>| {
            let outcomes = read_outcomes(mock);
            if outcomes.is_none() {
                let pointer = pointer_push(&pointer_push("", step), "attempts");
                let message = format!("`attempts` of step `{step}` must be a list with at least one answer");
                found.push(Diagnostic::new_error(codes::WRONG_TYPE, pointer, message));
            }
            outcomes
        };
        parse_by_step("mocks", mocks, read).map(|steps| Self { steps })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the results that replace steps if a part of a document is run: of steps that make no call, and, if a
    /// step is run alone (`only`), of all others. Empty if the document is not a workflow.
    pub(super) fn step_replacements(&self, document: &Value, only: Option<&str>) -> Map<String, Value> {
        let Ok(flow) = OpenFlow::from_json(document) else { return Map::new() };
        let replaced = |(step, outcomes): (&String, &Vec<Outcome>)| {
            let replaces = !makes_call(find_module(&flow, step)?) || only.is_some_and(|only| only != step);
            Some((step.clone(), result_alone(outcomes).filter(|_| replaces)?.clone()))
        };
        self.steps.iter().filter_map(replaced).collect()
    }

    /// Returns the results by step id, for a real run.
    ///
    /// # Errors
    /// A finding for each mock that is only possible in a dry run: a failure, or answers to several attempts.
    pub fn into_results(self) -> Result<Map<String, Value>, Vec<Diagnostic>> {
        let mut results = Map::new();
        let mut found = Vec::new();
        for (step, outcomes) in self.steps {
            match result_alone(&outcomes) {
                Some(result) => drop(results.insert(step, result.clone())),
                None => {
                    let message =
                        format!("the mock of step `{step}` has an error or attempts, which only a dry run supports");
                    let help = "set a result, or use a dry run";
                    found.push(
                        Diagnostic::new_error(codes::WRONG_TYPE, pointer_push("", &step), message).with_help(help),
                    );
                }
            }
        }
        if found.is_empty() { Ok(results) } else { Err(found) }
    }

    /// Returns the results of modules that make no call, which replace running them.
    pub(super) fn of_modules(&self, program: &Program) -> BTreeMap<String, Value> {
        let modules = program.modules().filter(|module| !makes_call(module));
        let mocked = |module: &Module| Some((module.id.clone(), result_alone(self.steps.get(&module.id)?)?.clone()));
        modules.filter_map(mocked).collect()
    }

    /// Returns a finding for each mock that matches no step.
    pub(super) fn check_steps(&self, program: &Program) -> Vec<Diagnostic> {
        let check = |(key, outcomes): (&String, &Vec<Outcome>)| {
            let whole = |module: &Module| module.id == *key && result_alone(outcomes).is_some();
            let takes = |module: &Module| makes_call(module) || whole(module);
            check_key(key, program, takes, "makes no call, so its mock must be one result for all places")
        };
        self.steps.iter().filter_map(check).collect()
    }

    /// Returns the answer to an attempt of a step, if there is one.
    pub(super) fn outcome_of_attempt(&self, path: &str, step_id: &str, attempt: u32) -> Option<&Outcome> {
        let outcomes = at_place(&self.steps, path, step_id)?;
        outcomes.get(attempt.saturating_sub(1) as usize).or(outcomes.last())
    }
}

/// Parses the answers of one mock; `None` if its list of attempts is invalid.
fn read_outcomes(mock: &Value) -> Option<Vec<Outcome>> {
    let attempts = mock.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("attempts"));
    match attempts {
        None => Some(vec![Outcome::read(mock.clone())]),
        Some(attempts) => {
            let answers = attempts.as_array().filter(|answers| !answers.is_empty())?;
            Some(answers.iter().cloned().map(Outcome::read).collect())
        }
    }
}

/// Returns whether a module makes calls: any other is replaced as a whole if it is mocked.
fn makes_call(module: &Module) -> bool {
    module.value.node_path().is_some()
}

/// Returns the result of a mock that consists of one result.
fn result_alone(outcomes: &[Outcome]) -> Option<&Value> {
    match outcomes {
        [Outcome::Result(result)] => Some(result),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: Value, expected: Result<Value, Value>) {
        let expected = match expected {
            Ok(result) => Outcome::Result(result),
            Err(error) => Outcome::Error(error),
        };
        assert_eq!(Outcome::read(answer.clone()), expected, "{answer}");
    }

    #[test]
    fn an_object_of_error_alone_is_a_failure() {
        let failed = |name: &str, message: &str| Err(json!({"name": name, "message": message}));
        check(json!({"error": "no money"}), failed("provider_failed", "no money"));
        check(json!({"error": {"name": "payment", "message": "no money"}}), failed("payment", "no money"));
        check(json!({"error": {"name": "timeout"}}), failed("timeout", "the mock makes this call fail"));
        for result in [json!({"error": null}), json!({"error": {}, "output": 1}), json!([{"error": "x"}]), json!(5)] {
            check(result.clone(), Ok(result));
        }
    }

    fn found(mocks: Value, step: (&str, &str), attempt: u32) -> Option<Value> {
        match Mocks::parse(&mocks).expect("mocks").outcome_of_attempt(step.0, step.1, attempt)? {
            Outcome::Result(value) | Outcome::Error(value) => Some(value.clone()),
        }
    }

    #[test]
    fn the_last_attempt_is_repeated() {
        let mocks = json!({"a": {"attempts": [1, 2]}, "b": [1, 2]});
        for (attempt, expected) in [(1, 1), (2, 2), (3, 2)] {
            assert_eq!(found(mocks.clone(), ("", "a"), attempt), Some(json!(expected)), "{attempt}");
        }
        assert_eq!(found(mocks.clone(), ("", "b"), 2), Some(json!([1, 2])));
        assert_eq!(found(mocks, ("", "c"), 1), None);
    }

    #[test]
    fn a_place_wins_over_a_step() {
        let mocks = json!({"draw": "any", "loop[2]/draw": "third"});
        assert_eq!(found(mocks.clone(), ("loop[2]", "draw"), 1), Some(json!("third")));
        assert_eq!(found(mocks.clone(), ("loop[1]", "draw"), 1), Some(json!("any")));
        assert_eq!(found(mocks, ("", "draw"), 1), Some(json!("any")));
    }

    #[test]
    fn what_is_no_mock_is_told_with_its_place() {
        let pointers = |mocks: Value| {
            let found = Mocks::parse(&mocks).expect_err("faults");
            found.into_iter().map(|found| found.pointer).collect::<Vec<_>>()
        };
        assert_eq!(pointers(json!([])), [""]);
        let mocks = json!({"a": {"attempts": []}, "b/c": {"attempts": 5}, "d": {"attempts": [1], "x": 2}});
        assert_eq!(pointers(mocks), ["/a/attempts", "/b~1c/attempts"]);
    }
}
