//! Building the programs: the WebAssembly modules, then the page that loads them, then the server that contains the page.

use std::path::PathBuf;

use crate::output::PartCounter;
use crate::tool::tool;
use crate::{Result, cargo_progress, frontend, machine, target_dir, wasm};

/// Paths of the programs that the demo and the tests run.
pub struct BuiltPrograms {
    /// Path of `apiflow`.
    pub server: PathBuf,
    /// Path of the providers' stand-ins.
    pub fake_providers: PathBuf,
}

/// Paths of the programs that the bench runs, built with optimisations.
pub struct BenchPrograms {
    /// Path of `apiflow`.
    pub server: PathBuf,
    /// Path of the bench itself.
    pub bench: PathBuf,
}

/// The number of parts that [`build_all`] prints.
pub const BUILD_PART_COUNT: usize = 3;

/// Builds the page, the server that contains it, and the providers' stand-ins.
pub async fn build_all(release: bool) -> Result<BuiltPrograms> {
    let mut parts = PartCounter::new(BUILD_PART_COUNT);
    build_page(&mut parts).await?;
    build_programs(&mut parts, release).await
}

/// Builds the page with the WebAssembly modules in it.
pub async fn build_page(parts: &mut PartCounter) -> Result {
    machine::check_node().await?;
    parts.print_next("building the WebAssembly modules of the page (takes minutes the first time)");
    wasm::build_modules().await?;
    parts.print_next("building the page");
    frontend::install_packages().await?;
    frontend::build_if_outdated().await
}

/// Builds the server, with the page if that has been built, and the providers' stand-ins.
pub async fn build_programs(parts: &mut PartCounter, release: bool) -> Result<BuiltPrograms> {
    parts.print_next("building the server (takes minutes the first time)");
    let mut arguments = vec!["build", "-p", "apiflow-server", "--bin", "apiflow", "-p", "apiflow-fake-providers"];
    arguments.extend(["--bin", "fake-providers"]);
    if release {
        // A release can keep artifacts in the object stores of clouds; a development build is faster without.
        arguments.extend(["--release", "--features", "apiflow-server/clouds"]);
    }
    cargo_progress::run_cargo(tool("cargo").args(arguments)).await?;
    let folder = target_dir().join(if release { "release" } else { "debug" });
    Ok(BuiltPrograms { server: folder.join("apiflow"), fake_providers: folder.join("fake-providers") })
}

/// Builds the server without a page, and the bench, both with optimisations.
pub async fn build_bench() -> Result<BenchPrograms> {
    PartCounter::new(2).print_next("building the server and the bench with optimisations");
    let arguments = ["build", "--release", "-p", "apiflow-server", "-p", "xtask-bench", "--bins"];
    cargo_progress::run_cargo(tool("cargo").args(arguments)).await?;
    let folder = target_dir().join("release");
    Ok(BenchPrograms { server: folder.join("apiflow"), bench: folder.join("xtask-bench") })
}
