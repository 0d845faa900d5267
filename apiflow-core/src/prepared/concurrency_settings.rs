//! Queue settings of a document: priority and concurrency.

use serde_json::Value;

use crate::digest::hash_value;
use crate::engine::queue_priority;
use crate::openflow::FlowValue;
use crate::ports::Concurrency;

/// Value of `$workspace` in a concurrency key: there is only one workspace.
const WORKSPACE: &str = "apiflow";

/// Maximum length of a key in bytes; longer ones are replaced by their hash, because databases limit the size of index
/// entries.
const MAX_KEY_BYTES: usize = 256;

/// The queue settings that a document specifies for its jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct QueueSettings {
    pub(crate) priority: i32,
    concurrency: Option<ConcurrencySettings>,
}

#[derive(Debug, Clone, PartialEq)]
struct ConcurrencySettings {
    limit: u64,
    window_s: Option<u64>,
    key: KeySource,
}

/// The key by which runs of a flow are counted.
#[derive(Debug, Clone, PartialEq)]
enum KeySource {
    /// The document's own key, which may contain inputs.
    Template(String),
    /// The workflow's id, or this hash of a document that is not saved.
    Identity { digest: String },
}

impl QueueSettings {
    /// Reads the settings from a parsed document; `document` is its JSON.
    pub(crate) fn read(flow: &FlowValue, document: &Value) -> Self {
        // A priority of the first step takes precedence over the flow's.
        let first = flow.modules.first().and_then(|module| module.priority);
        let own = flow.concurrency_key.as_deref().filter(|text| !text.trim().is_empty());
        let key = || match own {
            Some(text) => KeySource::Template(text.to_owned()),
            None => KeySource::Identity { digest: hash_value(document) },
        };
        let concurrency = flow.concurrent_limit.filter(|limit| *limit > 0).map(|limit| ConcurrencySettings {
            limit,
            window_s: flow.concurrency_time_window_s.filter(|window| *window > 0),
            key: key(),
        });
        Self { priority: queue_priority(first, flow.priority), concurrency }
    }

    /// Returns whether jobs compete for slots with others.
    pub(crate) fn shares_slots(&self) -> bool {
        self.concurrency.is_some()
    }

    /// Returns the key and limits by which a job with this input shares slots.
    pub(crate) fn concurrency(&self, workflow: Option<&str>, input: &Value) -> Option<Concurrency> {
        let ConcurrencySettings { limit, window_s, key } = self.concurrency.as_ref()?;
        Some(Concurrency { key: key.fill_key(workflow, input), limit: *limit, window_s: *window_s })
    }
}

impl KeySource {
    /// Returns the key of a job. Keys that documents define never equal those made from ids.
    fn fill_key(&self, workflow: Option<&str>, input: &Value) -> String {
        let key = match (self, workflow) {
            (Self::Template(text), _) => format!("key:{}", fill_template(text, input)),
            (Self::Identity { .. }, Some(id)) => format!("workflow:{id}"),
            (Self::Identity { digest }, None) => format!("document:{digest}"),
        };
        // Not every database can store NUL in a string.
        let is_kept = key.len() <= MAX_KEY_BYTES && !key.contains('\0');
        if is_kept { key } else { format!("hash:{}", hash_value(&Value::from(key))) }
    }
}

/// Replaces `$workspace` and `$args[x.y]` in a key; missing inputs are empty. Inserted values are not scanned again.
fn fill_template(text: &str, input: &Value) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('$') {
        filled.push_str(&rest[..place]);
        rest = &rest[place..];
        if let Some(after) = rest.strip_prefix("$workspace") {
            filled.push_str(WORKSPACE);
            rest = after;
        } else if let Some((path, after)) = rest.strip_prefix("$args[").and_then(|rest| rest.split_once(']')) {
            filled.push_str(&argument_text(input, path));
            rest = after;
        } else {
            filled.push('$');
            rest = &rest[1..];
        }
    }
    filled + rest
}

/// Formats an input: strings as they are, all other values as JSON.
fn argument_text(input: &Value, path: &str) -> String {
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
    use crate::openflow::OpenFlow;

    fn read_document(document: &Value) -> QueueSettings {
        let flow = OpenFlow::from_json(document).expect("a document").value;
        QueueSettings::read(&flow, document)
    }

    fn read(value: Value) -> QueueSettings {
        read_document(&json!({"value": value}))
    }

    fn check_priority(value: Value, expected: i32) {
        assert_eq!(read(value.clone()).priority, expected, "of {value}");
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
    }

    fn check_limit(value: Value, expected: Option<(u64, Option<u64>)>) {
        let found = read(value.clone()).concurrency(Some("portrait"), &json!({}));
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
        assert_eq!(read(value).concurrency(Some("portrait"), &input).expect("a limit").key, expected, "of {key}");
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
        let key = |document: &Value| read_document(document).concurrency(None, &json!({})).expect("a limit").key;
        assert_eq!(key(&document("a")), key(&document("a")));
        assert_ne!(key(&document("a")), key(&document("b")));
        let of_text = |text: String| {
            let document = json!({"value": {"modules": [], "concurrent_limit": 1, "concurrency_key": "$args[text]"}});
            read_document(&document).concurrency(None, &json!({"text": text})).expect("a limit").key
        };
        assert_eq!(of_text("x".repeat(5_000)).len(), "hash:".len() + 64);
        assert_ne!(of_text("x".repeat(5_000)), of_text("x".repeat(5_001)));
    }
}
