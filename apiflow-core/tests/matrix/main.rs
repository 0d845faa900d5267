//! The ways in which media APIs answer, each as data: a declaration, and a provider that follows a script. There is no
//! code for one provider, here or in the core; a new row is a new file in `rows/`.
//!
//! Each row is run to its end, cancelled, made to fail in the provider's own words, and refused by its rate limit.

mod row;
mod run;
mod scripted_provider;

use self::row::{Row, read_rows};
use self::run::MatrixRun;

/// Runs a check for each row, and reports all rows that fail.
async fn check_rows(check: impl AsyncFn(&Row) -> Result<(), String>) {
    let mut faults = Vec::new();
    for row in read_rows() {
        if let Err(fault) = check(&row).await {
            faults.push(format!("{}: {fault}", row.name));
        }
    }
    assert!(faults.is_empty(), "{} rows fail:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_answer_ends_with_the_bytes_that_the_provider_made() {
    check_rows(async |row| {
        let run = MatrixRun::start(row, &row.routes).await;
        let ended = run.finish().await;
        ended.check_outputs(&row.output)?;
        ended.check_call_count(&row.submit, 1)?;
        ended.check_submit(&row.expects)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_job_cancels_the_work_where_the_provider_can() {
    check_rows(async |row| {
        let Some(cancel) = &row.cancel else { return Ok(()) };
        let run = MatrixRun::start(row, &row.routes_that_never_end(cancel)).await;
        run.wait_for_call(&cancel.running).await?;
        let ended = run.cancel().await;
        ended.check_status("cancelled")?;
        ended.check_call_count(&row.submit, 1)?;
        ended.check_call_count(&cancel.call, 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_class_that_the_provider_means_and_are_not_paid_twice() {
    check_rows(async |row| {
        for error in &row.errors {
            let run = MatrixRun::start(row, &row.routes_with(error)).await;
            let ended = run.finish().await;
            let told = |fault| format!("{}: {fault}", error.class);
            ended.check_error(&error.class, error.message.as_deref()).map_err(told)?;
            ended.check_call_count(&row.submit, 1).map_err(told)?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_the_rate_limit_refused_is_sent_again() {
    check_rows(async |row| {
        let Some(refusal) = &row.rate_limit else { return Ok(()) };
        let run = MatrixRun::start(row, &row.routes_after(refusal)).await;
        let ended = run.finish().await;
        ended.check_outputs(&row.output)?;
        ended.check_call_count(&row.submit, 2)
    })
    .await;
}
