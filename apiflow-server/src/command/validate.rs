//! `apiflow validate`.

use std::path::PathBuf;
use std::process::ExitCode;

use apiflow_core::catalog::{Catalog, parse_connector, parse_node};
use apiflow_core::diagnostic::{Diagnostic, Severity, has_errors};
use clap::Args;
use serde_json::Value;

use super::{complain, print};

/// Files to check.
#[derive(Args)]
pub(super) struct Validate {
    /// JSON files with workflows; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Connector that the workflows may use, as a JSON file with an `id`; may be repeated.
    #[arg(long = "connector", value_name = "FILE")]
    connectors: Vec<PathBuf>,

    /// Node that the workflows may use, as a JSON file with an `id`; may be repeated.
    #[arg(long = "node", value_name = "FILE")]
    nodes: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(&self) -> ExitCode {
        match self.check_all() {
            Ok(false) => ExitCode::SUCCESS,
            Ok(true) => ExitCode::FAILURE,
            Err(message) => {
                complain(&message);
                ExitCode::FAILURE
            }
        }
    }

    /// Prints the findings; says whether there are errors among them.
    fn check_all(&self) -> Result<bool, String> {
        let catalog = self.catalog()?;
        let mut failed = false;
        for file in &self.files {
            let read = read(file)?;
            let document = read.get("nodes").filter(|nodes| nodes.is_object()).unwrap_or(&read);
            let found = apiflow_core::validate::workflow(document, &catalog);
            for diagnostic in &found {
                print(&line(&file.display().to_string(), diagnostic))?;
            }
            failed |= has_errors(&found);
        }
        Ok(failed)
    }

    fn catalog(&self) -> Result<Catalog, String> {
        let mut catalog = Catalog::default();
        for file in &self.connectors {
            let connector = parse_connector(&read(file)?).map_err(|found| lines(file, &found))?;
            catalog.connectors.insert(connector.id.clone(), connector);
        }
        for file in &self.nodes {
            let node = parse_node(&read(file)?).map_err(|found| lines(file, &found))?;
            catalog.nodes.insert(node.id.clone(), node);
        }
        Ok(catalog)
    }
}

fn read(file: &PathBuf) -> Result<Value, String> {
    let text =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = text.map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", file.display()))
}

fn lines(file: &std::path::Path, found: &[Diagnostic]) -> String {
    found.iter().map(|found| line(&file.display().to_string(), found)).collect::<Vec<_>>().join("\n")
}

fn line(file: &str, found: &Diagnostic) -> String {
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "hint",
    };
    let help = found.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{file}{}: {severity}[{}]: {}{help}", found.pointer, found.code, found.message)
}
