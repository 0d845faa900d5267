//! Inputs: defaults and checks.

use serde_json::{Value, json};

use super::{CallPlan, object, planned};
use crate::call::ErrorClass;

fn inputs(inputs: &Value) -> CallPlan {
    let connector = json!({"id": "c", "name": "Acme", "base_url": "https://api.example.com/v1"});
    planned(&connector, &json!({"id": "n", "name": "N", "connector_id": "c", "input": inputs}))
}

fn check(input: &Value, given: &Value, expected: &Value) {
    let plan = inputs(&json!([input]));
    assert_eq!(plan.fill_arguments(&object(given)), Ok(object(expected)), "{input} {given}");
}

fn check_fault(input: &Value, given: &Value, expected: &str) {
    let error = inputs(&json!([input])).fill_arguments(&object(given)).expect_err("it must be refused");
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::InvalidInput, expected), "{input} {given}");
}

#[test]
fn what_was_given_counts_then_value_then_default() {
    let both = json!({"name": "a", "type": "string", "required": true, "value": "v", "default": "d"});
    let default = json!({"name": "a", "type": "string", "required": true, "default": "d"});
    let neither = json!({"name": "a", "type": "string"});
    check(&both, &json!({"a": "g"}), &json!({"a": "g"}));
    check(&both, &json!({}), &json!({"a": "v"}));
    check(&default, &json!({}), &json!({"a": "d"}));
    check(&neither, &json!({}), &json!({}));
    check(&both, &json!({"a": ""}), &json!({"a": ""}));
}

#[test]
fn null_counts_as_given() {
    let optional = json!({"name": "a", "type": "string", "value": "v", "default": "d"});
    check(&optional, &json!({"a": null}), &json!({"a": null}));
    let required = json!({"name": "a", "type": "string", "required": true, "value": "v", "default": "d"});
    check_fault(&required, &json!({"a": null}), "input `a`: it is required, but null");
    check(&json!({"name": "a", "type": "object", "default": null}), &json!({}), &json!({"a": null}));
}

#[test]
fn a_required_input_that_is_missing_is_named() {
    check_fault(
        &json!({"name": "prompt", "type": "string", "required": true}),
        &json!({}),
        "input `prompt`: it is required, but missing",
    );
    check_fault(
        &json!({"name": "a", "type": "string", "required": true, "default": null}),
        &json!({}),
        "input `a`: it is required, but null",
    );
}

#[test]
fn types_are_checked_and_never_coerced() {
    let values = [json!("t"), json!(1.5), json!(2), json!(2.0), json!(true), json!({}), json!([])];
    for (kind, fitting, name) in [
        ("string", &[0][..], "a string"),
        ("number", &[1, 2, 3], "a number"),
        ("integer", &[2, 3], "an integer"),
        ("boolean", &[4], "true or false"),
        ("object", &[5], "an object"),
        ("array", &[6], "an array"),
        ("image", &[0], "an image (a link, a data URI or an artifact)"),
        ("video", &[0], "a video (a link, a data URI or an artifact)"),
        ("audio", &[0], "an audio file (a link, a data URI or an artifact)"),
        ("file", &[0], "a file (a link, a data URI or an artifact)"),
    ] {
        let input = json!({"name": "a", "type": kind});
        for (index, value) in values.iter().enumerate() {
            let given = json!({"a": value});
            if fitting.contains(&index) {
                check(&input, &given, &given);
            } else {
                let is =
                    ["a string", "a number", "a number", "a number", "a boolean", "an object", "an array of 0"][index];
                check_fault(&input, &given, &format!("input `a`: it must be {name}, not {is}"));
            }
        }
    }
    check_fault(
        &json!({"name": "a", "type": "integer"}),
        &json!({"a": "7"}),
        "input `a`: it must be an integer, not a string",
    );
    check_fault(&json!({"name": "a", "type": "image"}), &json!({"a": ""}), "input `a`: it is empty");
    check_fault(
        &json!({"name": "a", "type": "image"}),
        &json!({"a": {"url": "https://e.com/1.png"}}),
        "input `a`: it must be an image (a link, a data URI or an artifact), not an object",
    );
    let artifact = json!({"a": {"artifact": "a1", "url": "https://e.com/1.png"}});
    for r#type in ["image", "video", "audio", "file", "string"] {
        check(&json!({"name": "a", "type": r#type}), &artifact, &artifact);
    }
    check_fault(&json!({"name": "a", "type": "integer"}), &artifact, "input `a`: it must be an integer, not an object");
}

#[test]
fn limits_are_checked_on_defaults_too() {
    let choice = json!({"name": "a", "type": "string", "enum": ["x", "y"]});
    check(&choice, &json!({"a": "y"}), &json!({"a": "y"}));
    check(&choice, &json!({"a": null}), &json!({"a": null}));
    check_fault(&choice, &json!({"a": "z"}), "input `a`: it must be one of \"x\", \"y\", not \"z\"");
    let number = json!({"name": "a", "type": "number", "enum": [1, 2]});
    check(&number, &json!({"a": 1.0}), &json!({"a": 1.0}));
    let range = json!({"name": "a", "type": "number", "minimum": 0, "maximum": 6.5, "default": 7});
    check(&range, &json!({"a": 0}), &json!({"a": 0}));
    check(&range, &json!({"a": 6.5}), &json!({"a": 6.5}));
    check_fault(&range, &json!({"a": -1}), "input `a`: it must be at least 0, not -1");
    check_fault(&range, &json!({}), "input `a`: it must be at most 6.5, not 7");
    let list = json!({"name": "a", "type": "array", "items": {"type": "image"}});
    check(&list, &json!({"a": ["https://e.com/1"]}), &json!({"a": ["https://e.com/1"]}));
    check_fault(
        &list,
        &json!({"a": ["u", 2]}),
        "input `a`: element 1 must be an image (a link, a data URI or an artifact), not a number",
    );
}

#[test]
fn unknown_inputs_are_refused_with_the_likely_name() {
    let input = json!({"name": "prompt", "type": "string"});
    check_fault(&input, &json!({"promt": "p"}), "input `promt`: the node has no such input: did you mean `prompt`?");
    check_fault(&input, &json!({"seed": 1}), "input `seed`: the node has no such input: its inputs are `prompt`");
}

#[test]
fn all_faults_are_told_at_once_with_their_fields() {
    let plan = inputs(&json!([{"name": "a", "type": "string", "required": true}, {"name": "b", "type": "number"}]));
    let error = plan.fill_arguments(&object(&json!({"b": "x", "c": 1}))).expect_err("three are at fault");
    let fields: Vec<&str> =
        error.detail["fields"].as_array().expect("a list").iter().map(|f| f["field"].as_str().expect("text")).collect();
    assert_eq!(fields, ["input.a", "input.b", "input.c"]);
    assert_eq!(error.detail["fields"][0]["message"], "it is required, but missing");
    assert_eq!(error.message.matches("; ").count(), 2);
}

#[test]
fn without_declared_inputs_everything_is_passed_on() {
    let given = json!({"anything": [1, null], "$x": "{{ y }}", "n": null});
    assert_eq!(inputs(&json!([])).fill_arguments(&object(&given)), Ok(object(&given)));
}

#[test]
fn of_several_inputs_with_one_name_the_first_counts() {
    let plan = inputs(
        &json!([{"name": "a", "type": "string"}, {"name": "a", "type": "array", "value": [1], "required": true}]),
    );
    assert_eq!(plan.fill_arguments(&object(&json!({}))), Ok(object(&json!({}))));
    assert_eq!(plan.fill_arguments(&object(&json!({"a": "t"}))), Ok(object(&json!({"a": "t"}))));
}
