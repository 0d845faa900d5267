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

/// The verb with which the server starts its evaluators.
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
    /// Without any setting it listens on http://localhost:8000, keeps everything in the folder `apiflow-data` of the
    /// working directory and prints the password of the user `admin` once. SIGINT or SIGTERM end it: open requests are
    /// answered, running jobs stay where they are and continue at the next start.
    Serve(Box<Settings>),
    /// Prints the OpenAPI document of the REST API.
    Openapi,
    /// Checks workflows, nodes and connectors and prints what is wrong with them, where, and how to fix it.
    ///
    /// A file holds an OpenFlow document, a workflow with its document in `nodes`, a node or a connector. What the
    /// files refer to is looked up among all of them. Exit status: 0 without errors, 1 with errors, 2 if the
    /// command itself is wrong or a file can't be read.
    Validate(validate::Validate),
    /// Runs a workflow from a file, in memory: for real, or with mocked calls (--dry-run).
    ///
    /// Progress goes to standard error, the output to standard output. A dry run sends nothing: it prints the steps that
    /// would run, the requests that they would send, with secrets as their names, and the output. Ctrl-C cancels the work
    /// at providers and says which it was; a second one leaves at once and says what may still be at work. Exit status: 0
    /// if the workflow completed, 1 if it failed or has errors, 2 if the command itself is wrong or a file can't
    /// be read, 130 after Ctrl-C.
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

/// Writes a line to standard output; a reader that has gone is no failure.
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
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
