//! The WebAssembly modules of the web page.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::tool::tool;
use crate::{Result, cargo_progress, machine, target_dir, workspace_root};

/// A WebAssembly module of the web page, built from a separate crate.
pub struct WasmModule {
    /// Name of the crate.
    package: &'static str,
    /// Prefix of its file names.
    name: &'static str,
    /// The folder of the module and its JavaScript, within `frontend/src/lib/wasm`.
    folder: &'static str,
    /// Maximum compressed size, so that the page loads quickly.
    max_size_bytes: usize,
}

/// The validator and the layout: loaded with the page.
pub const CORE_MODULE: WasmModule =
    WasmModule { package: "apiflow-wasm", name: "apiflow_wasm", folder: "pkg", max_size_bytes: 350 * 1024 };

/// The checks of connectors and nodes: loaded with their forms.
pub const DECLARATIONS_MODULE: WasmModule = WasmModule {
    package: "apiflow-wasm-declarations",
    name: "apiflow_wasm_declarations",
    folder: "pkg-declarations",
    max_size_bytes: 160 * 1024,
};

/// The dry run with its JavaScript engine: loaded when it is first used.
pub const DRY_RUN_MODULE: WasmModule = WasmModule {
    package: "apiflow-wasm-dry-run",
    name: "apiflow_wasm_dry_run",
    folder: "pkg-dry-run",
    max_size_bytes: 2 * 1024 * 1024,
};

/// All of them.
const MODULES: [WasmModule; 3] = [CORE_MODULE, DECLARATIONS_MODULE, DRY_RUN_MODULE];

/// Builds the modules and their JavaScript.
///
/// # Errors
/// A build fails; cargo has printed the reason.
pub async fn build_modules() -> Result {
    machine::ensure_wasm_target().await?;
    let mut arguments = vec!["build", "--target", machine::WASM_TARGET, "--profile", "wasm"];
    // Together, so that they share their dependencies: the linker removes from each what it does not use.
    arguments.extend(MODULES.iter().flat_map(|module| ["-p", module.package]));
    cargo_progress::run_cargo(tool("cargo").args(arguments).env(FLAGS_VARIABLE, remap_flags())).await?;
    for module in MODULES {
        module.write_bindings().await?;
    }
    Ok(())
}

/// Checks the modules' compressed sizes; returns a line about each.
///
/// # Errors
/// A module is too large.
pub async fn check_sizes() -> Result<String> {
    let mut lines = Vec::new();
    for module in MODULES {
        lines.push(module.check_size().await?);
    }
    Ok(lines.join("\n"))
}

impl WasmModule {
    /// The folder of the module and its JavaScript.
    #[must_use]
    pub fn output_dir(&self) -> PathBuf {
        workspace_root().join("frontend/src/lib/wasm").join(self.folder)
    }

    fn output_file(&self) -> PathBuf {
        self.output_dir().join(format!("{}_bg.wasm", self.name))
    }

    /// Writes the module and its JavaScript for the page, unless they are newer than cargo's build.
    async fn write_bindings(&self) -> Result {
        let compiled = target_dir().join(machine::WASM_TARGET).join(format!("wasm/{}.wasm", self.name));
        // Writing the same files again would make the page look outdated.
        if modification_time(&self.output_file()) > modification_time(&compiled) {
            return Ok(());
        }
        let bindgen = ["run", "--quiet", "--package", "xtask-wasm-bindgen", "--"];
        tool("cargo").args(bindgen).args([compiled, self.output_dir()]).run().await
    }

    async fn check_size(&self) -> Result<String> {
        let compressed = tempfile::NamedTempFile::new();
        let compressed = compressed.map_err(|error| format!("can't create a temporary file: {error}"))?;
        let script = "gzip -9 -c \"$1\" > \"$2\"";
        tool("sh").args(["-c", script, "sh"]).args([self.output_file().as_path(), compressed.path()]).run().await?;
        let metadata = compressed.path().metadata();
        let size = metadata.map_err(|error| format!("can't read the size of `{}`: {error}", self.name))?.len();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (name, max) = (self.name, self.max_size_bytes);
        let line = format!("`{name}` has {} of at most {} KiB gzipped", size.div_ceil(1024), max / 1024);
        if size > max { Err(format!("{line}: make it smaller")) } else { Ok(line) }
    }
}

/// The environment variable with the compiler flags for this target only.
const FLAGS_VARIABLE: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS";

/// Returns flags that remove this machine's folders from the source paths in panic messages: users of the page don't need
/// them, and the module would contain them hundreds of times.
fn remap_flags() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let registries = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.push(workspace_root().to_path_buf());
    // Flags are separated by spaces: a folder with a space in its name is left unchanged.
    let folders = folders.iter().filter_map(|folder| folder.to_str()).filter(|folder| !folder.contains(' '));
    folders.map(|folder| format!("--remap-path-prefix={folder}/=")).collect::<Vec<_>>().join(" ")
}

fn modification_time(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|file| file.modified()).ok()
}
