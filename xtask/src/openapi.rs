//! The OpenAPI document and the page's types, generated from the routes.

use std::fs;

use crate::frontend::{install_packages, npm_command};
use crate::output::print_line;
use crate::tool::tool;
use crate::{Result, machine, workspace_root};

/// Regenerates both, or checks that they are up to date.
///
/// # Errors
/// A file is out of date, or can't be written.
pub async fn run(check: bool) -> Result {
    machine::check_node().await?;
    let arguments = ["run", "--quiet", "-p", "apiflow-server", "--bin", "apiflow", "--", "openapi"];
    let generated = tool("cargo").args(arguments).read_output().await?;
    let generated = format!("{}\n", generated.trim_end());
    let file = workspace_root().join("apiflow-server/openapi.json");
    let is_current = fs::read_to_string(&file).is_ok_and(|present| present == generated);
    if check && !is_current {
        return Err("apiflow-server/openapi.json is out of date: run `cargo xtask openapi`".to_owned());
    }
    if !is_current {
        fs::write(&file, generated).map_err(|error| format!("`{}` can't be written: {error}", file.display()))?;
        print_line("wrote apiflow-server/openapi.json");
    }
    install_packages().await?;
    npm_command(&["run", if check { "api:check" } else { "api:generate" }]).run().await
}
