//! OpenFlow's cases as data, run by the real driver on a memory store in virtual time.

mod harness;

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::engine::{Event, Program, Run};
use apiflow_core::ports::{Clock as _, EventRow, JobJournal, JobQueue, JobRow, Timestamp};
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::ManualClock;
use apiflow_core::runtime::memory::MemoryStore;
use harness::cases::{Case, assert_all_passed, read_cases};
use harness::{Engine, LEASE, Outcome, bundle};

/// Runs a case to its end in virtual time.
async fn run(case: &Case) -> Outcome {
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let pass = async || {
        if let Some(due) = store.read_next_due_at().await.expect("the store answers")
            && due > clock.now()
            && due < clock.now().plus_ms(LEASE.as_millis() as u64 / 2)
        {
            clock.advance_to(due);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let engine = Engine::start(store.clone(), clock.clone(), Arc::new(BoaEvaluator::new()));
    let outcome = engine.run(case, "job", pass).await;
    engine.end().await;
    replays_to_itself(case, store.as_ref(), &outcome.job).await;
    outcome
}

/// Asserts that the journal alone gives the job's end, and that a snapshot at any point of it changes nothing.
async fn replays_to_itself(case: &Case, store: &MemoryStore, job: &JobRow) {
    let program = Arc::new(Program::compile_bundle(&bundle(&case.flow)).expect("the case was run"));
    let journal = store.read_events("job", 0, 100_000).await.expect("the store answers");
    let apply = |run: &mut Run, row: &EventRow| {
        let event: Event = serde_json::from_value(row.body.clone()).expect("an event");
        run.apply_event(row.seq, row.at, &event);
    };
    let mut whole = Run::new(program.clone());
    let mut snapshots = Vec::new();
    for row in &journal {
        apply(&mut whole, row);
        snapshots.push(whole.take_snapshot());
    }
    assert_eq!(whole.job_state(), job.state, "case `{}`: the journal gives another end", case.name);
    assert_eq!(whole.was_skipped(), case.expect.skipped.unwrap_or(whole.was_skipped()), "case `{}`", case.name);
    for (taken, snapshot) in snapshots.iter().enumerate() {
        let mut restored = Run::restore_snapshot(program.clone(), snapshot).expect("a snapshot");
        for (row, expected) in journal.iter().zip(&snapshots).skip(taken + 1) {
            apply(&mut restored, row);
            assert_eq!(&restored.take_snapshot(), expected, "case `{}`, event {} after {taken}", case.name, row.seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cases_come_out_as_openflow_has_them() {
    let mut failed = Vec::new();
    for case in &read_cases() {
        let found = run(case).await.list_differences(case);
        if !found.is_empty() {
            failed.push(format!("{}: {}", case.name, found.join("; ")));
        }
    }
    assert_all_passed(&failed);
}
