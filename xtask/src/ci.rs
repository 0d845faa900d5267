//! All that continuous integration checks, stage by stage.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::say::{headline, say};
use crate::tool::{Tool, find, tool};
use crate::{Result, demo, machine, openapi, target, test, wasm};

/// What all stages together may take on two cores.
const BUDGET: Duration = Duration::from_mins(75);

/// What a run from nothing adds to the disk at most: what is built, the page's packages, and what the tests write.
const DISK_GIB: u64 = 6;

/// The features of the core that may be chosen one by one.
const FEATURES: [&str; 4] = ["runtime", "http", "boa", "sandbox"];

/// Packages that embedders of the pure core must not have to build.
const NOT_PURE: [&str; 3] = ["tokio", "boa_engine", "reqwest"];

/// What became of a stage.
struct Stage {
    name: &'static str,
    time: Duration,
    outcome: Result,
}

/// Runs every stage to its end and shows minutes per stage.
pub(crate) async fn run() -> Result {
    if let Some(free) = free_gib().await
        && free < DISK_GIB
    {
        say(format!("{free} GiB of disk are free; a run from nothing takes up to {DISK_GIB}"));
    }
    let mut stages = Vec::new();
    stages.push(stage("format", format()).await);
    stages.push(stage("lints", lints()).await);
    stages.push(stage("documentation", documentation()).await);
    stages.push(stage("licences", licences()).await);
    stages.push(stage("features", features()).await);
    stages.push(stage("purity", purity()).await);
    stages.push(stage("tidy", async { tidy() }).await);
    stages.push(stage("tests", test::run(&[])).await);
    stages.push(stage("wasm size", weigh()).await);
    stages.push(stage("generated", openapi::run(true)).await);
    stages.push(stage("compose", compose()).await);
    stages.push(stage("demo", demo::run(false)).await);
    conclude(&stages)
}

async fn stage(name: &'static str, work: impl Future<Output = Result>) -> Stage {
    let free = free_gib().await.map(|free| format!(" ({free} GiB of disk are free)"));
    headline(&format!("ci: {name}{}", free.unwrap_or_default()));
    let start = Instant::now();
    let outcome = work.await;
    if let Err(reason) = &outcome {
        say(format!("{name}: {reason}"));
    }
    Stage { name, time: start.elapsed(), outcome }
}

fn conclude(stages: &[Stage]) -> Result {
    let total: Duration = stages.iter().map(|stage| stage.time).sum();
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    say("\n| stage | minutes | |\n|---|---:|---|");
    for stage in stages {
        let word = if stage.outcome.is_ok() { "passed" } else { "failed" };
        say(format!("| {} | {:.1} | {word} |", stage.name, minutes(stage.time)));
    }
    say(format!("| all | {:.1} | |", minutes(total)));
    let failed: Vec<_> = stages.iter().filter(|stage| stage.outcome.is_err()).map(|stage| stage.name).collect();
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join(", ")));
    }
    if total > BUDGET {
        return Err(format!(
            "all stages passed, but took over {:.0} minutes: make the slowest one faster",
            minutes(BUDGET)
        ));
    }
    Ok(())
}

/// Cargo for what is only checked: it keeps what it builds apart from what the tests and the demo run, so that it can go.
fn check() -> Tool {
    tool("cargo").env("CARGO_TARGET_DIR", checks())
}

fn checks() -> PathBuf {
    target().join("checks")
}

/// Gives back the disk that the checks took: they share hardly anything with the tests, and small machines need it.
fn tidy() -> Result {
    let folder = checks();
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&folder).map_err(|error| format!("{} can't be removed: {error}", folder.display()))
}

/// What is free on the disk with the repository, in GiB, where `df` tells.
async fn free_gib() -> Option<u64> {
    let table = tool("df").args(["-Pk", "."]).output().await.ok()?;
    let free: u64 = table.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(free >> 20)
}

async fn format() -> Result {
    tool("cargo").args(["fmt", "--all", "--check"]).run().await
}

async fn lints() -> Result {
    let arguments = ["clippy", "--workspace", "--all-targets", "--features", "xtask/bench", "--", "-D", "warnings"];
    check().args(arguments).run().await
}

async fn documentation() -> Result {
    check().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run().await
}

async fn licences() -> Result {
    if find(&["cargo-deny"]).is_none() {
        tool("cargo").args(["install", "cargo-deny", "--locked"]).run().await?;
    }
    tool("cargo").args(["deny", "check", "bans", "licenses", "sources"]).run().await
}

/// Every choice of the core's features compiles without warnings.
async fn features() -> Result {
    for choice in 0..1_u32 << FEATURES.len() {
        let chosen = FEATURES.iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1);
        let chosen = chosen.map(|(_, feature)| *feature).collect::<Vec<_>>().join(",");
        say(format!("features: {}", if chosen.is_empty() { "none" } else { &chosen }));
        // clippy rather than check: it shares what it builds with the lints, and turns warnings of the core alone into
        // errors.
        let arguments = ["clippy", "-q", "-p", "apiflow-core", "--no-default-features", "--features", &chosen];
        check().args(arguments).args(["--", "-D", "warnings"]).run().await?;
    }
    Ok(())
}

/// The core without features needs no runtime, no JavaScript engine and no HTTP client, and builds for the browser.
async fn purity() -> Result {
    let arguments = ["tree", "-p", "apiflow-core", "--no-default-features", "-e", "normal", "--prefix", "none"];
    let tree = tool("cargo").args(arguments).output().await?;
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    if let Some(found) = names.into_iter().find(|name| NOT_PURE.contains(name)) {
        return Err(format!("apiflow-core without features depends on `{found}`: put it behind a feature"));
    }
    machine::wasm_target().await?;
    let build = ["build", "-p", "apiflow-core", "--no-default-features", "--target", machine::WASM];
    check().args(build).run().await
}

async fn weigh() -> Result {
    wasm::check_sizes().await.map(say)
}

async fn compose() -> Result {
    let present = find(&["docker"]).is_some() && tool("docker").args(["compose", "version"]).output().await.is_ok();
    if !present {
        say("left out: there is no docker compose here");
        return Ok(());
    }
    tool("docker").args(["compose", "config", "--quiet"]).env("ADMIN_PASSWORD", "checked-only").run().await
}
