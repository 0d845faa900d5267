//! Looks up plain paths without JavaScript.

use serde_json::{Map, Value};

use super::builtin_properties::is_natural;
use super::plain_path::{PlainPath, Segment, parse_index, plain_path};
use crate::expression::EvaluationError;

/// Looks up a plain path; `None` if the source needs JavaScript.
///
/// A missing key is null. Under `results` and `flow_env` that applies at any depth; under other names a missing parent
/// is an error, as in JavaScript.
pub fn look_up_plain_path(source: &str, names: &Map<String, Value>) -> Option<Result<Value, EvaluationError>> {
    if let Some(value) = names.get(source.trim()) {
        return Some(Ok(value.clone()));
    }
    let path = plain_path(source)?;
    let value = names.get(&path.root)?;
    follow_path(&path, value).map(|found| found.map(|value| value.cloned().unwrap_or(Value::Null)))
}

fn follow_path<'v>(path: &PlainPath, root: &'v Value) -> Option<Result<Option<&'v Value>, EvaluationError>> {
    let forgiving = matches!(path.root.as_str(), "results" | "flow_env");
    let mut value = Some(root);
    for (segment, optional) in &path.segments {
        value = match value {
            None | Some(Value::Null) if forgiving || *optional => return Some(Ok(None)),
            None => return Some(Err(unreadable_member_error("undefined", segment))),
            Some(Value::Null) => return Some(Err(unreadable_member_error("null", segment))),
            Some(value) => own_property(value, segment)?,
        };
    }
    Some(Ok(value))
}

fn unreadable_member_error(parent: &str, segment: &Segment) -> EvaluationError {
    let key = match segment {
        Segment::Key(key) => key.clone(),
        Segment::Index(number) => number.to_string(),
    };
    EvaluationError::Thrown(format!("cannot read properties of {parent} (reading '{key}')"))
}

/// Returns a value's own property: `Some(None)` if it has none, and `None` if JavaScript would find an inherited one.
#[expect(clippy::option_option, reason = "the two absences are different answers")]
fn own_property<'v>(value: &'v Value, segment: &Segment) -> Option<Option<&'v Value>> {
    let number = match segment {
        Segment::Index(number) => Some(*number),
        Segment::Key(key) => parse_index(key),
    };
    let own = match (value, segment, number) {
        (_, Segment::Key(key), _) if key == "__proto__" => return None,
        (Value::Object(fields), Segment::Key(key), _) => fields.get(key),
        (Value::Object(fields), Segment::Index(number), _) => fields.get(&number.to_string()),
        (Value::Array(items), _, Some(number)) => items.get(number as usize),
        // A character of a string, which JavaScript indexes in UTF-16.
        (Value::String(_), _, Some(_)) => return None,
        (Value::Array(_) | Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null, ..) => None,
    };
    match (own, segment) {
        (None, Segment::Key(key)) if is_natural(key) => None,
        (own, _) => Some(own),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::expression::EvaluationError;

    fn check(source: &str, expected: Option<Result<Value, &str>>) {
        let names = json!({
            "results": {"a": {"url": "u", "list": [{"b": 1}], "none": null, "length": 7, "7": "seven"}, "b c": 2},
            "flow_input": {"x": {"y": 1}, "none": null, "list": [1, 2]},
            "flow_env": {"K": "v"},
            "previous_result": 5,
            "resume": null,
        });
        let Value::Object(names) = names else { unreachable!("an object literal") };
        let expected = expected.map(|result| result.map_err(|text| EvaluationError::Thrown(text.to_owned())));
        assert_eq!(super::look_up_plain_path(source, &names), expected, "{source}");
    }

    #[test]
    fn a_present_value_is_found() {
        check("previous_result", Some(Ok(json!(5))));
        check(" flow_input ", Some(Ok(json!({"x": {"y": 1}, "none": null, "list": [1, 2]}))));
        check("results.a.list[0].b", Some(Ok(json!(1))));
        check("results['b c']", Some(Ok(json!(2))));
        check("results?.a?.list?.[0]", Some(Ok(json!({"b": 1}))));
        check("results.a[7]", Some(Ok(json!("seven"))));
        check("results.a.list['0'].b", Some(Ok(json!(1))));
        check("flow_input.list[1]", Some(Ok(json!(2))));
        check("results.a.length", Some(Ok(json!(7))));
    }

    #[test]
    fn a_missing_one_is_null_at_any_depth_of_results_and_flow_env() {
        for source in [
            "results.z",
            "results.z.y.x[3]",
            "results.a.none.x",
            "results.a.url.x.y",
            "results.a.list[9].b",
            "flow_env.Z",
            "flow_env.K.x.y",
            "results.a.list.x",
        ] {
            check(source, Some(Ok(Value::Null)));
        }
    }

    #[test]
    fn a_missing_parent_under_another_name_fails_as_in_javascript() {
        check("flow_input.z", Some(Ok(Value::Null)));
        check("flow_input.z.x", Some(Err("cannot read properties of undefined (reading 'x')")));
        check("flow_input.none.x", Some(Err("cannot read properties of null (reading 'x')")));
        check("flow_input.none[0]", Some(Err("cannot read properties of null (reading '0')")));
        check("flow_input.list[9].x", Some(Err("cannot read properties of undefined (reading 'x')")));
        check("flow_input.z?.x.y", Some(Ok(Value::Null)));
        check("resume.x", Some(Err("cannot read properties of null (reading 'x')")));
    }

    #[test]
    fn what_needs_javascript_is_left_to_it() {
        for source in [
            "results.a.list.length",
            "results.a.url.length",
            "results.a.url[0]",
            "flow_input.toString",
            "unknown",
            "unknown.x",
            "results.a.list.map",
            "flow_input.__proto__",
            "flow_input.constructor",
            "1",
            "results.a + 1",
        ] {
            check(source, None);
        }
    }
}
