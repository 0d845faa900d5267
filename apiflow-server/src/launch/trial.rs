//! A workflow tried out: checked as a run is, but no job is made and nothing is sent.

use std::time::Duration;

use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::dry_run::{Approvals, DryRun, DryRunError, DryRunLimits, Mocks, Report};
use axum::http::StatusCode;
use serde_json::Value;

use super::Launch;
use crate::api::DryRunRequest;
use crate::problem::Problem;
use crate::references;
use crate::state::AppState;

/// How long a caller waits for a dry run: it takes no time but that of its expressions.
const LONGEST: Duration = Duration::from_mins(1);

/// Tries a workflow out.
pub(crate) async fn dry_run(state: &AppState, asked: DryRunRequest) -> Result<Report, Problem> {
    let DryRunRequest { document, input, preprocess, until, only, mocks, approvals } = asked;
    let catalog = references::catalog(&*state.documents, &[&document]).await?;
    let trial = DryRun {
        document: &document,
        catalog: &catalog,
        input: Value::Null,
        until,
        only,
        preprocess,
        mocks: Mocks::parse(&Value::Object(mocks)).map_err(|found| unfit("mocks", found))?,
        approvals: Approvals::parse(&Value::Object(approvals)).map_err(|found| unfit("approvals", found))?,
        limits: DryRunLimits::default(),
    };
    let selected = trial.selected().map_err(refused)?;
    let raw = preprocess || trial.only.is_some();
    let launch = Launch::checked(state, String::new(), selected, input, raw).await?;
    let run = DryRun { input: launch.input, ..trial }.run(state.runtime.evaluator(), |_| None);
    match tokio::time::timeout(LONGEST, run).await {
        Ok(ended) => ended.map_err(refused),
        Err(_) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_long",
            format!("the dry run took longer than {} s: mock the steps whose code takes long", LONGEST.as_secs()),
        )),
    }
}

fn refused(error: DryRunError) -> Problem {
    match error {
        DryRunError::Document(found) => Problem::not_runnable("the workflow has errors and cannot run", found),
        DryRunError::Mocks(found) => unfit("mocks", found),
        DryRunError::Approvals(found) => unfit("approvals", found),
        DryRunError::Selection(found) => Problem::from_diagnostics("selection", found),
        other => Problem::internal(other),
    }
}

/// Findings about a field of the request.
fn unfit(field: &str, found: Vec<Diagnostic>) -> Problem {
    let within = |found: Diagnostic| Diagnostic { pointer: format!("/{field}{}", found.pointer), ..found };
    Problem::from_diagnostics(&format!("field `{field}`"), found.into_iter().map(within).collect())
}
