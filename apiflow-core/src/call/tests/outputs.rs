//! Results of nodes that declare no outputs.

use serde_json::{Value, json};

use super::{call, done, failed, text_reply};
use crate::call::ErrorClass;

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
