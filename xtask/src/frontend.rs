//! The page: its packages, its build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::say::say;
use crate::tool::{Tool, tool};
use crate::{Result, root};

/// The page's folder.
pub(crate) fn folder() -> PathBuf {
    root().join("frontend")
}

/// Runs npm in the page's folder.
pub(crate) fn npm<const N: usize>(arguments: [&str; N]) -> Tool {
    tool("npm").args(arguments).folder(&folder())
}

/// Installs the page's packages unless they are those of the lock file.
pub(crate) async fn install() -> Result {
    install_in(&folder()).await
}

/// Installs a folder's packages unless they are those of its lock file.
pub(crate) async fn install_in(folder: &Path) -> Result {
    let lock = fs::read(folder.join("package-lock.json"))
        .map_err(|error| format!("`{}` has no package-lock.json: {error}", folder.display()))?;
    let installed = folder.join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    tool("npm").args(["ci", "--no-audit", "--no-fund"]).folder(folder).run().await?;
    fs::write(&installed, lock).map_err(|error| format!("`{}` can't be written: {error}", installed.display()))
}

/// Builds the page unless it is newer than all that it is made of.
pub(crate) async fn build() -> Result {
    let built = newest(&folder().join("build/index.html"));
    let sources = ["src", "static", "package-lock.json", "vite.config.ts", "svelte.config.js", "tsconfig.json"];
    let sources = sources.iter().filter_map(|name| newest(&folder().join(name))).max();
    if built.is_some() && built > sources {
        say("the page is up to date");
        return Ok(());
    }
    npm(["run", "build"]).run().await
}

/// When a file, or the youngest file in a folder, was written.
fn newest(path: &Path) -> Option<SystemTime> {
    let metadata = path.metadata().ok()?;
    let own = metadata.modified().ok();
    if !metadata.is_dir() {
        return own;
    }
    // A folder's own time counts, too: a file was removed from it.
    let inside = fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path())).max();
    own.max(inside)
}
