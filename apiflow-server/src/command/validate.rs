//! `apiflow validate`.

mod check;
mod edits;
mod findings;
mod kind;
mod sarif;
mod source;
mod spans;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use apiflow_core::catalog::Catalog;
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::check::{check_sources, declared_catalog};
use self::kind::Kind;
use self::source::{Source, SourceRole};
use crate::command::{USAGE_EXIT_CODE, print_error};

/// The files to validate, and the format of the report.
#[derive(Args)]
pub(super) struct Validate {
    /// JSON files with workflows, nodes and connectors; for a folder all its `.json` files; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    declarations: FileDeclarations,

    /// Name of a secret that is set; may be repeated. If none is named, secrets are not checked.
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<String>,

    /// Output format: text, JSON, or SARIF 2.1.0 for other tools.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

/// The declarations that files may refer to.
#[derive(Args)]
pub(super) struct FileDeclarations {
    /// Declarations that the files may refer to and that are not validated themselves: files or folders; may be
    /// repeated.
    #[arg(long = "catalog", value_name = "PATH")]
    catalog: Vec<PathBuf>,

    /// Connector that the files may refer to; may be repeated. If it has no `id`, the file's name is used.
    #[arg(long = "connector", value_name = "FILE")]
    connectors: Vec<PathBuf>,

    /// Node that the files may refer to; may be repeated.
    #[arg(long = "node", value_name = "FILE")]
    nodes: Vec<PathBuf>,

    /// Workflow that the files may run as a sub-flow; may be repeated.
    #[arg(long = "workflow", value_name = "FILE")]
    workflows: Vec<PathBuf>,
}

/// A workflow that may be run.
pub(super) struct Runnable {
    /// The OpenFlow document.
    pub(super) document: Value,
    /// The catalog that it may refer to.
    pub(super) catalog: Catalog,
    /// The findings about it and what it may refer to, as text.
    pub(super) findings: Option<String>,
    /// Whether there are errors among them.
    pub(super) has_errors: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Text,
    Json,
    Sarif,
}

impl Validate {
    pub(super) fn run(&self) -> ExitCode {
        match self.print_report() {
            Ok(false) => ExitCode::SUCCESS,
            Ok(true) => ExitCode::FAILURE,
            Err(message) => {
                print_error(&message);
                ExitCode::from(USAGE_EXIT_CODE)
            }
        }
    }

    /// Prints the findings; returns whether there are errors among them.
    fn print_report(&self) -> Result<bool, String> {
        let sources = self.declarations.read_with(&self.files)?;
        let secrets = Some(self.secrets.iter().cloned().collect()).filter(|_| !self.secrets.is_empty());
        let reports = check_sources(&sources, secrets);
        let said = match self.format {
            ReportFormat::Text => text::write(&reports),
            ReportFormat::Json => findings::findings_json(&reports),
            ReportFormat::Sarif => sarif::sarif_log(&reports),
        };
        super::print_line(said.trim_end())?;
        Ok(reports.iter().any(findings::Report::has_errors))
    }
}

impl FileDeclarations {
    /// Reads these declarations and the files that are to be validated.
    fn read_with(&self, files: &[PathBuf]) -> Result<Vec<Source>, String> {
        let mut sources = Vec::new();
        let named = [
            (self.catalog.as_slice(), SourceRole::Declared(None)),
            (&self.connectors, SourceRole::Declared(Some(Kind::Connector))),
            (&self.nodes, SourceRole::Declared(Some(Kind::Node))),
            (&self.workflows, SourceRole::Declared(Some(Kind::Workflow))),
            (files, SourceRole::Checked),
        ];
        for (paths, role) in named {
            for path in paths {
                source::read(path, role, &mut sources)?;
            }
        }
        Ok(sources)
    }

    /// Reads a workflow that is to be run.
    ///
    /// # Errors
    /// A message if a file cannot be read, or is not a workflow.
    pub(super) fn read_runnable(&self, file: &Path) -> Result<Runnable, String> {
        let sources = self.read_with(&[file.to_owned()])?;
        let reports = check_sources(&sources, None);
        let told = reports.iter().any(|report| !report.findings.is_empty());
        let findings = told.then(|| text::write(&reports).trim_end().to_owned());
        let has_errors = reports.iter().any(findings::Report::has_errors);
        let own = sources.iter().rfind(|source| source.role == SourceRole::Checked);
        let workflow = own.and_then(|source| Some((source.declared_kind()?, source.content.as_ref().ok()?)));
        let document = match workflow {
            Some((Kind::Workflow, content)) => content.get("nodes").cloned().unwrap_or_default(),
            Some((Kind::Document, content)) => content.clone(),
            Some((Kind::Connector | Kind::Node, _)) | None => {
                if let Some(findings) = findings {
                    return Err(format!("the workflow cannot be read:\n{findings}"));
                }
                return Err(format!("{} contains no workflow: a workflow has `value` or `nodes`", file.display()));
            }
        };
        Ok(Runnable { document, catalog: declared_catalog(&sources), findings, has_errors })
    }
}
