//! Artifacts in scripts: objects that can be used as strings.

use boa_engine::object::FunctionObjectBuilder;
use boa_engine::property::PropertyDescriptor;
use boa_engine::{Context, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string};
use serde_json::Value;

use crate::artifact::artifact_id_of;

/// Converts a JSON value. Each artifact in it gets a `toString` that returns its URL, and that neither loops nor
/// `JSON.stringify` show.
pub(super) fn to_js_value(value: &Value, context: &mut Context) -> JsResult<JsValue> {
    let converted = JsValue::from_json(value, context)?;
    if has_artifact(value) {
        let to_string = NativeFunction::from_fn_ptr(|this, _, context| {
            let artifact = this.to_object(context)?;
            artifact.get(js_string!("url"), context)
        });
        let to_string = FunctionObjectBuilder::new(context.realm(), to_string).name(js_string!("toString")).build();
        define_strings(value, &converted, &to_string.into(), context)?;
    }
    Ok(converted)
}

/// Returns whether a value is or contains an artifact with a URL.
fn has_artifact(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_artifact),
        Value::Object(fields) => is_artifact(value) || fields.values().any(has_artifact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_artifact(value: &Value) -> bool {
    artifact_id_of(value).is_some() && value.get("url").is_some_and(Value::is_string)
}

fn define_strings(value: &Value, converted: &JsValue, to_string: &JsObject, context: &mut Context) -> JsResult<()> {
    let Some(object) = converted.as_object() else { return Ok(()) };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| has_artifact(item)) {
                let inner = object.get(index as u64, context)?;
                define_strings(item, &inner, to_string, context)?;
            }
        }
        Value::Object(_) if is_artifact(value) => {
            let property = PropertyDescriptor::builder()
                .value(to_string.clone())
                .writable(true)
                .enumerable(false)
                .configurable(true);
            object.define_property_or_throw(js_string!("toString"), property, context)?;
        }
        Value::Object(fields) => {
            for (name, item) in fields.iter().filter(|(_, item)| has_artifact(item)) {
                let inner = object.get(JsString::from(name.as_str()), context)?;
                define_strings(item, &inner, to_string, context)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}
