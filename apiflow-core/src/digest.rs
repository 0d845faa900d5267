//! Digests: equal values have equal digests, under which results are cached for later runs and repeated requests are
//! recognized.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Hashes a value independently of the order of its keys; returns hexadecimal digits.
pub fn hash_value(value: &Value) -> String {
    let mut hash = Sha256::new();
    feed_value(&mut hash, value);
    format_hex(&hash.finalize())
}

/// Hashes a string; returns hexadecimal digits.
pub fn hash_text(text: &str) -> String {
    format_hex(&Sha256::digest(text))
}

/// Hashes bytes; returns hexadecimal digits.
pub fn hash_bytes(bytes: &[u8]) -> String {
    format_hex(&Sha256::digest(bytes))
}

/// Formats bytes as hexadecimal digits.
pub(crate) fn format_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
        text
    })
}

fn feed_value(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => hash.update(value.to_string()),
        Value::Array(items) => {
            hash.update("[");
            for item in items {
                feed_value(hash, item);
                hash.update(",");
            }
            hash.update("]");
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            hash.update("{");
            for (name, value) in sorted {
                hash.update(Value::from(name.as_str()).to_string());
                hash.update(":");
                feed_value(hash, value);
                hash.update(",");
            }
            hash.update("}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(one: Value, other: Value, same: bool) {
        assert_eq!(hash_value(&one) == hash_value(&other), same, "{one} and {other}");
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_all_else_does() {
        check(json!({"a": 1, "b": {"c": [1, 2], "d": null}}), json!({"b": {"d": null, "c": [1, 2]}, "a": 1}), true);
        check(json!({"a": [1, 2]}), json!({"a": [2, 1]}), false);
        check(json!({"a": "1"}), json!({"a": 1}), false);
        check(json!(["a", "b"]), json!(["a,b"]), false);
        check(json!({"a": 1}), json!({"b": 1}), false);
        check(json!({}), json!([]), false);
    }
}
