//! Declarations that are accepted, and what they parse to.

use serde_json::{Value, json};

use super::{connector, founding, node, object, with};
use crate::catalog::{Catalog, Connector, Node, ValueType, parse_connector, parse_node};

fn read_connector(changes: &Value) -> Connector {
    parse_connector(&with(connector(), changes)).unwrap_or_else(|faults| panic!("{changes}: {faults:?}"))
}

fn read_node(changes: &Value) -> Node {
    parse_node(&with(node(), changes)).unwrap_or_else(|faults| panic!("{changes}: {faults:?}"))
}

#[test]
fn the_founding_connector_and_node_read_as_written() {
    let connector = parse_connector(&founding("connector")).expect("it is sound");
    assert_eq!(connector.id, "");
    assert_eq!((connector.base_url.as_str(), connector.method.as_str()), ("https://api.replicate.com/v1", "POST"));
    assert_eq!(connector.header, object(founding("connector")["header"].clone()));
    let node = parse_node(&founding("node")).expect("it is sound");
    assert_eq!(node.connector_id, "replicate_connector_id");
    let names: Vec<(&str, bool)> = node.input.iter().map(|input| (input.name.as_str(), input.required)).collect();
    assert_eq!(names, [("prompt", true), ("input_image", true), ("aspect_ratio", false)]);
    assert_eq!(node.input[2].default, Some(json!("match_input_image")));
    assert_eq!((node.output[0].name.as_str(), node.output[0].mapping.as_str()), ("output_image", "output"));
    assert_eq!(node.output[0].default, Some(json!("")));
    assert_eq!(node.data, None);
    parse_node(&founding("template_node")).expect("its form is sound, though nothing has its connector's id");
}

#[test]
fn the_founding_forms_of_inputs_and_outputs_are_taken() {
    let read = read_node(&json!({"input": founding("node_inputs"), "output": founding("node_outputs")}));
    let inputs: Vec<ValueType> = read.input.iter().map(|input| input.r#type).collect();
    assert_eq!(inputs, [ValueType::String, ValueType::Object, ValueType::Array]);
    assert_eq!(read.input[1].default, Some(Value::Null));
    assert_eq!(read.input[1].value, Some(json!({"key": "value"})));
    assert_eq!(read.output[1].default, Some(Value::Null));
    assert_eq!(read_node(&json!({"output": [{"name": "o", "type": "string"}]})).output[0].default, None);
}

#[test]
fn methods_are_read_in_any_case_and_default_to_post() {
    for (given, expected) in
        [(json!("get"), "GET"), (json!("Patch"), "PATCH"), (json!("HEAD"), "HEAD"), (Value::Null, "POST")]
    {
        assert_eq!(read_connector(&json!({"method": given})).method, expected);
    }
    assert_eq!(read_connector(&json!({})).method, "POST");
}

#[test]
fn ids_of_every_allowed_form_are_taken() {
    for id in ["a", "7", "A_b.c-d", "nodes", "x".repeat(64).as_str()] {
        assert_eq!(read_connector(&json!({"id": id})).id, id);
        assert_eq!(read_node(&json!({"id": id, "connector_id": id})).connector_id, id);
    }
    assert_eq!(read_node(&json!({"id": "workflow"})).id, "workflow");
    assert_eq!(read_node(&json!({"id": null})).id, "");
}

#[test]
fn everything_that_data_may_hold_is_taken() {
    let shared = json!({
        "method": "put", "path": "/x/{{ input.a }}", "query": {"a": "{{ input.a }}", "b": [1, true], "c": null},
        "header": {"X-A": "$KEY", "X-B": null}, "body": {"a": "{{ input.a }}"}, "body_kind": "form",
        "accept": "image/*", "success": {"status": [200, 201], "path": "code", "values": [0], "absent": "error"},
        "operation": "replicate", "idempotent": true, "idempotency_header": "Idempotency-Key", "timeout_s": 0.5,
        "price": {"currency": "USD", "per_call": "0.04"},
    });
    assert_eq!(read_node(&json!({"data": shared})).data, Some(object(shared.clone())));
    let connector = with(
        shared,
        &json!({
            "auth": {"bearer": "$KEY"}, "hosts": ["a.example.com", {"host": "*.example.com", "credentials": true}],
            "media_hosts": ["cdn.example.com"], "limits": {"in_flight": 3},
            "errors": {"message": ["a", "b.c"], "fields": "d"}, "success": [200, 404],
            "operation": {"preset": "fal", "cancel": null},
        }),
    );
    assert_eq!(read_connector(&json!({"data": connector})).data, Some(object(connector.clone())));
}

#[test]
fn what_was_given_out_can_be_given_back() {
    let times = json!({"created_at": "2026-01-01T00:00:00Z", "updated_at": null});
    let connector =
        read_connector(&with(json!({"header": {"A": "$B"}, "body": {"x": null}, "data": {"timeout_s": 3}}), &times));
    let written = serde_json::to_value(&connector).expect("it has a JSON form");
    assert_eq!(parse_connector(&with(written.clone(), &times)), Ok(connector.clone()));
    assert_eq!(serde_json::from_value::<Connector>(written).expect("the same form"), connector);
    let inputs = json!([
        {"name": "a", "type": "integer", "default": null, "enum": [1, 2], "minimum": 1, "maximum": 2.5},
        {"name": "b", "type": "array", "items": {"type": "image"}, "as": "url", "accept": ["image/png"]},
    ]);
    let outputs =
        json!([{"name": "o", "type": "file", "default": null, "pick": "first", "decode": "url", "mime": "a/b"}]);
    let node = read_node(&with(json!({"input": inputs, "output": outputs, "description": "d"}), &times));
    let written = serde_json::to_value(&node).expect("it has a JSON form");
    assert_eq!(written["input"][0]["default"], Value::Null);
    assert!(written["input"][1].get("default").is_none());
    assert_eq!(parse_node(&with(written.clone(), &times)), Ok(node.clone()));
    assert_eq!(serde_json::from_value::<Node>(written).expect("the same form"), node);
}

#[test]
fn a_path_of_a_module_names_a_node_by_its_id_or_its_connector() {
    let catalog = Catalog { nodes: [("n".to_owned(), read_node(&json!({})))].into(), ..Catalog::default() };
    for (path, found) in
        [("node/n", true), ("c/n", true), ("d/n", false), ("node/m", false), ("n", false), ("node/n/x", false)]
    {
        assert_eq!(catalog.node_at(path).is_some(), found, "{path}");
    }
}
