//! The `auth` setting of connectors.

use serde_json::{Value, json};

use super::{call, declared, sent, submitted, with};
use crate::call::{Operation, check_connector, compile_call, secret_overrides};
use crate::catalog::{parse_connector, parse_node};
use crate::ports::{RequestAuth, SecretPiece, SecretText};

fn with_auth(auth: &Value, data: &Value) -> Value {
    json!({"data": with(json!({"auth": auth}), data)})
}

#[test]
fn credentials_are_written_into_a_header_or_the_query() {
    let shown = |auth: Value| {
        let request = sent(&call(&with_auth(&auth, &json!({})), &json!({})), &json!({}));
        (request["headers"].clone(), request["url"].clone())
    };
    let url = json!("https://api.example.com/v1");
    let json_type = "application/json";
    for (auth, header, value) in [
        (json!({"kind": "bearer", "token": "$KEY"}), "Authorization", "Bearer $KEY"),
        (json!({"bearer": "$KEY"}), "Authorization", "Bearer $KEY"),
        (json!({"kind": "header", "name": "Authorization", "value": "Key $FAL_KEY"}), "Authorization", "Key $FAL_KEY"),
        (json!({"kind": "header", "name": "xi-api-key", "value": "$KEY"}), "xi-api-key", "$KEY"),
    ] {
        assert_eq!(shown(auth), (json!({header: value, "Content-Type": json_type}), url.clone()));
    }
    let query = json!({"kind": "query", "name": "key", "value": "$KEY"});
    assert_eq!(shown(query).1, json!("https://api.example.com/v1?key=$KEY"));
}

#[test]
fn what_is_computed_goes_along_with_the_request() {
    let secret = |name: &str| SecretText(vec![SecretPiece::Secret(name.to_owned())]);
    let auth = json!({"kind": "basic", "user": "me", "password": "$KEY"});
    let plan = call(&with_auth(&auth, &json!({"hosts": ["files.example.com"]})), &json!({}));
    let request = submitted(&plan, &json!({}));
    let user = SecretText(vec![SecretPiece::Text("me".to_owned())]);
    assert_eq!(request.auth, Some(RequestAuth::Basic { user, password: secret("KEY") }));
    assert_eq!(sent(&plan, &json!({}))["headers"]["Authorization"], "(basic: me:$KEY)");
    assert!(crate::call::rate_limit_key(&request).ends_with(" $KEY"), "calls with the same credentials share a limit");
    for (link, has_auth) in [("https://api.example.com/v1/jobs/1", true), ("https://files.example.com/1", false)] {
        let operation = Operation { poll_url: Some(link.to_owned()), ..Operation::default() };
        let poll = plan.poll_request(&operation).expect("the connector lists it");
        assert_eq!((poll.auth.is_some(), poll.masked_secrets), (has_auth, vec!["KEY".to_owned()]), "{link}");
    }
}

#[test]
fn the_settings_of_every_kind_are_read() {
    for (auth, shown) in [
        (
            json!({"kind": "oauth2_client_credentials", "token_url": "https://a.example/t", "client_id": "id",
                "client_secret": "$S", "scope": "a b", "audience": "x", "credentials_in": "body"}),
            "(oauth2_client_credentials: a token of https://a.example/t)",
        ),
        (
            json!({"kind": "google_service_account", "key": "$ACCOUNT"}),
            "(google_service_account: a token of https://oauth2.googleapis.com/token)",
        ),
        (
            json!({"kind": "aws_sigv4", "region": "eu-west-1", "service": "s3", "access_key": "$A", "secret_key": "$B"}),
            "(aws_sigv4: s3 in eu-west-1)",
        ),
        (json!({"kind": "custom", "provider": "kling", "settings": {"key": "$K"}}), "(custom: kling)"),
    ] {
        let request = sent(&call(&with_auth(&auth, &json!({})), &json!({})), &json!({}));
        assert_eq!(request["headers"]["Authorization"], shown, "{auth}");
    }
}

#[test]
fn faults_of_auth_are_reported() {
    for (auth, expected) in [
        (json!("$KEY"), "/data/auth wrong-type"),
        (json!({"token": "$KEY"}), "/data/auth/kind missing-field"),
        (json!({"kind": "magic"}), "/data/auth/kind bad-value"),
        (json!({"kind": "bearer"}), "/data/auth/token missing-field"),
        (json!({"kind": "bearer", "token": "$KEY", "extra": 1}), "/data/auth/extra unknown-field"),
        (json!({"kind": "bearer", "token": "{{ input.x }}"}), "/data/auth/token template-scope"),
        (json!({"kind": "header", "name": "a b", "value": "$KEY"}), "/data/auth/name bad-value"),
        (
            json!({"kind": "oauth2_client_credentials", "token_url": "/t", "client_id": "i", "client_secret": "$S"}),
            "/data/auth/token_url bad-value",
        ),
    ] {
        let connector = json!({"id": "c", "name": "C", "base_url": "https://h/", "data": {"auth": auth}});
        let connector = parse_connector(&connector).expect("`auth` is checked when a call is compiled");
        let found = check_connector(&connector);
        let found: Vec<String> = found.iter().map(|found| format!("{} {}", found.pointer, found.code)).collect();
        assert_eq!(found, [expected], "{auth}");
    }
}

#[test]
fn a_node_cannot_take_the_place_of_its_connectors_credentials() {
    for (auth, data, expected) in [
        (json!({"bearer": "$KEY"}), json!({"header": {"authorization": "x"}}), &["/data/header/authorization"][..]),
        (
            json!({"kind": "basic", "user": "u", "password": "$P"}),
            json!({"header": {"Authorization": null}}),
            &["/data/header/Authorization"],
        ),
        (json!({"kind": "query", "name": "key", "value": "$K"}), json!({"query": {"key": "x"}}), &["/data/query/key"]),
        (json!({"bearer": "$KEY"}), json!({"header": {"X-Other": "x"}, "query": {"key": "x"}}), &[]),
    ] {
        let connector = json!({"id": "c", "name": "C", "base_url": "https://h/", "data": {"auth": auth}});
        let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": data});
        let (connector, node) = declared(&connector, &node);
        let found = secret_overrides(&node, &connector);
        assert_eq!(found.iter().map(|found| found.pointer.as_str()).collect::<Vec<_>>(), expected, "{auth} {data}");
        assert!(compile_call(&node, &connector).is_ok());
    }
}

#[test]
fn secrets_and_credentials_of_auth_are_known() {
    let auth = |auth: Value| json!({"id": "c", "name": "C", "base_url": "https://h/", "data": {"auth": auth}});
    let connector = parse_connector(&auth(json!({
        "kind": "oauth2_client_credentials", "token_url": "https://a.example/t", "client_id": "$ID",
        "client_secret": "plain-secret-1",
    })));
    let connector = connector.expect("it is sound");
    assert_eq!(connector.secret_names().into_iter().collect::<Vec<_>>(), ["ID"]);
    let found = connector.literal_credentials();
    let found: Vec<_> =
        found.iter().map(|one| (one.pointer.as_str(), one.prefix.as_str(), one.value.as_str())).collect();
    assert_eq!(found, [("/data/auth/client_secret", "", "plain-secret-1")]);
    let origin = crate::call::token_origin(&connector).map(|origin| origin.to_string());
    assert_eq!(origin.as_deref(), Some("https://a.example"));
    let header = parse_connector(&auth(json!({"kind": "header", "name": "Authorization", "value": "Key abc:def"})));
    let found = header.expect("it is sound").literal_credentials();
    assert_eq!((found[0].prefix.as_str(), found[0].value.as_str()), ("Key ", "abc:def"));
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"auth": {"bearer": "$KEY"}}});
    assert!(parse_node(&node).is_err(), "a node has no `auth`");
}
