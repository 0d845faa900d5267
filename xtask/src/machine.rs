//! What the machine must have, and how it gets it where it does not.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::say::say;
use crate::tool::{find, tool};

/// The oldest Node that the page's tools run on.
const NODE: (u32, u32) = (20, 19);

/// Checks Node and npm.
pub(crate) async fn check_node() -> Result {
    let way_out = format!("install Node {}.{} or newer with npm", NODE.0, NODE.1);
    let version = tool("node").args(["--version"]).output().await.map_err(|error| format!("{error}; {way_out}"))?;
    match parse_version(&version) {
        Some(found) if found >= NODE => (),
        _ => return Err(format!("Node {} is too old; {way_out}", version.trim())),
    }
    find(&["npm"]).map(drop).ok_or_else(|| format!("there is no npm; {way_out}"))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The target that WebAssembly is compiled for.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Rust's standard library for WebAssembly. `rust-toolchain.toml` names it, but rustup may have been told to install
/// nothing by itself.
pub(crate) async fn wasm_target() -> Result {
    let folder = tool("rustc").args(["--print", "target-libdir", "--target", WASM]).output().await?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    if find(&["rustup"]).is_none() {
        return Err(format!(
            "this Rust toolchain has no standard library for {WASM}, and there is no rustup to add it"
        ));
    }
    say(format!("adding the target {WASM} to the Rust toolchain"));
    tool("rustup").args(["target", "add", WASM]).run().await
}

/// Chromium for the tests of the page.
pub(crate) async fn chromium() -> Result<PathBuf> {
    if let Some(set) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        return Ok(set);
    }
    let names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
    if let Some(found) = find(&names) {
        return Ok(found);
    }
    install("chromium").await.map_err(|error| format!("no Chromium: {error}, or set CHROMIUM to its path"))?;
    find(&names).ok_or_else(|| "Debian's package chromium brought no chromium".to_owned())
}

/// The folder with Postgres' `initdb` and `postgres`.
pub(crate) async fn postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    install("postgresql").await.map_err(|error| format!("no Postgres server: {error}"))?;
    find_postgres().ok_or_else(|| "Debian's package postgresql brought no initdb".to_owned())
}

fn find_postgres() -> Option<PathBuf> {
    let whole = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packaged: Vec<_> = packaged.map(|version| version.path().join("bin")).filter(|bin| whole(bin)).collect();
    packaged.sort();
    let on_path = find(&["initdb"]).and_then(|initdb| fs::canonicalize(initdb).ok());
    packaged.pop().or_else(|| on_path?.parent().map(Path::to_path_buf).filter(|bin| whole(bin)))
}

/// Installs a package of Debian or its descendants.
async fn install(package: &str) -> Result {
    if find(&["apt-get"]).is_none() {
        return Err(format!("install {package}"));
    }
    if !is_root().await? {
        return Err(format!("run `sudo apt-get install {package}`"));
    }
    say(format!("installing {package}"));
    let apt = || tool("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "-q"]).run().await?;
    apt().args(["install", "-q", "-y", "--no-install-recommends", package]).run().await
}

/// Whether this process may do everything.
pub(crate) async fn is_root() -> Result<bool> {
    Ok(tool("id").args(["-u"]).output().await?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_compared_by_number() {
        for (text, new_enough) in
            [("v20.19.0\n", true), ("v20.9.0", false), ("v18.20.1", false), ("v100.0.0", true), ("20", false)]
        {
            assert_eq!(parse_version(text).is_some_and(|found| found >= NODE), new_enough, "{text}");
        }
    }
}
