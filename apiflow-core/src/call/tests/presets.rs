//! The presets of operations, in the forms of their providers' replies.

use serde_json::{Value, json};

use super::{CallPlan, call, failed, reply, running};
use crate::call::{ErrorClass, Operation, ReplyReading};
use crate::template::display_request;

const BASE: &str = "https://api.example.com/v1";

fn planned(preset: &str, changes: &Value) -> CallPlan {
    let mut operation = json!({"preset": preset});
    operation.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    call(&json!({}), &json!({"path": "/x", "operation": operation}))
}

fn accepted(plan: &CallPlan, body: &Value) -> Operation {
    running(plan.read_submit(&reply(200, body)))
}

/// Returns a word for what a poll's reply means.
fn reading_of(plan: &CallPlan, operation: &Operation, status: u16, body: &Value) -> String {
    match plan.read_poll(operation, &reply(status, body)) {
        ReplyReading::Done(_) => "done".to_owned(),
        ReplyReading::Running(operation) if operation.is_queued => "queued".to_owned(),
        ReplyReading::Running(operation) => {
            operation.progress.map_or_else(|| "running".to_owned(), |progress| format!("running {progress}"))
        }
        ReplyReading::Fetch(operation) => format!("fetch {}", operation.result_url.unwrap_or_default()),
        ReplyReading::Download(_) => "download".to_owned(),
        ReplyReading::Again(error) => format!("again: {}", error.class.name()),
        ReplyReading::Failed(error) => error.class.name().to_owned(),
    }
}

#[test]
fn each_preset_reads_the_states_of_its_provider() {
    let done_comfy = json!({"p1": {"outputs": {"9": {"images": []}}, "status": {"completed": true}}});
    for (preset, submitted, polled, states) in [
        (
            "bfl",
            json!({"id": "b1", "polling_url": "https://api.example.com/v1/get_result?id=b1&region=eu"}),
            format!("{BASE}/get_result?id=b1&region=eu"),
            vec![
                (200, json!({"status": "Pending", "progress": 0.5}), "running 0.5"),
                (200, json!({"status": "Ready", "result": {"sample": "https://e.com/s.png"}}), "done"),
                (200, json!({"status": "Content Moderated"}), "moderated"),
                (200, json!({"status": "Error", "details": {"error": "no"}}), "provider_failed"),
                (200, json!({"status": "Task not found"}), "not_found"),
            ],
        ),
        (
            "runway",
            json!({"id": "r1"}),
            format!("{BASE}/tasks/r1"),
            vec![
                (200, json!({"status": "THROTTLED"}), "queued"),
                (200, json!({"status": "RUNNING", "progress": 1}), "running 1"),
                (200, json!({"status": "SUCCEEDED", "output": ["https://e.com/v.mp4"]}), "done"),
                (200, json!({"status": "FAILED", "failure": "no", "failureCode": "SAFETY.INPUT.TEXT"}), "moderated"),
                (200, json!({"status": "FAILED", "failure": "no", "failureCode": "INTERNAL"}), "provider_failed"),
                (200, json!({"status": "CANCELLED"}), "cancelled"),
                (503, json!({}), "again: unavailable"),
            ],
        ),
        (
            "luma",
            json!({"id": "l1", "state": "queued"}),
            format!("{BASE}/generations/l1"),
            vec![
                (200, json!({"state": "queued"}), "queued"),
                (200, json!({"state": "dreaming"}), "running"),
                (200, json!({"state": "completed", "assets": {"video": "https://e.com/v.mp4"}}), "done"),
                (200, json!({"state": "failed", "failure_reason": "no"}), "provider_failed"),
            ],
        ),
        (
            "google_lro",
            json!({"name": "models/veo/operations/g1"}),
            format!("{BASE}/models/veo/operations/g1"),
            vec![
                (200, json!({"name": "models/veo/operations/g1"}), "running"),
                (200, json!({"done": true, "response": {}}), "done"),
                (200, json!({"done": true, "error": {"code": 3, "message": "no"}}), "provider_failed"),
            ],
        ),
        (
            "openai_video",
            json!({"id": "o1", "status": "queued"}),
            format!("{BASE}/videos/o1"),
            vec![
                (200, json!({"status": "queued", "progress": 0}), "queued"),
                (200, json!({"status": "in_progress", "progress": 1}), "running 0.01"),
                (200, json!({"status": "completed"}), "fetch https://api.example.com/v1/videos/o1/content"),
                (
                    200,
                    json!({"status": "failed", "error": {"code": "moderation_blocked", "message": "no"}}),
                    "moderated",
                ),
            ],
        ),
        (
            "stability_result",
            json!({"id": "s1"}),
            format!("{BASE}/v2beta/results/s1"),
            vec![
                (202, json!({"status": "in-progress"}), "running"),
                (200, json!({"result": "x"}), "done"),
                (404, json!({"name": "not_found", "errors": ["unknown"]}), "provider_failed"),
                (500, json!({}), "again: unavailable"),
            ],
        ),
        (
            "comfy",
            json!({"prompt_id": "p1", "number": 3, "node_errors": {}}),
            format!("{BASE}/history/p1"),
            vec![(200, json!({}), "running"), (200, done_comfy, "done")],
        ),
    ] {
        let plan = planned(preset, &json!({}));
        let operation = accepted(&plan, &submitted);
        let poll = display_request(&plan.poll_request(&operation).expect("its own host"));
        assert_eq!(poll["url"], json!(polled), "{preset}");
        for (status, body, expected) in states {
            assert_eq!(reading_of(&plan, &operation, status, &body), expected, "{preset}: {status} {body}");
        }
    }
}

#[test]
fn work_is_cancelled_as_its_provider_wants_it() {
    for (preset, submitted, method, url, body) in [
        ("runway", json!({"id": "r1"}), "DELETE", "/tasks/r1", Value::Null),
        ("comfy", json!({"prompt_id": "p1"}), "POST", "/queue", json!({"delete": ["p1"]})),
    ] {
        let plan = planned(preset, &json!({}));
        let cancel = plan.cancel_request(&accepted(&plan, &submitted)).expect("it cancels").expect("its own host");
        let shown = display_request(&cancel);
        assert_eq!((&shown["method"], &shown["body"]), (&json!(method), &body), "{preset}");
        assert_eq!(shown["url"], json!(format!("{BASE}{url}")), "{preset}");
    }
    let billed = |rule: Value| planned("runway", &json!({"cancel": rule})).is_cancelled_work_billed();
    assert_eq!(billed(json!({"url": "/c"})), None);
    assert_eq!(billed(json!({"url": "/c", "billed": true})), Some(true));
    let plan = planned("fal", &json!({}));
    let ended: Vec<bool> = [404, 409, 400, 422].into_iter().map(|status| plan.is_ended_by_status(status)).collect();
    assert_eq!(ended, [false, false, true, false]);
}

#[test]
fn a_name_that_leaves_the_base_url_is_not_followed() {
    let plan = planned("google_lro", &json!({}));
    for name in ["../admin", "a/../../b", "models/x?key=1", "https://evil.example/x", "a b"] {
        let error = failed(plan.read_submit(&reply(200, &json!({"name": name}))));
        assert_eq!(error.class, ErrorClass::SubmitUnknown, "{name}");
    }
}

#[test]
fn polls_by_post_name_the_operation_in_their_body() {
    let rule = json!({"poll": {"method": "POST", "url": "/fetch", "body": {"operationName": "{{ reply.name }}"}}});
    let plan = planned("google_lro", &rule);
    let operation = accepted(&plan, &json!({"name": "o/1"}));
    let shown = display_request(&plan.poll_request(&operation).expect("its own host"));
    assert_eq!((&shown["method"], &shown["body"]), (&json!("POST"), &json!({"operationName": "o/1"})));
}

#[test]
fn the_provider_learns_how_long_the_work_may_take() {
    let header = |data: &Value, timeout_ms: Option<u64>| {
        let plan = call(&json!({}), data);
        let context = crate::call::CallContext { timeout_ms, ..super::CONTEXT };
        let request = plan.submit_request(&serde_json::Map::new(), &context).expect("a request");
        request.headers.into_iter().find(|(name, _)| name == "Cancel-After").map(|(_, value)| value)
    };
    let data = |timeout: Value| json!({"path": "/x", "operation": "replicate", "timeout_s": timeout});
    assert_eq!(header(&json!({"path": "/x", "operation": "replicate"}), None), None, "it has its own limit");
    assert_eq!(header(&data(json!(90)), None).as_deref(), Some("90s"));
    assert_eq!(header(&data(json!(90)), Some(20_500)).as_deref(), Some("21s"), "the step's own is shorter");
    assert_eq!(header(&data(json!(1)), None).as_deref(), Some("5s"), "Replicate refuses less");
    let own = json!({"path": "/x", "operation": "replicate", "timeout_s": 90, "header": {"Cancel-After": "5m"}});
    assert_eq!(header(&own, None).as_deref(), Some("5m"));
}
