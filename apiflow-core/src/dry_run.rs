//! A workflow tried out: the real engine with made-up answers, and nothing sent.
//!
//! [`DryRun::run`] drives the same [`crate::engine::Run`] as the durable runtime does, evaluates the same expressions
//! and builds the same requests, but stands where the network would be: each call is answered at once, by a function,
//! by a mock, or by a value made from the outputs that its node declares. Time is virtual: calls take none, and
//! sleeps and retries jump to the moment that they wait for. The same dry run produces the same report, but for
//! expressions that ask for the time or for random numbers.
//!
//! What a provider would be asked after its first reply (polls, results, cancellations) is made from that reply, so a
//! report has the requests that start the work only.

mod approvals;
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
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::engine::Program;
use crate::openflow::Selection;
use crate::ports::{Evaluator, JobBundle};
use crate::validate;

/// A workflow to try out.
#[derive(Debug, Clone)]
pub struct DryRun<'a> {
    /// The OpenFlow document.
    pub document: &'a Value,
    /// The connectors, nodes and sub-flows that it refers to.
    pub catalog: &'a Catalog,
    /// The input, checked and filled by the caller.
    pub input: Value,
    /// Up to and with this step.
    pub until: Option<String>,
    /// This step alone; results that it names are those of the mocks.
    pub only: Option<String>,
    /// Whether the document's preprocessor, if it has one, makes the flow's input of `input` first.
    pub preprocess: bool,
    /// Answers to calls, by step; results of steps that make none.
    pub mocks: Mocks,
    /// Answers to approval gates, by step.
    pub approvals: Approvals,
    /// What ends it.
    pub limits: DryRunLimits,
}

/// What ends a dry run with the error `dry_run_limit`: a loop may have no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DryRunLimits {
    /// Events, at most.
    pub events: usize,
    /// Calls, at most.
    pub calls: usize,
    /// All values together, in bytes of JSON (estimated), at most.
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
    /// Ids of the modules around it with branch or iteration: `loop[2]/branch[0]`; empty at top level.
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

/// Why a dry run did not begin.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DryRunError {
    /// The document cannot be read as a workflow, or a sub-flow is missing.
    #[error("the workflow cannot be read: {}", join_error_messages(.0))]
    Document(Vec<Diagnostic>),
    /// A mock is for no step; pointers are into the mocks.
    #[error("the mocks do not match the workflow: {}", join_error_messages(.0))]
    Mocks(Vec<Diagnostic>),
    /// The part that is asked for is none; pointers are `/until` and `/only`.
    #[error("the selected part of the workflow does not exist: {}", join_error_messages(.0))]
    Selection(Vec<Diagnostic>),
    /// An approval is for no gate; pointers are into the approvals.
    #[error("the approvals do not match the workflow: {}", join_error_messages(.0))]
    Approvals(Vec<Diagnostic>),
}

impl DryRun<'_> {
    /// The document of what is run: the part that is asked for, in which results stand for what is mocked and makes no
    /// call. A caller that refuses documents with errors checks this one.
    ///
    /// # Errors
    /// [`DryRunError::Document`] for what is no workflow at all, [`DryRunError::Mocks`], [`DryRunError::Approvals`],
    /// [`DryRunError::Selection`].
    pub fn select_document(&self) -> Result<Value, DryRunError> {
        let program = self.compile_program(self.document)?;
        let fits = |found: Vec<Diagnostic>| if found.is_empty() { Ok(()) } else { Err(found) };
        fits(self.mocks.check_steps(&program)).map_err(DryRunError::Mocks)?;
        fits(self.approvals.check_gates(&program)).map_err(DryRunError::Approvals)?;
        let mocks = self.mocks.step_replacements(self.document, self.only.as_deref());
        let selection = Selection { until: self.until.clone(), only: self.only.clone(), mocks };
        if selection.is_whole() {
            return Ok(self.document.clone());
        }
        selection.select_from(self.document).map_err(DryRunError::Selection)
    }

    /// Runs to the end. `answer` is asked first about every call; if it returns nothing, the mocks are, and then the
    /// node's outputs.
    ///
    /// A workflow that fails has a report too, and so has one that has no end. Whether the document has errors that
    /// refuse a real run is the caller's to check: here its steps run as far as they can.
    ///
    /// # Errors
    /// Those of [`DryRun::select_document`].
    pub async fn run<F>(self, evaluator: &dyn Evaluator, answer: F) -> Result<Report, DryRunError>
    where
        F: FnMut(&Sending<'_>) -> Option<Outcome>,
    {
        let document = self.select_document()?;
        let program = self.compile_program(&document)?;
        // Steps of sub-flows are mocked too.
        let results = self.mocks.of_modules(&program);
        let early_return = document["value"]["early_return"].as_str().map(str::to_owned);
        Ok(driver::DryRunDriver::new(self, program.with_results(&results), evaluator, answer)
            .drive_to_report(early_return)
            .await)
    }

    fn compile_program(&self, document: &Value) -> Result<Program, DryRunError> {
        let bundle = JobBundle { document: document.clone(), catalog: self.catalog.clone(), ..JobBundle::default() };
        Program::compile_bundle(&bundle)
            .map_err(|error| DryRunError::Document(self.explain_unusable(&error.to_string())))
    }

    /// What is wrong with a document that cannot be made ready.
    fn explain_unusable(&self, reason: &str) -> Vec<Diagnostic> {
        let found = validate::validate_workflow(self.document, self.catalog);
        // Of sub-flows the validator reads only what their callers need.
        if has_errors(&found) {
            found
        } else {
            vec![Diagnostic::new_error(crate::diagnostic::codes::WRONG_TYPE, "", reason)]
        }
    }
}

/// The errors among findings, in one line.
fn join_error_messages(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.severity == Severity::Error);
    errors.map(|found| format!("{} (at `{}`)", found.message, found.pointer)).collect::<Vec<_>>().join("; ")
}
