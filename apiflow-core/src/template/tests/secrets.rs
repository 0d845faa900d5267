//! Secrets are separate from the text until the request is sent.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{compile, request, scope};
use crate::ports::{HttpRequest, RequestBody, SecretPlace};
use crate::template::{
    DraftBody, DraftRequest, Piece, ResolveError, Resolved, display_request, display_url, resolve_secrets,
};

fn resolved(request: &HttpRequest, values: &[(&str, &str)]) -> Resolved {
    let values: BTreeMap<String, String> =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resolve_secrets(request, &values).unwrap_or_else(|error| panic!("{error}"))
}

fn json_body(resolved: &Resolved) -> Value {
    serde_json::from_str(resolved.body_text().expect("a body")).expect("the body is JSON")
}

fn draft(headers: Vec<(String, Vec<Piece>)>, body: DraftBody) -> HttpRequest {
    let draft = DraftRequest {
        method: "POST".to_owned(),
        url: vec![Piece::Text("https://h/".to_owned())],
        headers,
        body,
        masked_secrets: Vec::new(),
        credential_origins: Vec::new(),
        timeout: std::time::Duration::from_secs(1),
    };
    draft.seal_request()
}

#[test]
fn a_secret_is_escaped_for_the_place_it_stands_in() {
    let sealed = request("a $KEY", "Bearer $KEY", &json!({"b": "x $KEY y"}), &json!({}));
    let places: Vec<SecretPlace> = sealed.secrets.iter().map(|secret| secret.place).collect();
    assert_eq!(places, [SecretPlace::Header, SecretPlace::Url, SecretPlace::Json]);
    let value = "s\"\\ec/r&t=é {{ input.x }} $KEY";
    let written = resolved(&sealed, &[("KEY", value)]);
    let encoded = "s%22%5Cec%2Fr%26t%3D%C3%A9%20%7B%7B%20input.x%20%7D%7D%20%24KEY";
    assert_eq!(written.url, format!("https://h/x?q=a%20{encoded}"));
    assert_eq!(written.headers, [("X-H".to_owned(), format!("Bearer {value}"))]);
    assert_eq!(json_body(&written), json!({"b": format!("x {value} y")}));
}

#[test]
fn secrets_in_forms_and_raw_bodies_are_escaped_for_them() {
    let pieces = || vec![Piece::Text("a=".to_owned()), Piece::Secret("KEY".to_owned())];
    let form = draft(Vec::new(), DraftBody::Form(vec![("k&".to_owned(), pieces()), ("l".to_owned(), pieces())]));
    assert_eq!(resolved(&form, &[("KEY", "x&y\n")]).body_text(), Some("k%26=a%3Dx%26y%0A&l=a%3Dx%26y%0A"));
    let raw = draft(Vec::new(), DraftBody::Raw(pieces()));
    assert_eq!(resolved(&raw, &[("KEY", "x&y\n")]).body_text(), Some("a=x&y\n"));
    let whole = draft(Vec::new(), DraftBody::Json(compile(&json!("$KEY")).expand_value(&scope(&json!({})))));
    assert_eq!(resolved(&whole, &[("KEY", "x\"y")]).body_text(), Some("\"x\\\"y\""));
}

#[test]
fn what_is_journalled_holds_no_secret_and_no_reference() {
    let sealed = request("$A", "Bearer $B", &json!({"b": ["$A", {"c": "$C$A"}]}), &json!({}));
    let journalled = serde_json::to_string(&sealed).expect("it has a JSON form");
    assert!(!journalled.contains('$'), "{journalled}");
    let names: Vec<(&str, SecretPlace)> =
        sealed.secrets.iter().map(|secret| (secret.name.as_str(), secret.place)).collect();
    assert_eq!(
        names,
        [("A", SecretPlace::Url), ("A", SecretPlace::Json), ("B", SecretPlace::Header), ("C", SecretPlace::Json),]
    );
    let again: HttpRequest = serde_json::from_str(&journalled).expect("what was journalled is read");
    let values = [("A", "1"), ("B", "2"), ("C", "3")];
    assert_eq!(json_body(&resolved(&again, &values)), json!({"b": ["1", {"c": "31"}]}));
}

#[test]
fn the_same_request_has_the_same_form_each_time() {
    let build = |prompt: &str| request("$A", "Bearer $B", &json!({"p": "{{ input.p }}"}), &json!({"p": prompt}));
    assert_eq!(build("x"), build("x"));
    assert_ne!(build("x").secrets[0].marker, build("y").secrets[0].marker);
}

#[test]
fn a_marker_out_of_another_request_is_plain_text() {
    let body = json!({"p": "{{ input.p }}", "k": "$KEY"});
    let first = request("$KEY", "$KEY", &body, &json!({"p": "x"}));
    let mut forged: Vec<String> = first.secrets.iter().map(|secret| secret.marker.clone()).collect();
    forged.extend(["apiflowsecret".to_owned(), "apiflowsecret".repeat(50)]);
    for marker in forged {
        let sealed = request("{{ input.p }}", "{{ input.p }}", &body, &json!({"p": marker}));
        let written = resolved(&sealed, &[("KEY", "secret")]);
        assert_eq!(json_body(&written), json!({"p": marker, "k": "secret"}));
        assert_eq!(written.url, format!("https://h/x?q={marker}"));
        assert_eq!(written.headers[0].1, marker);
        assert_eq!(display_request(&sealed)["body"], json!({"p": marker, "k": "$KEY"}));
    }
}

#[test]
fn an_input_that_looks_like_a_reference_is_no_use_of_a_secret() {
    let sealed = request("{{ input.p }}", "{{ input.p }}", &json!({"p": "{{ input.p }}"}), &json!({"p": "$KEY"}));
    assert_eq!(sealed.secrets, []);
    assert_eq!(json_body(&resolved(&sealed, &[("KEY", "secret")])), json!({"p": "$KEY"}));
}

#[test]
fn one_secrets_value_is_not_searched_for_another() {
    let sealed = request("$A", "$A", &json!({"a": "$A", "b": "$B"}), &json!({}));
    let marker = |name: &str| {
        let found = sealed.secrets.iter().find(|secret| secret.name == name && secret.place == SecretPlace::Json);
        found.expect("it is used in the body").marker.clone()
    };
    let value = format!("<{}>", marker("B"));
    let written = resolved(&sealed, &[("A", &value), ("B", "other")]);
    assert_eq!(json_body(&written), json!({"a": value, "b": "other"}));
}

#[test]
fn secrets_that_cannot_be_written_are_errors_that_name_them() {
    let sealed = request("x", "Bearer $KEY", &json!({}), &json!({}));
    let outcome = |values: &[(&str, &str)]| {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        resolve_secrets(&sealed, &values).err()
    };
    assert_eq!(outcome(&[]), Some(ResolveError::Unknown("KEY".to_owned())));
    assert_eq!(outcome(&[("OTHER", "x")]).map(|error| error.to_string()).as_deref(), Some("there is no secret `KEY`"));
    for hostile in ["x\r\nX-Evil: 1", "x\n", "x\u{0}", "x\u{7f}"] {
        assert_eq!(outcome(&[("KEY", hostile)]), Some(ResolveError::Control("KEY".to_owned())), "{hostile:?}");
    }
    assert_eq!(outcome(&[("KEY", "with\ttab")]), None);
}

#[test]
fn people_see_references_in_place_of_secrets() {
    let sealed = request("$KEY", "Bearer $KEY", &json!({"k": "$KEY", "n": 1}), &json!({}));
    assert_eq!(display_url(&sealed), "https://h/x?q=$KEY");
    let expected = json!({
        "method": "POST", "url": "https://h/x?q=$KEY", "headers": {"X-H": "Bearer $KEY"}, "body": {"k": "$KEY", "n": 1},
    });
    assert_eq!(display_request(&sealed), expected);
    let empty = draft(Vec::new(), DraftBody::None);
    assert_eq!((&empty.body, display_request(&empty)["body"].clone()), (&RequestBody::None, Value::Null));
    let raw = draft(Vec::new(), DraftBody::Raw(vec![Piece::Text("no json".to_owned())]));
    assert_eq!(display_request(&raw)["body"], json!("no json"));
}

#[test]
fn media_is_shown_by_its_kind_and_size() {
    let media = format!("data:image/png;base64,{}", "A".repeat(2000));
    let sealed = request("x", "x", &json!({"a": ["{{ input.m }}"], "b": "data:,short"}), &json!({"m": media}));
    let expected = json!({"a": [format!("data:image/png;base64,… ({} bytes)", media.len())], "b": "data:,short"});
    assert_eq!(display_request(&sealed)["body"], expected);
}
