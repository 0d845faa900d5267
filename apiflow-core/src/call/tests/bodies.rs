//! Bodies: their source and encoding.

use serde_json::{Value, json};

use super::{CONTEXT, call, object, sent, submitted};
use crate::call::ErrorClass;
use crate::ports::RequestBody;

fn check(connector_body: &Value, data: &Value, given: &Value, expected: &Value) {
    let shown = sent(&call(&json!({"body": connector_body}), data), given);
    assert_eq!(&shown["body"], expected, "{connector_body} {data} {given}");
}

/// Checks the content type and the encoded body.
fn check_text(data: &Value, given: &Value, expected: (Option<&str>, Option<&str>)) {
    let request = submitted(&call(&json!({}), data), given);
    let content_type = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let body = match &request.body {
        RequestBody::None => None,
        RequestBody::Text(text) => Some(text.as_str()),
        RequestBody::Multipart { .. } | RequestBody::Media(_) => panic!("no file was given"),
    };
    assert_eq!((content_type.map(|(_, value)| value.as_str()), body), expected, "{data} {given}");
}

#[test]
fn without_any_body_the_inputs_are_the_body() {
    check(&Value::Null, &json!({}), &json!({"a": 1, "b": null}), &json!({"a": 1, "b": null}));
    check(&Value::Null, &json!({}), &json!({}), &json!({}));
}

#[test]
fn the_nodes_body_wins() {
    let connector = json!({"model": "m", "prompt": "{{ input.prompt }}"});
    let body = json!({"input": "{{ input }}", "n": 1});
    check(&connector, &json!({"body": body}), &json!({"a": 1}), &json!({"input": {"a": 1}, "n": 1}));
    check(&connector, &json!({"body": {}}), &json!({"a": 1}), &json!({}));
    check(&connector, &json!({"body": "{{ input.list }}"}), &json!({"list": [1]}), &json!([1]));
    let without_optional = json!({"body": {"a": "{{ input.a }}", "b": "{{ input.b }}"}});
    check(&Value::Null, &without_optional, &json!({"a": 1}), &json!({"a": 1}));
}

#[test]
fn a_connectors_body_with_a_placeholder_is_the_body() {
    let connector = json!({"model": "m", "args": {"prompt": "{{ input.prompt }}"}});
    check(&connector, &json!({}), &json!({"prompt": "p", "x": 1}), &json!({"model": "m", "args": {"prompt": "p"}}));
    check(&json!("{{ input }}"), &json!({}), &json!({"x": 1}), &json!({"x": 1}));
}

#[test]
fn inputs_are_laid_over_a_connectors_body_without_placeholder() {
    let connector = json!({"key": "value", "prompt": "old", "token": "$KEY"});
    let expected = json!({"key": "value", "prompt": "new", "token": "$KEY", "x": {"y": 1}});
    check(&connector, &json!({}), &json!({"prompt": "new", "x": {"y": 1}}), &expected);
    check(
        &connector,
        &json!({"method": "GET"}),
        &json!({"x": {"y": 1}}),
        &json!({"key": "value", "prompt": "old", "token": "$KEY", "x": {"y": 1}}),
    );
    check(
        &connector,
        &json!({}),
        &json!({"token": "$KEY"}),
        &json!({"key": "value", "prompt": "old", "token": "$KEY"}),
    );
    let overlaid = submitted(&call(&json!({"body": connector}), &json!({})), &json!({"token": "$KEY"}));
    assert_eq!(overlaid.secrets, [], "what a caller gives is no reference");
}

#[test]
fn inputs_with_a_place_in_the_path_are_not_laid_over_the_body() {
    let data = json!({"path": "/tts/{{ input.voice }}", "header": {"X-Seed": "{{ input.seed }}"}});
    check(
        &json!({"model": "m"}),
        &data,
        &json!({"voice": "v", "seed": 1, "text": "t"}),
        &json!({"model": "m", "text": "t"}),
    );
}

#[test]
fn the_kind_of_body_decides_how_it_is_written() {
    let given = json!({"a": "x & y", "n": 1.5, "l": [1, "é"], "o": {"k": true}, "z": null});
    let form = "a=x%20%26%20y&n=1.5&l=1&l=%C3%A9&o=%7B%22k%22%3Atrue%7D";
    let (json_type, form_type) = ("application/json", "application/x-www-form-urlencoded");
    let plain = "text/plain; charset=utf-8";
    check_text(&json!({}), &json!({"a": "é"}), (Some(json_type), Some("{\"a\":\"é\"}")));
    check_text(&json!({"body_kind": "json", "body": "t"}), &json!({}), (Some(json_type), Some("\"t\"")));
    check_text(&json!({"body_kind": "form"}), &given, (Some(form_type), Some(form)));
    check_text(&json!({"body_kind": "form", "body": "{{ input }}"}), &given, (Some(form_type), Some(form)));
    check_text(
        &json!({"body_kind": "form", "body": {"k": "{{ input.n }}", "gone": "{{ input.q }}"}}),
        &given,
        (Some(form_type), Some("k=1.5")),
    );
    check_text(&json!({"body_kind": "raw", "body": "<a>{{ input.n }}</a>"}), &given, (Some(plain), Some("<a>1.5</a>")));
    check_text(&json!({"body_kind": "raw", "body": "{{ input.o }}"}), &given, (Some(plain), Some("{\"k\":true}")));
    check_text(&json!({"body_kind": "raw", "body": "{{ input.gone }}"}), &given, (None, None));
    check_text(&json!({"body_kind": "none"}), &given, (None, None));
    check_text(&json!({"body_kind": "none", "body": {"a": 1}}), &given, (None, None));
}

#[test]
fn a_templates_content_type_counts_for_json_and_raw_alone() {
    let header = json!({"content-type": "application/vnd.acme+json"});
    for (kind, body, expected) in [
        ("json", json!({"a": 1}), Some("application/vnd.acme+json")),
        ("raw", json!("x"), Some("application/vnd.acme+json")),
        ("form", json!({"a": 1}), Some("application/x-www-form-urlencoded")),
        ("none", json!({}), None),
    ] {
        let data = json!({"header": header, "body_kind": kind, "body": body});
        let request = submitted(&call(&json!({}), &data), &json!({}));
        let types: Vec<&str> = request.headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(types, Vec::from_iter(expected), "{kind}");
    }
    let get = submitted(&call(&json!({}), &json!({"header": header, "method": "GET"})), &json!({}));
    assert_eq!((get.headers, get.body), (Vec::new(), RequestBody::None));
}

#[test]
fn a_body_that_cannot_be_written_is_refused() {
    for (data, message) in [
        (json!({"body_kind": "form", "body": "{{ input.a }}"}), "body: a form body must be an object"),
        (
            json!({"body_kind": "form", "body": {"k": {"deep": "$KEY"}}}),
            "`k`: a secret is not allowed inside an object or array here",
        ),
    ] {
        let error =
            call(&json!({}), &data).submit_request(&object(&json!({"a": "t"})), &CONTEXT).expect_err("it has no form");
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::InvalidInput, message), "{data}");
    }
}
