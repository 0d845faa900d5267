//! Limits of a connector: how many calls it takes per window, and how many may be at work at the same time.

use serde_json::Value;

use super::reply_rules::keep_form;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::Fields;
use crate::ports::{RequestWindow, SubmitLimits};

/// Maximum length of a window, in seconds: a day.
const MAX_WINDOW_S: u64 = 86_400;

/// Parses `limits`: `{"in_flight": n, "requests": {"count": n, "window_s": n}}`; each may be missing.
pub(super) fn read_limits(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<SubmitLimits> {
    let mut fields = Fields::open(value, pointer, found)?;
    let in_flight = read_count(&mut fields, "in_flight", u64::MAX);
    let requests = fields.read_value("requests").and_then(|value| {
        let at = fields.pointer_of("requests");
        read_window(value, &at, fields.sink)
    });
    fields.close();
    (in_flight.is_some() || requests.is_some()).then_some(SubmitLimits { in_flight, requests })
}

fn read_window(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<RequestWindow> {
    let mut fields = Fields::open(value, pointer, found)?;
    for key in ["count", "window_s"] {
        if !value.as_object().is_some_and(|map| map.contains_key(key)) {
            fields.note_fault(codes::MISSING_FIELD, key, format!("`{key}` is missing"));
        }
    }
    let count = read_count(&mut fields, "count", u64::MAX);
    let window_s = read_count(&mut fields, "window_s", MAX_WINDOW_S);
    fields.close();
    Some(RequestWindow { count: count?, window_s: window_s? })
}

/// Reads a whole number from 1 to `max`.
fn read_count(fields: &mut Fields<'_, '_>, key: &'static str, max: u64) -> Option<u64> {
    let value = fields.read_value(key)?;
    let count = value.as_u64().filter(|count| (1..=max).contains(count));
    if count.is_none() {
        let range = if max == u64::MAX { "of at least 1".to_owned() } else { format!("from 1 to {max}") };
        fields.note_fault(codes::BAD_VALUE, key, format!("`{key}` must be a whole number {range}, not {value}"));
    }
    count
}

/// Checks the form of `limits`.
pub(crate) fn check_limits(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(
        |found| {
            read_limits(value, pointer, found);
        },
        faults,
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> (Option<SubmitLimits>, Vec<Diagnostic>) {
        let mut found = Vec::new();
        (read_limits(value, "/p", &mut found), found)
    }

    #[test]
    fn limits_are_read() {
        let requests = Some(RequestWindow { count: 10, window_s: 60 });
        for (value, expected) in [
            (json!({}), None),
            (json!({"in_flight": 3}), Some(SubmitLimits { in_flight: Some(3), requests: None })),
            (
                json!({"in_flight": 3, "requests": {"count": 10, "window_s": 60}}),
                Some(SubmitLimits { in_flight: Some(3), requests }),
            ),
            (json!({"requests": {"count": 10, "window_s": 60}}), Some(SubmitLimits { in_flight: None, requests })),
        ] {
            assert_eq!(read(&value), (expected, Vec::new()), "{value}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        for (value, pointer) in [
            (json!([]), "/p"),
            (json!({"in_flight": 0}), "/p/in_flight"),
            (json!({"in_flight": 1.5}), "/p/in_flight"),
            (json!({"requests": {"count": 3}}), "/p/requests/window_s"),
            (json!({"requests": {"count": 3, "window_s": 1e9}}), "/p/requests/window_s"),
            (json!({"requests": {"count": -1, "window_s": 1}}), "/p/requests/count"),
            (json!({"per_minute": 3}), "/p/per_minute"),
        ] {
            let (_, found) = read(&value);
            assert!(found.iter().any(|fault| fault.pointer == pointer), "{value}: {found:?}");
        }
    }
}
