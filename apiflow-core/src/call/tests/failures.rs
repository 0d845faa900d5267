//! Failed replies: class, message, fields and hints.

use serde_json::{Value, json};

use super::{call, failed, founding, planned, reply, text_reply};
use crate::call::{CallError, ErrorClass, from_http_error};
use crate::ports::{HttpError, HttpReply};

fn failure(reply: &HttpReply) -> CallError {
    failed(call(&json!({}), &json!({"path": "/x"})).read_submit(reply))
}

fn check(status: u16, body: &Value, class: ErrorClass, message: &str) {
    let error = failure(&reply(status, body));
    assert_eq!((error.class, error.message.as_str()), (class, message), "{status} {body}");
    assert_eq!(error.detail["status"], status);
    assert_eq!(error.detail["url"], "https://api.example.com/v1/x", "without the query, which may hold a signature");
    assert_eq!(error.detail["excerpt"], body.to_string());
}

#[test]
fn replicates_error_bodies_have_their_class_and_words() {
    for (status, body, class, said) in [
        (
            401,
            json!({"title": "Unauthenticated", "detail": "You did not pass a token", "status": 401}),
            ErrorClass::Auth,
            "You did not pass a token",
        ),
        (
            402,
            json!({"title": "Insufficient credit", "detail": "You have no credit", "status": 402}),
            ErrorClass::Payment,
            "You have no credit",
        ),
        (
            422,
            json!({"title": "Invalid version or not permitted", "detail": "No such version", "status": 422}),
            ErrorClass::InvalidInput,
            "No such version",
        ),
        (
            429,
            json!({"detail": "Request was throttled. Your rate limit resets in ~30s."}),
            ErrorClass::RateLimited,
            "Request was throttled. Your rate limit resets in ~30s.",
        ),
        (500, json!({"detail": "Internal server error"}), ErrorClass::Unavailable, "Internal server error"),
        (400, json!({"title": "Only a title", "detail": ""}), ErrorClass::InvalidInput, "Only a title"),
    ] {
        check(status, &body, class, &format!("Acme answered {status}: {said}"));
    }
}

#[test]
fn replicates_invalid_fields_can_be_shown_beside_their_input() {
    let body = json!({
        "title": "Input validation failed", "status": 422,
        "detail": "- input.output_format: must be one of the following: \"jpg\", \"png\"\n",
        "invalid_fields": [{"type": "enum", "field": "input.output_format", "description": "must be one of jpg, png"}],
    });
    let message = "Acme answered 422: - input.output_format: must be one of the following: \"jpg\", \"png\"";
    check(422, &body, ErrorClass::InvalidInput, message);
    let expected = json!([{"field": "input.output_format", "message": "must be one of jpg, png"}]);
    assert_eq!(failure(&reply(422, &body)).detail["fields"], expected);
}

#[test]
fn a_404_of_a_node_without_a_path_names_the_missing_setting() {
    let (connector, node) = founding();
    let plan = planned(&connector, &node);
    let answered = HttpReply {
        url: "https://api.replicate.com/v1".to_owned(),
        ..reply(404, &json!({"detail": "The requested resource could not be found.", "status": 404}))
    };
    let error = failed(plan.read_submit(&answered));
    assert_eq!(error.class, ErrorClass::NotFound);
    assert_eq!(
        error.message,
        "Replicate answered 404 for POST https://api.replicate.com/v1: The requested resource could not be found.; the \
         node has no `data.path`, so the connector's `base_url` itself was called: set `data.path` to the path of the \
         endpoint"
    );
    let with_path = failure(&reply(404, &json!({"detail": "No model"})));
    assert_eq!(with_path.message, "Acme answered 404 for POST https://api.example.com/v1/x: No model");
}

#[test]
fn other_providers_bodies_are_understood() {
    for (status, body, class, said) in [
        (
            400,
            json!({"error": {"message": "bad size", "type": "invalid_request_error", "code": null}}),
            ErrorClass::InvalidInput,
            "bad size",
        ),
        (
            400,
            json!({"error": {"message": "rejected", "code": "moderation_blocked"}}),
            ErrorClass::Moderated,
            "rejected",
        ),
        (429, json!({"error": {"message": "no quota", "code": "insufficient_quota"}}), ErrorClass::Payment, "no quota"),
        (401, json!({"detail": {"status": "quota_exceeded", "message": "spent"}}), ErrorClass::Payment, "spent"),
        (401, json!({"detail": {"status": "invalid_api_key", "message": "wrong"}}), ErrorClass::Auth, "wrong"),
        (429, json!({"detail": {"status": "system_busy", "message": "busy"}}), ErrorClass::RateLimited, "busy"),
        (
            403,
            json!({"id": "i", "name": "content_moderation", "errors": ["flagged", "twice"]}),
            ErrorClass::Moderated,
            "flagged; twice",
        ),
        (403, json!({"name": "forbidden", "errors": ["no"]}), ErrorClass::Auth, "no"),
        (
            422,
            json!({"detail": [{"loc": ["body", "prompt"], "msg": "too long", "type": "value_error"}]}),
            ErrorClass::InvalidInput,
            "body.prompt: too long",
        ),
        (
            422,
            json!({"detail": [{"loc": ["body"], "msg": "flagged", "type": "content_policy_violation"}]}),
            ErrorClass::Moderated,
            "body: flagged",
        ),
        (402, json!({"error": "credits", "message": "none left"}), ErrorClass::Payment, "credits"),
        (410, json!("gone for good"), ErrorClass::NotFound, "gone for good"),
    ] {
        let place = if status == 410 { " for POST https://api.example.com/v1/x" } else { "" };
        check(status, &body, class, &format!("Acme answered {status}{place}: {said}"));
    }
    let fields =
        failure(&reply(422, &json!({"detail": [{"loc": ["body", "list", 2], "msg": "odd"}]}))).detail["fields"].clone();
    assert_eq!(fields, json!([{"field": "body.list.2", "message": "odd"}]));
}

#[test]
fn a_status_without_a_body_that_says_more_decides_the_class() {
    for (status, class) in [
        (300, ErrorClass::OutputInvalid),
        (400, ErrorClass::InvalidInput),
        (401, ErrorClass::Auth),
        (402, ErrorClass::Payment),
        (403, ErrorClass::Auth),
        (404, ErrorClass::NotFound),
        (408, ErrorClass::Unavailable),
        (409, ErrorClass::InvalidInput),
        (410, ErrorClass::NotFound),
        (422, ErrorClass::InvalidInput),
        (425, ErrorClass::Unavailable),
        (429, ErrorClass::RateLimited),
        (500, ErrorClass::Unavailable),
        (503, ErrorClass::Unavailable),
        (504, ErrorClass::Unavailable),
    ] {
        let error = failure(&text_reply(status, &[], ""));
        assert_eq!(error.class, class, "{status}");
        assert_eq!(error.detail.get("excerpt"), None);
    }
}

#[test]
fn pages_and_binary_are_no_words() {
    let html = failure(&text_reply(502, &[], "<html><body>Bad Gateway</body></html>"));
    assert_eq!(html.message, "Acme answered 502");
    assert_eq!(html.detail["excerpt"], "<html><body>Bad Gateway</body></html>");
    assert_eq!(failure(&text_reply(500, &[], "\n out of luck \nand more")).message, "Acme answered 500: out of luck");
    let binary = HttpReply { body: vec![0xff, 0xfe, 0x00], ..text_reply(500, &[], "") };
    assert_eq!(failure(&binary).detail["excerpt"], "(3 bytes of binary data)");
}

#[test]
fn a_redirect_that_is_not_followed_names_its_goal() {
    let error = failure(&text_reply(307, &[("Location", "https://api.example.com/v2/x?signature=s")], ""));
    let expected = "Acme answered 307: it redirects to https://api.example.com/v2/x, and redirects of POST are not \
                    followed; set the connector's `base_url` or the node's `data.path` to that address";
    assert_eq!(error.message, expected);
}

#[test]
fn the_connector_says_where_its_errors_are() {
    let plan = call(
        &json!({"data": {"errors": {"message": ["fault.text", "fault"], "fields": "fault.list"}}}),
        &json!({"path": "/x"}),
    );
    let body = json!({"detail": "not this", "fault": {"text": "this", "list": [{"path": ["a", 0], "message": "odd"}]}});
    let error = failed(plan.read_submit(&reply(400, &body)));
    assert_eq!(error.message, "Acme answered 400: this");
    assert_eq!(error.detail["fields"], json!([{"field": "a.0", "message": "odd"}]));
    let error = failed(plan.read_submit(&reply(400, &json!({"detail": "then this"}))));
    assert_eq!(error.message, "Acme answered 400: then this");
}

#[test]
fn hints_come_along_where_waiting_helps() {
    for (status, expected) in [(429, Some(3000)), (503, Some(3000)), (400, None), (401, None)] {
        let error = failure(&text_reply(status, &[("retry-after", "3")], ""));
        assert_eq!(error.retry_after_ms(), expected, "{status}");
    }
    let throttled = failure(&reply(429, &json!({"detail": "Request was throttled. Your rate limit resets in ~30s."})));
    assert_eq!(throttled.retry_after_ms(), Some(30_000));
}

#[test]
fn excerpts_are_bounded() {
    let error = failure(&reply(500, &json!({"detail": "x".repeat(100_000), "list": vec!["word"; 10_000]})));
    assert!(error.message.len() < 3000 && error.detail["excerpt"].as_str().is_some_and(|text| text.len() < 4000));
}

#[test]
fn a_secret_in_the_path_is_in_no_error() {
    let plan = call(&json!({}), &json!({"path": "/bot$KEY/send"}));
    let answered =
        HttpReply { url: "https://api.example.com/v1/botSECRET/send".to_owned(), ..text_reply(500, &[], "") };
    let error = failed(plan.read_submit(&answered));
    assert_eq!(error.detail["url"], "https://api.example.com/v1");
}

#[test]
fn success_is_what_the_node_says() {
    let plan = |success: Value| call(&json!({}), &json!({"path": "/x", "success": success}));
    for (success, status, body, succeeds) in [
        (Value::Null, 200, json!({}), true),
        (Value::Null, 299, json!({}), true),
        (Value::Null, 199, json!({}), false),
        (Value::Null, 302, json!({}), false),
        (json!([200, 404]), 404, json!({}), true),
        (json!([200, 404]), 201, json!({}), false),
        (json!({"status": [409]}), 409, json!({}), true),
        (json!({"path": "code", "values": [0, "OK", true]}), 200, json!({"code": 0}), true),
        (json!({"path": "code", "values": [0, "OK", true]}), 200, json!({"code": "ok"}), true),
        (json!({"path": "code", "values": [0, "OK", true]}), 200, json!({"code": true}), true),
        (json!({"path": "code", "values": [0]}), 200, json!({"code": 1}), false),
        (json!({"path": "code", "values": [0]}), 200, json!({}), true),
        (json!({"path": "code", "values": [0]}), 200, json!({"code": null}), true),
        (json!({"path": "code", "values": ["0"]}), 200, json!({"data": 1}), true),
        (json!({"path": "code", "values": ["OK"]}), 200, json!({}), false),
        (json!({"path": "code", "values": [true]}), 200, json!({}), false),
        (json!({"path": "code", "values": ["OK", null]}), 200, json!({}), true),
        (json!({"path": "code", "values": [null]}), 200, json!({"code": 1}), false),
        (json!({"path": "code", "values": [0]}), 500, json!({"code": 0}), false),
        (json!({"absent": "error"}), 200, json!({"error": null}), true),
        (json!({"absent": "error"}), 200, json!({"error": ""}), true),
        (json!({"absent": "error"}), 200, json!({"error": false}), true),
        (json!({"absent": "error"}), 200, json!({"error": {"message": "no"}}), false),
        (json!({"absent": "errors[*]"}), 200, json!({"errors": []}), true),
        (json!({"absent": "errors[*]"}), 200, json!({"errors": ["no"]}), false),
    ] {
        let reading = plan(success.clone()).read_submit(&reply(status, &body));
        assert_eq!(matches!(reading, crate::call::ReplyReading::Done(_)), succeeds, "{success} {status} {body}");
    }
    let error = failed(plan(json!({"absent": "error"})).read_submit(&reply(200, &json!({"error": {"message": "no"}}))));
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::ProviderFailed, "Acme answered 200: no"));
}

#[test]
fn a_call_without_a_reply_says_whether_it_may_have_arrived() {
    let plan = call(&json!({}), &json!({"path": "/x", "query": {"key": "$KEY"}}));
    let request = super::submitted(&plan, &json!({}));
    let url = "https://api.example.com/v1/x?key=$KEY";
    for (error, repeatable, class, start) in [
        (HttpError::Refused("private address".to_owned()), false, ErrorClass::Refused, "private address".to_owned()),
        (
            HttpError::Secret("there is no secret `KEY`".to_owned()),
            false,
            ErrorClass::Auth,
            "there is no secret".to_owned(),
        ),
        (
            HttpError::Connect("refused".to_owned()),
            false,
            ErrorClass::Unavailable,
            format!("{url} is unreachable: refused"),
        ),
        (
            HttpError::Unknown("reset".to_owned()),
            true,
            ErrorClass::Unavailable,
            format!("the connection to {url} was lost: reset"),
        ),
        (
            HttpError::Unknown("reset".to_owned()),
            false,
            ErrorClass::SubmitUnknown,
            format!("the connection to {url} was lost after"),
        ),
        (
            HttpError::Reply("not HTTP".to_owned()),
            false,
            ErrorClass::OutputInvalid,
            format!("the response of {url} is unusable"),
        ),
        (HttpError::TooLarge("over 8 bytes".to_owned()), false, ErrorClass::OutputTooLarge, "over 8 bytes".to_owned()),
    ] {
        let read = from_http_error(&error, &request, repeatable);
        assert_eq!((read.class, read.message.starts_with(&start)), (class, true), "{}", read.message);
        assert_eq!(read.detail["url"], url);
    }
}

#[test]
fn only_classes_that_cannot_be_paid_twice_may_be_retried() {
    for (word, retried) in [
        ("auth", false),
        ("payment", false),
        ("invalid_input", false),
        ("moderated", false),
        ("submit_unknown", false),
        ("not_found", true),
        ("rate_limited", true),
        ("unavailable", true),
        ("timeout", true),
        ("output_invalid", false),
        ("output_too_large", false),
        ("cancelled", true),
        ("provider_failed", true),
        ("refused", true),
        ("budget_exceeded", false),
    ] {
        let class = ErrorClass::parse(word).expect("it is known");
        assert_eq!((class.name(), class.may_retry()), (word, retried));
        assert_eq!(serde_json::to_value(class).ok(), Some(json!(word)));
    }
    assert_eq!(ErrorClass::parse("other"), None);
}

/// Returns the error of a direct call whose reply is a 200 with this body.
fn business(connector: &Value, body: &Value) -> CallError {
    let data = json!({"path": "/x", "success": {"path": "base_resp.status_code", "values": [0], "absent": "error"}});
    failed(call(connector, &data).read_submit(&reply(200, body)))
}

#[test]
fn an_error_inside_a_200_has_its_class() {
    for (code, said, class) in [
        (1008, "insufficient balance", ErrorClass::Payment),
        (1004, "login fail: please carry the API secret key", ErrorClass::Auth),
        (1026, "input new_sensitive", ErrorClass::Moderated),
        (1026, "input is sensitive", ErrorClass::Moderated),
        (1002, "rate limit", ErrorClass::RateLimited),
        (2013, "invalid params, prompt", ErrorClass::InvalidInput),
        (1013, "internal error", ErrorClass::Unavailable),
        (1000, "unknown error", ErrorClass::ProviderFailed),
        (402, "pay", ErrorClass::Payment),
        (429, "slow down, try again in 2s", ErrorClass::RateLimited),
        (451, "odd", ErrorClass::InvalidInput),
        (500, "odd", ErrorClass::Unavailable),
    ] {
        let error = business(&json!({}), &json!({"base_resp": {"status_code": code, "status_msg": said}}));
        assert_eq!(error.class, class, "{code} {said}");
        assert_eq!(error.message, format!("Acme answered 200 with code {code}: {said}"));
    }
    let hinted = business(&json!({}), &json!({"base_resp": {"status_code": 429}, "error": "try again in 2s"}));
    assert_eq!(hinted.retry_after_ms(), Some(2000));
    assert!(hinted.is_refusal_for_now, "a code says that the work was not taken");
    let guessed = business(&json!({}), &json!({"error": "rate limit"}));
    assert!(guessed.class == ErrorClass::RateLimited && !guessed.is_refusal_for_now, "words only hint at it");
}

#[test]
fn a_connector_gives_its_codes_a_class() {
    let connector = json!({"data": {"errors": {
        "message": "base_resp.status_msg",
        "code": ["fault.code", "base_resp.status_code"],
        "classes": {"1000": "unavailable", "E7": "moderated", "1008": "provider_failed"},
    }}});
    for (body, class) in [
        (json!({"base_resp": {"status_code": 1000, "status_msg": "odd"}}), ErrorClass::Unavailable),
        (json!({"base_resp": {"status_code": "1000"}}), ErrorClass::Unavailable),
        (json!({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}), ErrorClass::ProviderFailed),
        (json!({"error": true, "fault": {"code": "e7"}}), ErrorClass::Moderated),
    ] {
        assert_eq!(business(&connector, &body).class, class, "{body}");
    }
    let with_status =
        failed(call(&connector, &json!({"path": "/x"})).read_submit(&reply(400, &json!({"fault": {"code": "E7"}}))));
    assert_eq!(with_status.class, ErrorClass::Moderated, "a declared class counts more than the status");
}

#[test]
fn a_reply_that_cannot_be_asked_for_its_code_is_no_success() {
    let plan = call(&json!({}), &json!({"path": "/x", "success": {"path": "code", "values": [0]}}));
    for body in ["", "fine", "<html>login</html>"] {
        let error = failed(plan.read_submit(&text_reply(200, &[], body)));
        assert_eq!(error.class, ErrorClass::OutputInvalid, "{body}");
        assert!(error.message.contains("`code` (`data.success`) cannot be read"), "{}", error.message);
    }
}

/// Compiles long-running work whose replies contain a code.
fn coded(data: &Value) -> crate::call::CallPlan {
    let operation = json!({
        "id": "task_id",
        "state": {"path": "status", "done": ["Success"], "failed": ["Fail"]},
        "error": {"message": "reason"},
        "poll": {"url": "/query/{{ reply.task_id }}"},
        "result": {"url": "/file/{{ reply.task_id }}"},
    });
    let base = json!({"path": "/x", "success": {"path": "code", "values": [0]}, "operation": operation});
    call(&json!({}), &super::with(base, data))
}

#[test]
fn the_rule_of_success_holds_at_submits_polls_and_results() {
    let plan = coded(&json!({}));
    let refused = failed(plan.read_submit(&reply(200, &json!({"code": 1008, "msg": "insufficient balance"}))));
    assert_eq!(refused.class, ErrorClass::Payment);
    let operation = super::running(plan.read_submit(&reply(200, &json!({"task_id": "t3"}))));
    let poll = |body: Value| plan.read_poll(&operation, &reply(200, &body));
    super::running(poll(json!({"code": 0, "status": "Running"})));
    super::running(poll(json!({"status": "Running"})));
    let ended = failed(poll(json!({"code": 1004, "msg": "login fail", "status": ""})));
    assert_eq!(
        (ended.class, ended.message.as_str()),
        (ErrorClass::Auth, "Acme answered 200 with code 1004: login fail")
    );
    assert_eq!(ended.detail["provider_id"], "t3");
    let busy = super::again(poll(json!({"code": 500, "msg": "try again in 3s"})));
    assert_eq!((busy.class, busy.retry_after_ms()), (ErrorClass::Unavailable, Some(3000)));
    let own = failed(poll(json!({"code": 7, "status": "Fail", "reason": "no face"})));
    assert_eq!(
        own.message, "Acme finished the operation with the state `Fail`: no face",
        "the operation's rule tells more"
    );
    let result = |body: Value| plan.read_result(&operation, &reply(200, &body));
    assert_eq!(super::done(result(json!({"code": 0, "url": "u"}))), json!({"code": 0, "url": "u"}));
    assert_eq!(failed(result(json!({"code": 1004, "msg": "login fail"}))).class, ErrorClass::Auth);
    super::again(plan.read_poll(&operation, &text_reply(200, &[], "<html>tunnel offline</html>")));
}

#[test]
fn statuses_of_success_are_those_of_the_submit() {
    let plan = coded(&json!({"success": {"status": [202], "path": "code", "values": [0]}}));
    assert_eq!(failed(plan.read_submit(&reply(200, &json!({"task_id": "t"})))).class, ErrorClass::ProviderFailed);
    let operation = super::running(plan.read_submit(&reply(202, &json!({"task_id": "t"}))));
    super::running(plan.read_poll(&operation, &reply(200, &json!({"status": "Running"}))));
}

#[test]
fn a_rate_limit_says_that_the_work_was_not_taken() {
    for (status, refused) in [(429, true), (503, false), (402, false)] {
        assert_eq!(failure(&reply(status, &json!({}))).is_refusal_for_now, refused, "{status}");
    }
    for (status, refused) in [(503, true), (500, false), (502, false), (504, false), (408, false)] {
        let hinted = failure(&text_reply(status, &[("retry-after", "3")], ""));
        assert_eq!(hinted.is_refusal_for_now, refused, "{status} with a hint");
    }
    let plan = coded(&json!({}));
    let operation = super::running(plan.read_submit(&reply(200, &json!({"task_id": "t3"}))));
    let poll = super::again(plan.read_poll(&operation, &reply(429, &json!({}))));
    assert!(!poll.is_refusal_for_now, "a poll starts no work");
}

#[test]
fn the_documentation_lists_the_classes_that_are_never_retried() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/workflows.md")).expect("a page");
    let start = page.find("A retry never repeats").expect("the rule is told");
    let sentence: &str = page[start..].split(". ").next().unwrap_or_default();
    let told: Vec<&str> = sentence.split('`').skip(1).step_by(2).take_while(|word| *word != "Retry-After").collect();
    let never: Vec<&str> = ErrorClass::never_retried().map(ErrorClass::name).collect();
    let sorted = |mut words: Vec<&str>| {
        words.sort_unstable();
        words.join(" ")
    };
    let told = told.iter().copied().filter(|word| ErrorClass::parse(word).is_some()).collect();
    assert_eq!(sorted(told), sorted(never));
}

#[test]
fn a_hint_is_read_where_the_connector_says_in_the_declared_unit() {
    let wait = |declared: &Value, headers: &[(&str, &str)], body: &str| {
        let plan = call(&json!({"data": {"errors": {"retry_after": declared}}}), &json!({"path": "/x"}));
        failed(plan.read_submit(&text_reply(429, headers, body))).retry_after_ms()
    };
    let in_ms = json!({"header": "X-RateLimit-Reset", "unit": "ms"});
    assert_eq!(wait(&in_ms, &[("x-ratelimit-reset", "1500")], ""), Some(1500));
    assert_eq!(wait(&in_ms, &[("retry-after", "2")], ""), Some(2000), "the usual places remain");
    assert_eq!(wait(&json!({"header": "X-Wait"}), &[("x-wait", "1.5"), ("retry-after", "9")], ""), Some(1500));
    let loading = r#"{"error": "loading", "estimated_time": 20.5}"#;
    assert_eq!(wait(&json!({"path": "estimated_time", "unit": "s"}), &[], loading), Some(20_500));
    assert_eq!(
        wait(&json!(null), &[("x-ratelimit-reset", "1500")], ""),
        Some(1_500_000),
        "seconds, if nothing is said"
    );
}
