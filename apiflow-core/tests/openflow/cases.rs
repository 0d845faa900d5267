//! OpenFlow's cases as data, and what of a case did not come out as expected.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A workflow, its input, and what must come of it.
#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) flow: Value,
    pub(crate) input: Value,
    #[serde(default)]
    pub(crate) events: Vec<Answer>,
    pub(crate) expect: Expect,
}

/// An approval that somebody gives as soon as the job waits for one.
#[derive(Clone, Deserialize)]
pub(crate) struct Answer {
    pub(crate) step: String,
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) payload: Value,
    pub(crate) approver: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Expect {
    status: String,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    result_subset: Option<Value>,
    #[serde(default)]
    runs: BTreeMap<String, u64>,
    pub(crate) skipped: Option<bool>,
    min_duration_ms: Option<u64>,
    message_contains: Option<String>,
    #[serde(default, deserialize_with = "present")]
    wait_response: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What came of a case.
pub(crate) struct Observed<'a> {
    pub(crate) status: &'a str,
    pub(crate) result: &'a Value,
    /// How often each step's node ran.
    pub(crate) runs: &'a BTreeMap<String, u64>,
    /// Whether the flow was stopped as skipped, if that is known.
    pub(crate) skipped: Option<bool>,
    pub(crate) duration_ms: u64,
    /// What a caller got that waited for an early return.
    pub(crate) early_return: Option<&'a Value>,
}

/// All cases.
pub(crate) fn read_cases() -> Vec<Case> {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../conformance/openflow_cases.json")).expect("the cases are JSON");
    assert_eq!(cases.len(), 98);
    cases
}

impl Expect {
    /// What did not come out as expected.
    pub(crate) fn list_differences(&self, observed: &Observed<'_>) -> Vec<String> {
        let Observed { status, result, runs, skipped, duration_ms, early_return } = *observed;
        let mut found = Vec::new();
        if status != self.status {
            found.push(format!("status {status} instead of {}: {result}", self.status));
        }
        if let Some(wanted) = &self.result
            && wanted != result
        {
            found.push(format!("result {result} instead of {wanted}"));
        }
        if let Some(wanted) = &self.result_subset
            && !contains(result, wanted)
        {
            found.push(format!("result {result} does not contain {wanted}"));
        }
        for (step, wanted) in &self.runs {
            let ran = runs.get(step).copied().unwrap_or_default();
            if ran != *wanted {
                found.push(format!("step `{step}` ran {ran} times instead of {wanted}"));
            }
        }
        if let (Some(wanted), Some(skipped)) = (self.skipped, skipped)
            && skipped != wanted
        {
            found.push(format!("skipped: {skipped}"));
        }
        if self.min_duration_ms.is_some_and(|least| duration_ms < least) {
            found.push(format!("took {duration_ms} ms"));
        }
        if let Some(wanted) = &self.wait_response
            && early_return != Some(wanted)
        {
            found.push(format!("a caller that waits gets {early_return:?} instead of {wanted}"));
        }
        if let Some(text) = &self.message_contains
            && !result.to_string().contains(text.as_str())
        {
            found.push(format!("result {result} does not say `{text}`"));
        }
        found
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| value.get(key).is_some_and(|value| contains(value, wanted)))
        }
        (Value::Array(value), Value::Array(wanted)) => {
            value.len() == wanted.len() && value.iter().zip(wanted).all(|(value, wanted)| contains(value, wanted))
        }
        _ => value == wanted,
    }
}

/// Asserts that all cases came out as expected; `failed` names those that did not.
pub(crate) fn assert_all_passed(failed: &[String]) {
    assert!(failed.is_empty(), "{} cases differ:\n{}", failed.len(), failed.join("\n"));
}
