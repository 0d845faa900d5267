//! What replies say about running work beside its state.

use serde_json::{Value, json};

use super::{CallPlan, call, reply};

fn planned(operation: &Value) -> CallPlan {
    call(&json!({}), &json!({"path": "/x", "operation": operation}))
}

/// A plan that reads everything that can be reported.
fn reading_all() -> CallPlan {
    planned(&json!({"state": {"path": "s", "done": ["done"]}, "poll": {"url": "/x"}, "logs": "logs",
        "progress": {"queue": "place", "preview": "look"}}))
}

fn log_of(plan: &CallPlan, body: &Value) -> Option<String> {
    plan.read_report(&reply(200, body)).log.map(|log| log.text)
}

#[test]
fn a_log_is_a_text_or_a_list_of_lines() {
    let plan = reading_all();
    for (logs, expected) in [
        (json!("one\ntwo"), Some("one\ntwo")),
        (json!(["one", "two\n", 3]), Some("one\ntwo\n3\n")),
        (json!(""), None),
        (json!(null), None),
        (json!({}), None),
        (json!("a\u{0}b"), Some("a\u{fffd}b")),
    ] {
        assert_eq!(log_of(&plan, &json!({"logs": logs})).as_deref(), expected, "{logs}");
    }
    let fal = planned(&json!("fal"));
    let lines = json!({"status": "IN_PROGRESS", "logs": [{"message": "loading"}, {"message": "50%|"}]});
    assert_eq!(log_of(&fal, &lines).as_deref(), Some("loading\n50%|\n"));
}

#[test]
fn a_log_is_bounded_and_contains_no_media() {
    let plan = reading_all();
    let long = "line\n".repeat(100_000);
    let tail = plan.read_report(&reply(200, &json!({"logs": long}))).log.expect("a log");
    assert_eq!((tail.text.len(), tail.total_bytes), (64 * 1024, 500_000));
    let echoed = log_of(&plan, &json!({"logs": format!("input data:image/png;base64,{}", "iVBORw0K".repeat(500))}));
    let echoed = echoed.expect("a log");
    assert!(echoed.len() < 200 && echoed.contains("more characters"), "{echoed}");
}

#[test]
fn the_place_in_the_queue_and_a_preview_are_read() {
    let plan = reading_all();
    let read = |place: Value, look: Value| {
        let report = plan.read_report(&reply(200, &json!({"place": place, "look": look})));
        (report.queue_position, report.preview)
    };
    let link = "https://example.com/p.png".to_owned();
    assert_eq!(read(json!(3), json!(link)), (Some(3), Some(link)));
    assert_eq!(read(json!("0"), json!("data:image/png;base64,iVBO")).0, Some(0));
    for place in [json!(-1), json!(1.5), json!(null), json!("soon"), json!(1e12)] {
        assert_eq!(read(place.clone(), Value::Null), (None, None), "{place}");
    }
    let large = format!("data:image/png;base64,{}", "A".repeat(10_000));
    for look in ["javascript:alert(1)", "data:text/html,x", "p.png", "https://e.com/a b", &large] {
        assert_eq!(read(Value::Null, json!(look)).1, None, "{look}");
    }
}

#[test]
fn reports_that_differ_have_other_fingerprints_and_silence_keeps_the_log() {
    let plan = reading_all();
    let one = plan.read_report(&reply(200, &json!({"place": 3, "logs": "a"})));
    let other = plan.read_report(&reply(200, &json!({"place": 3, "logs": "ab"})));
    assert!(one.fingerprint() != other.fingerprint() && one.fingerprint() == one.clone().fingerprint());
    let mut report = other;
    report.update(plan.read_report(&reply(200, &json!({}))));
    assert_eq!((report.queue_position, report.log.map(|log| log.text)), (None, Some("ab".to_owned())));
    let long = plan.read_report(&reply(200, &json!({"logs": format!("{}end", "\u{e4}".repeat(2000))})));
    assert!(long.end_of_log().is_some_and(|end| end.chars().count() == 1000 && end.ends_with("end")));
}

#[test]
fn parameters_are_added_to_the_link_of_polls() {
    let operation = json!({"state": {"path": "s", "done": ["done"]},
        "poll": {"url": "link", "query": {"logs": true, "a b": "c&d"}}});
    let plan = planned(&operation);
    for (link, expected) in [
        ("https://api.example.com/x", "https://api.example.com/x?logs=true&a%20b=c%26d"),
        ("https://api.example.com/x?n=1&logs=0", "https://api.example.com/x?n=1&logs=0&a%20b=c%26d"),
    ] {
        let accepted = super::running(plan.read_submit(&reply(200, &json!({"link": link}))));
        let request = plan.poll_request(&accepted).expect("its own host");
        assert_eq!(request.url, expected);
    }
}
