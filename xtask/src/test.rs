//! All tests, and what they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::build::{self, Built};
use crate::demo::{ADMIN, Provider, Server, Settings};
use crate::frontend::{self, npm};
use crate::postgres::Postgres;
use crate::say::{headline, say};
use crate::tally::Tally;
use crate::tool::{Tool, find, tool};
use crate::{Result, machine, root, wasm};

/// How long the stand-in takes for a picture while the page is tested, unless a test says otherwise.
const DELAY: Duration = Duration::from_millis(200);

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// All crates, with SQLite and a Postgres of their own.
    Rust,
    /// The WebAssembly modules, called from JavaScript.
    Wasm,
    /// The providers' official clients against the stand-ins.
    Clients,
    /// The page's types and modules.
    Page,
    /// The page in a real browser, against the real server.
    Browser,
}

/// Runs these suites, or all; each to its end, whatever became of the one before.
pub(crate) async fn run(only: &[Suite]) -> Result {
    let suites = if only.is_empty() { Suite::value_variants() } else { only };
    let built = build::all(false).await?;
    let mut total = Tally::default();
    for suite in suites {
        let tally = suite.run(&built).await.unwrap_or_else(|reason| {
            say(format!("{suite:?}: {reason}"));
            Tally { passed: 0, failed: 1 }
        });
        say(format!("{suite:?}: {} passed, {} failed", tally.passed, tally.failed));
        total = total.plus(tally);
    }
    say(format!("\n{} passed, {} failed", total.passed, total.failed));
    if total.failed == 0 { Ok(()) } else { Err("some tests failed".to_owned()) }
}

impl Suite {
    async fn run(self, built: &Built) -> Result<Tally> {
        headline(&format!("test: {self:?}"));
        match self {
            Self::Rust => rust().await,
            Self::Wasm => wasm_cases().await,
            Self::Clients => clients(built).await,
            Self::Page => page().await,
            Self::Browser => browser(built).await,
        }
    }
}

async fn rust() -> Result<Tally> {
    let postgres = Postgres::start().await?;
    let runner: &[&str] = if find(&["cargo-nextest"]).is_some() {
        &["nextest", "run", "--no-fail-fast"]
    } else {
        &["test", "--no-fail-fast", "--all-targets"]
    };
    let cargo = || tool("cargo").env("APIFLOW_TEST_POSTGRES", postgres.url());
    let tests = counted(cargo().args(runner).args(["--workspace"])).await?;
    let documented = counted(cargo().args(["test", "--no-fail-fast", "--doc", "--workspace"])).await?;
    Ok(tests.plus(documented))
}

async fn wasm_cases() -> Result<Tally> {
    let folder = root().join("apiflow-wasm/tests");
    let cases = files_ending(&folder, ".mjs")?;
    let node = tool("node").args(["--test", "--test-reporter=tap"]).args(cases);
    let node = node.env("APIFLOW_WASM_PKG", wasm::CORE.folder());
    counted(node.env("APIFLOW_WASM_DRY_RUN_PKG", wasm::DRY_RUN.folder())).await
}

async fn clients(built: &Built) -> Result<Tally> {
    let folder = root().join("examples/fake-providers/clients");
    frontend::install_in(&folder).await?;
    let node = tool("node").args(["--test", "--test-reporter=tap"]).folder(&folder);
    counted(node.env("FAKE_PROVIDERS_BIN", &built.fake_providers)).await
}

async fn page() -> Result<Tally> {
    let types = counted(npm(["run", "check"])).await?;
    Ok(types.plus(counted(npm(["run", "test:unit"])).await?))
}

async fn browser(built: &Built) -> Result<Tally> {
    let chromium = machine::chromium().await?;
    let provider = Provider::start(&built.fake_providers, DELAY).await?;
    let settings = Settings { allowed: provider.host().to_owned(), secrets: Vec::new(), database: None };
    let server = Server::fresh(&built.server, settings).await?;
    let tests = npm(["run", "test:e2e"]).env("CHROMIUM", chromium);
    let tests = tests.env("APIFLOW_URL", &server.url).env("FAKE_REPLICATE_URL", &provider.url);
    let tally =
        counted(tests.env("APIFLOW_ADMIN_LOGIN", ADMIN).env("APIFLOW_ADMIN_PASSWORD", &server.password)).await?;
    if tally.failed > 0 {
        say(format!("the server's log ends with\n{}", server.log_tail()));
    }
    Ok(tally)
}

async fn counted(runner: Tool) -> Result<Tally> {
    let (ended_well, output) = runner.watch().await?;
    Ok(Tally::of(&output, ended_well))
}

fn files_ending(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("`{}` can't be read: {error}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    if files.is_empty() { Err(format!("`{}` holds no *{ending}", folder.display())) } else { Ok(files) }
}
