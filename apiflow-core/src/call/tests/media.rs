//! Files in inputs: in which form and where they are sent.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{CONTEXT, object, planned, reply};
use crate::artifact::Artifact;
use crate::call::{CallContext, CallError, CallPlan, ErrorClass, KnownArtifacts, RecoveryReading};
use crate::catalog::{parse_connector, parse_node};
use crate::ports::{HttpRequest, MediaForm, PartContent, RequestBody, SecretPlace, Timestamp};
use crate::template::display_request;

const PUBLIC: &str = "https://us.example/a/hat?signature=s";

fn hat() -> Artifact {
    Artifact {
        id: "hat".to_owned(),
        url: "http://localhost:8000/a/hat".to_owned(),
        mime: "image/png".to_owned(),
        size_bytes: 1_000_000,
        sha256: "0".repeat(64),
        name: Some("hat.png".to_owned()),
        width: None,
        height: None,
        duration_s: None,
    }
}

/// Compiles a node with these inputs and this `data`.
fn plan(inputs: &Value, data: &Value) -> CallPlan {
    let connector = json!({"id": "c", "name": "Acme", "base_url": "https://api.example.com/v1"});
    planned(&connector, &json!({"id": "n", "name": "N", "connector_id": "c", "input": inputs, "data": data}))
}

fn build(plan: &CallPlan, given: &Value, public_url: Option<&str>) -> Result<HttpRequest, CallError> {
    let mut artifacts = KnownArtifacts::default();
    artifacts.insert(hat(), public_url.map(str::to_owned));
    let arguments = plan.fill_arguments(&object(given))?;
    plan.submit_request(&arguments, &CallContext { artifacts: &artifacts, ..CONTEXT })
}

/// Checks how the artifact is sent: the forms with their places, and the body as it is shown.
fn check(input: &Value, data: &Value, public: Option<&str>, expected: (&[(MediaForm, SecretPlace)], Value)) {
    let node = plan(&json!([input]), data);
    let request =
        build(&node, &json!({"image": {"artifact": "hat"}}), public).unwrap_or_else(|error| panic!("{error}"));
    let forms: Vec<_> = request.media.iter().map(|used| (used.form.clone(), used.place)).collect();
    assert_eq!((forms.as_slice(), display_request(&request)["body"].clone()), expected, "{input} {data}");
}

fn refuse(input: &Value, data: &Value, given: &Value, public: Option<&str>, expected: &str) {
    let error = build(&plan(&json!([input]), data), given, public).expect_err("it cannot be sent");
    assert_eq!(error.class, ErrorClass::InvalidInput, "{error}");
    assert!(error.message.starts_with("input `image`: ") && error.message.contains(expected), "{error}");
}

fn image(changes: &Value) -> Value {
    super::with(json!({"name": "image", "type": "image"}), changes)
}

const SHOWN: &str = "<artifact hat: image/png, 1000000 bytes>";

#[test]
fn an_artifact_is_sent_as_a_link_if_providers_can_reach_it_else_in_the_request() {
    let link = (MediaForm::Url(PUBLIC.to_owned()), SecretPlace::Json);
    let shown_link = json!({"image": "http://localhost:8000/a/hat"});
    check(&image(&json!({})), &json!({}), Some(PUBLIC), (std::slice::from_ref(&link), shown_link.clone()));
    check(&image(&json!({"as": "url"})), &json!({}), Some(PUBLIC), (std::slice::from_ref(&link), shown_link.clone()));
    check(&image(&json!({"type": "string"})), &json!({}), Some(PUBLIC), (&[link], shown_link));
    let inside = |form| [(form, SecretPlace::Json)];
    let shown = json!({"image": SHOWN});
    check(&image(&json!({})), &json!({}), None, (&inside(MediaForm::DataUri), shown.clone()));
    check(&image(&json!({"as": "data_uri"})), &json!({}), Some(PUBLIC), (&inside(MediaForm::DataUri), shown.clone()));
    check(&image(&json!({"as": "base64"})), &json!({}), Some(PUBLIC), (&inside(MediaForm::Base64), shown));
}

#[test]
fn a_file_that_can_not_be_sent_is_refused_with_the_ways_out() {
    let given = json!({"image": {"artifact": "hat"}});
    let small = json!({"max_data_uri_bytes": 999_999});
    refuse(&image(&json!({})), &small, &given, None, "1000000 bytes, more than the 999999 that Acme may be sent");
    refuse(&image(&json!({"as": "base64"})), &small, &given, None, "raise `max_data_uri_bytes`");
    refuse(&image(&json!({"as": "url"})), &json!({}), &given, None, "set PUBLIC_API_URL");
    refuse(&image(&json!({"as": "upload"})), &json!({}), &given, None, "has no `upload` rule");
    let accept = image(&json!({"accept": ["video/*", "image/jpeg"]}));
    refuse(&accept, &json!({}), &given, None, "the provider accepts video/*, image/jpeg, not image/png");
    refuse(&accept, &json!({}), &json!({"image": "data:image/png;base64,AAAA"}), None, "not image/png");
    refuse(&image(&json!({})), &json!({}), &json!({"image": {"artifact": "gone"}}), None, "`gone` does not exist");
    let link = json!({"image": "https://x/y.png"});
    refuse(&image(&json!({"as": "data_uri"})), &json!({}), &link, None, "but it is a link");
    let multipart = json!({"body_kind": "multipart", "body": {"x": "in {{ input.image }}"}});
    refuse(&image(&json!({"as": "multipart"})), &multipart, &given, None, "make it the whole value of a field");
    let header = json!({"header": {"X-Image": "{{ input.image }}"}});
    refuse(&image(&json!({})), &header, &given, None, "set PUBLIC_API_URL");
    refuse(&image(&json!({"as": "base64"})), &header, &given, None, "cannot be written into a URL or a header");
}

#[test]
fn an_artifact_is_found_at_any_depth_and_by_its_url() {
    let node = plan(&json!([]), &json!({}));
    let given = json!({"list": [{"x": {"artifact": "hat"}}, hat().url], "other": {"artifact": "of the house"}});
    let request = build(&node, &given, Some(PUBLIC)).expect("it can be sent");
    let shown = json!({"list": [{"x": hat().url}, hat().url], "other": {"artifact": "of the house"}});
    assert_eq!(display_request(&request)["body"], shown);
    assert_eq!(request.media.len(), 2);
}

#[test]
fn a_path_leads_into_a_file() {
    let body = json!({"inlineData": {"mimeType": "{{ input.image.mime }}", "data": "{{ input.image.base64 }}"}});
    let node = plan(&json!([image(&json!({}))]), &json!({"body": body}));
    let request = build(&node, &json!({"image": {"artifact": "hat"}}), None).expect("it can be sent");
    let forms: Vec<_> = request.media.iter().map(|used| &used.form).collect();
    assert_eq!(forms, [&MediaForm::Base64]);
    let expected = json!({"inlineData": {"mimeType": "image/png", "data": SHOWN}});
    assert_eq!(display_request(&request)["body"], expected);
    let request = build(&node, &json!({"image": "data:image/gif;base64,R0lG"}), None).expect("it can be sent");
    let expected = json!({"inlineData": {"mimeType": "image/gif", "data": "R0lG"}});
    assert_eq!(display_request(&request)["body"], expected);
}

#[test]
fn a_link_in_a_url_is_percent_encoded_and_shown_without_its_signature() {
    let data = json!({"method": "GET", "query": {"src": "{{ input.image }}"}});
    let node = plan(&json!([image(&json!({}))]), &data);
    let request = build(&node, &json!({"image": {"artifact": "hat"}}), Some(PUBLIC)).expect("it can be sent");
    let resolved = crate::template::resolve_secrets(&request, &std::collections::BTreeMap::new()).expect("no secrets");
    let expected = "https://api.example.com/v1?src=https%3A%2F%2Fus.example%2Fa%2Fhat%3Fsignature%3Ds";
    assert_eq!(resolved.url, expected);
    assert!(!display_request(&request).to_string().contains("signature"));
}

#[test]
fn a_multipart_body_has_one_part_per_value_and_files_last() {
    let inputs = json!([
        {"name": "image", "type": "array", "items": {"type": "image"}},
        {"name": "mask", "type": "image"}, {"name": "link", "type": "image"},
        {"name": "n", "type": "integer"}, {"name": "gone", "type": "string"}, {"name": "extra", "type": "object"},
    ]);
    let body = json!({
        "image[]": "{{ input.image }}", "mask": "{{ input.mask }}", "link": "{{ input.link }}", "n": "{{ input.n }}",
        "gone": "{{ input.gone }}", "extra": "{{ input.extra }}", "key": "$KEY",
    });
    let node = plan(&inputs, &json!({"body_kind": "multipart", "body": body}));
    let given = json!({
        "image": [{"artifact": "hat"}, "data:image/gif;base64,R0lG"], "mask": "data:,a%20b", "link": "https://x/y.png",
        "n": 2, "extra": {"deep": [1]},
    });
    let request = build(&node, &given, Some(PUBLIC)).expect("it can be sent");
    let RequestBody::Multipart { boundary, parts } = &request.body else { panic!("{:?}", request.body) };
    let shown: Vec<_> = parts
        .iter()
        .map(|part| {
            let content = match &part.content {
                PartContent::Text(text) => text.clone(),
                PartContent::Media(media) => media.describe(),
            };
            let content = if part.name == "key" { "(a marker)".to_owned() } else { content };
            (part.name.as_str(), part.file_name.as_deref(), part.content_type.as_deref(), content)
        })
        .collect();
    let text = str::to_owned;
    let expected = [
        ("link", None, None, text("https://x/y.png")),
        ("n", None, None, text("2")),
        ("extra", None, Some("application/json"), text(r#"{"deep":[1]}"#)),
        ("key", None, None, text("(a marker)")),
        ("image[]", Some("hat.png"), Some("image/png"), text(SHOWN)),
        ("image[]", Some("file.gif"), Some("image/gif"), text("<file: image/gif, 3 bytes>")),
        ("mask", Some("file.txt"), Some("text/plain"), text("<file: text/plain, 3 bytes>")),
    ];
    assert_eq!(shown, expected);
    let content_type = format!("multipart/form-data; boundary={boundary}");
    assert_eq!(request.headers, [("Content-Type".to_owned(), content_type)]);
    assert_eq!((request.secrets.len(), request.secrets[0].place), (1, SecretPlace::Raw));
    assert_eq!(
        build(&node, &given, Some(PUBLIC)).expect("it can be sent"),
        request,
        "an attempt is the same each time"
    );
    let displayed = display_request(&request);
    assert_eq!((&displayed["body"]["key"], &displayed["body"]["n"]), (&json!("$KEY"), &json!("2")));
    assert_eq!(displayed["body"]["image[]"], json!([SHOWN, "<file: image/gif, 3 bytes>"]));
}

#[test]
fn a_raw_body_is_the_file_with_its_type() {
    let data = json!({"body_kind": "raw", "body": "{{ input.image }}", "method": "PUT"});
    for (given, mime) in [(json!({"artifact": "hat"}), "image/png"), (json!("data:image/gif;base64,R0lG"), "image/gif")]
    {
        let node = plan(&json!([image(&json!({}))]), &data);
        let request = build(&node, &json!({"image": given}), Some(PUBLIC)).expect("it can be sent");
        assert!(matches!(&request.body, RequestBody::Media(media) if media.mime() == mime), "{:?}", request.body);
        assert_eq!(request.headers, [("Content-Type".to_owned(), mime.to_owned())]);
    }
}

#[test]
fn what_is_not_a_file_stays_as_it_was_given() {
    let node = plan(&json!([image(&json!({})), {"name": "text", "type": "string"}]), &json!({}));
    for given in ["https://x/y.png", "data:image/png;base64,AAAA", "plain"] {
        let request = build(&node, &json!({"image": given, "text": given}), Some(PUBLIC)).expect("it can be sent");
        assert_eq!(display_request(&request)["body"], json!({"image": given, "text": given}));
        assert!(request.media.is_empty());
    }
    let base64 = plan(&json!([image(&json!({"as": "base64"}))]), &json!({}));
    for (given, sent) in [("data:image/png;base64,QUJD", "<file: image/png, 3 bytes>"), ("QUJD", "QUJD")] {
        let request = build(&base64, &json!({"image": given}), None).expect("it can be sent");
        assert_eq!(display_request(&request)["body"], json!({"image": sent}));
    }
}

#[test]
fn a_file_part_needs_a_body_of_parts() {
    let connector = json!({"id": "c", "name": "Acme", "base_url": "https://api.example.com/v1"});
    let connector = parse_connector(&connector).expect("it is sound");
    for (kind, fits) in [("json", false), ("form", false), ("multipart", true), ("raw", true)] {
        let body = if kind == "raw" { json!("{{ input.image }}") } else { json!({"x": "{{ input.image }}"}) };
        let node = json!({
            "id": "n", "name": "N", "connector_id": "c", "input": [image(&json!({"as": "multipart"}))],
            "data": {"body_kind": kind, "body": body},
        });
        let found = crate::call::check_call(&parse_node(&node).expect("it is sound"), &connector);
        assert_eq!(found.is_empty(), fits, "{kind} {found:?}");
    }
}

#[test]
fn work_is_found_again_whose_input_holds_a_file_at_any_depth() {
    let layers = json!([{"name": "layers", "type": "array"}]);
    let plan = plan(&layers, &json!({"body": {"input": "{{ input }}"}, "operation": "replicate"}));
    let given = json!({"layers": [{"image": {"artifact": "hat"}, "opacity": 1}]});
    let request = build(&plan, &given, None).expect("the file fits into a data URI");
    let listed = |opacity: u64| {
        let input = json!({"layers": [{"image": "data:image/png;base64,iVBORw0KGgo=", "opacity": opacity}]});
        json!({"id": "p1", "status": "starting", "created_at": "2026-01-31T12:00:00.5Z", "input": input,
            "urls": {"get": "https://api.example.com/v1/predictions/p1"}})
    };
    for (opacity, is_found) in [(1, true), (2, false)] {
        let page = reply(200, &json!({"results": [listed(opacity)], "next": null}));
        let reading = plan.read_recover(&page, &request, Timestamp(0), &BTreeSet::new());
        assert_eq!(matches!(reading, RecoveryReading::Found(_)), is_found, "{reading:?}");
    }
}
