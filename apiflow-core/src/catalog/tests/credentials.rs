//! Secret references, and plain-text credentials.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{connector, founding, node, with};
use crate::catalog::{LiteralCredential, check_connector, clean_base_url, parse_connector, parse_node};

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
fn headers_that_hold_a_credential_are_known_by_name_or_value() {
    for name in [
        "Ocp-Apim-Subscription-Key",
        "X-Functions-Key",
        "Key",
        "X-Auth-Key",
        "x-goog-api-key",
        "X-RapidAPI-Key",
        "api-key",
        "Account-Key",
        "X-Auth",
        "X-Service-Credential",
        "X-Subscription-Token",
        "apikey",
    ] {
        check_header(name, "abcd1234", Some(("", "abcd1234")));
    }
    for value in [
        "sk-proj-abc123def456",
        "sk_live_abc123def456ghi",
        "r8_abcdefgh",
        "hf_abcdefghijklmnop1234",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "ghp_abcdefghijklmnop1234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "0f8fad5b-d9cb-469f-a165-70867728950e:0123456789abcdef0123456789abcdef",
    ] {
        check_header("X-Custom", value, Some(("", value)));
        check_header("X-Custom", &format!("Bearer {value}"), Some(("Bearer ", value)));
        check(&json!({"data": {"query": {"q": value}}}), &[("/data/query/q", "", value)]);
        check(&json!({"body": {"a": [{"b": value}]}}), &[("/body/a/0/b", "", value)]);
    }
    check_header("X-Forwarded-Authentication", "bearer abcd1234", Some(("bearer ", "abcd1234")));
}

#[test]
fn ordinary_headers_are_left_alone() {
    for (name, value) in [
        ("Idempotency-Key", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("X-Idempotency-Key", "abcd1234"),
        ("X-Request-Id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("Accept", "application/json"),
        ("Accept-Language", "sk-SK,sk;q=0.9"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("User-Agent", "sk-learn/1.2 (key-value store)"),
        ("X-Partition-Key", "eu-west-1"),
        ("Surrogate-Key", "product-1234"),
        ("X-Cache-Key", "abcd1234"),
        ("X-Max-Tokens", "10000000"),
        ("X-Page-Token", "abcd1234"),
        ("X-Monkey", "abcd1234"),
        ("Author", "abcd1234"),
        ("X-Plan", "Basic subscription"),
        ("X-Sketch", "sk-etchy-and-more"),
        ("anthropic-version", "2023-06-01"),
        ("OpenAI-Organization", "org-1234567890"),
        ("Prefer", "wait=60"),
    ] {
        check_header(name, value, None);
    }
}

#[test]
fn references_and_what_is_to_be_filled_in_are_left_alone() {
    for value in [
        "$KEY",
        "Bearer $KEY",
        "Bearer $KEY-and-more",
        "{{ input.key_of_theirs }}",
        "<your key>",
        "<TOKEN>",
        "${API_KEY}",
        "YOUR_API_KEY",
        "your-api-key",
        "Bearer YOUR_TOKEN_HERE",
        "{api_key}",
        "[token]",
        "%API_KEY%",
        "xxxxxxxxxxxx",
        "************",
        "sk-…",
        "changeme",
    ] {
        check_header("Authorization", value, None);
        check_header("X-Functions-Key", value, None);
        check(&json!({"body": {"api_key": value}, "data": {"query": {"key": value}}}), &[]);
        assert!(clean_base_url(&format!("https://h/v1?key={value}")).is_none() || value.contains('$'), "{value}");
    }
}

#[test]
fn credentials_are_found_in_bodies() {
    for key in ["api_key", "apiKey", "xi-api-key", "client_secret", "password", "Authorization", "subscription_key"] {
        check(
            &json!({"body": {"input": {key: "abcd1234"}}}),
            &[(format!("/body/input/{key}").as_str(), "", "abcd1234")],
        );
    }
    check(
        &json!({"body": {"headers": {"Authorization": "Bearer abcd1234"}}}),
        &[("/body/headers/Authorization", "Bearer ", "abcd1234")],
    );
    check(&json!({"data": {"body": {"token": "abcdefgh12345678"}}}), &[("/data/body/token", "", "abcdefgh12345678")]);
    for body in [
        json!({"key": "C sharp minor", "sort_key": "abcd1234", "keyword": "abcd1234"}),
        json!({"key": "abcdefgh12345678"}),
        json!({"stop_token": "abcdefgh12345678", "max_tokens": 10_000_000, "tokens": ["abcdefgh12345678"]}),
        json!({"token": "hello"}),
        json!({"prompt": "the secret garden", "secret_garden": "abcd1234"}),
        json!({"password": "hunter2"}),
        json!({"api_key": "$KEY", "api_secret": "{{ input.secret }}"}),
        json!("api_key"),
    ] {
        check(&json!({"body": body}), &[]);
    }
}

#[test]
fn credentials_are_found_in_the_query_of_a_path() {
    let node = |path: &str| parse_node(&with(node(), &json!({"data": {"path": path}}))).expect("it is sound");
    let found = node("v1/models?alt=sse&key=AIza%2Babcd&x=1").literal_credentials();
    assert_eq!(shown(&found), [("/data/path", "v1/models?alt=sse&key=", "AIza+abcd")]);
    assert_eq!(found[0].suffix, "&x=1");
    for path in ["v1/key=abcd1234", "v1?key=$KEY", "v1?q=abcd1234", "v1?key={{ input.key }}", "v1?key=short", "v1"] {
        assert!(node(path).literal_credentials().is_empty(), "{path}");
    }
}

#[test]
fn credentials_are_taken_out_of_a_base_url() {
    for (url, expected) in [
        ("https://h/v1?key=abcd1234", Some(("https://h/v1", "key", "abcd1234"))),
        ("https://h/?a=1&api_key=ab%2Fcd1234&b=2", Some(("https://h/?a=1&b=2", "api_key", "ab/cd1234"))),
        ("https://h/v1?version=2024-01-01", None),
        ("https://h/v1?key=short", None),
        ("https://h/key=abcd1234", None),
        ("https://h/v1?key=<your-key>", None),
    ] {
        let clean = clean_base_url(url).map(|clean| (clean.base_url, clean.credentials));
        let expected = expected.map(|(url, name, value)| (url.to_owned(), vec![(name.to_owned(), value.to_owned())]));
        assert_eq!(clean, expected, "{url}");
    }
}

#[test]
fn each_credential_in_clear_is_a_warning() {
    let declared = with(
        connector(),
        &json!({"base_url": "https://h?key=abcd1234", "header": {"X~Key": "abcd1234"}, "body": {"api_key": "abcd1234"}}),
    );
    let found = check_connector(&parse_connector(&declared).expect("it is sound"));
    let found: Vec<(&str, &str)> = found.iter().map(|found| (found.code.as_str(), found.pointer.as_str())).collect();
    let warning = |pointer| ("credential-in-clear", pointer);
    assert_eq!(found, [warning("/header/X~0Key"), warning("/body/api_key"), warning("/base_url")]);
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
        "price": {"currency": "USD", "from": {"header": "$USD"}}, "accept": "$NO",
    });
    let connector =
        with(connector(), &json!({"header": {"Authorization": "Bearer $G"}, "body": {"k": "$H"}, "data": data}));
    let connector = parse_connector(&connector).expect("it is sound");
    assert_eq!(connector.secret_names(), names(&["A", "B", "C", "D", "E", "F", "G", "H"]));
    let node = parse_node(&with(node(), &json!({"data": data}))).expect("it is sound");
    assert_eq!(node.secret_names(), names(&["A", "B", "C", "D", "E", "F"]));
}
