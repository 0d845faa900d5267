//! `apiflow validate`.

mod check;
mod edits;
mod findings;
mod kind;
mod sarif;
mod source;
mod spans;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::check::check;
use self::source::{Role, Source};
use super::complain;

/// What to check, and how to say what is wrong.
#[derive(Args)]
pub(super) struct Validate {
    /// JSON files with workflows, nodes and connectors; of a folder all its `.json` files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Declarations that the files may refer to and that are not checked themselves: files or folders; may be repeated.
    #[arg(long = "catalog", value_name = "PATH")]
    catalog: Vec<PathBuf>,

    /// Connector that the files may refer to; may be repeated. Where a file gives no `id` its name is the id.
    #[arg(long = "connector", value_name = "FILE")]
    connectors: Vec<PathBuf>,

    /// Node that the files may refer to; may be repeated.
    #[arg(long = "node", value_name = "FILE")]
    nodes: Vec<PathBuf>,

    /// Workflow that the files may run as a sub-flow; may be repeated.
    #[arg(long = "workflow", value_name = "FILE")]
    workflows: Vec<PathBuf>,

    /// Name of a secret that is set; may be repeated. Where none is named, secrets are not checked.
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<String>,

    /// How findings are written: for people, as JSON, or as SARIF 2.1.0 for other tools.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

/// Exit status where the command itself is at fault.
const WRONG_USAGE: u8 = 2;

impl Validate {
    pub(super) fn run(&self) -> ExitCode {
        match self.report() {
            Ok(false) => ExitCode::SUCCESS,
            Ok(true) => ExitCode::FAILURE,
            Err(message) => {
                complain(&message);
                ExitCode::from(WRONG_USAGE)
            }
        }
    }

    /// Writes the findings; says whether there are errors among them.
    fn report(&self) -> Result<bool, String> {
        let sources = self.sources()?;
        let secrets = Some(self.secrets.iter().cloned().collect()).filter(|_| !self.secrets.is_empty());
        let reports = check(&sources, secrets);
        let said = match self.format {
            Format::Text => text::write(&reports),
            Format::Json => findings::json(&reports),
            Format::Sarif => sarif::log(&reports),
        };
        super::print(said.trim_end())?;
        Ok(reports.iter().any(findings::Report::has_errors))
    }

    fn sources(&self) -> Result<Vec<Source>, String> {
        let mut sources = Vec::new();
        let named = [
            (&self.catalog, Role::Declared(None)),
            (&self.connectors, Role::Declared(Some(kind::Kind::Connector))),
            (&self.nodes, Role::Declared(Some(kind::Kind::Node))),
            (&self.workflows, Role::Declared(Some(kind::Kind::Workflow))),
            (&self.files, Role::Checked),
        ];
        for (paths, role) in named {
            for path in paths {
                source::read(path, role, &mut sources)?;
            }
        }
        Ok(sources)
    }
}
