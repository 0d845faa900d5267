//! Makes nodes from the schemas of Replicate's models, which Cog writes as OpenAPI documents.

use serde_json::{Map, Value, json};

/// Keys of a property that an input of a node has too.
const COPIED_KEYS: [&str; 5] = ["default", "enum", "minimum", "maximum", "description"];

/// Returns the declaration of a node for a model.
///
/// `model` is the reply to `GET /models/{owner}/{name}`: official models are called by name, others by version.
///
/// # Errors
/// What the reply lacks.
pub(crate) fn build_node(model: &Value, connector_id: &str) -> Result<Value, String> {
    let text = |key: &str| model[key].as_str().ok_or_else(|| format!("the model has no `{key}`"));
    let (owner, name) = (text("owner")?, text("name")?);
    let version = &model["latest_version"];
    let schemas = &version["openapi_schema"]["components"]["schemas"];
    let input = schemas["Input"].as_object().ok_or("the model has no version with a schema of its input")?;
    let output = resolve_schema(&schemas["Output"], schemas);
    let data = if model["is_official"] == true {
        json!({"path": format!("/models/{owner}/{name}/predictions"), "body": {"input": "{{ input }}"}, "operation": "replicate"})
    } else {
        let id = version["id"].as_str().ok_or("the model's version has no id")?;
        json!({"path": "/predictions", "body": {"version": id, "input": "{{ input }}"}, "operation": "replicate"})
    };
    Ok(json!({
        "id": build_id(connector_id, owner, name),
        "name": format!("{owner}/{name}"),
        "description": model["description"].as_str().unwrap_or_default(),
        "connector_id": connector_id,
        "input": build_inputs(input, schemas),
        "output": [build_output(&output)],
        "data": data,
    }))
}

/// Returns an id that is the same each time: the connector, the owner and the name, without other characters.
fn build_id(connector_id: &str, owner: &str, name: &str) -> String {
    let text = format!("{connector_id}-{owner}-{name}");
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    text.chars().map(safe).take(64).collect()
}

/// Returns a schema with its reference, and those in its `allOf`, replaced by what they refer to.
fn resolve_schema(schema: &Value, schemas: &Value) -> Value {
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    let all_of = whole.remove("allOf");
    let own = whole.remove("$ref");
    let inner = all_of.iter().flat_map(|list| list.as_array().into_iter().flatten());
    let references = inner.filter_map(|part| part.get("$ref")).chain(&own).filter_map(Value::as_str);
    for reference in references {
        // Cog refers to schemas of the same document, which refer no further.
        let target = reference.strip_prefix("#/components/schemas/").and_then(|name| schemas[name].as_object());
        for (key, value) in target.into_iter().flatten() {
            whole.entry(key).or_insert_with(|| value.clone());
        }
    }
    Value::Object(whole)
}

/// Returns the inputs in the order that the model's form has.
fn build_inputs(input: &Map<String, Value>, schemas: &Value) -> Vec<Value> {
    let required: Vec<&str> =
        input.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = input.get("properties").and_then(Value::as_object);
    let mut found: Vec<(u64, Value)> = Vec::new();
    for (name, schema) in properties.into_iter().flatten() {
        let schema = resolve_schema(schema, schemas);
        let order = schema["x-order"].as_u64().unwrap_or(u64::MAX);
        let mut declared = json!({"name": name, "type": find_type(name, &schema)});
        if required.contains(&name.as_str()) {
            declared["required"] = json!(true);
        }
        for key in COPIED_KEYS {
            if !schema[key].is_null() {
                declared[key] = schema[key].clone();
            }
        }
        found.push((order, declared));
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, declared)| declared).collect()
}

/// Returns the type of an input; a link is media, whose kind its name and description tell.
fn find_type(name: &str, schema: &Value) -> &'static str {
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "uri" => {
            let description = schema["description"].as_str().unwrap_or_default();
            find_media_kind(&format!("{name} {description}"))
        }
        Some("string") => "string",
        Some("integer") => "integer",
        Some("number") => "number",
        Some("boolean") => "boolean",
        Some("array") => "array",
        Some(_) | None => "object",
    }
}

/// Returns the kind of media that a text mentions first.
fn find_media_kind(text: &str) -> &'static str {
    let text = text.to_lowercase();
    let words = [
        ("image", "image"),
        ("mask", "image"),
        ("frame", "image"),
        ("photo", "image"),
        ("video", "video"),
        ("audio", "audio"),
        ("speech", "audio"),
        ("voice", "audio"),
        ("song", "audio"),
    ];
    let first = words.into_iter().filter_map(|(word, kind)| text.find(word).map(|at| (at, kind))).min();
    first.map_or("file", |(_, kind)| kind)
}

/// Returns the output: one file, several, text that is joined, or any JSON. The schema does not tell the kind of a file.
fn build_output(schema: &Value) -> Value {
    let is_link = |schema: &Value| schema["format"] == "uri";
    let (name, kind, pick) = match schema["type"].as_str() {
        Some("string") if is_link(schema) => ("output", "file", None),
        Some("array") if is_link(&schema["items"]) && schema["x-cog-array-type"] == "iterator" => {
            // Each element replaces the one before.
            ("output", "file", Some("last"))
        }
        Some("array") if is_link(&schema["items"]) => ("output", "file", Some("all")),
        Some("array") if schema["x-cog-array-display"] == "concatenate" => ("output", "string", Some("join")),
        Some("array") => ("output", "array", None),
        Some("string") => ("output", "string", None),
        Some("integer") => ("output", "integer", None),
        Some("number") => ("output", "number", None),
        Some("boolean") => ("output", "boolean", None),
        Some(_) | None => ("output", "object", None),
    };
    let mut output = json!({"name": name, "type": kind, "mapping": "output", "description": "The model's output"});
    if let Some(pick) = pick {
        output["pick"] = json!(pick);
    }
    output
}

#[cfg(test)]
mod tests {
    use apiflow_core::catalog;

    use super::*;

    fn model(is_official: bool, properties: Value, output: Value) -> Value {
        json!({
            "owner": "acme", "name": "paint", "description": "Paints", "is_official": is_official,
            "latest_version": {"id": "abc123", "openapi_schema": {"components": {"schemas": {
                "Input": {"type": "object", "required": ["prompt"], "properties": properties},
                "Output": output,
                "format": {"type": "string", "enum": ["png", "jpg"], "title": "format"},
            }}}},
        })
    }

    fn import(is_official: bool, properties: Value, output: Value) -> Value {
        let node = build_node(&model(is_official, properties, output), "replicate").expect("the model is complete");
        catalog::parse_node(&node).expect("the node is in order");
        node
    }

    #[test]
    fn inputs_have_types_limits_and_the_order_of_the_form() {
        let node = import(
            true,
            json!({
                "seed": {"type": "integer", "x-order": 2, "minimum": 0},
                "input_image": {"type": "string", "format": "uri", "x-order": 1, "description": "The picture"},
                "prompt": {"type": "string", "x-order": 0},
                "output_format": {"allOf": [{"$ref": "#/components/schemas/format"}], "default": "png", "x-order": 3},
                "data": {"type": "string", "format": "uri", "x-order": 4},
            }),
            json!({"type": "string", "format": "uri"}),
        );
        assert_eq!(node["id"], "replicate-acme-paint");
        assert_eq!(
            node["input"],
            json!([
                {"name": "prompt", "type": "string", "required": true},
                {"name": "input_image", "type": "image", "description": "The picture"},
                {"name": "seed", "type": "integer", "minimum": 0},
                {"name": "output_format", "type": "string", "default": "png", "enum": ["png", "jpg"]},
                {"name": "data", "type": "file"},
            ])
        );
        assert_eq!(node["data"]["path"], "/models/acme/paint/predictions");
    }

    #[test]
    fn a_model_that_is_not_official_is_called_by_version() {
        let node = import(false, json!({}), json!({"type": "string"}));
        assert_eq!(node["data"]["body"]["version"], "abc123");
    }

    #[test]
    fn outputs_follow_the_schema() {
        let check = |output: Value, kind: &str, pick: Value| {
            let node = import(true, json!({}), output.clone());
            let found = &node["output"][0];
            assert_eq!((&found["type"], &found["pick"]), (&json!(kind), &pick), "{output}");
        };
        let link = json!({"type": "string", "format": "uri"});
        check(link.clone(), "file", Value::Null);
        check(json!({"type": "array", "items": link}), "file", json!("all"));
        check(json!({"type": "array", "items": link, "x-cog-array-type": "iterator"}), "file", json!("last"));
        let text = json!({"type": "array", "items": {"type": "string"}, "x-cog-array-display": "concatenate"});
        check(text, "string", json!("join"));
        check(json!({"type": "object"}), "object", Value::Null);
    }

    #[test]
    fn a_model_without_a_schema_is_refused() {
        let reason = build_node(&json!({"owner": "a", "name": "b"}), "replicate").expect_err("it has no version");
        assert_eq!(reason, "the model has no version with a schema of its input");
    }
}
