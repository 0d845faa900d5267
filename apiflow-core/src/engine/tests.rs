//! Journals of earlier versions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Effect, Event, Fact, Input, Program, Run};
use crate::ports::{JobBundle, JobStatus, StepRow, StepStatus, Timestamp, ValueRef};

fn program() -> Arc<Program> {
    let call = |id: &str| {
        json!({"id": id, "value": {"type": "script", "path": "node/n"},
        "retry": {"constant": {"attempts": 1, "seconds": 0}}})
    };
    let body = json!({"type": "forloopflow", "iterator": {"type": "static", "value": [1]}, "skip_failures": true,
        "modules": [call("inner")]});
    let document = json!({"value": {"modules": [call("a"), {"id": "loop", "value": body}, call("b")]}});
    Arc::new(Program::compile_bundle(&JobBundle { document, ..JobBundle::default() }).expect("a document"))
}

fn fold(bodies: &[Value]) -> Run {
    let mut run = Run::new(program());
    for (seq, body) in (1..).zip(bodies) {
        let event: Event = serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{body}: {error}"));
        run.apply_event(seq, Timestamp(1_000), &event);
    }
    run
}

/// Returns the journal of a job that reused a step, tolerated a failed iteration and retries a call, as version 0.1
/// wrote it.
fn old_journal() -> Vec<Value> {
    let error = json!({"name": "InternalError", "message": "the arguments could not be read", "step_id": "inner"});
    let call = json!({"call": {"deadline": 61_000, "timeout_ms": 5_000}});
    vec![
        json!({"type": "created", "seed": 1}),
        json!({"type": "kept", "step_id": "a"}),
        json!({"type": "step_passed", "frame": 0, "step_id": "a", "result": {"row": 2}}),
        json!({"type": "advanced", "frame": 0}),
        json!({"type": "step_started", "frame": 0, "step_id": "loop", "start": {"loop": {"length": 1, "sequential": true, "limit": 1}}}),
        json!({"type": "frame_opened", "frame": 0, "child": 1, "slot": 0}),
        json!({"type": "step_started", "frame": 1, "step_id": "inner", "path": "loop[0]", "start": call}),
        json!({"type": "attempt_failed", "frame": 1, "error": error}),
        json!({"type": "step_failed", "frame": 1}),
        json!({"type": "frame_closed", "frame": 0, "child": 1, "slot": 0, "result": {"row": 8}, "list": 5, "error": error, "kept": true}),
        json!({"type": "step_completed", "frame": 0, "result": {"list": 5}}),
        json!({"type": "advanced", "frame": 0}),
        json!({"type": "step_started", "frame": 0, "step_id": "b", "start": call}),
    ]
}

fn open_call(run: &Run) -> super::Call {
    let call = run
        .pending_effects()
        .into_iter()
        .find_map(|effect| if let Effect::Call(call) = effect { Some(call) } else { None });
    call.expect("a call is open")
}

#[test]
fn an_old_journal_folds_to_the_call_that_it_left_open() {
    let run = fold(&old_journal());
    let call = open_call(&run);
    assert_eq!(
        (call.effect, call.attempt, call.deadline),
        (13, 1, Timestamp(61_000)),
        "the journalled deadline counts"
    );
}

#[test]
fn a_failure_with_an_old_error_name_is_retried_and_ends_the_job_as_any_other() {
    let mut run = fold(&old_journal());
    for attempt in [1, 2] {
        let call = open_call(&run);
        assert_eq!(call.attempt, attempt);
        let error = json!({"name": "InternalError", "message": "x"});
        let fact = Fact::Answered { effect: call.effect, answer: Answer::Failed { error } };
        run.decide_and_apply(Timestamp(2_000), Input::Fact(fact));
    }
    assert_eq!((run.status(), run.job_state().retry_count), (JobStatus::Failed, 1));
    assert_eq!(run.job_state().error.map(|error| error["name"].clone()), Some(json!("InternalError")));
}

#[test]
fn a_new_attempt_counts_as_lost_after_the_timeout_of_its_start() {
    let mut journal = old_journal();
    let last = journal.last_mut().expect("events");
    *last = json!({"type": "step_started", "step_id": "b", "start": {"call": {"timeout_ms": 5_000}}});
    assert_eq!(open_call(&fold(&journal)).deadline, Timestamp(6_000));
}

#[test]
fn an_old_step_row_is_read() {
    let old = json!({"ordinal": 1, "step_id": "a", "path": "", "status": "running", "attempt": 1, "started_at": 1_000,
        "finished_at": null, "input": {"row": 1}, "output": null, "error": null, "progress": null, "provider_id": null,
        "retry_at": null});
    let row: StepRow = serde_json::from_value(old).expect("a row");
    let new = serde_json::to_value(&row).expect("plain data");
    assert_eq!((row.status, &row.input, &row.output), (StepStatus::Running, &Some(ValueRef::Row(1)), &None));
    assert_eq!(serde_json::from_value::<StepRow>(new).expect("a row"), row);
}
