//! Jobs that wait for somebody, answered with a token and by link.

use apiflow_server::settings::WebSettings;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, Reply};
use crate::runs::{furnish, furnished};

/// A document whose first step has a gate, and whose second one says what came through it.
fn gated(suspend: &Value) -> Value {
    let say = |id: &str, text: &str| {
        json!({"id": id, "value": {"type": "script", "path": "node/say",
            "input_transforms": {"text": {"type": "javascript", "expr": text}}}})
    };
    let mut first = say("draft", "'draft'");
    first["suspend"] = suspend.clone();
    json!({"summary": "Gated", "value": {"modules": [first, say("publish", "`${approvers.join()}: ${JSON.stringify(resumes)}`")]}})
}

/// Starts a document and gives the job once it waits.
async fn suspended(client: &RecordingClient, suspend: &Value) -> (String, Value) {
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": gated(suspend)}))).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.text);
    let id = made.string("/id");
    let job = once(client, &id, |job| job["status"] == "suspended").await;
    (id, job)
}

/// Gives a job once this is true of it.
async fn once(client: &RecordingClient, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1_000 {
        let job = client.raw("GET", &format!("/jobs/{id}"), &[], None).await.json();
        if holds(&job) {
            return job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("what job `{id}` is waited for never comes")
}

async fn resume(client: &RecordingClient, id: &str, body: Value) -> Reply {
    client.raw("POST", &format!("/jobs/{id}/resume"), &[], Some(body)).await
}

async fn ended(client: &RecordingClient, id: &str) -> Value {
    crate::runs::follow(client, id).await;
    client.raw("GET", &format!("/jobs/{id}"), &[], None).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_lets_the_job_go_on_with_what_came_with_it() {
    let (client, _provider) = furnished().await;
    let (id, job) = suspended(&client, &json!({"required_events": 1})).await;
    assert_eq!(
        (&job["steps"][0]["status"], &job["steps"][0]["approval"]["required"]),
        (&json!("suspended"), &json!(1))
    );
    let listed = client.raw("GET", "/jobs?status=suspended", &[], None).await.json();
    assert_eq!(listed["items"][0]["id"], json!(id));
    let reply = resume(&client, &id, json!({"action": "resume", "payload": {"ok": true}})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    let job = ended(&client, &id).await;
    assert_eq!(job["output"], json!({"text": "admin: [{\"ok\":true}]!"}));
    assert_eq!((&job["steps"][0]["status"], &job["steps"][0]["approval"]), (&json!("completed"), &Value::Null));
    let late = resume(&client, &id, json!({"action": "resume"})).await;
    assert_eq!((late.status, late.string("/code").as_str()), (StatusCode::CONFLICT, "ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disapproval_fails_the_job_and_names_who() {
    let (client, provider) = furnished().await;
    let (id, _) = suspended(&client, &json!({"required_events": 2})).await;
    assert!(resume(&client, &id, json!({"action": "resume"})).await.status.is_success());
    let again = resume(&client, &id, json!({"action": "resume"})).await;
    assert_eq!((again.status, again.string("/code").as_str()), (StatusCode::CONFLICT, "answered"));
    let mut other = client;
    other.as_new_user("ann").await;
    let named = json!({"action": "cancel", "approver": "admin", "step": "draft"});
    let refused = resume(&other, &id, named).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody answers in another's name: {}", refused.text);
    assert!(resume(&other, &id, json!({"action": "cancel", "step": "draft"})).await.status.is_success());
    let job = ended(&other, &id).await;
    let error = json!({"name": "SuspendedDisapproved", "message": "Disapproved by ann", "step_id": "draft"});
    assert_eq!(job["error"], error);
    assert_eq!((&job["status"], provider.calls().len()), (&json!("failed"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_answers_without_a_token_and_once() {
    let (mut client, _provider) = furnished().await;
    let form = json!({"schema": {"type": "object", "required": ["size"],
        "properties": {"size": {"type": "integer", "title": "Size"}, "loud": {"type": "boolean"}}}});
    let (id, job) = suspended(&client, &json!({"required_events": 2, "resume_form": form})).await;
    let urls = job["steps"][0]["approval"]["urls"].as_array().cloned().unwrap_or_default();
    let paths: Vec<String> = urls
        .iter()
        .filter_map(|url| url.as_str()?.strip_prefix("http://localhost:8000/api/v1").map(str::to_owned))
        .collect();
    assert_eq!(paths.len(), 2, "{job}");
    client.token(None);
    let page = client.raw("GET", &paths[0], &[("accept", "text/html")], None).await;
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.text);
    assert!(page.text.contains("name=\"field.size\"") && page.text.contains(">Approve<"), "{}", page.text);
    let asked = client.raw("GET", &paths[1], &[], None).await.json();
    assert_eq!((&asked["step"], &asked["open"], &asked["form"]), (&json!("draft"), &json!(true), &form["schema"]));
    assert_eq!(asked["approval"]["urls"], json!([]), "one link does not tell the others");

    let wrong = client.raw("POST", &paths[0], &[], Some(json!({"action": "resume", "payload": {"size": "big"}}))).await;
    assert_eq!(
        (wrong.status, wrong.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/payload/size")
    );
    let given = json!({"action": "resume", "payload": {"size": 3}, "approver": "Bob"});
    let first = client.raw("POST", &paths[0], &[], Some(given.clone())).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let twice = client.raw("POST", &paths[0], &[], Some(given)).await;
    assert_eq!((twice.status, twice.string("/code").as_str()), (StatusCode::CONFLICT, "answered"));
    // As the page's form sends it.
    let form = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let body = json!("action=resume&field.size=4&field.loud=true&approver=Cy");
    let second = client.raw("POST", &paths[1], &form, Some(body)).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.text);
    assert!(second.text.contains("<h1>Approved</h1>"), "{}", second.text);

    client.log_in("admin", "admin").await;
    let job = ended(&client, &id).await;
    let output = "Bob (unverified),Cy (unverified): [{\"size\":3},{\"size\":4,\"loud\":true}]!";
    assert_eq!(job["output"], json!({"text": output}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_link_shows_what_is_to_be_approved_and_keeps_what_was_entered() {
    let (mut client, _provider) = furnished().await;
    let form = json!({"schema": {"type": "object", "required": ["size"],
        "properties": {"size": {"type": "integer"}, "style": {"enum": ["flat", "deep"]}}}});
    let (id, job) = suspended(&client, &json!({"required_events": 1, "resume_form": form})).await;
    let url = job["steps"][0]["approval"]["urls"][0].as_str().expect("a link").to_owned();
    let path = url.trim_start_matches("http://localhost:8000/api/v1").to_owned();
    client.token(None);
    let html = [("accept", "text/html"), ("content-type", "application/x-www-form-urlencoded")];
    let page = client.raw("GET", &path, &html[..1], None).await;
    assert!(page.text.contains("&quot;text&quot;: &quot;draft!&quot;"), "{}", page.text);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{}", page.text);
    assert_eq!(client.raw("GET", &path, &[], None).await.json()["output"], json!({"text": "draft!"}));

    let wrong = client
        .raw("POST", &path, &html, Some(json!("action=resume&field.size=big&field.style=deep&approver=Cy")))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text);
    for part in ["value=\"big\"", "<option selected>deep</option>", "value=\"Cy\"", "field.size-error", "aria-invalid"]
    {
        assert!(wrong.text.contains(part), "{part} in {}", wrong.text);
    }
    let refused = client.raw("POST", &path, &html, Some(json!("action=cancel"))).await;
    assert!(refused.text.contains("<h1>Disapproved</h1>"), "{}", refused.text);
    client.log_in("admin", "admin").await;
    assert_eq!(ended(&client, &id).await["status"], "failed");
    client.token(None);
    for (method, path, status, title) in [
        ("GET", path.as_str(), StatusCode::OK, "<h1>Answered</h1>"),
        ("POST", path.as_str(), StatusCode::CONFLICT, "<h1>Answered</h1>"),
        ("GET", "/approve/none", StatusCode::NOT_FOUND, "<h1>Invalid link</h1>"),
    ] {
        let body = (method == "POST").then(|| json!("action=resume&field.size=1"));
        let reply = client.raw(method, path, &html, body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(reply.text.contains(title), "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_url_links_lead_to_the_host_of_who_asks() {
    let settings = WebSettings { has_public_url: false, ..WebSettings::default() };
    let mut client = RecordingClient::with(settings, "").await;
    client.log_in("admin", "admin").await;
    let (mut client, _provider) = furnish(client).await;
    let (id, _) = suspended(&client, &json!({"required_events": 1})).await;
    let path = format!("/jobs/{id}");
    let mut signed = String::new();
    for (host, expected) in [
        ("studio.local:8000", "http://studio.local:8000/"),
        ("10.0.0.7", "http://10.0.0.7/"),
        ("x@evil.example", "http://localhost:8000/"),
    ] {
        let job = client.raw("GET", &path, &[("host", host)], None).await.json();
        let url = job["steps"][0]["approval"]["urls"][0].as_str().unwrap_or_default();
        let (base, rest) = url.split_once("api/v1").expect("a link to the API");
        assert_eq!(base, expected, "{host}");
        assert!(signed.is_empty() || signed == rest, "the signature is for all hosts");
        rest.clone_into(&mut signed);
    }
    client.token(None);
    let reply = client.raw("POST", &signed, &[("host", "10.0.0.7")], Some(json!({"action": "resume"}))).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_signed_opens_nothing() {
    let (mut client, _provider) = furnished().await;
    let (_, job) = suspended(&client, &json!({"required_events": 1})).await;
    let url = job["steps"][0]["approval"]["urls"][0].as_str().expect("a link").to_owned();
    let signed = url.rsplit('/').next().expect("a signature").to_owned();
    let mut forged = signed.clone().into_bytes();
    forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("still ASCII");
    client.token(None);
    for wrong in [forged.as_str(), "x", &signed[..signed.len() - 4]] {
        let reply = client.raw("POST", &format!("/approve/{wrong}"), &[], Some(json!({"action": "resume"}))).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_approve_is_the_documents_to_say() {
    let (mut client, _provider) = furnished().await;
    let rule = json!({"required_events": 1, "self_approval_disabled": true, "user_auth_required": true});
    let (id, job) = suspended(&client, &rule).await;
    let own = resume(&client, &id, json!({"action": "resume"})).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "{}", own.text);
    let url = job["steps"][0]["approval"]["urls"][0].as_str().expect("a link").to_owned();
    let path = url.trim_start_matches("http://localhost:8000/api/v1").to_owned();
    client.token(None);
    let link = client.raw("POST", &path, &[], Some(json!({"action": "resume"}))).await;
    assert_eq!(link.status, StatusCode::FORBIDDEN, "{}", link.text);
    client.log_in("admin", "admin").await;
    client.as_new_user("ann").await;
    assert_eq!(resume(&client, &id, json!({"action": "resume"})).await.status, StatusCode::ACCEPTED);
    assert_eq!(ended(&client, &id).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_comes_early_counts_and_one_for_nothing_is_refused() {
    let (client, provider) = furnished().await;
    let mut document = gated(&json!({"required_events": 1}));
    document["value"]["modules"][0]["value"]["path"] = json!("node/endless");
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document}))).await;
    let id = made.string("/id");
    provider.called.notified().await;
    let nowhere = resume(&client, &id, json!({"action": "resume", "step": "nope"})).await;
    assert_eq!(nowhere.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nowhere.text);
    let early = resume(&client, &id, json!({"action": "resume", "step": "draft", "payload": 1})).await;
    assert_eq!(early.status, StatusCode::ACCEPTED, "{}", early.text);
    let without_gate = resume(&client, &id, json!({"action": "resume", "step": "publish"})).await;
    assert_eq!(without_gate.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", without_gate.text);
    provider.release.notify_one();
    assert_eq!(ended(&client, &id).await["output"], json!({"text": "admin: [1]!"}));
    let unknown = resume(&client, "none", json!({"action": "resume"})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_is_behind_and_a_job_without_gates_take_no_answer() {
    let (client, provider) = furnished().await;
    let mut document = gated(&json!({"required_events": 1}));
    document["value"]["modules"][1]["value"]["path"] = json!("node/endless");
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document.clone()}))).await;
    let id = made.string("/id");
    assert_eq!(resume(&client, &id, json!({"action": "resume", "step": "draft"})).await.status, StatusCode::ACCEPTED);
    let job = once(&client, &id, |job| job["steps"][1]["status"] == "running").await;
    let gate = job["steps"][0]["ordinal"].to_string();
    let behind = resume(&client, &id, json!({"action": "resume", "step": gate})).await;
    assert_eq!((behind.status, behind.string("/code").as_str()), (StatusCode::CONFLICT, "answered"), "{}", behind.text);
    provider.release.notify_one();
    assert_eq!(ended(&client, &id).await["status"], "completed");
    let first = document["value"]["modules"][0].as_object_mut().expect("a module");
    first.remove("suspend");
    document["value"]["modules"][1]["value"]["input_transforms"]["text"]["expr"] = json!("'text'");
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document}))).await;
    let id = made.string("/id");
    let nothing = resume(&client, &id, json!({"action": "resume"})).await;
    let said = (nothing.status, nothing.string("/code"));
    assert_eq!(said, (StatusCode::CONFLICT, "not_waiting".to_owned()), "{}", nothing.text);
    provider.release.notify_one();
    assert_eq!(ended(&client, &id).await["status"], "completed");
}

/// Starts a document whose gate is not reached before the provider is released.
async fn before_its_gate(client: &RecordingClient, provider: &crate::provider::Provider, suspend: &Value) -> String {
    let mut document = gated(suspend);
    document["value"]["modules"][0]["value"]["path"] = json!("node/endless");
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document}))).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.text);
    provider.called.notified().await;
    made.string("/id")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_obeys_the_rules_of_its_gate() {
    let (mut client, provider) = furnished().await;
    let form = json!({"schema": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}});
    let rule = json!({"required_events": 2, "self_approval_disabled": true, "resume_form": form});
    let id = before_its_gate(&client, &provider, &rule).await;
    let fitting = json!({"action": "resume", "step": "draft", "payload": {"size": 1}});
    let own = resume(&client, &id, fitting.clone()).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "the creator may not approve: {}", own.text);
    client.as_new_user("ann").await;
    let nameless = resume(&client, &id, json!({"action": "resume", "payload": {"size": 1}})).await;
    assert_eq!((nameless.status, nameless.string("/code").as_str()), (StatusCode::CONFLICT, "not_waiting"));
    let formless = json!({"action": "resume", "step": "draft", "payload": {"size": "big"}});
    let unfit = resume(&client, &id, formless).await;
    assert_eq!(
        (unfit.status, unfit.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/payload/size")
    );
    let taken = resume(&client, &id, fitting.clone()).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    let again = resume(&client, &id, fitting.clone()).await;
    assert_eq!((again.status, again.string("/code").as_str()), (StatusCode::CONFLICT, "answered"), "{}", again.text);

    provider.release.notify_one();
    let job = once(&client, &id, |job| job["status"] == "suspended").await;
    let approval = &job["steps"][0]["approval"];
    let counts = ["required", "given", "remaining"].map(|field| approval[field].clone());
    assert_eq!(counts, [json!(2), json!(1), json!(1)], "what came early is shown: {job}");
    let at_the_gate = resume(&client, &id, json!({"action": "resume", "payload": {"size": 2}})).await;
    let code = at_the_gate.string("/code");
    assert_eq!((at_the_gate.status, code.as_str()), (StatusCode::CONFLICT, "answered"), "{}", at_the_gate.text);

    client.log_in("admin", "admin").await;
    client.as_new_user("ben").await;
    assert_eq!(resume(&client, &id, fitting).await.status, StatusCode::ACCEPTED);
    let output = json!({"text": "ann,ben: [{\"size\":1},{\"size\":1}]!"});
    assert_eq!(ended(&client, &id).await["output"], output);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_shown_to_whoever_made_the_job_and_to_admins() {
    let (mut client, _provider) = furnished().await;
    client.as_new_user("ann").await;
    let (id, own) = suspended(&client, &json!({"required_events": 2})).await;
    let links = |step: &Value| step["approval"]["urls"].as_array().map(Vec::len);
    assert_eq!(links(&own["steps"][0]), Some(2), "the creator: {own}");
    client.log_in("admin", "admin").await;
    let job = client.raw("GET", &format!("/jobs/{id}"), &[], None).await.json();
    assert_eq!(links(&job["steps"][0]), Some(2), "an admin: {job}");

    client.as_new_user("ben").await;
    let job = client.raw("GET", &format!("/jobs/{id}"), &[], None).await.json();
    assert_eq!((links(&job["steps"][0]), &job["steps"][0]["approval"]["required"]), (Some(0), &json!(2)), "{job}");
    let steps = client.raw("GET", &format!("/jobs/{id}/steps"), &[], None).await;
    assert_eq!(links(&steps.json()["items"][0]), Some(0), "{}", steps.text);
    let asked = client.raw("GET", &format!("/jobs/{id}/steps/draft/approval"), &[], None).await;
    assert_eq!((asked.string("/step").as_str(), links(&asked.json())), ("draft", Some(0)), "{}", asked.text);
    let answered = resume(&client, &id, json!({"action": "resume"})).await;
    assert_eq!(answered.status, StatusCode::ACCEPTED, "{}", answered.text);
    let events = client.raw("POST", &format!("/jobs/{id}/cancel"), &[], None).await;
    for reply in [answered, events] {
        assert!(!reply.text.contains("/approve/"), "{}", reply.text);
    }
    assert!(!crate::runs::follow(&client, &id).await.contains("/approve/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_typed_on_a_link_is_no_account() {
    let (mut client, _provider) = furnished().await;
    let (id, job) = suspended(&client, &json!({"required_events": 1})).await;
    let url = job["steps"][0]["approval"]["urls"][0].as_str().expect("a link").to_owned();
    let path = url.trim_start_matches("http://localhost:8000/api/v1").to_owned();
    let taken = json!({"username": "admin (unverified)", "password": "correct horse"});
    let reply = client.raw("POST", "/users", &[], Some(taken)).await;
    assert_eq!(
        (reply.status, reply.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/username")
    );
    client.token(None);
    for wrong in ["a\nb".to_owned(), "x".repeat(101)] {
        let reply = client.raw("POST", &path, &[], Some(json!({"action": "resume", "approver": wrong}))).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text);
    }
    let reply = client.raw("POST", &path, &[], Some(json!({"action": "cancel", "approver": " admin "}))).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    client.log_in("admin", "admin").await;
    assert_eq!(ended(&client, &id).await["error"]["message"], "Disapproved by admin (unverified)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_times_out_names_its_step() {
    let (client, _provider) = furnished().await;
    let (id, _) = suspended(&client, &json!({"required_events": 1, "timeout": 1})).await;
    let error = json!({"name": "SuspendedTimedOut", "message": "Timed out waiting to be resumed", "step_id": "draft"});
    assert_eq!(ended(&client, &id).await["error"], error);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_satisfies_the_gates_of_called_workflows_too() {
    let (mut client, provider) = furnished().await;
    let strict = gated(&json!({"required_events": 1, "self_approval_disabled": true}));
    let inner = json!({"name": "Inner", "nodes": strict});
    assert!(client.raw("PUT", "/workflows/inner", &[], Some(inner)).await.status.is_success());
    let mut document = gated(&json!({"required_events": 1}));
    document["value"]["modules"][0]["value"]["path"] = json!("node/endless");
    let call = json!({"id": "call", "value": {"type": "flow", "path": "workflow/inner", "input_transforms": {}}});
    document["value"]["modules"].as_array_mut().expect("modules").push(call);
    let made = client.raw("POST", "/workflows/run", &[], Some(json!({"document": document}))).await;
    let id = made.string("/id");
    provider.called.notified().await;
    let early = resume(&client, &id, json!({"action": "resume", "step": "draft"})).await;
    assert_eq!(early.status, StatusCode::FORBIDDEN, "it could open the inner gate: {}", early.text);
    provider.release.notify_one();
    once(&client, &id, |job| job["status"] == "suspended").await;
    assert_eq!(resume(&client, &id, json!({"action": "resume"})).await.status, StatusCode::ACCEPTED);
    let is_inner = |job: &Value| job["status"] == "suspended" && job["steps"][2]["id"] == "call";
    once(&client, &id, is_inner).await;
    let own = resume(&client, &id, json!({"action": "resume"})).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "the inner gate has rules of its own: {}", own.text);
    client.as_new_user("ann").await;
    assert_eq!(resume(&client, &id, json!({"action": "resume"})).await.status, StatusCode::ACCEPTED);
    assert_eq!(ended(&client, &id).await["status"], "completed");
}
