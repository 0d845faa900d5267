//! Answers to calls that are given beforehand, by step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::catalog::fields::{list, nearest};
use crate::diagnostic::{Diagnostic, pointer_push};
use crate::engine::Program;
use crate::validate::codes;

/// Steps that a message names, at most.
const MOST_NAMES: usize = 20;

/// What a mocked call comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It succeeds: the step's result.
    Result(Value),
    /// It fails: the error object, with `name` and `message`.
    Error(Value),
}

impl Outcome {
    /// Reads an answer: `{"error": …}` is a failure, anything else the step's result.
    ///
    /// The error is an object or just its message. Without a `name` it is `provider_failed`, which a step's `retry`
    /// tries again.
    pub fn read(answer: Value) -> Self {
        let error = match &answer {
            Value::Object(fields) if fields.len() == 1 => fields.get("error"),
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                None
            }
        };
        match error {
            Some(Value::String(message)) => {
                Self::Error(named(Map::from_iter([("message".to_owned(), json!(message))])))
            }
            Some(Value::Object(error)) => Self::Error(named(error.clone())),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => Self::Result(answer),
        }
    }
}

/// An error object that has what every error has.
fn named(given: Map<String, Value>) -> Value {
    let mut error = Map::new();
    error.insert("name".to_owned(), json!("provider_failed"));
    error.insert("message".to_owned(), json!("the mock lets this call fail"));
    error.extend(given);
    Value::Object(error)
}

/// Answers by step; one for each attempt, the last for all that follow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mocks {
    steps: BTreeMap<String, Vec<Outcome>>,
}

impl Mocks {
    /// Reads an object of answers. A key is a step's id, or for one place only the step's path and id
    /// (`loop[2]/draw`). A value is what [`Outcome::read`] takes, or `{"attempts": [answer, …]}` for answers to the
    /// attempts of a step one after the other, of which the last is given to all that follow.
    ///
    /// # Errors
    /// Every fault, with pointers into what is given.
    pub fn parse(mocks: &Value) -> Result<Self, Vec<Diagnostic>> {
        let fields = match mocks {
            Value::Object(fields) => fields,
            Value::Null => return Ok(Self::default()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let found = Diagnostic::error(codes::WRONG_TYPE, "", "mocks must be an object of answers by step id");
                return Err(vec![found]);
            }
        };
        let mut steps = BTreeMap::new();
        let mut found = Vec::new();
        for (step, mock) in fields {
            match outcomes(mock) {
                Some(outcomes) => drop(steps.insert(step.clone(), outcomes)),
                None => {
                    let pointer = pointer_push(&pointer_push("", step), "attempts");
                    let message = format!("`attempts` of step `{step}` must be a list with at least one answer");
                    found.push(Diagnostic::error(codes::WRONG_TYPE, pointer, message));
                }
            }
        }
        if found.is_empty() { Ok(Self { steps }) } else { Err(found) }
    }

    /// A finding for each mock whose step does not exist.
    pub(super) fn check(&self, program: &Program) -> Vec<Diagnostic> {
        let known = program.step_ids();
        let unknown = |key: &&String| !known.contains(key.as_str()) && !known.contains(step_of(key));
        self.steps.keys().filter(unknown).map(|key| no_step(key, &known)).collect()
    }

    /// The answer to an attempt of a step, if there is one.
    pub(super) fn outcome(&self, path: &str, step_id: &str, attempt: u32) -> Option<&Outcome> {
        let place = format!("{path}/{step_id}");
        let outcomes = self.steps.get(&place).or_else(|| self.steps.get(step_id))?;
        outcomes.get(attempt.saturating_sub(1) as usize).or(outcomes.last())
    }
}

/// The answers of one mock; `None` where its list of attempts is none.
fn outcomes(mock: &Value) -> Option<Vec<Outcome>> {
    let attempts = mock.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("attempts"));
    match attempts {
        None => Some(vec![Outcome::read(mock.clone())]),
        Some(attempts) => {
            let answers = attempts.as_array().filter(|answers| !answers.is_empty())?;
            Some(answers.iter().cloned().map(Outcome::read).collect())
        }
    }
}

/// The id in a key that may name a place.
fn step_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

fn no_step(key: &str, known: &BTreeSet<&str>) -> Diagnostic {
    let step = step_of(key);
    let known: Vec<&str> = known.iter().copied().collect();
    let help = match nearest(step, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the workflow has {}", list(&known[..known.len().min(MOST_NAMES)])),
    };
    Diagnostic::error(codes::UNKNOWN_STEP, pointer_push("", key), format!("there is no step `{step}`")).help(help)
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
        check(json!({"error": {"name": "timeout"}}), failed("timeout", "the mock lets this call fail"));
        for result in [json!({"error": null}), json!({"error": {}, "output": 1}), json!([{"error": "x"}]), json!(5)] {
            check(result.clone(), Ok(result));
        }
    }

    fn found(mocks: Value, step: (&str, &str), attempt: u32) -> Option<Value> {
        match Mocks::parse(&mocks).expect("mocks").outcome(step.0, step.1, attempt)? {
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
