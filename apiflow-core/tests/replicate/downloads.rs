//! Media outputs are downloaded before their step ends: by an effect of their own, which is repeated after a crash while
//! the submit is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::engine::Event;
use apiflow_core::ports::{CallRecord, JobJournal, JobRecords, JobRow, JobStatus};
use apiflow_core::runtime::RuntimeSettings;
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::SystemClock;
use serde_json::{Value, json};

use super::scripted::{Reply, Scripted, reply};
use super::{Bench, fast};

const CREATE: &str = "POST /v1/x";

fn document(retry: bool) -> Value {
    let mut step = json!({"id": "draw", "value": {"type": "script", "path": "node/n", "input_transforms": {}}});
    if retry {
        step["retry"] = json!({"constant": {"attempts": 2, "seconds": 0}});
    }
    json!({"summary": "case", "value": {"modules": [step]}})
}

fn output(pick: Option<&str>) -> Value {
    json!([{"name": "image", "type": "image", "mapping": "output", "pick": pick}])
}

fn operation() -> Value {
    json!({"path": "/x", "operation": {"preset": "replicate",
        "poll": {"url": "/works/{{ reply.id }}", "interval_s": 0.05}}})
}

fn file(body: &str) -> Reply {
    (200, vec![("content-type", "image/png".to_owned())], body.to_owned())
}

fn failing(status: u16) -> Reply {
    reply(status, &json!({"detail": "no"}))
}

/// A prediction of the stand-in in this state.
fn work(status: &str, output: &Value) -> Reply {
    reply(201, &json!({"id": "w1", "status": status, "output": output}))
}

async fn start(provider: &Scripted, data: &Value, output: &Value, retry: bool) -> Bench {
    let settings = RuntimeSettings { lease: Duration::from_secs(1), ..RuntimeSettings::new("tests") };
    let evaluator = Arc::new(BoaEvaluator::new());
    let bench = Bench::start_whole(fast(), Arc::new(SystemClock), settings, &provider.address, evaluator).await;
    bench.submit_as("job", provider.bundle(data, output, document(retry)), json!({})).await;
    bench
}

async fn content(bench: &Bench, artifact: &Value) -> String {
    use futures_util::TryStreamExt as _;
    let id = artifact["artifact"].as_str().unwrap_or_else(|| panic!("{artifact} is an artifact"));
    let reader = bench.parts.artifacts.get(id, None).await.expect("it is kept");
    let parts: Vec<_> = reader.bytes.try_collect().await.expect("it can be read");
    String::from_utf8(parts.concat()).expect("text")
}

async fn downloads(bench: &Bench) -> Vec<CallRecord> {
    let steps = bench.steps().await;
    let calls = bench.store.list_calls("job", steps[0].ordinal).await.expect("calls");
    calls.into_iter().filter(|call| call.purpose == "download").collect()
}

async fn kinds(bench: &Bench) -> Vec<String> {
    let rows = bench.store.read_events("job", 0, 1_000).await.expect("events");
    rows.into_iter().map(|row| row.body["type"].as_str().unwrap_or_default().to_owned()).collect()
}

fn error(job: &JobRow) -> (&str, &str) {
    let error = job.state.error.as_ref().expect("the job failed");
    (error["name"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_complete_when_its_media_is_kept() {
    let script = vec![
        (CREATE, vec![work("starting", &Value::Null)]),
        ("GET /v1/works/w1", vec![work("succeeded", &json!("/media/a.png?sign=1"))]),
        ("GET /media/a.png?sign=1", vec![failing(503), file("picture")]),
    ];
    let provider = Scripted::start(script).await;
    let bench = start(&provider, &operation(), &output(None), false).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let result = bench.output(&job).await;
    assert_eq!(content(&bench, &result["image"]).await, "picture");
    assert_eq!((&result["image"]["mime"], &result["image"]["name"]), (&json!("image/png"), &json!("a.png")));
    assert_eq!(provider.seen(CREATE).len(), 1);
    let records = downloads(&bench).await;
    let statuses: Vec<&Value> = records.iter().map(|record| &record.reply["status"]).collect();
    assert_eq!((statuses, &records[1].reply["size_bytes"]), (vec![&json!(503), &json!(200)], &json!(7)));
    assert!(records.iter().all(|record| record.reply.get("excerpt").is_none()), "no media is recorded");
    assert!(kinds(&bench).await.contains(&"download_started".to_owned()));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_answered_at_once_may_have_several_files() {
    let tiny = "data:text/plain;base64,aGk=";
    let provider = Scripted::start(vec![
        (CREATE, vec![reply(200, &json!({"output": ["a.png", tiny, "http://{host}/b.png"]}))]),
        ("GET /v1/a.png", vec![file("first")]),
    ])
    .await;
    let output = json!([{"name": "files", "type": "file", "mapping": "output", "pick": "all", "decode": "url"}]);
    let bench = start(&provider, &json!({"path": "/x"}), &output, false).await;
    let job = bench.ended().await;
    // The last link is no URL.
    assert_eq!(error(&job).0, "output_invalid", "{:?}", job.state.error);
    bench.finish().await;

    let script =
        vec![(CREATE, vec![reply(200, &json!({"output": ["a.png", tiny]}))]), ("GET /v1/a.png", vec![file("first")])];
    let provider = Scripted::start(script).await;
    let bench = start(&provider, &json!({"path": "/x"}), &output, false).await;
    let job = bench.ended().await;
    let files = bench.output(&job).await["files"].take();
    assert_eq!((content(&bench, &files[0]).await.as_str(), content(&bench, &files[1]).await.as_str()), ("first", "hi"));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_link_is_replaced_by_asking_for_the_work_again() {
    let provider = Scripted::start(vec![
        (CREATE, vec![work("starting", &Value::Null)]),
        (
            "GET /v1/works/w1",
            vec![work("succeeded", &json!("/media/a?sign=1")), work("succeeded", &json!("/media/a?sign=2"))],
        ),
        ("GET /media/a?sign=1", vec![failing(403)]),
        ("GET /media/a?sign=2", vec![file("picture")]),
    ])
    .await;
    let bench = start(&provider, &operation(), &output(None), false).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(content(&bench, &bench.output(&job).await["image"]).await, "picture");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_gone_fails_the_step_and_nothing_is_paid_again() {
    let provider = Scripted::start(vec![(CREATE, vec![reply(200, &json!({"output": "/media/a"}))])]).await;
    let bench = start(&provider, &json!({"path": "/x"}), &output(None), true).await;
    let job = bench.ended().await;
    assert_eq!((error(&job).0, provider.seen(CREATE).len()), ("output_invalid", 1));
    assert!(error(&job).1.contains("the provider answered 404"), "{}", error(&job).1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_a_crash_cut_off_is_repeated_and_the_submit_is_not() {
    for data in [operation(), json!({"path": "/x"})] {
        let mut replies = vec![failing(503); 2];
        replies.push(file("picture"));
        let provider =
            Scripted::start(vec![(CREATE, vec![work("succeeded", &json!("/media/a"))]), ("GET /media/a", replies)])
                .await;
        let mut bench = start(&provider, &data, &output(None), false).await;
        provider.until(2).await;
        bench.crash().await;
        bench.restart();
        let job = bench.ended().await;
        assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
        assert_eq!(content(&bench, &bench.output(&job).await["image"]).await, "picture");
        assert_eq!(provider.seen(CREATE).len(), 1);
        let started = kinds(&bench).await.iter().filter(|kind| *kind == "download_started").count();
        assert_eq!(started, 1);
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_leaves_its_downloads_to_the_next() {
    let mut replies = vec![failing(503); 3];
    replies.push(file("picture"));
    let script = vec![(CREATE, vec![reply(200, &json!({"output": "/media/a"}))]), ("GET /media/a", replies)];
    let provider = Scripted::start(script).await;
    let bench = start(&provider, &json!({"path": "/x"}), &output(None), false).await;
    provider.until(2).await;
    let bench = bench.restarted().await;
    let job = bench.ended().await;
    assert_eq!((job.state.status, provider.seen(CREATE).len()), (JobStatus::Completed, 1), "{:?}", job.state.error);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_a_download_at_once_without_asking_the_provider() {
    let provider = Scripted::start(vec![
        (CREATE, vec![work("starting", &Value::Null)]),
        ("GET /v1/works/w1", vec![work("succeeded", &json!("/media/a"))]),
        ("GET /media/a", vec![(503, vec![("retry-after", "60".to_owned())], String::new())]),
    ])
    .await;
    let bench = start(&provider, &operation(), &output(None), false).await;
    provider.until(3).await;
    let asked = Instant::now();
    bench.runtime.cancel_job("job", "enough", None).await.expect("it can be cancelled");
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert_eq!(provider.seen("POST /v1/predictions/w1/cancel").len(), 0);
    let rows = bench.store.read_events("job", 0, 1_000).await.expect("events");
    let last: Event = serde_json::from_value(rows.last().expect("events").body.clone()).expect("an event");
    assert!(matches!(last, Event::JobFinished(_)), "{last:?}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_listed_host_stays_in_the_result_and_its_file_is_kept() {
    for (replies, is_kept) in [(vec![failing(503), file("picture")], true), (vec![failing(400)], false)] {
        let provider = Scripted::start(vec![
            (CREATE, vec![reply(200, &json!({"url": "http://{address}/media/a.png?Expires=4102444800"}))]),
            ("GET /media/a.png?Expires=4102444800", replies),
        ])
        .await;
        let text = json!([{"name": "url", "type": "string"}]);
        let mut bundle = provider.bundle(&json!({"path": "/x"}), &text, document(false));
        let connector = bundle.catalog.connectors.values_mut().next().expect("a connector");
        let data = json!({"media_hosts": [provider.address]});
        connector.data.get_or_insert_default().extend(data.as_object().expect("an object").clone());
        let bench = Bench::start_allowing(fast(), &provider.address).await;
        bench.submit_as("job", bundle, json!({})).await;
        let job = bench.ended().await;
        assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
        let link = format!("http://{}/media/a.png?Expires=4102444800", provider.address);
        assert_eq!(bench.output(&job).await, json!({"url": link}), "the result is the provider's");
        let steps = bench.steps().await;
        let started = bench.store.read_events("job", 0, 100).await.expect("events");
        let effect = started.iter().find(|row| row.body["type"] == "step_started").expect("a step").seq;
        let id = apiflow_core::artifact::output_artifact_id("job", effect, "url", 0);
        let kept = bench.parts.artifacts.stat(&id).await.expect("the artifacts answer");
        assert_eq!(kept.is_some(), is_kept, "{steps:?}");
        assert!(!downloads(&bench).await.is_empty(), "each download is recorded");
        // The link says when it expires.
        let begun = started.iter().find(|row| row.body["type"] == "download_started").expect("a download").seq;
        let values = bench.store.read_values("job", &[begun]).await.expect("values");
        let links = values[0].as_ref().expect("the links are journalled");
        assert_eq!(links["downloads"]["media"][0]["expires_at"], json!(4_102_444_800_000_i64), "{links}");
        assert_eq!(provider.seen(CREATE).len(), 1);
        bench.finish().await;
    }
}
