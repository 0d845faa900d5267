//! The core as WebAssembly, for the page.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasm_bindgen_cli_support::Bindgen;

use crate::tool::tool;
use crate::{Result, machine, root, target};

/// A module of the page, built from a crate of its own.
pub(crate) struct Module {
    /// The crate.
    package: &'static str,
    /// The name that its files begin with.
    name: &'static str,
    /// Where the page finds it and its glue, within `frontend/src/lib/wasm`.
    folder: &'static str,
    /// What it may weigh when it is compressed, so that the page still loads quickly.
    budget_bytes: usize,
}

/// The validator and the layout: loaded with the page.
pub(crate) const CORE: Module =
    Module { package: "apiflow-wasm", name: "apiflow_wasm", folder: "pkg", budget_bytes: 350 * 1024 };

/// The dry run with its JavaScript engine: loaded when it is first used.
pub(crate) const DRY_RUN: Module = Module {
    package: "apiflow-wasm-dry-run",
    name: "apiflow_wasm_dry_run",
    folder: "pkg-dry-run",
    budget_bytes: 2 * 1024 * 1024,
};

/// Builds the modules and their glue.
pub(crate) async fn build() -> Result {
    machine::wasm_target().await?;
    CORE.build().await?;
    DRY_RUN.build().await
}

/// Checks the modules' compressed sizes; gives them in words.
pub(crate) async fn check_sizes() -> Result<String> {
    let (core, dry_run) = (CORE.check_size().await?, DRY_RUN.check_size().await?);
    Ok(format!("{core}\n{dry_run}"))
}

impl Module {
    /// Where the module and its glue are.
    pub(crate) fn folder(&self) -> PathBuf {
        root().join("frontend/src/lib/wasm").join(self.folder)
    }

    fn file(&self) -> PathBuf {
        self.folder().join(format!("{}_bg.wasm", self.name))
    }

    /// By itself, because crates that are built together share the features that one of them needs.
    async fn build(&self) -> Result {
        let build = ["build", "-p", self.package, "--target", machine::WASM, "--profile", "wasm"];
        tool("cargo").args(build).env(FLAGS, remapped()).run().await?;
        let module = target().join(machine::WASM).join(format!("wasm/{}.wasm", self.name));
        // Writing the same files again would make the page look out of date.
        if modified(&self.file()) > modified(&module) {
            return Ok(());
        }
        bind(&module, &self.folder()).map_err(|error| format!("wasm-bindgen failed: {error}"))
    }

    async fn check_size(&self) -> Result<String> {
        let compressed = tempfile::NamedTempFile::new().map_err(|error| format!("no temporary file: {error}"))?;
        let script = "gzip -9 -c \"$1\" > \"$2\"";
        tool("sh").args(["-c", script, "sh"]).args([self.file().as_path(), compressed.path()]).run().await?;
        let size = compressed.path().metadata();
        let size = size.map_err(|error| format!("`{}` can't be weighed: {error}", self.name))?.len();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let budget = self.budget_bytes;
        let words = format!("`{}` has {} of {} KiB gzipped", self.name, size.div_ceil(1024), budget / 1024);
        if size > budget { Err(format!("{words}: make it smaller")) } else { Ok(words) }
    }
}

/// Where cargo finds the compiler's flags for this target alone.
const FLAGS: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS";

/// Flags that cut this machine's folders off the places that panics name: they tell the page's readers nothing, and
/// would be in the module hundreds of times.
fn remapped() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let registries = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.push(root().to_path_buf());
    // Flags are parted at blanks: a folder with one stays as it is.
    let folders = folders.iter().filter_map(|folder| folder.to_str()).filter(|folder| !folder.contains(' '));
    folders.map(|folder| format!("--remap-path-prefix={folder}/=")).collect::<Vec<_>>().join(" ")
}

/// Not followed by wasm-opt: it gains nothing in compressed size, and versions that distributions ship break the module.
fn bind(module: &Path, package: &Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(package)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.typescript(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    Ok(bindgen.generate(package)?)
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|file| file.modified()).ok()
}
