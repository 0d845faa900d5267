//! Results of nodes that declare no outputs.

use serde_json::{Value, json};

use super::{call, done, failed, text_reply};
use crate::call::ErrorClass;

/// Returns the findings about a node with this `data` and these outputs, as `pointer code`.
fn node(data: &Value, output: &Value) -> Vec<String> {
    let connector = json!({"id": "c", "name": "Acme", "base_url": "https://api.example.com/v1"});
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": data, "output": output});
    let (connector, node) = super::declared(&connector, &node);
    let found = crate::call::check_call(&node, &connector);
    assert_eq!(crate::diagnostic::has_errors(&found), crate::call::compile_call(&node, &connector).is_err());
    found.into_iter().map(|found| format!("{} {}", found.pointer, found.code)).collect()
}

#[test]
fn outputs_that_no_reply_can_hold_are_refused_before_anything_is_sent() {
    let whole = |value_type: &str| json!([{"name": "a", "type": value_type, "mapping": "@body"}]);
    let part = json!([{"name": "a", "type": "string", "mapping": "url"}]);
    let beside = json!([{"name": "a", "type": "string", "mapping": "@header.x"}, {"name": "b", "type": "integer", "mapping": "@status"}]);
    let refused = vec!["/output/0/mapping unreadable-output".to_owned()];
    for (data, output, expected) in [
        (json!({}), whole("image"), &vec![]),
        (json!({}), whole("file"), &vec![]),
        (json!({}), whole("string"), &vec![]),
        (json!({}), part.clone(), &vec![]),
        (json!({"accept": "text/plain"}), whole("image"), &vec![]),
        (json!({"accept": "audio/mpeg"}), whole("audio"), &vec![]),
        (json!({"accept": "audio/mpeg"}), json!([{"name": "a", "type": "audio", "mapping": "url"}]), &refused),
        (json!({"accept": "audio/mpeg"}), whole("string"), &refused),
        (json!({"accept": "audio/mpeg"}), part.clone(), &refused),
        (json!({"header": {"accept": "image/png, image/webp"}}), part.clone(), &refused),
        (json!({"header": {"accept": "image/png"}, "accept": "application/json"}), part.clone(), &vec![]),
        (json!({"accept": "image/png, application/json"}), part.clone(), &vec![]),
        (json!({"accept": "audio/mpeg"}), beside.clone(), &vec![]),
        (json!({"accept": "audio/mpeg"}), json!([]), &vec!["/data/accept unreadable-output".to_owned()]),
        (json!({"method": "HEAD"}), part.clone(), &refused),
        (json!({"method": "HEAD"}), beside, &vec![]),
        (json!({"method": "HEAD"}), json!([]), &vec![]),
        (json!({"accept": "application/json", "operation": "replicate"}), part, &vec![]),
    ] {
        assert_eq!(&node(&data, &output), expected, "{data} {output}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    check("application/json", "\u{feff}{\"a\": 1}", Some(json!({"a": 1})));
    check("application/json", "\u{feff}", Some(Value::Null));
    check("text/plain", "\u{feff}hello", Some(json!("hello")));
    check("application/json", "\u{feff}{\"a\": ", None);
    let plan = super::working(&json!({}));
    let body = format!(
        "\u{feff}{}",
        json!({"id": "b1", "status": "starting", "urls": {"get": "https://api.replicate.com/v1/predictions/b1"}})
    );
    let operation = super::running(plan.read_submit(&text_reply(201, &[], &body)));
    assert_eq!(operation.id.as_deref(), Some("b1"), "a paid submit is not taken for one of unknown fate");
    let ended = format!("\u{feff}{}", json!({"id": "b1", "status": "succeeded", "output": "https://x.example/o.png"}));
    let read = done(plan.read_poll(&operation, &text_reply(200, &[], &ended)));
    assert_eq!(read, json!({"output_image": "https://x.example/o.png"}));
}

#[test]
fn a_page_for_people_is_no_result_unless_it_was_asked_for() {
    for (content_type, page) in [
        ("text/html; charset=utf-8", "hello"),
        ("text/plain", "<!DOCTYPE html><title>Log in</title>"),
        ("", "  \n<html><body>tunnel offline</body></html>"),
        ("application/xhtml+xml", "<x/>"),
    ] {
        check(content_type, page, None);
        let asked = call(&json!({}), &json!({"path": "/x", "accept": "text/html"}));
        assert_eq!(done(asked.read_submit(&text_reply(200, &[("content-type", content_type)], page))), json!(page));
    }
    check("application/xml", "<rss/>", Some(json!("<rss/>")));
    check("text/plain", "<3", Some(json!("<3")));
}

fn check(content_type: &str, body: &str, expected: Option<Value>) {
    let plan = call(&json!({}), &json!({"path": "/x"}));
    let reading = plan.read_submit(&text_reply(200, &[("Content-Type", content_type)], body));
    match expected {
        Some(expected) => assert_eq!(done(reading), expected, "{body}"),
        None => assert_eq!(failed(reading).class, ErrorClass::OutputInvalid, "{body}"),
    }
}

#[test]
fn a_reply_is_the_result_unless_it_is_not_what_it_says() {
    check("text/plain", "hello", Some(json!("hello")));
    check("text/plain", "{\"a\": 1}", Some(json!({"a": 1})));
    check("application/json; charset=utf-8", "{\"a\": 1}", Some(json!({"a": 1})));
    for broken in ["{\"a\": 1", "\"\\ud800\"", "1 2"] {
        check("application/json; charset=utf-8", broken, None);
        check("application/problem+json", broken, None);
        check("text/plain", broken, Some(json!(broken)));
    }
}
