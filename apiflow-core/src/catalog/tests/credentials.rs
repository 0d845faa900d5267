//! Secret references, and credentials that stand where one should.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{connector, founding, node, with};
use crate::catalog::{LiteralCredential, parse_connector, parse_node};

fn check(changes: &Value, expected: &[(&str, &str, &str)]) {
    let connector = parse_connector(&with(connector(), changes)).expect("it is sound");
    assert_eq!(shown(&connector.literal_credentials()), expected, "{changes}");
}

fn shown(found: &[LiteralCredential]) -> Vec<(&str, &str, &str)> {
    found.iter().map(|found| (found.pointer.as_str(), found.prefix.as_str(), found.value.as_str())).collect()
}

fn check_header(name: &str, value: &str, expected: Option<(&str, &str)>) {
    let pointer = format!("/header/{name}");
    let expected: Vec<(&str, &str, &str)> =
        expected.into_iter().map(|(prefix, value)| (pointer.as_str(), prefix, value)).collect();
    check(&json!({"header": {name: value}}), &expected);
}

#[test]
fn credentials_are_found_in_headers_that_usually_hold_one() {
    for (name, value, prefix, credential) in [
        ("Authorization", "Bearer r8_abc", "Bearer ", "r8_abc"),
        ("authorization", "Key id:secret", "Key ", "id:secret"),
        ("Authorization", "Basic  dXNlcjpw ", "Basic ", "dXNlcjpw"),
        ("Authorization", "r8_abc", "", "r8_abc"),
        ("Proxy-Authorization", "Bearer x", "Bearer ", "x"),
        ("x-key", "abc", "", "abc"),
        ("xi-api-key", "abc", "", "abc"),
        ("X-Goog-Api-Key", "a$$b", "", "a$b"),
        ("X-ApiKey", "abc", "", "abc"),
        ("X-Auth-Token", "abc", "", "abc"),
        ("X-Client-Secret", "abc", "", "abc"),
        ("Cookie", "session=1; theme=2", "", "session=1; theme=2"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential=x", "", "AWS4-HMAC-SHA256 Credential=x"),
    ] {
        check_header(name, value, Some((prefix, credential)));
    }
}

#[test]
fn references_placeholders_and_other_headers_are_no_credentials() {
    for (name, value) in [
        ("Authorization", "Bearer $REPLICATE_API_TOKEN"),
        ("Authorization", "Bearer {{ input.token }}"),
        ("Authorization", ""),
        ("Authorization", "  "),
        ("Content-Type", "application/json"),
        ("Prefer", "wait"),
        ("X-Runway-Version", "2024-11-06"),
        ("Idempotency-Key", "k"),
    ] {
        check_header(name, value, None);
    }
    let founding = parse_connector(&founding("connector")).expect("it is sound");
    assert!(founding.literal_credentials().is_empty());
}

#[test]
fn both_places_of_headers_are_searched_and_pointers_are_escaped() {
    check(
        &json!({"header": {"x~token": "a"}, "data": {"header": {"Authorization": "Bearer b", "Cookie": null}}}),
        &[("/header/x~0token", "", "a"), ("/data/header/Authorization", "Bearer ", "b")],
    );
}

#[test]
fn credentials_are_found_in_keys_of_queries_that_usually_hold_one() {
    for name in ["key", "api_key", "apiKey", "api-key", "X-Api-Key", "token", "access_token", "client_secret", "sig"] {
        let data = json!({"data": {"query": {name: "abcd1234"}}});
        check(&data, &[(format!("/data/query/{name}").as_str(), "", "abcd1234")]);
    }
    for (name, value) in [
        ("key", json!("title")),
        ("keyword", json!("abcd1234")),
        ("max_tokens", json!("10000000")),
        ("q", json!("abcd1234")),
        ("api_key", json!("$FAL_API_KEY")),
        ("api_key", json!("{{ input.key_of_theirs }}")),
        ("api_key", json!(12_345_678)),
    ] {
        check(&json!({"data": {"query": {name: value}}}), &[]);
    }
}

#[test]
fn nodes_are_searched_like_connectors() {
    let data = json!({
        "header": {"Authorization": "Bearer b", "Accept": "image/png"}, "query": {"api_key": "abcd1234"},
        "operation": {"preset": "replicate", "ack": {"header": {"X-Token": "c"}}, "hold": {"header": {"X-Key": "d"}}},
    });
    let node = parse_node(&with(node(), &json!({"data": data}))).expect("it is sound");
    assert_eq!(
        shown(&node.literal_credentials()),
        [
            ("/data/header/Authorization", "Bearer ", "b"),
            ("/data/operation/ack/header/X-Token", "", "c"),
            ("/data/operation/hold/header/X-Key", "", "d"),
            ("/data/query/api_key", "", "abcd1234"),
        ]
    );
}

#[test]
fn secret_names_are_gathered_from_templates_alone() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let data = json!({
        "path": "/$A", "query": {"q": ["$B"]}, "header": {"h": "x $C $$NOT"}, "body": {"b": [{"c": "$D"}]},
        "operation": {"preset": "replicate", "ack": {"header": {"X": "$E"}}, "hold": {"header": {"X": "$F"}}},
        "price": "$USD", "accept": "$NO",
    });
    let connector =
        with(connector(), &json!({"header": {"Authorization": "Bearer $G"}, "body": {"k": "$H"}, "data": data}));
    let connector = parse_connector(&connector).expect("it is sound");
    assert_eq!(connector.secret_names(), names(&["A", "B", "C", "D", "E", "F", "G", "H"]));
    let node = parse_node(&with(node(), &json!({"data": data}))).expect("it is sound");
    assert_eq!(node.secret_names(), names(&["A", "B", "C", "D", "E", "F"]));
}
