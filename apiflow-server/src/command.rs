//! The command line.

mod explain;
mod lock;
mod run;
mod serve;
mod validate;

use std::process::ExitCode;

use apiflow_core::runtime::sandbox::serve_child;
use clap::{Parser, Subcommand};

use crate::settings::Settings;

/// Exit status if the command line or one of its files is wrong, rather than the workflow.
const USAGE_EXIT_CODE: u8 = 2;

/// The subcommand that the server starts its evaluators with.
const EVALUATOR: &str = "evaluator";

/// Declare media APIs, chain their calls, run them as durable jobs.
#[derive(Parser)]
#[command(name = "apiflow", version, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts the server: REST API, web interface and workers.
    ///
    /// By default it listens on http://localhost:8000, stores everything in the folder `apiflow-data` in the working
    /// directory and prints the password of the user `admin` once. SIGINT or SIGTERM stop it: open requests are
    /// answered; running jobs continue at the next start.
    Serve(Box<Settings>),
    /// Prints the OpenAPI document of the REST API.
    Openapi,
    /// Validates workflows, nodes and connectors, and prints errors with their positions and how to fix them.
    ///
    /// A file contains an OpenFlow document, a workflow with its document in `nodes`, a node or a connector. References
    /// are resolved among all files. Exit status: 0 if there are no errors, 1 if there are errors, 2 if the command
    /// line is wrong or a file cannot be read.
    Validate(validate::Validate),
    /// Runs a workflow from a file, in memory: for real, or with mocked calls (--dry-run).
    ///
    /// Progress is written to standard error, the output to standard output. A dry run sends nothing: it prints the
    /// steps that would run, the requests that they would send, with the names of secrets in place of their values, and
    /// the output. Ctrl-C cancels the work at providers and lists it; a second Ctrl-C exits at once and lists what may
    /// still be running. Exit status: 0 if the workflow completed, 1 if it failed or has errors, 2 if the command line
    /// is wrong or a file cannot be read, 130 after Ctrl-C.
    Run(Box<run::Run>),
    /// Explains the code of a finding, with an example and how to fix it.
    Explain(explain::Explain),
    /// Evaluates JavaScript for its parent process; started by the server itself.
    #[command(hide = true)]
    Evaluator,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    // The evaluator runs code of others: it gets no settings, from wherever.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == EVALUATOR) {
        return serve_child();
    }
    let dotenv = dotenvy::from_path(".env");
    let done = match Command::parse().verb {
        Verb::Serve(settings) => serve::run(*settings, dotenv),
        Verb::Openapi => print_line(&crate::openapi_document().to_pretty_json().unwrap_or_default()),
        Verb::Validate(validate) => return validate.run(),
        Verb::Run(run) => return run.run(),
        Verb::Explain(explain) => return explain.run(),
        Verb::Evaluator => return serve_child(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            print_error(&message);
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to standard output; a closed pipe is not a failure.
fn print_line(text: &str) -> Result<(), String> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn print_error(message: &str) {
    print_notice(&format!("apiflow: {message}"));
}

/// Writes a line to standard error.
fn print_notice(text: &str) {
    use std::io::Write as _;
    // If standard error is closed, the message is lost.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
