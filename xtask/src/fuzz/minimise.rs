//! Makes a failing input smaller.

use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a case is made smaller.
const PATIENCE: Duration = Duration::from_mins(1);

/// The smallest input that is found to fail still: parts of a JSON value are left out, then bytes of the text.
pub(super) fn minimise(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let deadline = Instant::now() + PATIENCE;
    let mut smallest = input.to_vec();
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        let value = smaller_value(value, &|value| fails(value.to_string().as_bytes()), deadline);
        let text = value.to_string().into_bytes();
        if text.len() <= smallest.len() && fails(&text) {
            smallest = text;
        }
    }
    smaller_text(smallest, &fails, deadline)
}

/// Leaves out members and elements, and puts null in the place of the rest, as long as the value fails.
fn smaller_value(mut value: Value, fails: &dyn Fn(&Value) -> bool, deadline: Instant) -> Value {
    let mut open = vec![String::new()];
    while let Some(pointer) = open.pop() {
        let mut at = 0;
        while Instant::now() < deadline {
            let mut trial = value.clone();
            let Some(left_out) = trial.pointer_mut(&pointer).and_then(|holder| leave_out(holder, at)) else { break };
            if fails(&trial) {
                value = trial;
                continue;
            }
            let mut trial = value.clone();
            let below = format!("{pointer}/{}", left_out.replace('~', "~0").replace('/', "~1"));
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

/// Takes the member or element of this number out; gives its name.
fn leave_out(holder: &mut Value, at: usize) -> Option<String> {
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

/// Leaves out runs of bytes, long ones first.
fn smaller_text(mut text: Vec<u8>, fails: &dyn Fn(&[u8]) -> bool, deadline: Instant) -> Vec<u8> {
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
    use super::minimise;

    fn check(input: &str, fails: impl Fn(&str) -> bool, expected: &str) {
        let found = minimise(input.as_bytes(), |bytes| std::str::from_utf8(bytes).is_ok_and(&fails));
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        check("abcdefgh(ijk)lmnop", |text| text.contains('(') && text.contains(')'), "()");
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        check(
            r#"{"a": [1, {"b": "x", "c": [2, 3]}, 4], "d": {"e": true}}"#,
            |text| is_json(text) && text.contains("\"c\""),
            r#"{"":[{"c":null}]}"#,
        );
    }
}
