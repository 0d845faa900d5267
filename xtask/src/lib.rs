//! The tasks of this repository, and the code that the bench shares with them: builds, servers, Postgres, output.
//!
//! Architecture invariant: this crate depends on neither apiflow nor an HTTP or TLS library, so that `cargo xtask` starts
//! within seconds of a clone.

pub mod api_client;
pub mod build;
pub mod cargo_progress;
pub mod ci;
pub mod demo;
pub mod docs;
pub mod failure_report;
pub mod frontend;
pub mod http;
pub mod machine;
pub mod openapi;
pub mod output;
pub mod packages;
pub mod page_bench;
pub mod postgres;
pub mod processes;
pub mod python;
pub mod s3;
pub mod screenshots;
pub mod servers;
pub mod simulation;
pub mod tally;
pub mod test;
pub mod tool;
pub mod wasm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

/// The result of a task; the error is a message for the user at the terminal.
pub type Result<T = ()> = std::result::Result<T, String>;

/// The repository's top folder.
#[must_use]
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the repository's top folder")
}

/// The folder that cargo builds into.
#[must_use]
pub fn target_dir() -> PathBuf {
    let configured = std::env::var_os("CARGO_TARGET_DIR");
    configured.map_or_else(|| workspace_root().join("target"), |folder| workspace_root().join(folder))
}

/// Runs a program's task to its end, or until Ctrl-C or `SIGTERM`; prints why it failed.
pub async fn run_until_interrupt(task: impl Future<Output = Result>) -> ExitCode {
    // The end of the select drops the task, and with it every process that it has started.
    let outcome = tokio::select! {
        outcome = task => outcome,
        () = wait_for_interrupt() => Err("interrupted".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for Ctrl-C or `SIGTERM`.
async fn wait_for_interrupt() {
    let mut terminate = signal(SignalKind::terminate()).expect("this process can listen to SIGTERM");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = terminate.recv() => (),
    }
}
