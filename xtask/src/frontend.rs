//! Installs the web page's packages and builds the page.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::output::print_line;
use crate::tool::{Tool, tool};
use crate::{Result, workspace_root};

/// The folder of the page's sources.
#[must_use]
pub fn frontend_dir() -> PathBuf {
    workspace_root().join("frontend")
}

/// The folder that the page is built into: inside the server's crate, so that its package contains the page.
#[must_use]
pub fn page_dir() -> PathBuf {
    workspace_root().join("apiflow-server/page")
}

/// Returns npm with these arguments, in the page's folder.
#[must_use]
pub fn npm_command(arguments: &[&str]) -> Tool {
    tool("npm").args(arguments).in_folder(&frontend_dir())
}

/// Installs the page's packages, unless they match the lock file.
///
/// # Errors
/// npm fails.
pub async fn install_packages() -> Result {
    install_packages_in(&frontend_dir()).await
}

/// Installs a folder's packages, unless they match its lock file.
///
/// # Errors
/// npm fails.
pub async fn install_packages_in(folder: &Path) -> Result {
    let lock = fs::read(folder.join("package-lock.json"))
        .map_err(|error| format!("`{}` has no package-lock.json: {error}", folder.display()))?;
    let installed = folder.join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    tool("npm").args(["ci", "--no-audit", "--no-fund"]).in_folder(folder).run().await?;
    fs::write(&installed, lock).map_err(|error| format!("`{}` can't be written: {error}", installed.display()))
}

/// Builds the page, unless it is newer than its sources.
///
/// # Errors
/// The build fails; npm has printed the reason.
pub async fn build_if_outdated() -> Result {
    let built = newest_modification(&page_dir().join("index.html"));
    let sources =
        ["src", "bundle", "static", "package-lock.json", "vite.config.ts", "svelte.config.js", "tsconfig.json"];
    let sources = sources.iter().filter_map(|name| newest_modification(&frontend_dir().join(name))).max();
    if built.is_some() && built > sources {
        print_line("the page is up to date");
        return Ok(());
    }
    npm_command(&["run", "build"]).run().await
}

/// Returns when a file, or the newest file in a folder, was modified.
fn newest_modification(path: &Path) -> Option<SystemTime> {
    let metadata = path.metadata().ok()?;
    let own = metadata.modified().ok();
    if !metadata.is_dir() {
        return own;
    }
    // A folder's own time counts too: it changes when a file is deleted.
    let inside = fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest_modification(&entry.path())).max();
    own.max(inside)
}
