//! The `apiflow` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    apiflow_server::command::run()
}
