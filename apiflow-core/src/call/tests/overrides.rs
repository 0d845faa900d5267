//! Settings of connector secrets that a node cannot change.

use serde_json::{Value, json};

use crate::call::secret_overrides;
use crate::catalog::{parse_connector, parse_node};

fn connector() -> Value {
    json!({
        "name": "C", "base_url": "https://api.example.com/v1",
        "header": {"Authorization": "Bearer $KEY", "X-Plain": "1"},
        "data": {
            "header": {"X-Second": "$SECOND"}, "query": {"key": "$THIRD", "alt": "sse"},
            "operation": {"preset": "replicate", "ack": {"header": {"X-Ack": "$FOURTH"}}},
            "hosts": ["files.example.com"],
        },
    })
}

fn check(data: &Value, expected: &[&str]) {
    let node = parse_node(&json!({"name": "N", "connector_id": "c", "data": data})).expect("it is sound");
    let connector = parse_connector(&connector()).expect("it is sound");
    let found = secret_overrides(&node, &connector);
    let found: Vec<_> = found.iter().map(|found| found.pointer.as_str()).collect();
    assert_eq!(found, expected, "{data}");
}

#[test]
fn what_carries_a_secret_is_not_for_a_node_to_change() {
    check(&json!({"header": {"authorization": "Bearer mine"}}), &["/data/header/authorization"]);
    check(&json!({"header": {"AUTHORIZATION": null, "X-Other": "1"}}), &["/data/header/AUTHORIZATION"]);
    check(&json!({"header": {"x-second": ""}}), &["/data/header/x-second"]);
    check(&json!({"header": null}), &["/data/header"]);
    check(&json!({"query": {"key": "mine"}}), &["/data/query/key"]);
    check(&json!({"query": {"key": null}}), &["/data/query/key"]);
    check(&json!({"query": null}), &["/data/query"]);
    check(&json!({"idempotency_header": "x-ack"}), &["/data/idempotency_header"]);
    let operation =
        json!({"preset": "replicate", "ack": {"header": {"X-Ack": null}}, "hold": {"header": {"authorization": "x"}}});
    check(
        &json!({"operation": operation}),
        &["/data/operation/ack/header/X-Ack", "/data/operation/hold/header/authorization"],
    );
}

#[test]
fn links_of_a_node_stay_with_the_connector() {
    let operation = |call: &str, url: Value| json!({"operation": {"preset": "replicate", call: {"url": url}}});
    for url in [
        "https://evil.example/x",
        "HTTPS://evil.example/x",
        "http://api.example.com/v1",
        "https://api.example.com:8443/v1",
        "https://{{ reply.host }}/x",
        "http{{ reply.rest }}",
        "{{ reply.first }}ttp://evil.example/x",
        "//evil.example/x",
        "https://api.example.com{{ reply.rest }}",
        "http://files.example.com/x",
        "https://api.example.com@evil.example/",
    ] {
        for call in ["poll", "result", "cancel"] {
            let pointer = format!("/data/operation/{call}/url");
            check(&operation(call, json!(url)), &[&pointer]);
            check(&operation(call, json!(["urls.get", url])), &[&pointer]);
        }
    }
    for url in [
        "https://api.example.com/v1/{{ reply.id }}",
        "https://API.example.com:443/v2",
        "https://files.example.com/{{ reply.id }}",
        "/predictions/{{ reply.id }}",
        "urls.get",
    ] {
        check(&operation("poll", json!(url)), &[]);
    }
}

#[test]
fn the_rest_is_for_the_node_to_say() {
    check(
        &json!({
            "method": "GET", "path": "models/{{ input.model }}", "header": {"X-Plain": "2", "X-New": "1"},
            "query": {"alt": null, "q": "{{ input.q }}"}, "body": {"a": 1}, "idempotency_header": "Idempotency-Key",
        }),
        &[],
    );
}
