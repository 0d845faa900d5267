//! Minimising a failing input.

use std::time::{Duration, Instant};

use serde_json::Value;

/// The time that minimising a case may take.
const MINIMISE_TIMEOUT: Duration = Duration::from_mins(1);

/// Returns the smallest input that was found to fail as well: parts of a JSON value are left out, then bytes of the text.
pub(super) fn minimise_input(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let deadline = Instant::now() + MINIMISE_TIMEOUT;
    let mut smallest = input.to_vec();
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        let value = minimise_value(value, &|value| fails(value.to_string().as_bytes()), deadline);
        let text = value.to_string().into_bytes();
        if text.len() <= smallest.len() && fails(&text) {
            smallest = text;
        }
    }
    minimise_text(smallest, &fails, deadline)
}

/// Removes members and elements, and replaces the rest with null, as long as the value fails.
fn minimise_value(mut value: Value, fails: &dyn Fn(&Value) -> bool, deadline: Instant) -> Value {
    let mut open = vec![String::new()];
    while let Some(pointer) = open.pop() {
        let mut at = 0;
        while Instant::now() < deadline {
            let mut trial = value.clone();
            let Some(removed) = trial.pointer_mut(&pointer).and_then(|holder| remove_nth(holder, at)) else { break };
            if fails(&trial) {
                value = trial;
                continue;
            }
            let mut trial = value.clone();
            let below = format!("{pointer}/{}", removed.replace('~', "~0").replace('/', "~1"));
            if let Some(place) = trial.pointer_mut(&below).filter(|place| !place.is_null()) {
                *place = Value::Null;
                if fails(&trial) {
                    value = trial;
                } else {
                    open.push(below);
                }
            }
            at += 1;
        }
    }
    value
}

/// Removes the nth member or element; returns its name.
fn remove_nth(holder: &mut Value, at: usize) -> Option<String> {
    match holder {
        Value::Object(fields) => {
            let name = fields.keys().nth(at)?.clone();
            fields.shift_remove(&name);
            Some(name)
        }
        Value::Array(items) if at < items.len() => {
            items.remove(at);
            Some(at.to_string())
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Removes runs of bytes, long ones first.
fn minimise_text(mut text: Vec<u8>, fails: &dyn Fn(&[u8]) -> bool, deadline: Instant) -> Vec<u8> {
    let mut run = text.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < text.len() && Instant::now() < deadline {
            let end = (at + run).min(text.len());
            let trial = [&text[..at], &text[end..]].concat();
            if fails(&trial) { text = trial } else { at = end }
        }
        run /= 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::minimise_input;

    fn check(input: &str, fails: impl Fn(&str) -> bool, expected: &str) {
        let found = minimise_input(input.as_bytes(), |bytes| std::str::from_utf8(bytes).is_ok_and(&fails));
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }

    #[test]
    fn what_does_not_matter_is_removed() {
        check("abcdefgh(ijk)lmnop", |text| text.contains('(') && text.contains(')'), "()");
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        check(
            r#"{"a": [1, {"b": "x", "c": [2, 3]}, 4], "d": {"e": true}}"#,
            |text| is_json(text) && text.contains("\"c\""),
            r#"{"":[{"c":null}]}"#,
        );
    }
}
