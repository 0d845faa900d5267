//! The one door: `cargo xtask build | demo | test | ci | bench | fuzz | simulate | openapi`.

#[cfg(feature = "bench")]
mod bench;
mod build;
mod ci;
mod demo;
mod frontend;
mod fuzz;
mod machine;
mod openapi;
mod postgres;
mod processes;
mod say;
mod simulate;
mod tally;
mod test;
mod tool;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Failures are said to a person at a terminal: text is all they need.
type Result<T = ()> = std::result::Result<T, String>;

/// The one door to building, testing and showing apiflow.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the WebAssembly module, the web page and the server, in this order.
    Build {
        /// Build the server with optimisations.
        #[arg(long)]
        release: bool,
    },
    /// Show the main job: a provider's stand-in, a workflow of two calls, its run.
    Demo {
        /// Leave the server and the stand-in running afterwards.
        #[arg(long)]
        keep: bool,
    },
    /// Run all tests; a database and a browser are set up where they are missing.
    Test {
        /// Run only these suites.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<test::Suite>,
    },
    /// Run all that continuous integration checks, with minutes per stage.
    Ci,
    /// Measure the validator on a large document, and the engine's overhead over a plain loop of calls.
    Bench {
        /// Runs of each kind that are measured.
        #[arg(long, default_value_t = 50)]
        runs: usize,
        /// Measure the validator alone.
        #[arg(long)]
        validator: bool,
    },
    /// Look for documents and texts on which the core panics, overflows or does not end.
    Fuzz(fuzz::Fuzz),
    /// Live random documents in random worlds, longer than the tests do it.
    Simulate(simulate::Simulate),
    /// Write openapi.json and the page's types again from the routes.
    Openapi {
        /// Only say whether they are up to date.
        #[arg(long)]
        check: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A provider that was installed already will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Leaving the select drops the task, and with it all that it has started.
    let outcome = tokio::select! {
        outcome = perform(arguments.task) => outcome,
        () = interrupted() => Err("interrupted".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(task: Task) -> Result {
    match task {
        Task::Build { release } => build::all(release).await.map(drop),
        Task::Demo { keep } => demo::run(keep).await,
        Task::Test { only } => test::run(&only).await,
        Task::Ci => ci::run().await,
        Task::Bench { runs, validator } => measure(runs, validator).await,
        Task::Fuzz(arguments) => {
            // A thread that nothing waits for when the task is interrupted.
            let (tell, told) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || tell.send(fuzz::run(&arguments)));
            told.await.map_err(|_| "the fuzzer itself panicked".to_owned())?
        }
        Task::Simulate(arguments) => simulate::run(&arguments).await,
        Task::Openapi { check } => openapi::run(check).await,
    }
}

#[cfg(feature = "bench")]
async fn measure(runs: usize, validator: bool) -> Result {
    bench::run(runs, validator).await
}

/// Builds this program again with what a bench needs, optimised, since half of what is measured is its own loop.
#[cfg(not(feature = "bench"))]
async fn measure(runs: usize, validator: bool) -> Result {
    let runs = runs.to_string();
    tool::tool("cargo")
        .args(["run", "--release", "-p", "xtask", "--features", "bench", "--", "bench", "--runs", &runs])
        .args(validator.then_some("--validator"))
        .run()
        .await
}

async fn interrupted() {
    let mut terminate = signal(SignalKind::terminate()).expect("the signal can be listened to");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = terminate.recv() => (),
    }
}

/// The repository's top folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the repository's top folder")
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}
