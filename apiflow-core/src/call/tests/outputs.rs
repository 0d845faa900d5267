//! Results of nodes that declare no outputs.

use serde_json::{Value, json};

use super::{call, done, failed, text_reply};
use crate::call::{ErrorClass, ReplyReading};

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

/// The media of a result: output, link, and whether only a copy is kept.
fn media_of(output: &Value, body: &Value) -> Result<Vec<(String, String, bool)>, String> {
    let connector = json!({"id": "c", "name": "Acme", "base_url": "https://api.example.com/v1",
        "data": {"media_hosts": ["cdn.example.com", "*.Files.example"]}});
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"path": "/x"}, "output": output});
    let plan = super::planned(&connector, &node);
    match plan.read_submit(&super::reply(200, body)) {
        ReplyReading::Download(operation) => {
            let media = operation.downloads.expect("there are some").media;
            Ok(media.into_iter().map(|media| (media.output, media.link, media.is_copy)).collect())
        }
        ReplyReading::Done(_) => Ok(Vec::new()),
        ReplyReading::Failed(error) => Err(error.message),
        other @ (ReplyReading::Running(_) | ReplyReading::Fetch(_) | ReplyReading::Again(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_link_is_built_from_the_parts_that_a_provider_returns() {
    let view = "/view?filename={{ item.filename }}&subfolder={{ item.subfolder }}&type={{ item.type }}";
    let files =
        json!({"images": [{"filename": "a b&c.png", "subfolder": "", "type": "output"}, {"filename": "d.png"}]});
    let output = |mapping: &str, pick: Option<&str>, link: &str| json!([{"name": "image", "type": "image", "mapping": mapping, "pick": pick, "link": link}]);
    let link = |rest: &str| ("image".to_owned(), format!("https://api.example.com/v1/view?filename={rest}"), false);
    let first = link("a%20b%26c.png&subfolder=&type=output");
    assert_eq!(media_of(&output("images[0]", None, view), &files), Ok(vec![first.clone()]));
    let all = media_of(&output("images", Some("all"), view), &files);
    assert_eq!(all, Ok(vec![first, link("d.png&subfolder=&type=")]));
    let absolute = media_of(&output("name", None, "https://cdn.example.com/{{ item }}.png"), &json!({"name": "../x"}));
    assert_eq!(absolute.map(|media| media[0].1.clone()), Ok("https://cdn.example.com/..%2Fx.png".to_owned()));
    for (template, body) in
        [("/files/{{ item.id }}", json!({"a": {}})), ("/files/{{ item.id }}", json!({"a": {"id": ".."}}))]
    {
        let error = media_of(&output("a", None, template), &body).expect_err("no link can be built");
        assert!(error.contains("its `link` cannot be built"), "{error}");
    }
    let faults = node(&json!({"path": "/x"}), &output("a", None, "/files/{{ reply.id }}?key=$KEY"));
    assert_eq!(faults, ["/output/0/link template-scope", "/output/0/link not-supported"]);
}

#[test]
fn links_to_listed_hosts_are_kept_as_copies_too() {
    let text = json!([{"name": "url", "type": "string"}]);
    for (link, is_kept) in [
        ("https://cdn.example.com/a.png", true),
        ("https://eu.files.example/a.png", true),
        ("https://files.example/a.png", false),
        ("https://cdn.example.com.evil.example/a.png", false),
        ("cdn.example.com/a.png", false),
        ("a fox", false),
    ] {
        let expected = if is_kept { vec![("url".to_owned(), link.to_owned(), true)] } else { Vec::new() };
        assert_eq!(media_of(&text, &json!({"url": link})), Ok(expected), "{link}");
    }
    let several = json!([{"name": "urls", "type": "string", "pick": "all"}]);
    let links =
        json!({"urls": ["https://cdn.example.com/a", "https://elsewhere.example/b", "https://cdn.example.com/c"]});
    assert_eq!(media_of(&several, &links).map(|media| media.len()), Ok(2));
}
