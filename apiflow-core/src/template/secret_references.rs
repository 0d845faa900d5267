//! Finds the secret references of a declaration.

use serde_json::Value;

use super::Text;
use crate::json::pointer_push;

/// A reference to a secret in a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// JSON Pointer of the string.
    pub pointer: String,
    /// Name of the secret.
    pub name: String,
}

/// Returns all `$NAME` in the strings of a JSON document, whether or not the string is a template; `$$NAME` is not a
/// reference. Every `$NAME` in an invalid template counts, because a later version may parse it differently.
pub fn secret_references(document: &Value, pointer: &str) -> Vec<SecretReference> {
    let mut found = Vec::new();
    search_value(document, pointer, &mut found);
    found
}

fn search_value(value: &Value, pointer: &str, found: &mut Vec<SecretReference>) {
    match value {
        Value::String(source) => {
            found.extend(
                secret_names(source).into_iter().map(|name| SecretReference { pointer: pointer.to_owned(), name }),
            );
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search_value(item, &pointer_push(pointer, &index.to_string()), found);
            }
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, item)| search_value(item, &pointer_push(pointer, key), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn secret_names(source: &str) -> Vec<String> {
    // Without placeholders every string is valid.
    let parsed = Text::parse(source).or_else(|_| Text::parse(&source.replace("{{", "{")));
    parsed.map(|text| text.secret_names().map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_in_every_string() {
        let document = json!({
            "header": {"a/b": "Key $ONE and $TWO_2"}, "price": "$USD", "cost": "$5", "escaped": "$$NOT",
            "body": [{"x": "{{ input.x }}$LAST."}, "{{ broken $BROKEN", 7, null], "$KEY_OF_AN_OBJECT": true,
        });
        let found = secret_references(&document, "/data");
        let found: Vec<_> = found.iter().map(|found| (found.pointer.as_str(), found.name.as_str())).collect();
        assert_eq!(
            found,
            [
                ("/data/header/a~1b", "ONE"),
                ("/data/header/a~1b", "TWO_2"),
                ("/data/price", "USD"),
                ("/data/body/0/x", "LAST"),
                ("/data/body/1", "BROKEN"),
            ]
        );
    }
}
