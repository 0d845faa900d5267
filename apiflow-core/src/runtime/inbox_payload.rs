//! Payloads of inbox messages: a fact for the engine, and the records of the calls behind it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::ReportedCost;
use crate::engine::{Answer, Fact};
use crate::ports::CallRecord;

/// The payload of an [`InboxMessage`](crate::ports::InboxMessage).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct InboxPayload {
    /// The fact for the engine.
    #[serde(flatten)]
    pub(super) fact: Fact,
    /// The calls that led to an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) calls: Vec<CallRecord>,
    /// What replies have said about the cost of the attempt.
    #[serde(default, skip_serializing_if = "ReportedCost::is_empty")]
    pub(super) reported_cost: ReportedCost,
}

impl InboxPayload {
    /// Creates the payload of an answer to an attempt, with the calls that led to it.
    pub(super) fn from_answer(effect: u64, answer: Answer, calls: Vec<CallRecord>) -> Self {
        Self { fact: Fact::Answered { effect, answer }, calls, reported_cost: ReportedCost::default() }
    }

    /// Adds what replies have said about the cost of the attempt.
    pub(super) fn with_reported_cost(self, reported_cost: ReportedCost) -> Self {
        Self { reported_cost, ..self }
    }

    /// Returns the payload as the store keeps it.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a fact is plain data")
    }
}

impl From<Fact> for InboxPayload {
    fn from(fact: Fact) -> Self {
        Self { fact, calls: Vec::new(), reported_cost: ReportedCost::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn payloads_of_earlier_versions_are_read_and_written_alike() {
        let call = json!({"step": 2, "attempt": 1, "purpose": "poll", "at": 5, "duration_ms": 7,
            "request": {"url": "https://api.example.com"}, "reply": {"status": 200}});
        let answered = json!({"fact": "answered", "effect": 3,
            "answer": {"answer": "done", "result": {"n": 1.5, "deep": [{"b": 1, "a": null}]}}, "calls": [call]});
        let payload: InboxPayload = serde_json::from_value(answered.clone()).expect("a payload");
        assert_eq!(payload.calls.len(), 1);
        assert_eq!(payload.to_json(), answered);
        let cancel = json!({"fact": "cancel", "reason": "enough", "by": null});
        let payload: InboxPayload = serde_json::from_value(cancel.clone()).expect("a payload");
        assert_eq!(payload.to_json(), cancel);
        let without_calls = json!({"fact": "answered", "effect": 3, "answer": {"answer": "repeat"}, "calls": []});
        assert!(serde_json::from_value::<InboxPayload>(without_calls).is_ok_and(|payload| payload.calls.is_empty()));
    }
}
