//! What providers report about running steps.

use super::fixtures::{Subject, commit, create_claimed, empty_turn, ending_turn, step_row};
use crate::ports::{Commit, Erasure, LogTail, StepLog, StepReport, StepRow, StepStatus};

super::list_cases![
    a_report_shows_in_its_running_step_and_outlives_commits,
    a_log_belongs_to_an_attempt_and_never_shrinks,
    a_report_goes_with_its_job_and_with_the_calls_of_its_step,
];

fn report(step: u64, attempt: u32, log: Option<&str>) -> StepReport {
    StepReport { step, attempt, log: log.map(LogTail::of_text), ..StepReport::default() }
}

async fn record(store: &Subject, job: &str, report: StepReport) {
    store.record_step_report(job, report).await.expect("a report is recorded");
}

async fn log_of(store: &Subject, step: u64) -> Option<(u32, String, u64)> {
    let log = store.read_step_log("a", step).await.expect("a log is read");
    log.map(|StepLog { attempt, tail }| (attempt, tail.text, tail.total_bytes))
}

async fn a_report_shows_in_its_running_step_and_outlives_commits(store: Subject) {
    let version = create_claimed(&store, "a").await;
    let version = commit(&store, Commit { steps: vec![step_row(2), step_row(3)], ..empty_turn("a", version) }).await;
    let preview = Some("https://example.com/p.png".to_owned());
    let full = StepReport { queue_position: Some(4), preview: preview.clone(), ..report(2, 1, Some("äb")) };
    record(&store, "a", full.clone()).await;
    let shown = StepRow { queue_position: Some(4), preview, log_bytes: 3, ..step_row(2) };
    assert_eq!(store.list_steps("a", 0, 10).await, Ok(vec![shown.clone(), step_row(3)]));
    assert_eq!(store.list_steps_in_progress("a", 10).await, Ok(vec![shown.clone()]));
    let version = commit(&store, Commit { steps: vec![step_row(2)], ..empty_turn("a", version) }).await;
    assert_eq!(store.list_steps("a", 0, 1).await, Ok(vec![shown]), "commits leave it alone");
    // Work that runs is in no queue any more, and its log stays as it was.
    record(&store, "a", report(2, 1, None)).await;
    assert_eq!(store.list_steps("a", 0, 1).await, Ok(vec![StepRow { log_bytes: 3, ..step_row(2) }]));
    record(&store, "a", full).await;
    let ended = StepRow { status: StepStatus::Completed, ..step_row(2) };
    commit(&store, Commit { steps: vec![ended.clone()], ..empty_turn("a", version) }).await;
    let rows = store.list_steps("a", 0, 1).await;
    assert_eq!(rows, Ok(vec![StepRow { log_bytes: 3, ..ended }]), "an ended step is in no queue");
    assert_eq!(store.list_steps_in_progress("a", 10).await, Ok(Vec::new()));
    assert_eq!(store.record_step_report("missing", report(2, 1, Some("x"))).await, Ok(()));
}

async fn a_log_belongs_to_an_attempt_and_never_shrinks(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, Commit { steps: vec![StepRow { attempt: 2, ..step_row(2) }], ..empty_turn("a", version) }).await;
    assert_eq!(log_of(&store, 2).await, None);
    record(&store, "a", report(2, 1, Some("first try"))).await;
    assert_eq!(log_of(&store, 2).await, Some((1, "first try".to_owned(), 9)));
    let queued = StepReport { queue_position: Some(1), ..report(2, 1, Some("first")) };
    record(&store, "a", queued).await;
    assert_eq!(log_of(&store, 2).await, Some((1, "first try".to_owned(), 9)), "a late poll takes nothing away");
    let steps = store.list_steps("a", 0, 10).await.expect("steps are read");
    assert_eq!(steps[0].queue_position, None, "another attempt's position is not shown");
    record(&store, "a", report(2, 2, Some("x"))).await;
    record(&store, "a", report(2, 1, Some("first try, too late"))).await;
    assert_eq!(log_of(&store, 2).await, Some((2, "x".to_owned(), 1)));
    record(&store, "a", report(2, 3, None)).await;
    assert_eq!(log_of(&store, 2).await, None);
    assert_eq!(log_of(&store, 9).await, None);
}

async fn a_report_goes_with_its_job_and_with_the_calls_of_its_step(store: Subject) {
    let version = create_claimed(&store, "a").await;
    commit(&store, Commit { steps: vec![step_row(2), step_row(3)], ..ending_turn("a", version) }).await;
    for step in [2, 3] {
        record(&store, "a", report(step, 1, Some("canary"))).await;
    }
    let erasure = Erasure { job: "a".to_owned(), calls: vec![2], ..Erasure::default() };
    store.erase_job_data(erasure).await.expect("it is erased");
    assert_eq!(log_of(&store, 2).await, None);
    assert_eq!(log_of(&store, 3).await, Some((1, "canary".to_owned(), 6)));
    store.delete_job("a").await.expect("an ended job is removed");
    create_claimed(&store, "a").await;
    assert_eq!(log_of(&store, 3).await, None);
}
