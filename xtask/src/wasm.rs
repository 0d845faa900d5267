//! The core as WebAssembly, for the page.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasm_bindgen_cli_support::Bindgen;

use crate::tool::tool;
use crate::{Result, machine, root, target};

/// What the module may weigh when it is compressed, so that the page still loads quickly.
const BUDGET_BYTES: usize = 350 * 1024;

/// Where the page finds the module and its glue.
pub(crate) fn package() -> PathBuf {
    root().join("frontend/src/lib/wasm/pkg")
}

/// Builds the module and its glue.
pub(crate) async fn build() -> Result {
    machine::wasm_target().await?;
    let build = ["build", "-p", "apiflow-wasm", "--target", machine::WASM, "--profile", "wasm"];
    tool("cargo").args(build).run().await?;
    let module = target().join(machine::WASM).join("wasm/apiflow_wasm.wasm");
    let package = package();
    // Writing the same files again would make the page look out of date.
    if modified(&package.join("apiflow_wasm_bg.wasm")) > modified(&module) {
        return Ok(());
    }
    bind(&module, &package).map_err(|error| format!("wasm-bindgen failed: {error}"))
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

/// Checks the module's compressed size; gives it in words.
pub(crate) async fn check_size() -> Result<String> {
    let module = package().join("apiflow_wasm_bg.wasm");
    let compressed = tempfile::NamedTempFile::new().map_err(|error| format!("no temporary file: {error}"))?;
    let script = "gzip -9 -c \"$1\" > \"$2\"";
    tool("sh").args(["-c", script, "sh"]).args([module.as_path(), compressed.path()]).run().await?;
    let size = compressed.path().metadata().map_err(|error| format!("the module can't be weighed: {error}"))?.len();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let words = format!("the WebAssembly module has {} of {} KiB gzipped", size.div_ceil(1024), BUDGET_BYTES / 1024);
    if size > BUDGET_BYTES { Err(format!("{words}: make it smaller")) } else { Ok(words) }
}
