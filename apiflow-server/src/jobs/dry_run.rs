//! Dry runs: a workflow is validated as for a run, but no job is created and nothing is sent.
//!
//! A dry run uses the processor on behalf of the user who requested it, and takes turns with those of other users.

use std::time::Duration;

use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::digest::hash_value;
use apiflow_core::dry_run::{Approvals, DryRun, DryRunError, Mocks, Report};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::api::DryRunRequest;
use crate::documents::references;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::jobs::prepared_workflows::{check_workflow_input, prepare_document};
use crate::state::AppState;

/// Maximum duration of a dry run: only its expressions take time.
const MAX_DRY_RUN_TIME: Duration = Duration::from_mins(1);

/// Runs a workflow with simulated replies.
pub(crate) async fn dry_run_document(state: &AppState, user: &str, asked: DryRunRequest) -> Result<Report, Problem> {
    let DryRunRequest { document, input, preprocess, until, only, mocks, approvals } = asked;
    let limits = state.settings.documents;
    let measure = move || {
        limits.check_workflow(&document, "/document")?;
        match references::control_in_id(&document) {
            Some(pointer) => Err(Problem::single_fault(format!("/document{pointer}"), references::CONTROL_IN_ID)),
            None => Ok(document),
        }
    };
    let document = state.validation.places.run(user, measure).await??;
    let mocks = Mocks::parse(&Value::Object(mocks)).map_err(|found| field_problem("mocks", found))?;
    let approvals = Approvals::parse(&Value::Object(approvals)).map_err(|found| field_problem("approvals", found))?;
    let directory = state.secrets.read_directory().await?;
    let catalog = references::load_declarations(&state.cached_documents, &directory, &[&document]).await?.catalog;
    let raw = preprocess || only.is_some();
    let dry_run = DryRun { until, only, preprocess, mocks, approvals, ..DryRun::default() };
    let select = move || {
        let selected = dry_run.select_document(document, &catalog).map_err(dry_run_problem)?;
        let digest = hash_value(&selected);
        Ok::<_, Problem>((dry_run, selected, digest))
    };
    let (dry_run, selected, digest) = state.dry_run_places.run(user, select).await??;
    let workflow = prepare_document(state, user, selected, digest).await?;
    let input = if raw { Value::Object(input) } else { check_workflow_input(state, user, &workflow, input).await? };
    let (runtime, handle) = (state.runtime.clone(), Handle::current());
    let dry_run = DryRun { input, ..dry_run };
    let run = move || {
        let run = dry_run.run(&workflow.prepared, runtime.evaluator(), |_| None);
        handle.block_on(async { tokio::time::timeout(MAX_DRY_RUN_TIME, run).await })
    };
    match state.dry_run_places.run(user, run).await? {
        Ok(report) => Ok(report),
        Err(_) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            problem_codes::TOO_LONG,
            format!(
                "the dry run took longer than {} s: mock the steps whose code runs long",
                MAX_DRY_RUN_TIME.as_secs()
            ),
        )),
    }
}

fn dry_run_problem(error: DryRunError) -> Problem {
    match error {
        DryRunError::Document(found) => Problem::not_runnable("the workflow has errors and cannot run", found),
        DryRunError::Mocks(found) => field_problem("mocks", found),
        DryRunError::Approvals(found) => field_problem("approvals", found),
        DryRunError::Selection(found) => Problem::from_diagnostics("selection", found),
        other => Problem::internal(other),
    }
}

/// Reports findings about a field of the request.
fn field_problem(field: &str, found: Vec<Diagnostic>) -> Problem {
    let within = |found: Diagnostic| Diagnostic { pointer: format!("/{field}{}", found.pointer), ..found };
    Problem::from_diagnostics(&format!("field `{field}`"), found.into_iter().map(within).collect())
}
