//! What a document says about its job's place in the queue.

use serde::Deserialize as _;
use serde_json::Value;

use crate::engine::queue_priority;
use crate::openflow::OpenFlow;

/// A new job's priority: its first step's, else the flow's. A document that cannot be read has none: its job is to
/// fail, as any other in its turn.
pub(super) fn priority(document: &Value) -> i32 {
    OpenFlow::deserialize(document).map_or(0, |document| {
        let first = document.value.modules.first().and_then(|module| module.priority);
        queue_priority(first, document.value.priority)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(document: Value, expected: i32) {
        assert_eq!(priority(&document), expected, "of {document}");
    }

    #[test]
    fn the_first_steps_priority_beats_the_flows() {
        let first = |priority: Value| json!([{"id": "a", "value": {"type": "identity"}, "priority": priority}]);
        check(json!({"value": {"modules": [], "priority": 3}}), 3);
        check(json!({"value": {"modules": first(json!(-2)), "priority": 3}}), -2);
        check(json!({"value": {"modules": first(Value::Null), "priority": 3}}), 3);
        check(json!({"value": {"modules": first(json!(0)), "priority": 3}}), 0);
        check(json!({"value": {"modules": []}}), 0);
        check(json!({"value": {"modules": [], "priority": 1_000_000}}), 32_767);
        check(json!({"value": {"modules": [], "priority": -1_000_000}}), -32_768);
        check(json!({"value": {"modules": 1, "priority": 3}}), 0);
    }
}
