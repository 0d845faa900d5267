//! What a document says is not to be kept after its job's end (`delete_after_use`, `delete_after_secs`) is gone, and no
//! more than that.

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::engine::{Event, Program, Run};
use apiflow_core::ports::{JobJournal, JobQueue, JobRecords, JobRow, JobStatus, StepRow, Timestamp, ValueRef};
use apiflow_core::prepared::Prepared;
use apiflow_core::runtime::clock::ManualClock;
use apiflow_core::runtime::{JobRequest, RuntimeSettings};
use serde_json::{Value, json};

use super::{Bench, fast};

const END: Timestamp = Timestamp(1_000_000);

/// A worker in virtual time.
async fn bench() -> (Bench, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(END));
    let settings = RuntimeSettings { lease: Duration::from_secs(1_000_000), ..RuntimeSettings::new("tests") };
    (Bench::start_at(fast(), clock.clone(), settings).await, clock)
}

/// A module that gives this value, made of two halves so that the document does not hold it.
fn gives(id: &str, canary: &str) -> Value {
    let (one, other) = canary.split_at(canary.len() / 2);
    let expr = format!("`{one}` + `{other}`");
    json!({"id": id, "value": {"type": "flow", "path": "workflow/echo",
        "input_transforms": {"text": {"type": "javascript", "expr": expr}}}})
}

fn with(mut module: Value, field: &str, value: Value) -> Value {
    module[field] = value;
    module
}

/// Submits a document to a bundle that has the sub-flow `echo`, which gives its input, and `inner`.
async fn run(bench: &Bench, flow: Value, inner: Value) {
    let mut bundle = bench.bundle(json!({"summary": "", "value": flow}));
    let echo = json!({"summary": "", "value": {"modules": [{"id": "same", "value": {"type": "identity"}}]}});
    bundle.catalog.workflows.insert("echo".to_owned(), echo);
    bundle.catalog.workflows.insert("inner".to_owned(), json!({"summary": "", "value": inner}));
    bench.submit_as("job", bundle, json!({"given": "canary-input"})).await;
}

/// The job, once nothing more of it is erased before `moment`.
async fn erased(bench: &Bench, moment: Option<Timestamp>) -> JobRow {
    erased_of(bench, "job", moment).await
}

async fn erased_of(bench: &Bench, id: &str, moment: Option<Timestamp>) -> JobRow {
    for _ in 0..3_000 {
        let job = bench.store.read_job(id).await.expect("the store answers").expect("the job is there");
        if job.state.status.is_final() && job.state.erase_at == moment {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("job `{id}` does not come to {moment:?}: {:?}", bench.store.read_job(id).await)
}

/// All that the store holds of a job but its document, as text.
async fn everything(bench: &Bench, id: &str) -> String {
    let loaded = bench.store.load_job(id).await.expect("the job is loaded");
    let seqs: Vec<u64> = (1..=loaded.job.last_seq).collect();
    let values = bench.store.read_values(id, &seqs).await.expect("values are read");
    let events = bench.store.read_events(id, 0, 10_000).await.expect("events are read");
    let steps = bench.store.list_steps(id, 0, 500).await.expect("steps are read");
    let mut calls = Vec::new();
    for step in &steps {
        calls.extend(bench.store.list_calls(id, step.ordinal).await.expect("calls are read"));
    }
    let (job, snapshot, inbox, reused) = (loaded.job, loaded.snapshot, loaded.inbox, &loaded.bundle.reused_results);
    format!("{job:?} {snapshot:?} {inbox:?} {reused:?} {values:?} {events:?} {steps:?} {calls:?}")
}

async fn check_left(bench: &Bench, left: &[&str], gone: &[&str]) {
    let all = everything(bench, "job").await;
    for canary in left {
        assert!(all.contains(canary), "`{canary}` is kept");
    }
    for canary in gone {
        let place = all.find(canary);
        assert_eq!(
            place,
            None,
            "`{canary}` is gone: …{}…",
            place.map_or("", |at| &all[at.saturating_sub(300)..at + 50])
        );
    }
    folds(bench).await;
}

/// The journal alone still gives how the job ended.
async fn folds(bench: &Bench) {
    let loaded = bench.store.load_job("job").await.expect("the job is loaded");
    let mut run = Run::new(Arc::new(Program::compile_bundle(&loaded.bundle).expect("the document was run")));
    for row in bench.store.read_events("job", 0, 10_000).await.expect("events are read") {
        let event: Event = serde_json::from_value(row.body).expect("an event");
        run.apply_event(row.seq, row.at, &event);
    }
    let (folded, state) = (run.job_state(), loaded.job.state);
    assert_eq!((folded.status, folded.retry_count, folded.error), (state.status, state.retry_count, state.error));
    assert_eq!((folded.started_at, folded.finished_at), (state.started_at, state.finished_at));
}

fn find<'a>(steps: &'a [StepRow], id: &str) -> &'a StepRow {
    steps.iter().find(|step| step.step_id == id).unwrap_or_else(|| panic!("step `{id}` ran"))
}

/// A step's input and output as they are shown.
async fn shown(bench: &Bench, id: &str) -> (Value, Value) {
    let steps = bench.steps().await;
    let step = find(&steps, id);
    let resolve = async |reference: &Option<ValueRef>| match reference {
        Some(reference) => bench.runtime.resolve_reference("job", reference).await.expect("a value"),
        None => Value::Null,
    };
    (resolve(&step.input).await, resolve(&step.output).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_erased_with_its_log_at_the_end_and_others_are_kept() {
    let bench = Bench::start(fast()).await;
    let call = |id: &str, expr: &str| {
        json!({"id": id, "value": {"type": "script", "path": "node/replicate_flux_kontext_pro_node_id",
        "input_transforms": {
            "prompt": {"type": "javascript", "expr": expr},
            "input_image": {"type": "static", "value": "https://example.com/a.png"},
        }}})
    };
    let first = with(call("first", "`canary-` + `one`"), "delete_after_use", json!(true));
    run(&bench, json!({"modules": [first, call("second", "`canary-` + `two`")]}), json!({"modules": []})).await;
    let job = erased(&bench, None).await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    // The moment of the end was there before it was erased.
    check_left(&bench, &["canary-two", "canary-input"], &["canary-one"]).await;
    assert_eq!(shown(&bench, "first").await, (json!({}), json!({})));
    let (input, output) = shown(&bench, "second").await;
    assert_eq!((&input["prompt"], output["output_image"].is_string()), (&json!("canary-two"), true));
    assert_eq!(bench.output(&job).await, output);
    let steps = bench.steps().await;
    let calls = async |id| bench.store.list_calls("job", find(&steps, id).ordinal).await.expect("calls are read").len();
    assert_eq!(calls("first").await, 0);
    assert!(calls("second").await >= 2, "a submit and a poll");
    assert!(find(&steps, "first").provider_id.is_some(), "who did the work is still known");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_count_from_the_jobs_end() {
    let (bench, clock) = bench().await;
    let modules = [
        with(gives("soon", "canary-soon"), "delete_after_secs", json!(60)),
        with(with(gives("later", "canary-later"), "delete_after_use", json!(true)), "delete_after_secs", json!(90)),
        gives("last", "canary-last"),
    ];
    run(&bench, json!({"modules": modules, "delete_after_secs": 3_600}), json!({"modules": []})).await;
    let at = |seconds: u64| Some(END.plus_ms(seconds * 1_000));
    erased(&bench, at(60)).await;
    let all = ["canary-soon", "canary-later", "canary-last", "canary-input"];
    check_left(&bench, &all, &[]).await;
    clock.advance_to(END.plus_ms(59_999));
    assert_eq!(bench.store.read_next_due_at().await, Ok(at(60)));
    check_left(&bench, &all, &[]).await;
    clock.advance_to(END.plus_ms(60_000));
    erased(&bench, at(90)).await;
    check_left(&bench, &["canary-later", "canary-last", "canary-input"], &["canary-soon"]).await;
    assert_eq!(shown(&bench, "soon").await, (json!({}), json!({})));
    clock.advance_to(END.plus_ms(90_000));
    let job = erased(&bench, at(3_600)).await;
    check_left(&bench, &["canary-last", "canary-input"], &["canary-soon", "canary-later"]).await;
    assert_eq!(bench.output(&job).await, json!({"text": "canary-last"}));
    clock.advance_to(END.plus_ms(3_600_000));
    let job = erased(&bench, None).await;
    check_left(&bench, &[], &all).await;
    assert_eq!(bench.output(&job).await, json!({}));
    assert_eq!(bench.store.read_values("job", &[1]).await, Ok(vec![Some(json!({}))]), "the job's input");
    assert_eq!(bench.store.read_next_due_at().await, Ok(None));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_erased_with_all_that_is_inside_it() {
    let (bench, _clock) = bench().await;
    let body = |canary: &str| {
        json!({"type": "forloopflow", "skip_failures": false, "modules": [gives("in_loop", canary)],
            "iterator": {"type": "javascript", "expr": "[`canary-` + `item`, 2]"}})
    };
    let modules = [
        gives("before", "canary-before"),
        with(json!({"id": "loop", "value": body("canary-loop")}), "delete_after_use", json!(true)),
        // What the sub-flow says of itself counts where it is run.
        json!({"id": "sub", "value": {"type": "flow", "path": "workflow/inner", "input_transforms": {
            "text": {"type": "javascript", "expr": "`canary-` + `sub-input`"}}}}),
        gives("after", "canary-after"),
    ];
    let inner = json!({"modules": [gives("in_sub", "canary-sub")], "delete_after_secs": 0});
    run(&bench, json!({"modules": modules}), inner).await;
    erased(&bench, None).await;
    let gone = ["canary-loop", "canary-item", "canary-sub"];
    check_left(&bench, &["canary-before", "canary-after", "canary-input"], &gone).await;
    for id in ["loop", "in_loop", "sub", "in_sub"] {
        assert_eq!(shown(&bench, id).await, (json!({}), json!({})), "of `{id}`");
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_of_a_sub_flow_is_erased_by_itself() {
    let (bench, _clock) = bench().await;
    let marked = with(gives("marked", "canary-marked"), "delete_after_use", json!(true));
    let inner = json!({"modules": [marked, gives("plain", "canary-plain")]});
    let sub = json!({"id": "sub", "value": {"type": "flow", "path": "workflow/inner", "input_transforms": {}}});
    run(&bench, json!({"modules": [sub, gives("last", "canary-last")]}), inner).await;
    erased(&bench, None).await;
    check_left(&bench, &["canary-plain", "canary-last"], &["canary-marked"]).await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_output_is_made_of_is_kept_until_the_flow_is_erased() {
    let (bench, clock) = bench().await;
    let marked = with(gives("marked", "canary-marked"), "delete_after_use", json!(true));
    let last = json!({"id": "last", "delete_after_use": true, "value": {"type": "forloopflow", "skip_failures": false,
        "iterator": {"type": "static", "value": [1, 2]}, "modules": [marked, {"id": "pass", "value": {"type": "identity"}}]}});
    run(&bench, json!({"modules": [last], "delete_after_secs": 5}), json!({"modules": []})).await;
    let job = erased(&bench, Some(END.plus_ms(5_000))).await;
    let one = json!({"text": "canary-marked"});
    assert_eq!(bench.output(&job).await, json!([one, one]));
    assert_eq!(shown(&bench, "last").await, (json!({}), json!({})), "the step itself shows nothing");
    assert_eq!(shown(&bench, "marked").await, (json!({}), json!({})));
    clock.advance_to(END.plus_ms(5_000));
    let job = erased(&bench, None).await;
    assert_eq!(job.state.output, Some(ValueRef::Erased));
    check_left(&bench, &[], &["canary-marked"]).await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_what_is_erased_keep_their_name_only() {
    let (bench, clock) = bench().await;
    let failing = json!({"id": "failing", "delete_after_use": true, "value": {"type": "forloopflow", "skip_failures": false,
        "modules": [], "iterator": {"type": "javascript", "expr": "`canary-` + `error`"}}});
    let around = json!({"id": "around", "continue_on_error": true, "value": {"type": "branchall", "parallel": false,
        "branches": [{"modules": [failing]}]}});
    run(
        &bench,
        json!({"modules": [around, gives("last", "canary-last")], "delete_after_secs": 60}),
        json!({"modules": []}),
    )
    .await;
    let job = erased(&bench, Some(END.plus_ms(60_000))).await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    check_left(&bench, &["canary-last"], &["canary-error"]).await;
    let steps = bench.steps().await;
    for id in ["failing", "around"] {
        let error = find(&steps, id).error.clone().expect("it failed");
        assert_eq!(error, json!({"name": "iterator_error", "message": "erased", "step_id": "failing"}), "of `{id}`");
    }
    clock.advance_to(END.plus_ms(60_000));
    erased(&bench, None).await;
    check_left(&bench, &[], &["canary-last", "canary-input"]).await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_job_failed_is_told_until_the_flow_is_erased() {
    let (bench, clock) = bench().await;
    let failing = json!({"id": "failing", "delete_after_use": true, "value": {"type": "forloopflow", "skip_failures": false,
        "modules": [], "iterator": {"type": "javascript", "expr": "`canary-` + `error`"}}});
    let handler = json!({"value": {"type": "flow", "path": "workflow/echo",
        "input_transforms": {"text": {"type": "javascript", "expr": "`handled ` + error.name"}}}});
    let flow = json!({"modules": [failing], "failure_module": handler, "delete_after_secs": 60});
    run(&bench, flow, json!({"modules": []})).await;
    let job = erased(&bench, Some(END.plus_ms(60_000))).await;
    assert_eq!(job.state.status, JobStatus::Failed);
    assert!(job.state.error.expect("an error")["message"].as_str().is_some_and(|text| text.contains("canary-error")));
    // The handler is a module of its own.
    assert_eq!(shown(&bench, "failure").await.1, json!({"text": "handled iterator_error"}));
    clock.advance_to(END.plus_ms(60_000));
    let job = erased(&bench, None).await;
    check_left(&bench, &[], &["canary-error", "handled", "canary-input"]).await;
    let left = json!({"name": "iterator_error", "message": "erased", "step_id": "failing"});
    assert_eq!(job.state.error, Some(left));
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_is_erased_with_the_operation_that_it_left() {
    let bench = Bench::start(fake_providers::Behaviour { delay_ms: 600_000, ..fast() }).await;
    let call = json!({"id": "draw", "delete_after_use": true, "value": {
    "type": "script", "path": "node/replicate_flux_kontext_pro_node_id", "input_transforms": {
        "prompt": {"type": "javascript", "expr": "`canary-` + `prompt`"},
        "input_image": {"type": "static", "value": "https://example.com/a.png"},
    }}});
    run(&bench, json!({"modules": [call]}), json!({"modules": []})).await;
    while bench.steps().await.first().is_none_or(|step| step.provider_id.is_none()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.runtime.cancel_job("job", "not needed", None).await, Ok(true));
    let job = erased(&bench, None).await;
    assert_eq!(job.state.status, JobStatus::Cancelled);
    check_left(&bench, &["canary-input"], &["canary-prompt"]).await;
    let operation = bench.provider.stats().predictions[0]["id"].as_str().expect("an id").to_owned();
    let values =
        bench.store.read_values("job", &(1..=job.last_seq).collect::<Vec<_>>()).await.expect("values are read");
    assert!(!format!("{values:?}").contains(&operation), "the operation that was cancelled is erased with its step");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_over_from_an_earlier_run_is_erased_in_both() {
    let (bench, clock) = bench().await;
    let failing = json!({"id": "failing", "continue_on_error": true, "delete_after_secs": 60, "value": {
        "type": "forloopflow", "skip_failures": false, "modules": [],
        "iterator": {"type": "javascript", "expr": "`canary-` + `error`"}}});
    let modules = [
        with(gives("marked", "canary-marked"), "delete_after_secs", json!(60)),
        failing,
        gives("plain", "canary-plain"),
        gives("last", "canary-last"),
    ];
    run(&bench, json!({"modules": modules}), json!({"modules": []})).await;
    erased(&bench, Some(END.plus_ms(60_000))).await;
    let bundle = bench.store.load_job("job").await.expect("the job is loaded").bundle;
    let prepared = Prepared::compile_bundle(bundle.clone()).expect("the document was run");
    let taken_over = apiflow_core::runtime::taken_over(&bench.runtime, "job", &prepared, ("", "last")).await;
    let taken_over = taken_over.expect("the first run is read");
    let again = JobRequest { taken_over, ..JobRequest::new("again", 1, bundle, json!({})) };
    bench.runtime.submit_job(again).await.expect("the job is made");
    erased_of(&bench, "again", Some(END.plus_ms(60_000))).await;
    let gone = ["canary-marked", "canary-error"];
    let before = everything(&bench, "again").await;
    assert!(gone.iter().all(|canary| before.contains(canary)), "it was taken over");
    clock.advance_to(END.plus_ms(60_000));
    for id in ["job", "again"] {
        erased_of(&bench, id, None).await;
        let all = everything(&bench, id).await;
        assert!(gone.iter().all(|canary| !all.contains(canary)), "in `{id}`: {all}");
        assert!(all.contains("canary-plain") && all.contains("canary-last"), "in `{id}`: {all}");
    }
    bench.finish().await;
}
