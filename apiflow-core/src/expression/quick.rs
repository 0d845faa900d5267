//! Looks plain paths up without JavaScript.

use serde_json::{Map, Value};

use super::natural::is_natural;
use super::path::{PlainPath, Segment, index, plain_path};
use crate::ports::EvaluationError;

/// Looks a plain path up; `None` where the text needs JavaScript.
///
/// The value of a missing key is null. Under `results` and `flow_env` that holds at any depth; under any other name a
/// missing parent fails as it would in JavaScript.
pub fn quick(source: &str, names: &Map<String, Value>) -> Option<Result<Value, EvaluationError>> {
    if let Some(value) = names.get(source.trim()) {
        return Some(Ok(value.clone()));
    }
    let path = plain_path(source)?;
    let value = names.get(&path.root)?;
    follow(&path, value).map(|found| found.map(|value| value.cloned().unwrap_or(Value::Null)))
}

fn follow<'v>(path: &PlainPath, root: &'v Value) -> Option<Result<Option<&'v Value>, EvaluationError>> {
    let forgiving = matches!(path.root.as_str(), "results" | "flow_env");
    let mut value = Some(root);
    for (segment, optional) in &path.segments {
        value = match value {
            None | Some(Value::Null) if forgiving || *optional => return Some(Ok(None)),
            None => return Some(Err(unreadable("undefined", segment))),
            Some(Value::Null) => return Some(Err(unreadable("null", segment))),
            Some(value) => member(value, segment)?,
        };
    }
    Some(Ok(value))
}

fn unreadable(parent: &str, segment: &Segment) -> EvaluationError {
    let key = match segment {
        Segment::Key(key) => key.clone(),
        Segment::Index(number) => number.to_string(),
    };
    EvaluationError::Thrown(format!("cannot read properties of {parent} (reading '{key}')"))
}

/// A value's own property, `Some(None)` where it has none, and `None` where JavaScript would know one.
#[expect(clippy::option_option, reason = "the two absences are different answers")]
fn member<'v>(value: &'v Value, segment: &Segment) -> Option<Option<&'v Value>> {
    let number = match segment {
        Segment::Index(number) => Some(*number),
        Segment::Key(key) => index(key),
    };
    let own = match (value, segment, number) {
        (_, Segment::Key(key), _) if key == "__proto__" => return None,
        (Value::Object(fields), Segment::Key(key), _) => fields.get(key),
        (Value::Object(fields), Segment::Index(number), _) => fields.get(&number.to_string()),
        (Value::Array(items), _, Some(number)) => items.get(number as usize),
        // A character of a text; JavaScript counts them in UTF-16.
        (Value::String(_), _, Some(_)) => return None,
        (Value::Array(_) | Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null, ..) => None,
    };
    match (own, segment) {
        (None, Segment::Key(key)) if is_natural(key) => None,
        (own, _) => Some(own),
    }
}
