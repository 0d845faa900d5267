//! The founding document's own workflows.

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::{Clock, JobJournal, JobQueue, JobStatus, StepStatus, Timestamp};
use apiflow_core::runtime::RuntimeSettings;
use apiflow_core::runtime::clock::ManualClock;
use fake_providers::{Behaviour, Failure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Bench, fast, founding};

fn document(name: &str) -> Value {
    founding(name)["nodes"].take()
}

fn prompts(bench: &Bench) -> Vec<String> {
    let prompt = |body: &Value| body["input"]["prompt"].as_str().unwrap_or_default().to_owned();
    bench.provider.creates().iter().map(|create| prompt(&create.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_feeds_the_second_call_with_the_first_ones_output() {
    let bench = Bench::start(fast()).await;
    bench.submit(document("workflow.json"), founding("run_workflow.json")["input"].take()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let creates = bench.provider.creates();
    assert_eq!(prompts(&bench), ["Add a Hat to person", "Make this a 90s cartoon"]);
    let steps = bench.steps().await;
    let first =
        bench.runtime.resolve_reference("job", steps[0].output.as_ref().expect("an output")).await.expect("a value");
    assert_eq!(creates[1].body["input"]["input_image"], first["output_image"]);
    assert_eq!(creates[1].body["input"]["aspect_ratio"], "match_input_image");
    assert!(creates.iter().all(|create| !create.headers.iter().any(|(name, _)| name == "prefer")));
    let output = bench.output(&job).await;
    assert!(output["output_image"].as_str().is_some_and(|url| url.starts_with("https://")), "{output}");
    assert!(steps.iter().all(|step| step.status == StepStatus::Completed && step.provider_id.is_some()));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_runs_the_branch_that_the_input_names() {
    for (kind, step, prompt) in [
        ("cartoon", "cartoon_node", "Make this a 90s cartoon"),
        ("vintage", "vintage_node", "Make this vintage style"),
        ("cyberpunk", "default_processing", "Enhance this image"),
    ] {
        let bench = Bench::start(fast()).await;
        let input = json!({"input_image": "https://example.com/a.png", "processing_type": kind});
        bench.submit(document("workflow_conditional.json"), input).await;
        assert_eq!(bench.ended().await.state.status, JobStatus::Completed);
        assert_eq!(prompts(&bench), [prompt]);
        let ids: Vec<String> = bench.steps().await.into_iter().map(|step| step.step_id).collect();
        assert_eq!(ids, ["conditional_processing", step]);
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_branches_overlap_and_keep_their_order() {
    let bench = Bench::start(Behaviour { delay_ms: 1000, ..Behaviour::default() }).await;
    bench.submit(document("workflow_parallel.json"), json!({"input_image": "https://example.com/a.png"})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let steps = bench.steps().await;
    let of = |id: &str| steps.iter().find(|step| step.step_id == id).expect("the step ran");
    let (first, second) = (of("cyberpunk_style"), of("vintage_style"));
    assert!(first.started_at < second.finished_at.expect("it ended"));
    assert!(second.started_at < first.finished_at.expect("it ended"));
    let output = bench.output(&job).await;
    let mut wanted = Vec::new();
    for step in [first, second] {
        wanted.push(
            bench.runtime.resolve_reference("job", step.output.as_ref().expect("an output")).await.expect("a value"),
        );
    }
    assert_eq!(output, Value::Array(wanted));
    assert_eq!(bench.provider.creates().len(), 2);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_wait_as_the_formula_says() {
    let failure = Failure { status: 500, ..Failure::default() };
    let behaviour = Behaviour { fail_first: 2, fail_with: failure, delay_ms: 0, ..Behaviour::default() };
    let start = Timestamp(1_000_000);
    let clock = Arc::new(ManualClock::new(start));
    let settings = RuntimeSettings { lease: Duration::from_secs(1_000_000), ..RuntimeSettings::new("tests") };
    let bench = Bench::start_at(behaviour, clock.clone(), settings).await;
    bench.submit(document("workflow_retry.json"), json!({"input_image": "https://e.com/a.png", "prompt": "x"})).await;
    let mut waits = Vec::new();
    let limit = std::time::Instant::now() + Duration::from_secs(30);
    let job = loop {
        assert!(std::time::Instant::now() < limit, "the job does not end; it waited {waits:?}");
        let job = bench.store.read_job("job").await.expect("the store answers").expect("the job is there");
        if job.state.status.is_final() {
            break job;
        }
        if let Some(step) = bench.steps().await.first()
            && let Some(at) = step.retry_at
            && at > clock.now()
            && bench.store.read_next_due_at().await.expect("the store answers") == Some(at)
        {
            waits.push(at.since_ms(clock.now()));
            clock.advance_to(at);
        } else if let Some(due) = bench.store.read_next_due_at().await.expect("the store answers")
            && due > clock.now()
            && due < clock.now().plus_ms(5_000)
        {
            // A poll of the prediction that was accepted.
            clock.advance_to(due);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    assert_eq!(waits, [10_000, 50_000]);
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(job.state.retry_count, 2);
    assert_eq!(bench.provider.creates().len(), 3);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_names_no_model_says_what_is_missing() {
    let bench = Bench::start(fast()).await;
    let mut bundle = bench.bundle(document("workflow.json"));
    let node = bundle.catalog.nodes.get_mut("replicate_flux_kontext_pro_node_id").expect("the node");
    node.data = None;
    bench.submit_as("job", bundle, founding("run_workflow.json")["input"].take()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Failed);
    let error = job.state.error.expect("an error");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("data.path") && message.contains(&bench.provider.base_url()), "{message}");
    assert_eq!(error["step_id"], "add_hat_step");
    bench.finish().await;
}

/// Answers one request with a picture; gives its first line, its headers and its body.
async fn echo(listener: tokio::net::TcpListener) -> (String, String, Value) {
    let (mut stream, _) = listener.accept().await.expect("a request comes");
    let mut seen = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.expect("the request can be read");
        seen.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            let answer = r#"{"output": "https://replicate.delivery/echo.png"}"#;
            let reply = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
            stream.write_all(reply.as_bytes()).await.expect("the reply is taken");
            let (line, headers) = head.split_once("\r\n").expect("a first line");
            return (line.to_owned(), headers.to_lowercase(), body);
        }
        assert!(length > 0, "the request ended early: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_as_the_founding_document_has_it_sends_its_inputs_to_the_base_url_alone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answering = tokio::spawn(echo(listener));
    let bench = Bench::start_allowing(fast(), &address.to_string()).await;
    let mut bundle = super::bundle(format!("http://{address}/v1"), one_call());
    bundle.catalog.nodes.values_mut().next().expect("the node").data = None;
    let input = founding("run_node.json")["input"].take();
    bench.submit_as("job", bundle, input.clone()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    assert_eq!(bench.output(&job).await, json!({"output_image": "https://replicate.delivery/echo.png"}));
    let (line, headers, body) = answering.await.expect("a request came");
    assert_eq!(line, "POST /v1 HTTP/1.1");
    assert_eq!(body, input);
    for header in ["authorization: bearer r8_canary", "content-type: application/json", "prefer: wait"] {
        assert!(headers.contains(header), "{header} is missing in {headers}");
    }
    bench.finish().await;
}

fn one_call() -> Value {
    json!({"summary": "", "value": {"modules": [{"id": "run", "value": {
        "type": "script",
        "path": "node/replicate_flux_kontext_pro_node_id",
        "pass_flow_input_directly": true,
    }}]}})
}
