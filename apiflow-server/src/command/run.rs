//! `apiflow run`.

mod dry_run;
mod interrupt;
mod json_arguments;
mod media_folder;
mod run_workflow;

use std::path::PathBuf;
use std::process::ExitCode;

use apiflow_core::diagnostic::{self, Diagnostic};
use apiflow_core::dry_run::DryRun;
use apiflow_core::validate;
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::command::validate::{FileDeclarations, Runnable};
use crate::command::{USAGE_EXIT_CODE, print_error, print_line, print_notice};
use crate::documents::schema::SchemaCache;
use crate::jobs::input;

/// The workflow to run, and its inputs.
#[derive(Args)]
pub(super) struct Run {
    /// JSON file with a workflow; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The inputs by name, as JSON; `@FILE` reads them from a file.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    input: String,

    #[command(flatten)]
    declarations: FileDeclarations,

    /// Mocked result of a step: the result, `{"error": {"name", "message"}}` to make it fail, or in a dry run
    /// `{"attempts": [answer, …]}`; may be repeated.
    #[arg(long = "mock", value_name = "STEP=JSON")]
    mocks: Vec<String>,

    /// Runs up to and including this step.
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    until: Option<String>,

    /// Runs only this step; results that it refers to come from mocks.
    #[arg(long, value_name = "STEP")]
    only: Option<String>,

    /// Sends nothing: calls are answered by mocks, or by samples derived from the outputs that nodes declare.
    #[arg(long)]
    dry_run: bool,

    /// In a dry run, answers the approval gate of a step: `{"action": "resume" | "cancel", "payload", "approver"}`, or
    /// a list of answers. By default a gate is approved at once; `[]` lets it time out. May be repeated.
    #[arg(long = "approval", value_name = "STEP=JSON", requires = "dry_run")]
    approvals: Vec<String>,

    /// Environment variable that contains a provider key, `NAME@https://host` to bind it to an origin; may be repeated.
    /// The workflow's connectors have access to no other variable.
    #[arg(long = "secret-from-env", value_name = "NAME[@ORIGIN]")]
    secrets_from_env: Vec<String>,

    /// Private address that calls may reach: `host`, `host:port` or CIDR; may be repeated. All others are refused.
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<String>,

    /// Folder in which the files that steps make are saved, as `<step>.png` and the like; it is created if it does not
    /// exist, and no file is overwritten. Without it they are deleted when the run ends.
    #[arg(long, value_name = "FOLDER", conflicts_with = "dry_run")]
    media_folder: Option<PathBuf>,

    /// Output format: text, or one JSON value.
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    Text,
    Json,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunEnd {
    Completed,
    Failed,
    /// The exit status is 128 plus the signal's number, as in shells.
    Interrupted(u8),
}

impl RunEnd {
    fn from_outcome(completed: bool) -> Self {
        if completed { Self::Completed } else { Self::Failed }
    }

    fn exit_code(self) -> ExitCode {
        match self {
            Self::Completed => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Interrupted(signal) => ExitCode::from(128_u8.saturating_add(signal)),
        }
    }
}

impl Run {
    pub(super) fn run(&self) -> ExitCode {
        match self.run_end() {
            Ok(end) => end.exit_code(),
            Err(message) => {
                print_error(&message);
                ExitCode::from(USAGE_EXIT_CODE)
            }
        }
    }

    /// Runs the workflow and returns how it ended.
    fn run_end(&self) -> Result<RunEnd, String> {
        let input = json_arguments::read_input(&self.input)?;
        let mocks = json_arguments::by_step("--mock", &self.mocks)?;
        let approvals = json_arguments::by_step("--approval", &self.approvals)?;
        let Runnable { document, catalog, findings, has_errors } = self.declarations.read_runnable(&self.file)?;
        let trial = self.build_dry_run(mocks.clone(), approvals)?;
        let selected = if self.dry_run {
            // A document that is not a workflow is reported with its findings.
            trial.select_document(document.clone(), &catalog).or_else(|error| {
                if has_errors { Ok(document.clone()) } else { Err(dry_run::refusal_message(&error)) }
            })?
        } else {
            self.select_document(&document, mocks)?
        };
        // Findings about steps that are left out or mocked do not matter.
        let refused = has_errors && diagnostic::has_errors(&validate::validate_workflow(&selected, &catalog));
        if let Some(findings) = findings.filter(|_| refused || !has_errors) {
            print_notice(&findings);
        }
        if refused {
            return Ok(RunEnd::Failed);
        }
        // A single step gets the inputs that it needs, not those of the workflow.
        let input = if self.only.is_some() {
            Value::Object(input)
        } else {
            match document.get("schema").filter(|schema| !schema.is_null()) {
                Some(schema) => input::check_here(&SchemaCache::default(), input::INPUT, schema, input)
                    .map_err(|problem| problem.in_words())?,
                None => Value::Object(input),
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("threads cannot be started: {error}"))?;
        if self.dry_run {
            let prepared =
                DryRun::prepare_selected(selected, catalog).map_err(|error| dry_run::refusal_message(&error))?;
            return runtime.block_on(self.try_out(DryRun { input, ..trial }, &prepared)).map(RunEnd::from_outcome);
        }
        let end = runtime.block_on(self.run_workflow(&selected, catalog, input));
        // A second interruption does not wait for work that is still open.
        runtime.shutdown_background();
        end
    }
}

/// Joins findings about an argument into one text.
fn join_findings(flag: &str, found: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let help = found.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{flag}: {}{help}", found.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn pretty_json(value: &Value) -> String {
    format!("{value:#}")
}

fn print_value(value: &Value, format: OutputFormat) -> Result<(), String> {
    print_line(&match format {
        OutputFormat::Text => pretty_json(value),
        OutputFormat::Json => value.to_string(),
    })
}
