//! fal's queue: links are followed as they were given, and fetching the result decides how the work ended.

use serde_json::{Value, json};

use super::{CallPlan, again, call, done, failed, reply, running, sent};
use crate::call::{ErrorClass, Operation, ReplyReading};
use crate::template::display_request;

const QUEUE: &str = "https://queue.fal.run/fal-ai/flux/requests/r1";

fn planned() -> CallPlan {
    let connector = json!({"base_url": "https://queue.fal.run", "header": {"Authorization": "Key $FAL_KEY"}});
    call(&connector, &json!({"path": "/fal-ai/flux/dev", "operation": "fal"}))
}

/// Reply to a submit, whose links omit the endpoint's last part, as fal's do.
fn queued() -> Value {
    json!({"request_id": "r1", "status": "IN_QUEUE", "queue_position": 3, "response_url": QUEUE,
        "status_url": format!("{QUEUE}/status"), "cancel_url": format!("{QUEUE}/cancel")})
}

fn accepted(plan: &CallPlan) -> Operation {
    running(plan.read_submit(&reply(200, &queued())))
}

#[test]
fn a_request_is_queued_and_followed_at_its_own_links() {
    let plan = planned();
    let submit = sent(&plan, &json!({"prompt": "p"}));
    assert_eq!((&submit["method"], &submit["url"]), (&json!("POST"), &json!("https://queue.fal.run/fal-ai/flux/dev")));
    let operation = accepted(&plan);
    assert_eq!((operation.id.as_deref(), operation.state.as_deref()), (Some("r1"), Some("IN_QUEUE")));
    let shown = |request| {
        let shown = display_request(&request);
        assert_eq!(shown["headers"]["Authorization"], "Key $FAL_KEY");
        (shown["method"].clone(), shown["url"].clone())
    };
    assert_eq!(
        shown(plan.poll_request(&operation).expect("its own host")),
        (json!("GET"), json!(format!("{QUEUE}/status?logs=1")))
    );
    let cancel = plan.cancel_request(&operation).expect("fal cancels").expect("its own host");
    assert_eq!(shown(cancel), (json!("PUT"), json!(format!("{QUEUE}/cancel"))));
    assert_eq!(shown(plan.result_request(&operation).expect("its own host")), (json!("GET"), json!(QUEUE)));
}

#[test]
fn what_is_completed_is_fetched_and_only_that_is_its_end() {
    let plan = planned();
    let operation = accepted(&plan);
    for status in ["IN_QUEUE", "IN_PROGRESS", "SOMETHING_NEW"] {
        running(plan.read_poll(&operation, &reply(202, &json!({"status": status}))));
    }
    let completed = plan.read_poll(&operation, &reply(200, &json!({"status": "COMPLETED"})));
    let ReplyReading::Fetch(operation) = completed else { panic!("{completed:?}") };
    let picture = json!({"images": [{"url": "https://v3.fal.media/a.png"}], "seed": 7});
    assert_eq!(done(plan.read_result(&operation, &reply(200, &picture))), picture);
    // A model that failed is completed, too: its error comes with the result.
    let detail = json!({"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "missing"}]});
    let error = failed(plan.read_result(&operation, &reply(422, &detail)));
    assert_eq!(error.class, ErrorClass::InvalidInput, "{}", error.message);
    assert!(error.message.contains("field required"), "{}", error.message);
    assert_eq!(again(plan.read_result(&operation, &reply(503, &json!({})))).class, ErrorClass::Unavailable);
}
