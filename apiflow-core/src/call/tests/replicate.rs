//! Replicate's predictions, from submit to end.

use serde_json::{Value, json};

use super::{CallPlan, again, done, failed, reply, running, sent, submitted, text_reply, with, working};
use crate::call::{ErrorClass, Operation, ReplyReading};
use crate::ports::HttpReply;
use crate::template::display_request;

const BASE: &str = "https://api.replicate.com/v1";

/// Returns a prediction as Replicate returns it, with changes.
fn prediction(changes: &Value) -> Value {
    let prediction = json!({
        "id": "p1", "model": "black-forest-labs/flux-kontext-pro", "version": "hidden",
        "input": {"prompt": "p"}, "output": null, "logs": "", "error": null, "status": "starting",
        "created_at": "2026-01-31T12:00:00.123Z",
        "urls": {
            "web": "https://replicate.com/p/p1",
            "get": format!("{BASE}/predictions/p1"),
            "cancel": format!("{BASE}/predictions/p1/cancel"),
        },
    });
    with(prediction, changes)
}

fn answer(status: u16, body: &Value) -> HttpReply {
    HttpReply { url: format!("{BASE}/predictions/p1"), ..reply(status, body) }
}

fn accepted(plan: &CallPlan) -> Operation {
    running(plan.read_submit(&answer(201, &prediction(&json!({})))))
}

/// Reads the same prediction as the reply to a submit and as the reply to a poll.
fn each_reading(changes: &Value) -> [ReplyReading; 2] {
    let plan = working(&json!({}));
    let operation = accepted(&plan);
    let answer = answer(200, &prediction(changes));
    [plan.read_submit(&answer), plan.read_poll(&operation, &answer)]
}

#[test]
fn ack_drops_prefer_and_hold_sets_it() {
    let given = json!({"prompt": "p", "input_image": "https://e.com/a.png"});
    let prefer = |changes: Value| {
        let shown = sent(&working(&changes), &given);
        let headers = shown["headers"].as_object().expect("an object").clone();
        headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("prefer")).map(|(_, value)| value)
    };
    let held = json!({"operation": {"preset": "replicate", "submit": "hold"}});
    assert_eq!(prefer(json!({})), None);
    assert_eq!(prefer(json!({"operation": {"preset": "replicate", "submit": "ack"}})), None);
    assert_eq!(prefer(held.clone()), Some(json!("wait")), "the connector's own wish stands");
    assert_eq!(prefer(with(held.clone(), &json!({"header": {"prefer": "wait=5"}}))), Some(json!("wait=5")));
    assert_eq!(prefer(with(held.clone(), &json!({"header": {"prefer": null}}))), Some(json!("wait=60")));
    assert_eq!(working(&held).submit_timeout_ms(), 90_000);
    assert_eq!(working(&json!({})).submit_timeout_ms(), 60_000);
}

#[test]
fn an_accepted_prediction_is_followed_at_its_own_links() {
    let plan = working(&json!({}));
    for status in [200, 201, 202] {
        let operation = running(plan.read_submit(&answer(status, &prediction(&json!({})))));
        assert_eq!(operation.id.as_deref(), Some("p1"));
        assert_eq!(operation.state.as_deref(), Some("starting"));
        let poll = display_request(&plan.poll_request(&operation).expect("it is Replicate's own host"));
        let expected = json!({
            "method": "GET", "url": format!("{BASE}/predictions/p1"),
            "headers": {"Authorization": "Bearer $REPLICATE_API_TOKEN"}, "body": null,
        });
        assert_eq!(poll, expected);
        let cancel =
            display_request(&plan.cancel_request(&operation).expect("it can").expect("it is Replicate's own host"));
        assert_eq!(cancel["method"], "POST");
        assert_eq!(cancel["url"], format!("{BASE}/predictions/p1/cancel"));
        assert_eq!(cancel["headers"], expected["headers"]);
    }
}

#[test]
fn links_may_be_relative_or_missing() {
    let plan = working(&json!({}));
    let relative = json!({"urls": {"get": "/v1/predictions/p1?x=1", "cancel": "p1/cancel"}});
    let operation = running(plan.read_submit(&answer(201, &prediction(&relative))));
    assert_eq!(operation.poll_url, Some(format!("{BASE}/predictions/p1?x=1")));
    assert_eq!(operation.cancel_url, Some(format!("{BASE}/predictions/p1/cancel")));
    let operation = running(plan.read_submit(&answer(201, &prediction(&json!({"urls": null})))));
    assert_eq!(operation.poll_url, Some(format!("{BASE}/predictions/p1")));
    assert_eq!(operation.cancel_url, Some(format!("{BASE}/predictions/p1/cancel")));
    let hostile = prediction(&json!({"urls": null, "id": "../models/x?y"}));
    let operation = running(plan.read_submit(&answer(201, &hostile)));
    assert_eq!(operation.poll_url, Some(format!("{BASE}/predictions/..%2Fmodels%2Fx%3Fy")));
}

#[test]
fn an_unfinished_prediction_is_never_a_result() {
    for changes in [
        json!({"status": "starting"}),
        json!({"status": "processing"}),
        json!({"status": "processing", "output": null}),
        json!({"status": "processing", "output": "https://replicate.delivery/half.png"}),
        json!({"status": "queued-somewhere-new"}),
        json!({"status": null}),
    ] {
        for reading in each_reading(&changes) {
            let operation = running(reading);
            assert_eq!(operation.id.as_deref(), Some("p1"), "{changes}");
        }
    }
}

#[test]
fn a_prediction_that_succeeded_gives_its_output() {
    for reading in each_reading(&json!({"status": "succeeded", "output": "https://replicate.delivery/a.png"})) {
        assert_eq!(done(reading), json!({"output_image": "https://replicate.delivery/a.png"}));
    }
}

#[test]
fn success_without_an_output_is_a_failure_and_takes_no_default() {
    for changes in
        [json!({"status": "succeeded"}), json!({"status": "succeeded", "output": null, "data_removed": true})]
    {
        for reading in each_reading(&changes) {
            let error = failed(reading);
            assert_eq!(error.class, ErrorClass::OutputInvalid);
            assert_eq!(
                error.message,
                "Replicate finished the operation with the state `succeeded`, but `output` is empty"
            );
            assert_eq!(error.detail["provider_id"], "p1");
        }
    }
    let mut gone = prediction(&json!({"status": "succeeded"}));
    gone.as_object_mut().expect("an object").remove("output");
    assert_eq!(failed(working(&json!({})).read_submit(&answer(201, &gone))).class, ErrorClass::OutputInvalid);
}

#[test]
fn every_other_end_has_its_class() {
    for (changes, class, message) in [
        (
            json!({"status": "failed", "error": "E1001: out of memory"}),
            ErrorClass::ProviderFailed,
            "finished the operation with the state `failed`: E1001: out of memory",
        ),
        (json!({"status": "failed"}), ErrorClass::ProviderFailed, "finished the operation with the state `failed`"),
        (
            json!({"status": "FAILED", "error": "x"}),
            ErrorClass::ProviderFailed,
            "finished the operation with the state `FAILED`: x",
        ),
        (json!({"status": "canceled"}), ErrorClass::Cancelled, "finished the operation with the state `canceled`"),
        (
            json!({"status": "aborted", "error": "deadline"}),
            ErrorClass::Cancelled,
            "finished the operation with the state `aborted`: deadline",
        ),
        (
            json!({"status": "succeeded", "output": "https://e.com/a", "error": "late fault"}),
            ErrorClass::ProviderFailed,
            "finished the operation with the state `succeeded`: late fault",
        ),
        (
            json!({"status": "failed", "error": "The input was flagged as sensitive. (E005)"}),
            ErrorClass::Moderated,
            "finished the operation with the state `failed`: The input was flagged as sensitive. (E005)",
        ),
        (
            json!({"status": "failed", "error": "e005"}),
            ErrorClass::Moderated,
            "finished the operation with the state `failed`: e005",
        ),
        (
            json!({"status": "failed", "error": "NSFW content detected. Try another prompt"}),
            ErrorClass::Moderated,
            "finished the operation with the state `failed`: NSFW content detected. Try another prompt",
        ),
        (
            json!({"status": "failed", "error": "code E0051 at line 5"}),
            ErrorClass::ProviderFailed,
            "finished the operation with the state `failed`: code E0051 at line 5",
        ),
    ] {
        for reading in each_reading(&changes) {
            let error = failed(reading);
            assert_eq!((error.class, error.message), (class, format!("Replicate {message}")), "{changes}");
            assert_eq!(error.detail["provider_id"], "p1");
        }
    }
}

#[test]
fn trouble_with_a_poll_is_not_the_works_failure() {
    let plan = working(&json!({}));
    let operation = accepted(&plan);
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let error = again(plan.read_poll(&operation, &text_reply(status, &[("retry-after", "2")], "")));
        assert_eq!(error.retry_after_ms(), Some(2000), "{status}");
    }
    for body in ["<html>maintenance</html>", ""] {
        let error = again(plan.read_poll(&operation, &text_reply(200, &[], body)));
        assert_eq!(error.class, ErrorClass::Unavailable, "{body}");
    }
    for (status, class) in [(401, ErrorClass::Auth), (404, ErrorClass::NotFound), (422, ErrorClass::InvalidInput)] {
        let error = failed(plan.read_poll(&operation, &answer(status, &json!({"detail": "no"}))));
        assert_eq!((error.class, &error.detail["provider_id"]), (class, &json!("p1")));
    }
    let gone = failed(plan.read_poll(&operation, &answer(404, &json!({"detail": "no"}))));
    assert_eq!(gone.message, format!("Replicate answered 404 for GET {BASE}/predictions/p1: no"));
}

#[test]
fn a_refused_submit_is_never_asked_again() {
    let plan = working(&json!({}));
    for (status, class) in
        [(429, ErrorClass::RateLimited), (500, ErrorClass::Unavailable), (503, ErrorClass::Unavailable)]
    {
        assert_eq!(failed(plan.read_submit(&answer(status, &json!({})))).class, class, "{status}");
    }
}

#[test]
fn an_accepted_submit_that_cannot_be_followed_is_of_unknown_fate() {
    let plan = working(&json!({}));
    for (body, reason) in [
        ("not json", "the reply is text, not JSON"),
        ("", "the reply is empty"),
        ("{}", "the reply has no `urls.get` or `id`"),
        ("{\"urls\": {\"get\": \"javascript:alert(1)\"}}", "the reply has no `urls.get` or `id`"),
    ] {
        let error = failed(plan.read_submit(&text_reply(201, &[], body)));
        assert_eq!(error.class, ErrorClass::SubmitUnknown, "{body}");
        let message = format!(
            "Replicate answered 201, but the operation cannot be tracked: {reason}; check the node's `data.operation`"
        );
        assert_eq!(error.message, message);
        let error = failed(working(&json!({"idempotent": true})).read_submit(&text_reply(201, &[], body)));
        assert_eq!(error.class, ErrorClass::OutputInvalid, "what may be sent again is not lost: {body}");
    }
}

#[test]
fn what_a_reply_does_not_repeat_is_kept() {
    let plan = working(&json!({}));
    let first = accepted(&plan);
    let next = running(plan.read_poll(&first, &answer(200, &json!({"status": "processing"}))));
    assert!(first.is_queued, "it starts");
    assert_eq!(next, Operation { state: Some("processing".to_owned()), is_queued: false, ..first });
}

#[test]
fn progress_is_the_last_percentage_of_the_log() {
    for (logs, expected) in [
        ("", None),
        ("loading", None),
        ("  0%|          | 0/50\n 45%|####5     | 22/50", Some(0.45)),
        ("12.5% of it, then 100%|done", Some(1.0)),
        ("30% then 900%", Some(0.3)),
        ("% only", None),
    ] {
        for reading in each_reading(&json!({"status": "processing", "logs": logs})) {
            assert_eq!(running(reading).progress, expected, "{logs}");
        }
    }
}

#[test]
fn polls_begin_quickly_and_slow_down_to_a_bound() {
    let plan = working(&json!({}));
    let waits: Vec<u64> =
        [0, 1, 2, 10, 11, 1000, u32::MAX].into_iter().map(|tries| plan.poll_after_ms(tries)).collect();
    assert_eq!(waits, [500, 625, 781, 4656, 5000, 5000, 5000]);
    let hinted = running(plan.read_submit(&HttpReply {
        headers: vec![("retry-after".to_owned(), "7".to_owned())],
        ..answer(201, &prediction(&json!({})))
    }));
    assert_eq!(hinted.retry_after_ms, Some(7000));
    let limits = running(plan.read_submit(&HttpReply {
        headers: vec![("ratelimit-reset".to_owned(), "60".to_owned())],
        ..answer(201, &prediction(&json!({})))
    }));
    assert_eq!(limits.retry_after_ms, None, "a limit's window says nothing of this prediction");
}

#[test]
fn an_operation_survives_the_journal() {
    let operation = accepted(&working(&json!({})));
    let journalled = serde_json::to_string(&operation).expect("it has a JSON form");
    assert_eq!(serde_json::from_str::<Operation>(&journalled).expect("it is read"), operation);
}

#[test]
fn a_submit_is_repeatable_only_where_it_is_declared() {
    for (changes, repeatable) in [
        (json!({}), false),
        (json!({"idempotent": false}), false),
        (json!({"idempotent": true}), true),
        (json!({"idempotency_header": "Idempotency-Key"}), true),
        (json!({"method": "PUT"}), false),
        (json!({"method": "DELETE"}), false),
        (json!({"method": "GET"}), true),
    ] {
        assert_eq!(working(&changes).is_repeatable(), repeatable, "{changes}");
    }
    let given = json!({"prompt": "p", "input_image": "https://e.com/a.png"});
    let plan = working(&json!({}));
    assert_eq!(submitted(&plan, &given), submitted(&plan, &given));
}
