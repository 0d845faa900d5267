//! The expressions of random documents: a plain path, or a plain path compared with a constant.
//!
//! Evaluated naively, by the reference as well as by the shells: what is tested is what the names mean where an
//! expression stands, not JavaScript.

use serde_json::Value;

const OPERATORS: [&str; 3] = [" === ", " !== ", " >= "];

/// What the names of an expression mean.
pub(crate) trait Names {
    /// The value of a name; `None` where the name does not exist.
    fn name(&self, name: &str) -> Option<Value>;

    /// The result of a step, null where there is none.
    fn result(&self, step_id: &str) -> Value;
}

impl Names for serde_json::Map<String, Value> {
    fn name(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }

    fn result(&self, step_id: &str) -> Value {
        self.get("results").and_then(|results| results.get(step_id)).cloned().unwrap_or_default()
    }
}

/// The value of an expression, or the message of the exception.
pub(crate) fn evaluate(source: &str, names: &dyn Names) -> Result<Value, String> {
    for operator in OPERATORS {
        let Some((path, constant)) = source.split_once(operator) else { continue };
        let constant: Value = serde_json::from_str(constant).expect("random documents compare with JSON");
        let found = look_up(path, names)?;
        let holds = match operator {
            " === " => found.as_ref() == Some(&constant),
            " !== " => found.as_ref() != Some(&constant),
            _ => match (found.as_ref().and_then(Value::as_f64), constant.as_f64()) {
                (Some(found), Some(constant)) => found >= constant,
                (Some(_) | None, _) => false,
            },
        };
        return Ok(Value::Bool(holds));
    }
    Ok(look_up(source, names)?.unwrap_or_default())
}

/// The same as `Boolean(…)` has it.
pub(crate) fn holds(source: &str, names: &dyn Names) -> Result<bool, String> {
    Ok(match evaluate(source, names)? {
        Value::Null => false,
        Value::Bool(flag) => flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    })
}

/// Looks a path up: a missing value is null, a missing parent throws except under `results` and `flow_env`.
fn look_up(path: &str, names: &dyn Names) -> Result<Option<Value>, String> {
    let mut segments = path.split('.');
    let root = segments.next().unwrap_or_default();
    let forgiving = matches!(root, "results" | "flow_env");
    let mut found = if root == "results" {
        let step_id = segments.next().expect("random documents never use `results` as a whole");
        Some(names.result(step_id))
    } else {
        Some(names.name(root).ok_or_else(|| format!("{root} is not defined"))?)
    };
    for segment in segments {
        found = match found {
            None | Some(Value::Null) if forgiving => return Ok(Some(Value::Null)),
            None => return Err(format!("cannot read properties of undefined (reading '{segment}')")),
            Some(Value::Null) => return Err(format!("cannot read properties of null (reading '{segment}')")),
            Some(parent) => parent.get(segment).cloned(),
        };
    }
    Ok(found)
}
