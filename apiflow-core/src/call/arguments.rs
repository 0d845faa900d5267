//! The inputs of one call: fills in defaults and checks types.

use serde_json::{Map, Value, json};

use super::plan::CallPlan;
use super::{CallError, ErrorClass};
use crate::declarations::NodeInput;
use crate::diagnostic::suggest::{did_you_mean, list_all, nearest_name};
use crate::json::describe_with_length;
use crate::value_type::ValueType;

impl CallPlan {
    /// Checks the given inputs, and fills in `value`, then `default`, for inputs that are not given. If a node declares
    /// no inputs, all given ones are passed on.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidInput`], naming every invalid input; `detail.fields` lists them.
    pub fn fill_arguments(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, CallError> {
        if self.inputs.is_empty() {
            return Ok(given.clone());
        }
        let mut faults: Vec<(String, String)> = Vec::new();
        let mut arguments = Map::new();
        for (index, input) in self.inputs.iter().enumerate() {
            if self.inputs[..index].iter().any(|earlier| earlier.name == input.name) {
                continue;
            }
            let value = given.get(&input.name).or(input.value.as_ref()).or(input.default.as_ref());
            if let Some(fault) = input_fault(input, value) {
                faults.push((input.name.clone(), fault));
            }
            if let Some(value) = value {
                arguments.insert(input.name.clone(), value.clone());
            }
        }
        let names: Vec<&str> = self.inputs.iter().map(|input| input.name.as_str()).collect();
        for name in given.keys().filter(|name| !names.contains(&name.as_str())) {
            let help = match nearest_name(name, names.iter().copied()) {
                Some(near) => did_you_mean(near),
                None => format!("its inputs are {}", list_all(&names)),
            };
            faults.push((name.clone(), format!("the node has no such input: {help}")));
        }
        if faults.is_empty() { Ok(arguments) } else { Err(invalid_input_error(&faults)) }
    }
}

fn invalid_input_error(faults: &[(String, String)]) -> CallError {
    let texts: Vec<String> = faults.iter().map(|(name, fault)| format!("input `{name}`: {fault}")).collect();
    let fields: Vec<Value> =
        faults.iter().map(|(name, fault)| json!({"field": format!("input.{name}"), "message": fault})).collect();
    CallError::new(ErrorClass::InvalidInput, texts.join("; ")).with_detail("fields", fields)
}

fn input_fault(input: &NodeInput, value: Option<&Value>) -> Option<String> {
    let value = match value {
        None | Some(Value::Null) if input.required => {
            let state = if value.is_some() { "null" } else { "missing" };
            return Some(format!("it is required, but {state}"));
        }
        None | Some(Value::Null) => return None,
        Some(value) => value,
    };
    if !input.r#type.matches(value) {
        return Some(format!("it must be {}, not {}", input.r#type.describe(), describe_with_length(value)));
    }
    if input.r#type.is_media() && value.as_str() == Some("") {
        return Some("it is empty".to_owned());
    }
    if let Some(allowed) = input.r#enum.as_ref().filter(|allowed| !allowed.iter().any(|one| is_same_json(one, value))) {
        let shown: Vec<String> = allowed.iter().map(Value::to_string).collect();
        return Some(format!("it must be one of {}, not {value}", shown.join(", ")));
    }
    if let Some(number) = value.as_f64() {
        if let Some(least) = input.minimum.filter(|least| number < *least) {
            return Some(format!("it must be at least {least}, not {number}"));
        }
        if let Some(most) = input.maximum.filter(|most| number > *most) {
            return Some(format!("it must be at most {most}, not {number}"));
        }
    }
    item_fault(input, value)
}

fn item_fault(input: &NodeInput, value: &Value) -> Option<String> {
    let wanted = ValueType::from_word(input.items.as_ref()?.get("type")?.as_str()?)?;
    let (index, odd) = value.as_array()?.iter().enumerate().find(|(_, item)| !wanted.matches(item))?;
    Some(format!("element {index} must be {}, not {}", wanted.describe(), describe_with_length(odd)))
}

/// Compares JSON values, where 1 and 1.0 are the same number.
pub(super) fn is_same_json(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same_json(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| is_same_json(left, right)))
        }
        _ => left == right,
    }
}
