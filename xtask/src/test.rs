//! Runs all tests, with the database, browser and servers that they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::build::{self, BuiltPrograms};
use crate::failure_report::describe_failures;
use crate::frontend::{self, npm_command};
use crate::output::{print_headline, print_line};
use crate::postgres::PostgresServer;
use crate::s3::S3Server;
use crate::servers::{ADMIN, ApiflowServer, FakeProvider, ServerSettings};
use crate::tally::{Runner, TestReport};
use crate::tool::{Tool, find_program, tool};
use crate::{Result, machine, python, wasm, workspace_root};

/// Time that the stand-in takes for an image while the page is tested, unless a test sets another.
const PROVIDER_DELAY: Duration = Duration::from_millis(200);

/// A part of the tests that can be run separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// All crates, with SQLite, a temporary Postgres server and, if Python is there, an S3 server.
    Rust,
    /// The WebAssembly modules, called from JavaScript.
    Wasm,
    /// The providers' official clients, from npm and PyPI, against the stand-ins and through the server's proxy.
    Clients,
    /// The page's types and modules.
    Page,
    /// The page in a real browser, against the real server.
    Browser,
}

/// Runs these suites, or all of them; a failed suite does not stop the others.
///
/// # Errors
/// A test failed; the error names each failed test and shows its essential output.
pub async fn run(only: &[Suite]) -> Result {
    let suites = if only.is_empty() { Suite::value_variants() } else { only };
    let built = build::build_all(false).await?;
    let mut total = TestReport::default();
    for suite in suites {
        let mut report = suite.run(&built).await.unwrap_or_else(TestReport::not_started);
        print_line(format!("{suite:?}: {}", report.describe_counts()));
        for failure in &mut report.failures {
            failure.name = format!("{suite:?}: {}", failure.name);
        }
        total = total.plus(report);
    }
    print_line(format!("\n{}", total.describe_counts()));
    if total.failures.is_empty() { Ok(()) } else { Err(describe_failures(&total.failures)) }
}

impl Suite {
    async fn run(self, built: &BuiltPrograms) -> Result<TestReport> {
        print_headline(&format!("test: {self:?}"));
        match self {
            Self::Rust => run_rust_tests().await,
            Self::Wasm => run_wasm_tests().await,
            Self::Clients => run_client_tests(built).await,
            Self::Page => run_page_tests().await,
            Self::Browser => run_browser_tests(built).await,
        }
    }
}

async fn run_rust_tests() -> Result<TestReport> {
    let postgres = PostgresServer::start().await?;
    let (runner, arguments): (_, &[&str]) = if find_program(&["cargo-nextest"]).is_some() {
        (Runner::Nextest, &["nextest", "run", "--no-fail-fast", "--final-status-level=fail", "--failure-output=final"])
    } else {
        (Runner::CargoTest, &["test", "--no-fail-fast", "--all-targets"])
    };
    let s3 = S3Server::start_if_possible().await?;
    let cargo = || {
        let cargo = tool("cargo").env("APIFLOW_TEST_POSTGRES", postgres.url());
        match &s3 {
            Some(s3) => cargo.env("APIFLOW_TEST_S3", s3.url()),
            None => cargo,
        }
    };
    let all = ["--workspace", "--features", "apiflow-server/clouds"];
    let tests = run_and_read(runner, cargo().args(arguments).args(all)).await?;
    let doctests = cargo().args(["test", "--no-fail-fast", "--doc"]).args(all);
    Ok(tests.plus(run_and_read(Runner::CargoTest, doctests).await?))
}

async fn run_wasm_tests() -> Result<TestReport> {
    let folder = workspace_root().join("apiflow-wasm/tests");
    let cases = list_files(&folder, ".mjs")?;
    let node = tool("node").args(["--test", "--test-reporter=tap"]).args(cases);
    let node = node.env("APIFLOW_WASM_PKG", wasm::CORE_MODULE.output_dir());
    let node = node.env("APIFLOW_WASM_DECLARATIONS_PKG", wasm::DECLARATIONS_MODULE.output_dir());
    run_and_read(Runner::Node, node.env("APIFLOW_WASM_DRY_RUN_PKG", wasm::DRY_RUN_MODULE.output_dir())).await
}

async fn run_client_tests(built: &BuiltPrograms) -> Result<TestReport> {
    let folder = workspace_root().join("examples/fake-providers/clients");
    frontend::install_packages_in(&folder).await?;
    let node = tool("node").args(["--test", "--test-reporter=tap"]).in_folder(&folder);
    let node = node.env("FAKE_PROVIDERS_BIN", &built.fake_providers).env("APIFLOW_BIN", &built.server);
    let javascript = run_and_read(Runner::Node, node).await?;
    Ok(javascript.plus(run_python_clients(&folder.join("python"), built).await?))
}

/// Runs the tests of the clients from PyPI; if this machine cannot install them, that counts as a failed test.
async fn run_python_clients(folder: &Path, built: &BuiltPrograms) -> Result<TestReport> {
    let list = folder.join("requirements.txt");
    let requirements =
        fs::read_to_string(&list).map_err(|error| format!("`{}` can't be read: {error}", list.display()))?;
    let programs = match python::prepare_environment("python-clients", &requirements).await {
        Ok(programs) => programs,
        Err(error) => {
            let reason = format!("the Python clients need python3 with venv and pip: {error}");
            return Ok(TestReport::not_started(reason));
        }
    };
    let python = tool(programs.join("python")).args(["-m", "unittest", "-v"]).in_folder(folder);
    let python = python.env("FAKE_PROVIDERS_BIN", &built.fake_providers).env("APIFLOW_BIN", &built.server);
    run_and_read(Runner::Unittest, python).await
}

async fn run_page_tests() -> Result<TestReport> {
    let types = run_and_read(Runner::SvelteCheck, npm_command(&["run", "check"])).await?;
    Ok(types.plus(run_and_read(Runner::Vitest, npm_command(&["run", "test:unit"])).await?))
}

async fn run_browser_tests(built: &BuiltPrograms) -> Result<TestReport> {
    let chromium = machine::find_or_install_chromium().await?;
    let provider = FakeProvider::start(&built.fake_providers, PROVIDER_DELAY, "{}").await?;
    let settings = ServerSettings { allowed_hosts: provider.host().to_owned(), ..ServerSettings::default() };
    let server = ApiflowServer::start(&built.server, settings).await?;
    let tests = npm_command(&["run", "test:e2e"]).env("CHROMIUM", chromium);
    let tests = tests.env("APIFLOW_URL", &server.url).env("FAKE_REPLICATE_URL", &provider.url);
    let tests = tests.env("APIFLOW_ADMIN_LOGIN", ADMIN).env("APIFLOW_ADMIN_PASSWORD", &server.password);
    // One test kills a server of its own.
    let tests = tests.env("APIFLOW_BINARY", &built.server);
    let report = run_and_read(Runner::Playwright, tests).await?;
    if !report.failures.is_empty() {
        print_line(format!("the server's log ends with\n{}", server.log_tail()));
    }
    Ok(report)
}

async fn run_and_read(runner: Runner, command: Tool) -> Result<TestReport> {
    let (succeeded, output) = command.run_and_capture().await?;
    Ok(TestReport::parse(runner, &output, succeeded))
}

fn list_files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("`{}` can't be read: {error}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    if files.is_empty() { Err(format!("`{}` has no *{ending}", folder.display())) } else { Ok(files) }
}
