//! Dry runs: runs a workflow on the real engine with simulated replies, without sending anything.
//!
//! [`DryRun::run`] drives the same [`crate::engine::Run`] as the durable runtime, evaluates the same expressions and
//! builds the same requests, but replaces the network: each call is answered immediately, by a function, by a mock, or
//! by a sample of the outputs that its node declares. Time is virtual: calls take none, and sleeps and retries skip to
//! the moment that they wait for. The same dry run produces the same report, except for expressions that use the time
//! or random numbers.
//!
//! Requests that depend on a provider's first reply (polls, results, cancellations) cannot be simulated, so a report
//! only contains the requests that start the work.

mod approvals;
mod by_step;
mod driver;
mod mocks;
mod report;
mod sample_outputs;

use serde::Serialize;
use serde_json::Value;

pub use self::approvals::{ApprovalAction, Approvals, GivenApproval};
pub use self::mocks::{Mocks, Outcome};
pub use self::report::{Report, ReportEvent, ReportRequest, ReportStep, ResultSource};
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Severity, codes, has_errors};
use crate::engine::{Program, ProgramError, read_document};
use crate::openflow::Selection;
use crate::ports::{Evaluator, JobBundle, SharedBundle};
use crate::prepared::Prepared;
use crate::validate;

/// The settings of a dry run: which part of a workflow runs, on which input, with which simulated replies.
#[derive(Debug, Clone, Default)]
pub struct DryRun {
    /// The input, already validated, with defaults filled in.
    pub input: Value,
    /// Runs up to this step, inclusive.
    pub until: Option<String>,
    /// Runs this step alone; results that it refers to are those of the mocks.
    pub only: Option<String>,
    /// Whether the document's preprocessor, if it has one, first converts `input` to the flow's input.
    pub preprocess: bool,
    /// Replies of calls, and results of steps that make no call, by step.
    pub mocks: Mocks,
    /// Answers of approval gates, by step.
    pub approvals: Approvals,
    /// Limits that end the dry run.
    pub limits: DryRunLimits,
}

/// Limits of a dry run, which ends with the error `dry_run_limit` if one is exceeded: a loop may be endless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DryRunLimits {
    /// Maximum number of events.
    pub events: usize,
    /// Maximum number of calls.
    pub calls: usize,
    /// Maximum size of all values together, in bytes of JSON (estimated).
    pub value_bytes: usize,
}

impl Default for DryRunLimits {
    fn default() -> Self {
        Self { events: 20_000, calls: 2_000, value_bytes: 32 * 1024 * 1024 }
    }
}

/// A call that would be sent now.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sending<'a> {
    /// Id of the module.
    pub step_id: &'a str,
    /// Ids of the enclosing modules, with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: &'a str,
    /// Path of the node (`node/<node id>`).
    pub node: &'a str,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The inputs of the call.
    pub input: &'a Value,
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    pub request: &'a Value,
}

/// Why a dry run was not started.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DryRunError {
    /// The document is not a workflow, or a sub-flow is missing.
    #[error("the workflow cannot be read: {}", join_error_messages(.0))]
    Document(Vec<Diagnostic>),
    /// A mock matches no step; pointers are relative to the mocks.
    #[error("the mocks do not match the workflow: {}", join_error_messages(.0))]
    Mocks(Vec<Diagnostic>),
    /// The selected part does not exist; pointers are `/until` and `/only`.
    #[error("the selected part of the workflow does not exist: {}", join_error_messages(.0))]
    Selection(Vec<Diagnostic>),
    /// An approval matches no gate; pointers are relative to the approvals.
    #[error("the approvals do not match the workflow: {}", join_error_messages(.0))]
    Approvals(Vec<Diagnostic>),
}

impl DryRun {
    /// Returns the document of the selected part, in which results replace mocked steps that make no call. Callers that
    /// refuse documents with errors check this one.
    ///
    /// # Errors
    /// [`DryRunError::Document`] if the document is not a workflow, [`DryRunError::Mocks`], [`DryRunError::Approvals`],
    /// [`DryRunError::Selection`].
    pub fn select_document(&self, document: Value, catalog: &Catalog) -> Result<Value, DryRunError> {
        if !self.mocks.is_empty() || !self.approvals.is_empty() {
            let program = compile_program(&document, catalog)
                .map_err(|error| DryRunError::Document(explain_unusable(&document, catalog, &error)))?;
            let fits = |found: Vec<Diagnostic>| if found.is_empty() { Ok(()) } else { Err(found) };
            fits(self.mocks.check_steps(&program)).map_err(DryRunError::Mocks)?;
            fits(self.approvals.check_gates(&program)).map_err(DryRunError::Approvals)?;
        }
        let mocks = self.mocks.step_replacements(&document, self.only.as_deref());
        let selection = Selection { until: self.until.clone(), only: self.only.clone(), mocks };
        if selection.is_whole() {
            return Ok(document);
        }
        selection.select_from(&document).map_err(DryRunError::Selection)
    }

    /// Selects the part to run, and compiles it.
    ///
    /// # Errors
    /// Those of [`DryRun::select_document`].
    pub fn prepare(&self, document: Value, catalog: Catalog) -> Result<Prepared, DryRunError> {
        let selected = self.select_document(document, &catalog)?;
        Self::prepare_selected(selected, catalog)
    }

    /// Compiles a selected document. The caller decides whether errors in it refuse a run: here its steps run as far as
    /// possible.
    ///
    /// # Errors
    /// [`DryRunError::Document`] if it is not a workflow, or a sub-flow is missing.
    pub fn prepare_selected(document: Value, catalog: Catalog) -> Result<Prepared, DryRunError> {
        let bundle = SharedBundle::from(JobBundle { document, catalog, ..JobBundle::default() });
        Prepared::compile_bundle(bundle.clone())
            .map_err(|error| DryRunError::Document(explain_unusable(&bundle.document, &bundle.catalog, &error)))
    }

    /// Runs a selected document to its end. For each call, `answer` is asked first; if it returns `None`, the mocks, then
    /// the node's outputs are used.
    ///
    /// A workflow that fails or does not end has a report, too.
    pub async fn run<F>(self, prepared: &Prepared, evaluator: &dyn Evaluator, answer: F) -> Report
    where
        F: FnMut(&Sending<'_>) -> Option<Outcome>,
    {
        driver::DryRunDriver::new(self, prepared, evaluator, answer).drive_to_report().await
    }
}

fn compile_program(document: &Value, catalog: &Catalog) -> Result<Program, ProgramError> {
    Program::compile_document(read_document("the workflow", document)?, &catalog.workflows)
}

/// Returns the findings about a document that cannot be compiled.
fn explain_unusable(document: &Value, catalog: &Catalog, error: &ProgramError) -> Vec<Diagnostic> {
    let found = validate::validate_workflow(document, catalog);
    // The validator reads only those parts of sub-flows that their callers need.
    if has_errors(&found) { found } else { vec![Diagnostic::new_error(codes::WRONG_TYPE, "", error.to_string())] }
}

/// Joins the messages of all errors in one line.
fn join_error_messages(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.severity == Severity::Error);
    errors.map(|found| format!("{} (at `{}`)", found.message, found.pointer)).collect::<Vec<_>>().join("; ")
}
