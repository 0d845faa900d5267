//! The OpenAPI document and the page's types, generated from the routes.

use std::fs;

use crate::frontend::{install, npm};
use crate::say::say;
use crate::tool::tool;
use crate::{Result, machine, root};

/// Writes both again, or says whether they are what would be written.
pub(crate) async fn run(check: bool) -> Result {
    machine::check_node().await?;
    let arguments = ["run", "--quiet", "-p", "apiflow-server", "--bin", "apiflow", "--", "openapi"];
    let generated = tool("cargo").args(arguments).output().await?;
    let generated = format!("{}\n", generated.trim_end());
    let file = root().join("apiflow-server/openapi.json");
    let same = fs::read_to_string(&file).is_ok_and(|present| present == generated);
    if check && !same {
        return Err("apiflow-server/openapi.json is out of date: run `cargo xtask openapi`".to_owned());
    }
    if !same {
        fs::write(&file, generated).map_err(|error| format!("`{}` can't be written: {error}", file.display()))?;
        say("apiflow-server/openapi.json is written");
    }
    install().await?;
    npm(["run", if check { "api:check" } else { "api:generate" }]).run().await
}
