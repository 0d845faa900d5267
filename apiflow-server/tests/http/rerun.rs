//! Jobs that are run again, whole and from one of their steps on.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, Reply};
use crate::runs::furnished;

fn call(id: &str, node: &str, text: &str) -> Value {
    json!({"id": id, "value": {"type": "script", "path": format!("node/{node}"),
        "input_transforms": {"text": {"type": "javascript", "expr": text}}}})
}

async fn start(client: &RecordingClient, modules: Value, input: Value) -> Reply {
    let document = json!({"summary": "Again", "value": {"modules": modules}});
    let body = json!({"document": document, "input": input});
    client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await
}

async fn again(client: &RecordingClient, job: &str, body: Value) -> Reply {
    client.raw("POST", &format!("/jobs/{job}/rerun"), &[("prefer", "wait=30")], Some(body)).await
}

/// What each call asked for.
fn texts(provider: &crate::provider::Provider) -> Vec<String> {
    let body = |(_, body): (String, Value)| body["text"].as_str().unwrap_or_default().to_owned();
    provider.calls().into_iter().map(body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_the_failed_step_takes_over_what_was_paid() {
    let (client, provider) = furnished().await;
    let modules = json!([
        call("a", "say", "flow_input.word"),
        call("b", "moody", "results.a.text"),
        call("c", "say", "results.b.text")
    ]);
    let failed = start(&client, modules, json!({"word": "x"})).await;
    assert_eq!(failed.string("/status"), "failed", "{}", failed.text);
    provider.mended.store(true, Ordering::Relaxed);
    let reply = again(&client, &failed.string("/id"), json!({"from": "b"})).await;
    assert_eq!((reply.status, reply.string("/status").as_str()), (StatusCode::OK, "completed"), "{}", reply.text);
    assert_eq!(reply.json()["output"], json!({"text": "x!!!"}));
    assert_ne!(reply.string("/id"), failed.string("/id"));
    assert_eq!(
        (reply.json()["rerun_of"].clone(), failed.json()["rerun_of"].clone()),
        (json!(failed.string("/id")), Value::Null)
    );
    assert_eq!(texts(&provider), ["x", "x!", "x!", "x!!"], "step a is not paid again");
    // What was taken over is taken over again.
    let third = again(&client, &reply.string("/id"), json!({"from": "c"})).await;
    assert_eq!(third.json()["output"], json!({"text": "x!!!"}), "{}", third.text);
    assert_eq!(texts(&provider).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_may_have_another_input() {
    let (client, provider) = furnished().await;
    let first = start(&client, json!([call("a", "say", "flow_input.word")]), json!({"word": "x"})).await;
    let same = again(&client, &first.string("/id"), json!({})).await;
    assert_eq!(same.json()["output"], json!({"text": "x!"}), "{}", same.text);
    let other = again(&client, &first.string("/id"), json!({"input": {"word": "y"}})).await;
    assert_eq!(other.json()["output"], json!({"text": "y!"}), "{}", other.text);
    assert_eq!(texts(&provider), ["x", "x", "y"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_inside_a_loop_keeps_the_iterations_before() {
    let (client, provider) = furnished().await;
    let body = json!([
        call("first", "say", "flow_input.iter.value"),
        call("second", "moody", "flow_input.iter.index < 1 ? results.first.text : 'late'")
    ]);
    let mut body = body;
    // The first iteration does without the moody one.
    body[1]["skip_if"] = json!({"expr": "flow_input.iter.index < 1"});
    let looped = json!({"id": "loop", "value": {"type": "forloopflow", "skip_failures": false,
        "iterator": {"type": "static", "value": ["a", "b", "c"]}, "modules": body}});
    let failed = start(&client, json!([looped, call("z", "say", "JSON.stringify(results.loop)")]), json!({})).await;
    assert_eq!((failed.string("/status").as_str(), texts(&provider).len()), ("failed", 3), "{}", failed.text);
    provider.mended.store(true, Ordering::Relaxed);
    let reply = again(&client, &failed.string("/id"), json!({"from": "second"})).await;
    let expected = "[{\"text\":\"a!\"},{\"text\":\"late!\"},{\"text\":\"late!\"}]!";
    assert_eq!(reply.json()["output"], json!({"text": expected}), "{}", reply.text);
    assert_eq!(texts(&provider)[3..], ["late", "c", "late", &expected[..expected.len() - 1]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_of_kept_steps_are_kept() {
    let (client, _provider) = furnished().await;
    let mut gated = call("a", "say", "'x'");
    gated["suspend"] = json!({"required_events": 1});
    let modules = json!([gated, call("b", "say", "`${resume} ${approvers}`"), call("c", "moody", "results.b.text")]);
    let document = json!({"summary": "Gated", "value": {"modules": modules}});
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document}))).await;
    let id = made.string("/id");
    let early = json!({"action": "resume", "step": "a", "payload": "yes"});
    client.raw("POST", &format!("/jobs/{id}/resume"), &[], Some(early)).await;
    crate::runs::follow(&client, &id).await;
    let reply = again(&client, &id, json!({"from": "b"})).await;
    assert_eq!(reply.json()["steps"][1]["output"], json!({"text": "yes admin!"}), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_unknown_fate_is_sent_again_only_when_confirmed() {
    let (client, provider) = furnished().await;
    let slow =
        json!({"id": "slow", "name": "Slow", "connector_id": "echo", "data": {"path": "/endless", "timeout_s": 1}});
    assert!(client.raw("PUT", "/nodes/slow", &[], Some(slow)).await.status.is_success());
    let lost = start(&client, json!([call("a", "slow", "'x'"), call("b", "say", "'y'")]), json!({})).await;
    assert_eq!(lost.string("/error/name"), "submit_unknown", "{}", lost.text);
    for body in [json!({"from": "a"}), json!({})] {
        let refused = again(&client, &lost.string("/id"), body).await;
        assert_eq!((refused.status, refused.string("/code").as_str()), (StatusCode::CONFLICT, "confirm_unknown"));
        assert!(refused.string("/detail").contains("step `a`"), "{}", refused.text);
    }
    assert_eq!(texts(&provider), ["x"]);
    let sought = client.raw("POST", &format!("/jobs/{}/steps/a/recover", lost.string("/id")), &[], None).await;
    assert_eq!(
        (sought.status, sought.string("/code").as_str()),
        (StatusCode::CONFLICT, "not_listed"),
        "{}",
        sought.text
    );
    assert!(sought.string("/detail").contains("node `slow` has no `recover`"), "{}", sought.text);
    let still = client.raw("GET", &format!("/jobs/{}", lost.string("/id")), &[], None).await;
    assert_eq!(still.string("/status"), "failed", "the job does not wait for what nobody can tell it");
    // The next call is answered as soon as it is there.
    provider.release.notify_one();
    provider.release.notify_one();
    let sent = again(&client, &lost.string("/id"), json!({"from": "a", "confirm_unknown": true})).await;
    assert_eq!(sent.string("/status"), "completed", "{}", sent.text);
    assert_eq!(texts(&provider), ["x", "x", "y"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_cancellation_cut_off_is_sent_again_only_when_confirmed() {
    let (client, provider) = furnished().await;
    let document = json!({"summary": "Cut off", "value": {"modules": [call("a", "endless", "'x'")]}});
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document}))).await;
    let job = made.string("/id");
    provider.called.notified().await;
    client.raw("POST", &format!("/jobs/{job}/cancel"), &[], None).await;
    crate::runs::follow(&client, &job).await;
    let refused = again(&client, &job, json!({})).await;
    assert_eq!((refused.status, refused.string("/code").as_str()), (StatusCode::CONFLICT, "confirm_unknown"));
    assert_eq!(texts(&provider).len(), 1);
    // Both calls that wait are let go.
    provider.release.notify_one();
    provider.release.notify_one();
    let sent = again(&client, &job, json!({"confirm_unknown": true})).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    provider.release.notify_waiters();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_again_is_refused() {
    let (client, provider) = furnished().await;
    let unknown = again(&client, "none", json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let done = start(&client, json!([call("a", "say", "'x'")]), json!({})).await;
    let nowhere = again(&client, &done.string("/id"), json!({"from": "nope"})).await;
    assert_eq!(
        (nowhere.status, nowhere.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/from")
    );
    let body = json!({"input": {"text": "x"}});
    let running = client.raw("POST", "/node/endless/run", &[], Some(body)).await;
    let early = again(&client, &running.string("/id"), json!({})).await;
    assert_eq!((early.status, early.string("/code").as_str()), (StatusCode::CONFLICT, "active"), "{}", early.text);
    provider.release.notify_one();
}

async fn save_flow(client: &RecordingClient, modules: Value) {
    let flow = json!({"id": "again", "name": "Again", "nodes": {"summary": "Again", "value": {"modules": modules}}});
    let saved = client.raw("PUT", "/workflows/again", &[], Some(flow)).await;
    assert!(saved.status.is_success(), "{}", saved.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_continues_on_the_saved_version_with_the_results_of_equal_steps() {
    let (client, provider) = furnished().await;
    save_flow(&client, json!([call("a", "say", "'x'"), call("b", "moody", "results.a.text")])).await;
    let run = json!({"input": {}});
    let failed = client.raw("POST", "/workflow/again/run", &[("prefer", "wait=30")], Some(run)).await;
    assert_eq!(failed.string("/status"), "failed", "{}", failed.text);
    let fixed = [
        call("a", "say", "'changed'"),
        call("new", "say", "results.a.text + '?'"),
        call("b", "say", "results.new.text"),
    ];
    save_flow(&client, json!(fixed)).await;
    let id = failed.string("/id");
    let again_on = async |version: &str| again(&client, &id, json!({"from": "b", "version": version})).await;
    let saved = again_on("saved").await;
    assert_eq!(saved.json()["output"], json!({"text": "x!?!!"}), "{}", saved.text);
    assert_eq!((&saved.json()["workflow_version"], &saved.json()["rerun_of"]), (&json!(2), &json!(id)));
    assert_eq!(texts(&provider)[2..], ["x!?", "x!?!"], "the result of `a` is reused, and the new step runs");
    let own = again_on("job").await;
    assert_eq!(
        (own.string("/status").as_str(), &own.json()["workflow_version"]),
        ("failed", &json!(1)),
        "{}",
        own.text
    );
    save_flow(&client, json!([call("a", "say", "'x'")])).await;
    let gone = again_on("saved").await;
    assert_eq!((gone.status, gone.string("/errors/0/pointer").as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "/from"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_rerun_as_it_is_saved_now() {
    let (client, provider) = furnished().await;
    let body = json!({"input": {"text": "x"}});
    let first = client.raw("POST", "/node/say/run", &[("prefer", "wait=30")], Some(body)).await;
    let mut node = client.raw("GET", "/nodes/say", &[], None).await.json();
    let fields = node.as_object_mut().expect("a node is an object");
    fields.retain(|name, _| ["id", "name", "connector_id", "input", "output", "data"].contains(&name.as_str()));
    node["data"]["body"] = json!({"text": "{{ input.text }} again"});
    assert!(client.raw("PUT", "/nodes/say", &[], Some(node)).await.status.is_success());
    for (version, expected) in [("job", "x"), ("saved", "x again")] {
        let reply = again(&client, &first.string("/id"), json!({"version": version})).await;
        assert_eq!(reply.string("/rerun_of"), first.string("/id"), "{}", reply.text);
        assert_eq!(texts(&provider).last().map(String::as_str), Some(expected), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_was_never_saved_has_no_saved_version() {
    let (client, _provider) = furnished().await;
    let first = start(&client, json!([call("a", "say", "'x'")]), json!({})).await;
    let refused = again(&client, &first.string("/id"), json!({"version": "saved"})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(refused.string("/errors/0/pointer"), "/version");
}
