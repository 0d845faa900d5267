//! Everything that continuous integration checks, stage by stage.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::output::{print_headline, print_line};
use crate::tool::{Tool, find_program, tool};
use crate::{Result, demo, docs, machine, openapi, packages, target_dir, test, wasm};

/// Maximum duration of all stages together on two cores.
const MAX_TOTAL_TIME: Duration = Duration::from_mins(75);

/// Disk space that a run from scratch needs: build output, the page's packages, and files of the tests.
const MIN_FREE_DISK_GIB: u64 = 6;

/// The features of the core that can be combined freely; every combination must compile.
const CORE_FEATURES: [&str; 4] = ["runtime", "http", "boa", "sandbox"];

/// Packages that the core without features must not depend on.
const IMPURE_PACKAGES: [&str; 5] = ["tokio", "boa_engine", "object_store", "reqwest", "utoipa"];

/// Packages that xtask must not depend on, so that `cargo xtask` starts within seconds of a clone.
const SLOW_PACKAGES: [&str; 5] = ["apiflow-core", "reqwest", "rustls", "sqlx", "wasm-bindgen-cli-support"];

/// The outcome of a stage.
struct StageOutcome {
    name: &'static str,
    time: Duration,
    outcome: Result,
}

/// Runs every stage, even if an earlier one failed, and prints the minutes per stage.
///
/// # Errors
/// A stage failed, or all stages together took too long.
pub async fn run() -> Result {
    if let Some(free) = read_free_disk_gib().await
        && free < MIN_FREE_DISK_GIB
    {
        print_line(format!("{free} GiB of disk are free; a run from nothing takes up to {MIN_FREE_DISK_GIB}"));
    }
    let mut stages = Vec::new();
    stages.push(run_stage("format", check_format()).await);
    stages.push(run_stage("lints", check_lints()).await);
    stages.push(run_stage("documentation", check_documentation()).await);
    stages.push(run_stage("licences", check_licences()).await);
    stages.push(run_stage("features", check_features()).await);
    stages.push(run_stage("purity", check_purity()).await);
    stages.push(run_stage("tidy", async { remove_check_output() }).await);
    stages.push(run_stage("tests", test::run(&[])).await);
    stages.push(run_stage("wasm size", check_wasm_sizes()).await);
    stages.push(run_stage("generated", check_generated()).await);
    stages.push(run_stage("packages", packages::run(false)).await);
    stages.push(run_stage("compose", check_compose()).await);
    stages.push(run_stage("demo", demo::run(false)).await);
    report_stages(&stages)
}

async fn run_stage(name: &'static str, work: impl Future<Output = Result>) -> StageOutcome {
    let free = read_free_disk_gib().await.map(|free| format!(" ({free} GiB of disk are free)"));
    print_headline(&format!("ci: {name}{}", free.unwrap_or_default()));
    let start = Instant::now();
    let outcome = work.await;
    if let Err(reason) = &outcome {
        print_line(format!("{name}: {reason}"));
    }
    StageOutcome { name, time: start.elapsed(), outcome }
}

fn report_stages(stages: &[StageOutcome]) -> Result {
    let total: Duration = stages.iter().map(|stage| stage.time).sum();
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    print_line("\n| stage | minutes | |\n|---|---:|---|");
    for stage in stages {
        let verdict = if stage.outcome.is_ok() { "passed" } else { "failed" };
        print_line(format!("| {} | {:.1} | {verdict} |", stage.name, minutes(stage.time)));
    }
    print_line(format!("| all | {:.1} | |", minutes(total)));
    // The reasons are repeated at the end: the stages printed them thousands of lines earlier.
    let failed = stages.iter().filter_map(|stage| Some((stage.name, stage.outcome.as_ref().err()?)));
    let reasons: Vec<_> = failed.map(|(name, reason)| format!("{name}: {reason}")).collect();
    if !reasons.is_empty() {
        return Err(format!("some stages failed\n\n{}", reasons.join("\n\n")));
    }
    if total > MAX_TOTAL_TIME {
        return Err(format!(
            "all stages passed, but they took over {:.0} minutes: make the slowest one faster",
            minutes(MAX_TOTAL_TIME)
        ));
    }
    Ok(())
}

/// Returns cargo with a separate target folder, which is deleted before the tests run.
fn check_cargo() -> Tool {
    tool("cargo").env("CARGO_TARGET_DIR", check_output_dir())
}

fn check_output_dir() -> PathBuf {
    target_dir().join("checks")
}

/// Frees the disk space of the checks: the tests reuse hardly any of it, and small machines need the space.
fn remove_check_output() -> Result {
    let folder = check_output_dir();
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&folder).map_err(|error| format!("{} can't be removed: {error}", folder.display()))
}

/// Returns the free space of the repository's disk in GiB, if there is a `df`.
async fn read_free_disk_gib() -> Option<u64> {
    let table = tool("df").args(["-Pk", "."]).read_output().await.ok()?;
    let free: u64 = table.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(free >> 20)
}

/// Checks the files that are generated from the code: the OpenAPI document, the page's types, tables of the documentation.
async fn check_generated() -> Result {
    openapi::run(true).await?;
    docs::run(true)
}

async fn check_format() -> Result {
    tool("cargo").args(["fmt", "--all", "--check"]).run().await
}

async fn check_lints() -> Result {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    check_cargo().args(arguments).run().await
}

async fn check_documentation() -> Result {
    check_cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run().await
}

async fn check_licences() -> Result {
    if find_program(&["cargo-deny"]).is_none() {
        tool("cargo").args(["install", "cargo-deny", "--locked"]).run().await?;
    }
    tool("cargo").args(["deny", "check", "bans", "licenses", "sources"]).run().await
}

/// Checks that every combination of the core's features compiles without warnings, and `artifacts`, `conformance` and
/// `utoipa` alone: they only add items, so combinations with them would take longer and find nothing.
async fn check_features() -> Result {
    for choice in 0..1_u32 << CORE_FEATURES.len() {
        let chosen = CORE_FEATURES.iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1);
        check_core_with(&chosen.map(|(_, feature)| *feature).collect::<Vec<_>>().join(",")).await?;
    }
    for feature in ["artifacts", "conformance", "utoipa"] {
        check_core_with(feature).await?;
    }
    Ok(())
}

/// Checks the core with only these features. Uses clippy rather than check, because it shares its build with the lints and
/// turns only the core's own warnings into errors.
async fn check_core_with(features: &str) -> Result {
    print_line(format!("features: {}", if features.is_empty() { "none" } else { features }));
    let arguments = ["clippy", "-q", "-p", "apiflow-core", "--no-default-features", "--features", features];
    check_cargo().args(arguments).args(["--", "-D", "warnings"]).run().await
}

/// Checks that the core without features needs no runtime, JavaScript engine or HTTP client, and builds for the browser;
/// and that xtask stays small.
async fn check_purity() -> Result {
    check_dependencies("apiflow-core", &["--no-default-features"], &IMPURE_PACKAGES).await?;
    check_dependencies("xtask", &[], &SLOW_PACKAGES).await?;
    machine::ensure_wasm_target().await?;
    let build = ["build", "-p", "apiflow-core", "--no-default-features", "--target", machine::WASM_TARGET];
    check_cargo().args(build).run().await
}

/// Checks that a package depends on none of these, directly or indirectly.
async fn check_dependencies(package: &str, options: &[&str], forbidden: &[&str]) -> Result {
    let arguments = ["tree", "-p", package, "-e", "normal", "--prefix", "none"];
    let tree = tool("cargo").args(arguments).args(options).read_output().await?;
    let mut names = tree.lines().filter_map(|line| line.split_whitespace().next());
    match names.find(|name| forbidden.contains(name)) {
        Some(found) => Err(format!("{package} depends on `{found}`: put it behind a feature or into another crate")),
        None => Ok(()),
    }
}

async fn check_wasm_sizes() -> Result {
    wasm::check_sizes().await.map(print_line)
}

async fn check_compose() -> Result {
    let present =
        find_program(&["docker"]).is_some() && tool("docker").args(["compose", "version"]).read_output().await.is_ok();
    if !present {
        print_line("skipped: docker compose is not installed");
        return Ok(());
    }
    tool("docker").args(["compose", "config", "--quiet"]).env("ADMIN_PASSWORD", "checked-only").run().await
}
