//! Calls that providers put off, answer oddly, or answer with an error that looks like a success.

use std::time::Duration;

use apiflow_core::engine::Event;
use apiflow_core::ports::{JobJournal, JobRecords, JobRow, JobStatus, ProviderWork as _, StepStatus, Timestamp};
use apiflow_core::runtime::RuntimeSettings;
use apiflow_core::runtime::clock::SystemClock;
use serde_json::{Value, json};

use super::scripted::{Reply, Scripted, reply};
use super::{Bench, fast};

fn document(module: &Value) -> Value {
    let mut step = json!({"id": "draw", "value": {"type": "script", "path": "node/n", "input_transforms": {}}});
    step.as_object_mut().expect("an object").extend(module.as_object().expect("an object").clone());
    json!({"summary": "case", "value": {"modules": [step]}})
}

/// Runs one step of a node with this `data`; `module` adds to the step.
async fn run(provider: &Scripted, data: &Value, output: &Value, module: &Value) -> (JobRow, Vec<(Timestamp, Event)>) {
    let bench = Bench::start_allowing(fast(), &provider.address).await;
    bench.submit_as("job", provider.bundle(data, output, document(module)), json!({})).await;
    let job = bench.ended().await;
    let events = events(&bench, "job").await;
    bench.finish().await;
    (job, events)
}

async fn events(bench: &Bench, job: &str) -> Vec<(Timestamp, Event)> {
    let rows = bench.store.read_events(job, 0, 1_000).await.expect("events");
    rows.into_iter().map(|row| (row.at, serde_json::from_value(row.body).expect("an event"))).collect()
}

fn error(job: &JobRow) -> (&str, &str) {
    let error = job.state.error.as_ref().expect("the job failed");
    (error["name"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

fn limited(headers: &[(&'static str, &str)]) -> Reply {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    (429, headers, json!({"detail": "slow down"}).to_string())
}

fn fine() -> Reply {
    reply(200, &json!({"fine": true}))
}

fn retry() -> Value {
    json!({"retry": {"constant": {"attempts": 4, "seconds": 0}}})
}

fn image() -> Value {
    json!([{"name": "image", "type": "string", "mapping": "output"}])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_answer_that_cannot_be_read_is_not_paid_again() {
    let ended = |output: Value| reply(201, &json!({"id": "l1", "status": "succeeded", "output": output, "urls": {}}));
    for (replied, data) in [
        (ended(json!(["https://media.example.org/out.png"])), json!({"path": "/x", "operation": "replicate"})),
        (ended(Value::Null), json!({"path": "/x", "operation": "replicate"})),
        (reply(200, &json!({"output": 7})), json!({"path": "/x"})),
        (reply(200, &json!({})), json!({"path": "/x"})),
        ((200, Vec::new(), "<html>log in</html>".to_owned()), json!({"path": "/x"})),
    ] {
        let provider = Scripted::start(vec![("POST /v1/x", vec![replied.clone()])]).await;
        let (job, _) = run(&provider, &data, &image(), &retry()).await;
        assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("output_invalid", 1), "{replied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_instead_of_an_answer_fails_a_node_without_outputs() {
    let page = (200, vec![("content-type", "text/html".to_owned())], "<html>log in</html>".to_owned());
    let provider = Scripted::start(vec![("POST /v1/x", vec![page])]).await;
    let (job, _) = run(&provider, &json!({"path": "/x"}), &json!([]), &retry()).await;
    assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("output_invalid", 1));
    assert!(error(&job).1.contains("HTML page"), "{}", error(&job).1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_no_reply_can_hold_fails_before_anything_is_sent() {
    let provider = Scripted::start(vec![("POST /v1/x", vec![fine()])]).await;
    let output = json!([{"name": "sound", "type": "string", "mapping": "@body"}]);
    let (job, _) = run(&provider, &json!({"path": "/x", "accept": "audio/mpeg"}), &output, &retry()).await;
    assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("invalid_input", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limited_submit_is_made_again_without_a_retry() {
    for (first, least_ms) in [
        (limited(&[("retry-after", "1")]), 1_000),
        (limited(&[("retry-after-ms", "700")]), 700),
        (limited(&[("ratelimit-reset", "1")]), 1_000),
        (limited(&[("retry-after", "soon, 2abc")]), 1_000),
    ] {
        let provider = Scripted::start(vec![("POST /v1/x", vec![first.clone(), fine()])]).await;
        let bench = Bench::start_allowing(fast(), &provider.address).await;
        let bundle = provider.bundle(&json!({"path": "/x"}), &json!([]), document(&json!({})));
        bench.submit_as("job", bundle, json!({})).await;
        let job = bench.ended().await;
        assert_eq!((job.state.status, job.state.retry_count), (JobStatus::Completed, 0), "{first:?}");
        let seen = provider.seen("POST /v1/x");
        assert!(seen.len() == 2 && seen[1].at - seen[0].at >= Duration::from_millis(least_ms), "{first:?} {seen:?}");
        let steps = bench.steps().await;
        assert_eq!((steps[0].attempt, &steps[0].error), (1, &None), "it was no failed attempt");
        let calls = bench.store.list_calls("job", steps[0].ordinal).await.expect("calls");
        let statuses: Vec<&Value> = calls.iter().map(|call| &call.reply["status"]).collect();
        assert_eq!(statuses, [429, 200], "each sending is listed");
        assert!(calls.iter().all(|call| call.request["method"] == "POST"), "and was recorded before it was sent");
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_is_understood_without_a_date_header() {
    // A date in the past by our own clock asks for no wait; nothing else may be made of it.
    let provider = Scripted::start(vec![(
        "POST /v1/x",
        vec![limited(&[("retry-after", "Thu, 01 Jan 2099 00:00:00 GMT")]), fine()],
    )])
    .await;
    let (job, events) = run(&provider, &json!({"path": "/x", "timeout_s": 5}), &json!([]), &json!({})).await;
    assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("rate_limited", 1), "{events:?}");
    assert_eq!(job.state.error.expect("an error")["retry_after_ms"], 3_600_000, "an hour at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_beyond_the_steps_deadline_fails_the_step() {
    for (data, module) in
        [(json!({"path": "/x"}), json!({"timeout": 5})), (json!({"path": "/x", "timeout_s": 5}), json!({}))]
    {
        let provider = Scripted::start(vec![("POST /v1/x", vec![limited(&[("retry-after", "30")])])]).await;
        let (job, _) = run(&provider, &data, &json!([]), &module).await;
        assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("rate_limited", 1));
        assert_eq!(job.state.error.expect("an error")["retry_after_ms"], 30_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_pauses_all_jobs_of_the_connector_and_no_worker_waits() {
    let limit = limited(&[("retry-after", "600")]);
    let provider = Scripted::start(vec![("POST /v1/x", vec![limit]), ("POST /v1/y", vec![fine()])]).await;
    let other = Scripted::start(vec![("POST /v1/y", vec![fine()])]).await;
    let addresses = format!("{},{}", provider.address, other.address);
    let settings = RuntimeSettings { concurrency: 1, ..RuntimeSettings::new("tests") };
    let bench = Bench::start_with(fast(), std::sync::Arc::new(SystemClock), settings, &addresses).await;
    let limited_node = |path: &str, provider: &Scripted| {
        provider.bundle(&json!({"path": path, "timeout_s": 3600}), &json!([]), document(&json!({})))
    };
    bench.submit_as("first", limited_node("/x", &provider), json!({})).await;
    provider.until(1).await;
    postponed(&bench, "first").await;
    bench.submit_as("second", limited_node("/y", &provider), json!({})).await;
    bench.submit_as("third", limited_node("/y", &other), json!({})).await;
    let third = bench.runtime.wait_for_job("third", Duration::from_mins(1)).await.expect("the store answers");
    assert_eq!(third.expect("the job").state.status, JobStatus::Completed, "another provider is not paused");
    let (at, event) = postponed(&bench, "second").await;
    let Event::CallPostponed { until, sent: false, .. } = event else { panic!("nothing was sent: {event:?}") };
    assert!(until.since_ms(at) > 500_000, "until the pause is over");
    assert!(provider.seen("POST /v1/y").is_empty());
    let step = &bench.store.list_steps("second", 0, 10).await.expect("steps")[0];
    assert_eq!((step.status, step.retry_at), (StepStatus::Retrying, Some(until)));
    let calls = bench.store.list_calls("second", step.ordinal).await.expect("calls");
    assert!(calls[0].reply["error"].as_str().is_some_and(|text| text.starts_with("not sent")), "{calls:?}");
    for job in ["first", "second"] {
        assert!(bench.runtime.cancel_job(job, "enough", None).await.expect("the store answers"));
        let ended = bench.runtime.wait_for_job(job, Duration::from_mins(1)).await.expect("the store answers");
        assert_eq!(ended.expect("the job").state.status, JobStatus::Cancelled);
    }
    bench.finish().await;
}

/// Waits until a job's call is put off.
async fn postponed(bench: &Bench, job: &str) -> (Timestamp, Event) {
    for _ in 0..1_000 {
        let found =
            events(bench, job).await.into_iter().find(|(_, event)| matches!(event, Event::CallPostponed { .. }));
        if let Some(found) = found {
            return found;
        }
        let _ended = bench.runtime.wait_for_job(job, Duration::from_millis(20)).await.expect("the store answers");
    }
    panic!("the call of job `{job}` is not put off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_put_off_survives_a_restart() {
    let provider = Scripted::start(vec![("POST /v1/x", vec![limited(&[("retry-after", "2")]), fine()])]).await;
    let bench = Bench::start_allowing(fast(), &provider.address).await;
    bench.submit_as("job", provider.bundle(&json!({"path": "/x"}), &json!([]), document(&json!({}))), json!({})).await;
    postponed(&bench, "job").await;
    let bench = bench.restarted().await;
    let job = bench.ended().await;
    assert_eq!((job.state.status, provider.seen("POST /v1/x").len()), (JobStatus::Completed, 2));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_503_that_says_when_to_try_again_is_repeated_and_pauses_nothing_else() {
    let busy = (503, vec![("retry-after-ms", "100".to_owned())], json!({"detail": "loading"}).to_string());
    for (replies, status, sent) in [
        (vec![busy, reply(200, &json!({"a": 1}))], JobStatus::Completed, 2),
        (vec![reply(503, &json!({"detail": "down"}))], JobStatus::Failed, 1),
    ] {
        let provider = Scripted::start(vec![("POST /v1/x", replies)]).await;
        let bench = Bench::start_allowing(fast(), &provider.address).await;
        let bundle = provider.bundle(&json!({"path": "/x"}), &json!([]), document(&json!({})));
        bench.submit_as("job", bundle, json!({})).await;
        let job = bench.ended().await;
        assert_eq!((job.state.status, provider.seen("POST /v1/x").len()), (status, sent), "{:?}", job.state.error);
        let pause = bench.store.read_submit_pause(&format!("http://{}", provider.address)).await;
        assert_eq!(pause, Ok(None));
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_as_long_as_the_provider_asks_and_no_longer_than_the_timeout() {
    for (module, least_ms, most_ms) in
        [(retry(), 900_000, 900_000), (json!({"retry": retry()["retry"], "timeout": 600}), 600_000, 600_000)]
    {
        let busy = (502, vec![("retry-after", "900".to_owned())], json!({"detail": "busy"}).to_string());
        let provider = Scripted::start(vec![("POST /v1/x", vec![busy])]).await;
        let bench = Bench::start_allowing(fast(), &provider.address).await;
        bench.submit_as("job", provider.bundle(&json!({"path": "/x"}), &json!([]), document(&module)), json!({})).await;
        let mut scheduled = None;
        while scheduled.is_none() {
            let _ended = bench.runtime.wait_for_job("job", Duration::from_millis(20)).await.expect("the store answers");
            scheduled = events(&bench, "job").await.into_iter().find_map(|(decided, event)| {
                if let Event::RetryScheduled { at, .. } = event { Some(at.since_ms(decided)) } else { None }
            });
        }
        let wait = scheduled.unwrap_or_default();
        assert!((least_ms..=most_ms).contains(&wait), "{wait}");
        assert!(bench.runtime.cancel_job("job", "enough", None).await.expect("the store answers"));
        bench.finish().await;
    }
}

/// A node of work that is asked for every 50 ms.
fn polled(changes: &Value) -> Value {
    let mut operation = json!({
        "id": "id",
        "state": {"path": "status", "done": ["Success"], "failed": ["Fail"]},
        "poll": {"url": "/query/{{ reply.id }}", "interval_s": 0.05, "growth": 1},
    });
    operation.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    json!({"path": "/x", "timeout_s": 0.5, "operation": operation, "success": {"path": "code", "values": [0]}})
}

async fn polled_error(poll: Reply, cancel: Option<Reply>) -> (String, String, Option<String>, usize) {
    let rule = if cancel.is_some() { json!({"cancel": {"url": "/stop/{{ reply.id }}"}}) } else { json!({}) };
    let mut script = vec![("POST /v1/x", vec![reply(200, &json!({"id": "p1"}))]), ("GET /v1/query/p1", vec![poll])];
    script.extend(cancel.map(|cancel| ("POST /v1/stop/p1", vec![cancel])));
    let provider = Scripted::start(script).await;
    let (job, _) = run(&provider, &polled(&rule), &json!([]), &json!({})).await;
    let error = job.state.error.clone().expect("an error");
    let id = error["provider_id"].as_str().map(str::to_owned);
    let (name, message) = self::error(&job);
    assert_eq!(provider.seen("POST /v1/x").len(), 1);
    (name.to_owned(), message.to_owned(), id, provider.seen("GET /v1/query/p1").len())
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_that_keep_failing_end_with_the_last_reason() {
    for (poll, said) in [
        ((500, Vec::new(), "CUDA went away".to_owned()), "Acme answered 500: CUDA went away"),
        ((200, Vec::new(), "<html>tunnel offline</html>".to_owned()), "text, not JSON"),
        (reply(200, &json!({})), "had no state"),
        (reply(200, &json!({"status": "Waiting"})), "its last state was `Waiting`"),
        (reply(200, &json!({"code": 500, "msg": "system busy"})), "with code 500: system busy"),
    ] {
        let (name, message, id, polls) = polled_error(poll, None).await;
        assert_eq!((name.as_str(), id.as_deref()), ("timeout", Some("p1")), "{message}");
        assert!(message.contains(said) && polls > 1, "{message}");
        assert!(!message.contains("was cancelled") && message.contains("no `cancel` rule"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_claims_a_cancellation_only_where_the_provider_took_it() {
    let running = || reply(200, &json!({"status": "Running"}));
    let (_, message, ..) = polled_error(running(), Some(reply(202, &json!({})))).await;
    assert!(message.contains("it was cancelled at the provider"), "{message}");
    for refusal in [403, 404, 409] {
        let (_, message, ..) = polled_error(running(), Some(reply(refusal, &json!({"detail": "no"})))).await;
        let expected = format!("cancelling it failed: the provider answered {refusal}");
        assert!(!message.contains("was cancelled") && message.contains(&expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_200_ends_the_wait_and_is_not_retried_blindly() {
    let poll = reply(200, &json!({"status": "", "code": 1004, "msg": "login fail"}));
    let (name, message, id, polls) = polled_error(poll, None).await;
    assert_eq!((name.as_str(), id.as_deref(), polls), ("auth", Some("p1"), 1), "{message}");
    let refused = reply(200, &json!({"id": "", "code": 1008, "msg": "insufficient balance"}));
    let provider = Scripted::start(vec![("POST /v1/x", vec![refused])]).await;
    let (job, _) = run(&provider, &polled(&json!({})), &json!([]), &retry()).await;
    assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("payment", 1));
    assert!(error(&job).1.contains("insufficient balance"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_inside_a_200_is_waited_for() {
    let refused = reply(200, &json!({"code": 429, "msg": "slow down"}));
    let provider = Scripted::start(vec![
        ("POST /v1/x", vec![refused, reply(200, &json!({"id": "p1"}))]),
        ("GET /v1/query/p1", vec![reply(200, &json!({"status": "Success"}))]),
    ])
    .await;
    let mut data = polled(&json!({}));
    data["timeout_s"] = json!(60);
    let (job, _) = run(&provider, &data, &json!([]), &json!({})).await;
    assert_eq!((job.state.status, provider.seen("POST /v1/x").len()), (JobStatus::Completed, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_too_large_fails_once_and_keeps_the_providers_id() {
    let large = || reply(200, &json!({"status": "Success", "text": "A".repeat(2 * 1024 * 1024)}));
    let (name, message, id, polls) = polled_error(large(), None).await;
    assert_eq!((name.as_str(), id.as_deref(), polls), ("output_too_large", Some("p1"), 1), "{message}");
    // Over the limit of replies, of a step's result, and of the memory for values.
    let values = format!("[{}0]", "{\"a\":0},".repeat(100_000));
    for body in [large(), reply(200, &json!("A ".repeat(540_000))), (200, Vec::new(), values)] {
        let provider = Scripted::start(vec![("POST /v1/x", vec![body])]).await;
        let (job, _) = run(&provider, &json!({"path": "/x"}), &json!([]), &retry()).await;
        assert_eq!((error(&job).0, provider.seen("POST /v1/x").len()), ("output_too_large", 1), "{}", error(&job).1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_reply_is_read() {
    let list: Vec<Value> = (0..20_000).map(|n| json!(n)).collect();
    let provider =
        Scripted::start(vec![("POST /v1/x", vec![reply(200, &json!({"list": list, "output": "here"}))])]).await;
    let (job, _) = run(&provider, &json!({"path": "/x"}), &image(), &json!({})).await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
}
