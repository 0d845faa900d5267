//! Makes documents of sub-flows smaller, for catalogs that are sent to editors.

use serde_json::Value;

/// Removes the results that are pinned in the modules of an OpenFlow document, which may be large. No check reads them: the
/// findings about workflows that call this one stay the same.
pub fn drop_pinned_results(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            if let Some(mock) = fields.get_mut("mock").and_then(Value::as_object_mut)
                && let Some(result) = mock.get_mut("return_value")
            {
                *result = Value::Null;
            }
            let has_modules = |key: &str| !["schema", "input_transforms", "input_transform"].contains(&key);
            fields.iter_mut().filter(|(key, _)| has_modules(key)).for_each(|(_, field)| drop_pinned_results(field));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_pinned_results),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
