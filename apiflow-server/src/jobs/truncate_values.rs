//! Previews of large inputs and outputs, for pages that show a job while it runs.

use serde_json::{Map, Value};

use crate::api::{Job, Step, TruncatedField};

/// Longest string of a preview, in characters.
const MAX_STRING_CHARS: usize = 2_000;

/// Size of a string in a preview from which on it may be shortened, in bytes.
const KEPT_STRING_BYTES: usize = 200;

/// Replaces the values of a job and its steps that are larger than `max_bytes` of JSON by previews.
pub(crate) fn truncate_job(job: &mut Job, max_bytes: usize) {
    truncate_fields(&mut job.input, &mut job.output, &mut job.truncated, max_bytes);
    for step in &mut job.steps {
        truncate_step(step, max_bytes);
    }
}

/// Replaces the values of a step that are larger than `max_bytes` of JSON by previews.
pub(crate) fn truncate_step(step: &mut Step, max_bytes: usize) {
    truncate_fields(&mut step.input, &mut step.output, &mut step.truncated, max_bytes);
}

fn truncate_fields(input: &mut Value, output: &mut Value, truncated: &mut Vec<TruncatedField>, max_bytes: usize) {
    for (value, field) in [(input, TruncatedField::Input), (output, TruncatedField::Output)] {
        if json_bytes(value) > max_bytes {
            let mut left = max_bytes;
            *value = preview_of(value.take(), &mut left);
            truncated.push(field);
        }
    }
}

fn json_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| json_bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| name.len() + 4 + json_bytes(field)).sum::<usize>() + 2
        }
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.to_string().len(),
    }
}

/// Returns the beginning of a value: long strings are cut, and entries that do not fit are left out.
fn preview_of(value: Value, left: &mut usize) -> Value {
    match value {
        Value::String(text) => {
            let shown = cut_string(text, *left);
            *left = left.saturating_sub(shown.len() + 2);
            Value::String(shown)
        }
        Value::Array(items) => {
            let mut shown = Vec::new();
            for item in items {
                if *left == 0 {
                    break;
                }
                shown.push(preview_of(item, left));
            }
            Value::Array(shown)
        }
        Value::Object(fields) => {
            let mut shown = Map::new();
            for (name, field) in fields {
                if *left == 0 {
                    break;
                }
                *left = left.saturating_sub(name.len() + 4);
                shown.insert(name, preview_of(field, left));
            }
            Value::Object(shown)
        }
        small @ (Value::Null | Value::Bool(_) | Value::Number(_)) => {
            *left = left.saturating_sub(json_bytes(&small));
            small
        }
    }
}

/// Cuts a string to what is left; the cut part of a data URI would be a broken file, so its size is shown instead.
fn cut_string(text: String, left: usize) -> String {
    if text.len() <= left.clamp(KEPT_STRING_BYTES, MAX_STRING_CHARS) {
        return text;
    }
    let bytes = text.len();
    if text.starts_with("data:") {
        let kind = text.split([';', ',']).next().unwrap_or_default();
        return format!("({} of {bytes} bytes)", kind.replacen(':', " URI, ", 1));
    }
    let cut: String = text.chars().take(MAX_STRING_CHARS.min(left.max(KEPT_STRING_BYTES))).collect();
    format!("{cut}… ({bytes} bytes)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, max_bytes: usize, expected: &Value) {
        let (mut input, mut truncated) = (value, Vec::new());
        truncate_fields(&mut input, &mut Value::from(1), &mut truncated, max_bytes);
        assert_eq!(&input, expected);
        let cut = if max_bytes < 1_000_000 { &[TruncatedField::Input][..] } else { &[] };
        assert_eq!(truncated, cut);
    }

    #[test]
    fn large_values_keep_their_beginning() {
        let long = "ü".repeat(3_000);
        check(json!({"a": long}), 1_000_000, &json!({"a": long}));
        let cut = format!("{}… (6000 bytes)", "ü".repeat(996));
        check(json!({"a": long, "b": 1}), 1_001, &json!({"a": cut}));
        check(json!([1, 2, 3, 4, [5]]), 3, &json!([1, 2, 3]));
        let uri = format!("data:image/png;base64,{}", "A".repeat(5_000));
        check(json!([uri]), 1_000, &json!(["(data URI, image/png of 5022 bytes)"]));
        check(
            json!({"artifact": "a", "url": "https://a.example/x", "rest": long}),
            2_500,
            &json!({"artifact": "a",
            "url": "https://a.example/x", "rest": format!("{}… (6000 bytes)", "ü".repeat(2_000))}),
        );
    }
}
