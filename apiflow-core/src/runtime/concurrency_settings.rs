//! What a document says about its job's place in the queue: priority and concurrency.

use serde_json::Value;

use crate::digest::digest;
use crate::engine::queue_priority;
use crate::openflow::{FlowValue, OpenFlow};
use crate::ports::Concurrency;

/// What stands for `$workspace` in a concurrency key: there is one.
const WORKSPACE: &str = "apiflow";

/// Keys of more bytes are kept as their hash; databases bound what an index holds.
const LONGEST_KEY: usize = 256;

/// A new job's place in the queue.
#[derive(Debug, Default, PartialEq)]
pub(super) struct QueueSettings {
    pub(super) priority: i32,
    pub(super) concurrency: Option<Concurrency>,
}

impl QueueSettings {
    /// Reads it from the document. One that cannot be read says nothing: its job is to fail in its turn, as any other.
    pub(super) fn read(document: &Value, workflow: Option<&str>, input: &Value) -> Self {
        let Ok(OpenFlow { value: flow, .. }) = OpenFlow::from_json(document) else { return Self::default() };
        // A step's own priority beats the flow's from the start.
        let first = flow.modules.first().and_then(|module| module.priority);
        let concurrency = flow.concurrent_limit.filter(|limit| *limit > 0).map(|limit| Concurrency {
            key: key(&flow, document, workflow, input),
            limit,
            window_s: flow.concurrency_time_window_s.filter(|window| *window > 0),
        });
        Self { priority: queue_priority(first, flow.priority), concurrency }
    }
}

/// What the runs of a flow are counted by. Keys of documents' own do not meet those made of ids.
fn key(flow: &FlowValue, document: &Value, workflow: Option<&str>, input: &Value) -> String {
    let own = flow.concurrency_key.as_deref().filter(|text| !text.trim().is_empty());
    let key = match (own, workflow) {
        (Some(text), _) => format!("key:{}", filled(text, input)),
        (None, Some(id)) => format!("workflow:{id}"),
        (None, None) => format!("document:{}", digest(document)),
    };
    // Not every database keeps a NUL in a text.
    if key.len() <= LONGEST_KEY && !key.contains('\0') { key } else { format!("hash:{}", digest(&Value::from(key))) }
}

/// The key with `$workspace` and `$args[x.y]` replaced; what the input does not have is empty. What was put in is not
/// looked at again.
fn filled(text: &str, input: &Value) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('$') {
        filled.push_str(&rest[..place]);
        rest = &rest[place..];
        if let Some(after) = rest.strip_prefix("$workspace") {
            filled.push_str(WORKSPACE);
            rest = after;
        } else if let Some((path, after)) = rest.strip_prefix("$args[").and_then(|rest| rest.split_once(']')) {
            filled.push_str(&argument(input, path));
            rest = after;
        } else {
            filled.push('$');
            rest = &rest[1..];
        }
    }
    filled + rest
}

/// An input as text: strings as they are, all else as JSON.
fn argument(input: &Value, path: &str) -> String {
    match path.split('.').try_fold(input, |value, name| value.get(name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value, input: Value) -> QueueSettings {
        QueueSettings::read(&json!({"value": value}), Some("portrait"), &input)
    }

    fn check_priority(value: Value, expected: i32) {
        assert_eq!(read(value.clone(), json!({})).priority, expected, "of {value}");
    }

    #[test]
    fn the_first_steps_priority_beats_the_flows() {
        let first = |priority: Value| json!([{"id": "a", "value": {"type": "identity"}, "priority": priority}]);
        check_priority(json!({"modules": [], "priority": 3}), 3);
        check_priority(json!({"modules": first(json!(-2)), "priority": 3}), -2);
        check_priority(json!({"modules": first(Value::Null), "priority": 3}), 3);
        check_priority(json!({"modules": first(json!(0)), "priority": 3}), 0);
        check_priority(json!({"modules": []}), 0);
        check_priority(json!({"modules": [], "priority": 1_000_000}), 32_767);
        check_priority(json!({"modules": [], "priority": -1_000_000}), -32_768);
        check_priority(json!({"modules": 1, "priority": 3}), 0);
    }

    fn check_limit(value: Value, expected: Option<(u64, Option<u64>)>) {
        let found = read(value.clone(), json!({})).concurrency;
        assert_eq!(found.map(|found| (found.limit, found.window_s)), expected, "of {value}");
    }

    #[test]
    fn no_limit_and_a_limit_of_none_are_alike() {
        check_limit(json!({"modules": []}), None);
        check_limit(json!({"modules": [], "concurrent_limit": null, "concurrency_time_window_s": 5}), None);
        check_limit(json!({"modules": [], "concurrent_limit": 0, "concurrency_time_window_s": 5}), None);
        check_limit(json!({"modules": [], "concurrent_limit": 2, "concurrency_time_window_s": 5}), Some((2, Some(5))));
        check_limit(json!({"modules": [], "concurrent_limit": 2, "concurrency_time_window_s": 0}), Some((2, None)));
        check_limit(json!({"modules": [], "concurrent_limit": 2}), Some((2, None)));
    }

    fn check_key(key: Value, input: Value, expected: &str) {
        let value = json!({"modules": [], "concurrent_limit": 1, "concurrency_key": key});
        assert_eq!(read(value, input).concurrency.expect("a limit").key, expected, "of {key}");
    }

    #[test]
    fn a_key_names_inputs() {
        let input = json!({"user": {"name": "ada", "id": 7}, "text": "a $args[user.name]", "flags": [true], "n": null});
        check_key(json!("$workspace/f-$args[user.name]-$args[user.id]"), input.clone(), "key:apiflow/f-ada-7");
        check_key(json!("$args[text]"), input.clone(), "key:a $args[user.name]");
        check_key(
            json!("$args[flags]|$args[n]|$args[none.x]|$args[user]"),
            input.clone(),
            "key:[true]|||{\"name\":\"ada\",\"id\":7}",
        );
        check_key(json!("5 $ $args[user.id"), input.clone(), "key:5 $ $args[user.id");
        check_key(json!("größe: $"), input.clone(), "key:größe: $");
        check_key(json!(" "), input.clone(), "workflow:portrait");
        check_key(Value::Null, input, "workflow:portrait");
    }

    #[test]
    fn a_document_that_is_not_saved_is_its_own_key_and_long_keys_are_hashed() {
        let document = |name: &str| json!({"summary": name, "value": {"modules": [], "concurrent_limit": 1}});
        let key = |document: &Value| QueueSettings::read(document, None, &json!({})).concurrency.expect("a limit").key;
        assert_eq!(key(&document("a")), key(&document("a")));
        assert_ne!(key(&document("a")), key(&document("b")));
        let of_text = |text: String| {
            let document = json!({"value": {"modules": [], "concurrent_limit": 1, "concurrency_key": "$args[text]"}});
            QueueSettings::read(&document, None, &json!({"text": text})).concurrency.expect("a limit").key
        };
        assert_eq!(of_text("x".repeat(5_000)).len(), "hash:".len() + 64);
        assert_ne!(of_text("x".repeat(5_000)), of_text("x".repeat(5_001)));
    }
}
