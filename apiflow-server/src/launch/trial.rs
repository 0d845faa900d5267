//! A workflow tried out: checked as a run is, but no job is made and nothing is sent.

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::dry_run::{Approvals, DryRun, DryRunError, DryRunLimits, Mocks, Report};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::runtime::Handle;

use super::Launch;
use crate::api::DryRunRequest;
use crate::places::{FairPlaces, PlaceLimits};
use crate::problem::Problem;
use crate::references;
use crate::state::AppState;

/// How long a caller waits for a dry run: it takes no time but that of its expressions.
const LONGEST: Duration = Duration::from_mins(1);

/// Tries workflows out, few at a time: it is processor work of whoever sent them, and takes its turn with that of other
/// users. The places are others than those of checks: a dry run may take a minute.
#[derive(Debug, Clone)]
pub(crate) struct Trials(FairPlaces);

impl Default for Trials {
    fn default() -> Self {
        Self(FairPlaces::new(PlaceLimits::of_machine()))
    }
}

/// What is tried out.
struct Trial {
    document: Value,
    catalog: Catalog,
    until: Option<String>,
    only: Option<String>,
    preprocess: bool,
    mocks: Mocks,
    approvals: Approvals,
}

/// Tries a workflow out.
pub(crate) async fn dry_run(state: &AppState, user: &str, asked: DryRunRequest) -> Result<Report, Problem> {
    let DryRunRequest { document, input, preprocess, until, only, mocks, approvals } = asked;
    let limits = state.settings.documents;
    let measure = move || {
        limits.check_workflow(&document, "/document")?;
        match references::control_in_id(&document) {
            Some(pointer) => Err(Problem::fault(format!("/document{pointer}"), references::CONTROL_IN_ID)),
            None => Ok(document),
        }
    };
    let document = state.validation.places.run(user, measure).await??;
    let mocks = Mocks::parse(&Value::Object(mocks)).map_err(|found| unfit("mocks", found))?;
    let approvals = Approvals::parse(&Value::Object(approvals)).map_err(|found| unfit("approvals", found))?;
    let directory = state.secrets.directory().await?;
    let catalog = references::declarations(&*state.documents, &directory, &[&document]).await?.catalog;
    let raw = preprocess || only.is_some();
    let trial = Arc::new(Trial { document, catalog, until, only, preprocess, mocks, approvals });
    let selected = {
        let trial = Arc::clone(&trial);
        state.trials.0.run(user, move || trial.with(Value::Null).selected().map_err(refused)).await??
    };
    let launch = Launch::checked(state, user, String::new(), selected, input, raw).await?;
    let (runtime, handle) = (state.runtime.clone(), Handle::current());
    let run = move || {
        let run = trial.with(launch.input).run(runtime.evaluator(), |_| None);
        handle.block_on(async { tokio::time::timeout(LONGEST, run).await })
    };
    match state.trials.0.run(user, run).await? {
        Ok(ended) => ended.map_err(refused),
        Err(_) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_long",
            format!("the dry run took longer than {} s: mock the steps whose code takes long", LONGEST.as_secs()),
        )),
    }
}

impl Trial {
    fn with(&self, input: Value) -> DryRun<'_> {
        DryRun {
            document: &self.document,
            catalog: &self.catalog,
            input,
            until: self.until.clone(),
            only: self.only.clone(),
            preprocess: self.preprocess,
            mocks: self.mocks.clone(),
            approvals: self.approvals.clone(),
            limits: DryRunLimits::default(),
        }
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
