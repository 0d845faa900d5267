//! `cargo xtask build | demo | test | ci | bench | page-bench | screenshots | fuzz | simulate | openapi | docs | package`.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::page_bench::PageBenchOptions;
use xtask::screenshots::ScreenshotOptions;
use xtask::simulation::SimulationOptions;
use xtask::tool::tool;
use xtask::{
    Result, build, ci, demo, docs, openapi, packages, page_bench, run_until_interrupt, screenshots, simulation, test,
};

/// The tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the WebAssembly modules, the web page and the server that contains them.
    Build {
        /// Build the server with optimisations.
        #[arg(long)]
        release: bool,
    },
    /// Run the example workflow against a local stand-in for Replicate and show its progress.
    Demo {
        /// Build the web page too, and leave the server and the stand-in running.
        #[arg(long)]
        keep: bool,
    },
    /// Run all tests; sets up a database and a browser if they are missing.
    Test {
        /// Run only these suites.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<test::Suite>,
    },
    /// Run everything that continuous integration checks and show the minutes per stage.
    Ci,
    /// Measure apiflow beside loops written by hand; `cargo xtask bench --help` lists the rows.
    Bench(ForwardedArguments),
    /// Measure the page of the release server in Chromium and write the table into docs/performance.md.
    PageBench(PageBenchOptions),
    /// Make pictures of all pages and dialogs with the demo; `--film` makes the animated picture of README.md.
    Screenshots(ScreenshotOptions),
    /// Search for documents that make the core panic, overflow its stack or not terminate.
    Fuzz(ForwardedArguments),
    /// Run the simulation of the engine with more seeds than the tests do.
    Simulate(SimulationOptions),
    /// Regenerate openapi.json and the page's types from the server's routes.
    Openapi {
        /// Only check that they are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Regenerate the tables of fields in docs/ from the schema of declarations and openapi.json.
    Docs {
        /// Only check that they are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Check that the crates' packages contain everything they need.
    Package {
        /// Also compile each package by itself, as `cargo publish` does; takes as long as a build from scratch.
        #[arg(long)]
        verify: bool,
    },
}

/// Arguments of a program that is built on demand.
#[derive(Args)]
#[command(disable_help_flag = true)]
struct ForwardedArguments {
    /// Arguments of the task itself; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run_until_interrupt(run_task(arguments.task)).await
}

async fn run_task(task: Task) -> Result {
    match task {
        Task::Build { release } => build::build_all(release).await.map(drop),
        Task::Demo { keep } => demo::run(keep).await,
        Task::Test { only } => test::run(&only).await,
        Task::Ci => ci::run().await,
        Task::Bench(arguments) => run_bench(&arguments.options).await,
        Task::PageBench(options) => page_bench::run(&options).await,
        Task::Screenshots(options) => screenshots::run(&options).await,
        Task::Fuzz(arguments) => {
            tool("cargo").args(["run", "--package", "xtask-fuzz", "--"]).args(&arguments.options).run().await
        }
        Task::Simulate(options) => simulation::run(&options).await,
        Task::Openapi { check } => openapi::run(check).await,
        Task::Docs { check } => docs::run(check),
        Task::Package { verify } => packages::run(verify).await,
    }
}

/// Builds the bench together with the server that it measures, so that they share dependencies, and starts it.
async fn run_bench(options: &[String]) -> Result {
    let programs = build::build_bench().await?;
    let bench = tool(&programs.bench).env("APIFLOW_BENCH_SERVER", &programs.server);
    bench.args(options).run().await
}
