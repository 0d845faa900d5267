//! Finds the programs that the tasks need, and installs missing ones.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::output::print_line;
use crate::tool::{find_program, tool};

/// The oldest version of Node that the page's tools run on.
const MIN_NODE_VERSION: (u32, u32) = (20, 19);

/// Checks that Node and npm are installed.
///
/// # Errors
/// They are missing or too old; the error says what to install.
pub async fn check_node() -> Result {
    let help = format!("install Node {}.{} or newer with npm", MIN_NODE_VERSION.0, MIN_NODE_VERSION.1);
    let version = tool("node").args(["--version"]).read_output().await.map_err(|error| format!("{error}; {help}"))?;
    match parse_version(&version) {
        Some(found) if found >= MIN_NODE_VERSION => (),
        _ => return Err(format!("Node {} is too old; {help}", version.trim())),
    }
    find_program(&["npm"]).map(drop).ok_or_else(|| format!("npm is not installed; {help}"))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The target that WebAssembly is compiled for.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Installs Rust's standard library for WebAssembly if it is missing. `rust-toolchain.toml` names it, but rustup may be
/// configured not to install anything automatically.
///
/// # Errors
/// The installation fails.
pub async fn ensure_wasm_target() -> Result {
    let folder = tool("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]).read_output().await?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    if find_program(&["rustup"]).is_none() {
        return Err(format!(
            "this Rust toolchain has no standard library for {WASM_TARGET}: install rustup, or the target itself"
        ));
    }
    print_line(format!("adding the target {WASM_TARGET} to the Rust toolchain"));
    tool("rustup").args(["target", "add", WASM_TARGET]).run().await
}

/// Returns the path of Chromium, which the page is tested in; installs it if it is missing.
///
/// # Errors
/// The installation fails.
pub async fn find_or_install_chromium() -> Result<PathBuf> {
    if let Some(configured) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        return Ok(configured);
    }
    let names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
    if let Some(found) = find_program(&names) {
        return Ok(found);
    }
    install_package("chromium")
        .await
        .map_err(|error| format!("there is no Chromium: {error}, or set CHROMIUM to its path"))?;
    find_program(&names)
        .ok_or_else(|| "Debian's package chromium contains no chromium: set CHROMIUM to its path".to_owned())
}

/// Returns the folder of Postgres' `initdb` and `postgres`; installs them if they are missing.
///
/// # Errors
/// The installation fails.
pub async fn find_or_install_postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    install_package("postgresql").await.map_err(|error| format!("there is no Postgres server: {error}"))?;
    find_postgres().ok_or_else(|| "Debian's package postgresql contains no initdb".to_owned())
}

fn find_postgres() -> Option<PathBuf> {
    let is_complete = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packaged: Vec<_> =
        packaged.map(|version| version.path().join("bin")).filter(|bin| is_complete(bin)).collect();
    packaged.sort();
    let on_path = find_program(&["initdb"]).and_then(|initdb| fs::canonicalize(initdb).ok());
    packaged.pop().or_else(|| on_path?.parent().map(Path::to_path_buf).filter(|bin| is_complete(bin)))
}

/// Installs a package on Debian or a distribution based on it.
async fn install_package(package: &str) -> Result {
    if find_program(&["apt-get"]).is_none() {
        return Err(format!("install {package}"));
    }
    if !is_root().await? {
        return Err(format!("run `sudo apt-get install {package}`"));
    }
    print_line(format!("installing {package}"));
    let apt = || tool("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "-q"]).run().await?;
    apt().args(["install", "-q", "-y", "--no-install-recommends", package]).run().await
}

/// Whether this process runs as root.
///
/// # Errors
/// The program `id` is missing.
pub async fn is_root() -> Result<bool> {
    Ok(tool("id").args(["-u"]).read_output().await?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_compared_by_number() {
        for (text, new_enough) in
            [("v20.19.0\n", true), ("v20.9.0", false), ("v18.20.1", false), ("v100.0.0", true), ("20", false)]
        {
            assert_eq!(parse_version(text).is_some_and(|found| found >= MIN_NODE_VERSION), new_enough, "{text}");
        }
    }
}
