//! Headers of the submit.

use serde_json::{Map, Value, json};

use super::{CONTEXT, call, object, sent, submitted, with};
use crate::call::{ErrorClass, Operation, compile_call};
use crate::catalog::{Connector, Node, parse_connector, parse_node};

fn check(connector: &Value, data: &Value, given: &Value, expected: &[(&str, &str)]) {
    let shown = sent(&call(connector, data), given);
    let headers = shown["headers"].as_object().expect("an object").clone();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect();
    assert_eq!(headers, expected, "{connector} {data}");
}

#[test]
fn the_nodes_headers_win_without_regard_to_case_and_null_removes() {
    let connector = json!({
        "header": {"Authorization": "Bearer $KEY", "Prefer": "wait", "X-A": "1"},
        "data": {"header": {"x-a": "2", "X-B": "b", "X-C": "c"}},
    });
    let get = json!({"method": "GET"});
    check(
        &connector,
        &get,
        &json!({}),
        &[("Authorization", "Bearer $KEY"), ("Prefer", "wait"), ("x-a", "2"), ("X-B", "b"), ("X-C", "c")],
    );
    let data = json!({"method": "GET", "header": {"PREFER": null, "X-a": "3", "x-b": null, "X-D": "d"}});
    check(&connector, &data, &json!({}), &[("Authorization", "Bearer $KEY"), ("X-a", "3"), ("X-C", "c"), ("X-D", "d")]);
    let removed = json!({"header": {"X-A": "1"}, "data": {"header": {"x-A": null}}});
    check(&removed, &get, &json!({}), &[]);
}

#[test]
fn headers_are_templates_and_absent_ones_are_left_out() {
    let data = json!({
        "method": "GET",
        "header": {"X-Trace": "{{ job.id }}/{{ step.id }}/{{ step.attempt }}", "X-Seed": "{{ input.seed }}", "X-Gone": "v{{ input.gone }}", "X-Null": "{{ input.z }}"},
    });
    check(&json!({}), &data, &json!({"seed": 7, "z": null}), &[("X-Trace", "job-1/step-1/2"), ("X-Seed", "7")]);
}

#[test]
fn accept_and_the_idempotency_key_are_set_over_templates() {
    let data = json!({
        "method": "GET", "header": {"accept": "a/b", "idempotency-key": "x"},
        "accept": "text/csv", "idempotency_header": "Idempotency-Key",
    });
    check(&json!({}), &data, &json!({}), &[("Accept", "text/csv"), ("Idempotency-Key", "key-1")]);
}

#[test]
fn a_value_cannot_begin_another_header() {
    let plan = call(&json!({}), &json!({"header": {"X-A": "{{ input.a }}", "X-B": "b {{ input.b }}"}}));
    for given in [json!({"a": "x\r\nX-Evil: 1"}), json!({"a": "x\n"}), json!({"a": "x\u{0}"}), json!({"b": "\u{7f}"})] {
        let error = plan.submit_request(&object(&given), &CONTEXT).expect_err("it would break the header");
        let name = if given.get("a").is_some() { "X-A" } else { "X-B" };
        let message = format!("header `{name}`: line breaks and other control characters are not allowed in it");
        assert_eq!((error.class, error.message), (ErrorClass::InvalidInput, message));
    }
    check(
        &json!({}),
        &json!({"method": "GET", "header": {"X-A": "{{ input.a }}"}}),
        &json!({"a": "$KEY {{ job.id }}"}),
        &[("X-A", "$KEY {{ job.id }}")],
    );
    let hostile = submitted(&plan, &json!({"a": "$KEY"}));
    assert_eq!(hostile.secrets, [], "what a caller gives is no reference");
}

#[test]
fn own_secrets_are_those_of_the_declaration_that_refers_to_them() {
    let connector = with(json!({"id": "c", "name": "C", "base_url": "https://h"}), &json!({"header": {"A": "$KEY"}}));
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {
        "path": "$KEY", "query": {"q": "$KEY $OTHER"}, "body": ["$KEY"],
        "operation": {"preset": "replicate", "ack": {"header": {"X": "$KEY"}}},
    }});
    let mut connector = parse_connector(&connector).expect("it is sound");
    let mut node = parse_node(&node).expect("it is sound");
    node.own_secrets.insert("KEY".to_owned(), "ann".to_owned());
    let names = |connector: &Connector, node: &Node| {
        let request = compile_call(node, connector)
            .expect("it compiles")
            .submit_request(&Map::new(), &CONTEXT)
            .expect("it is built");
        let shown = crate::template::display_request(&request).to_string();
        assert!(shown.contains("https://h/$KEY?q=$KEY%20$OTHER") && !shown.contains("ann"), "{shown}");
        let places = request.secrets.iter().map(|used| format!("{} {:?}", used.name, used.place));
        places.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(names(&connector, &node), ["KEY Header", "OTHER Url", "ann/KEY Header", "ann/KEY Json", "ann/KEY Url"]);
    connector.own_secrets.insert("KEY".to_owned(), "bob".to_owned());
    assert!(names(&connector, &node).contains(&"bob/KEY Header".to_owned()));
}

#[test]
fn what_the_submit_sends_is_masked_in_the_replies_that_follow() {
    let data = json!({"body": {"input": {"k": "$IN_BODY"}}, "operation": "replicate"});
    let plan = call(&json!({"base_url": "https://h", "header": {"Authorization": "Bearer $KEY"}}), &data);
    let operation = Operation { poll_url: Some("https://h/predictions/1".to_owned()), ..Operation::default() };
    let request = plan.poll_request(&operation).expect("it is the connector's own host");
    let sent: Vec<_> = request.secrets.iter().map(|used| used.name.as_str()).collect();
    assert_eq!((sent, request.masked_secrets), (vec!["KEY"], vec!["IN_BODY".to_owned()]));
}

#[test]
fn a_node_does_not_say_where_links_may_lead() {
    let mut node = parse_node(&json!({"name": "N", "connector_id": "c", "data": {"operation": "replicate"}}));
    let data = node.as_mut().expect("it is sound").data.as_mut().expect("it has some");
    data.insert("hosts".to_owned(), json!([{"host": "evil.example", "credentials": true}]));
    let connector = json!({"name": "C", "base_url": "https://h", "header": {"Authorization": "Bearer $KEY"}});
    let plan = compile_call(&node.expect("it is sound"), &parse_connector(&connector).expect("it is sound"));
    let operation = Operation { poll_url: Some("https://evil.example/1".to_owned()), ..Operation::default() };
    let error = plan.expect("it compiles").poll_request(&operation).expect_err("the connector does not list it");
    assert_eq!(error.class, ErrorClass::Refused);
}

#[test]
fn secrets_are_meant_for_the_bases_origin_alone() {
    for (base, origin) in [
        ("https://API.example.com/v1", "https://api.example.com"),
        ("https://api.example.com:443", "https://api.example.com"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
    ] {
        let request = submitted(&call(&json!({"base_url": base}), &json!({"header": {"A": "$KEY"}})), &json!({}));
        assert_eq!(request.credential_origins, [origin.parse().expect("an origin")]);
        assert_eq!(request.secrets.len(), 1);
    }
}
