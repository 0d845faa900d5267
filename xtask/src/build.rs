//! Building everything: WebAssembly, then the page that loads it, then the server that holds the page.

use std::path::PathBuf;

use crate::say::headline;
use crate::tool::tool;
use crate::{Result, frontend, machine, target, wasm};

/// The programs that were built.
pub(crate) struct Built {
    /// The server.
    pub(crate) server: PathBuf,
    /// The providers' stand-ins.
    pub(crate) fake_providers: PathBuf,
}

/// Builds all; gives where the programs are.
pub(crate) async fn all(release: bool) -> Result<Built> {
    page().await?;
    headline("build: server");
    let mut arguments = vec!["build", "-p", "apiflow-server", "--bin", "apiflow", "-p", "fake-providers"];
    arguments.extend(["--bin", "fake-providers"]);
    if release {
        arguments.push("--release");
    }
    tool("cargo").args(arguments).run().await?;
    let folder = target().join(if release { "release" } else { "debug" });
    Ok(Built { server: folder.join("apiflow"), fake_providers: folder.join("fake-providers") })
}

/// Builds the page with the WebAssembly modules in it.
pub(crate) async fn page() -> Result {
    machine::check_node().await?;
    headline("build: WebAssembly");
    wasm::build().await?;
    headline("build: page");
    frontend::install().await?;
    frontend::build().await
}
