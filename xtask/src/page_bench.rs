//! How fast the page is: measured in Chromium, against the release server that contains it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::build::{self, BuiltPrograms};
use crate::frontend::{self, npm_command};
use crate::output::{print_headline, print_line};
use crate::servers::{ADMIN, ApiflowServer, FakeProvider, ServerSettings};
use crate::{Result, machine, target_dir, wasm, workspace_root};

/// Time that the stand-in takes for an image: long enough that each state of a step arrives by itself.
const PROVIDER_DELAY: Duration = Duration::from_millis(40);

/// The section of docs/performance.md that contains the table.
const BEGIN: &str = "<!-- page bench -->";
const END: &str = "<!-- end of page bench -->";

/// What is measured.
#[derive(Debug, Args)]
pub struct PageBenchOptions {
    /// Measure this server instead of building one; the providers' stand-in lies next to it.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Measure only the rows whose name contains this text, and leave docs/performance.md as it is.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Measures the page, and writes the table into docs/performance.md.
///
/// # Errors
/// A build fails, the page does not behave as expected, or the file has no section for the table.
pub async fn run(options: &PageBenchOptions) -> Result {
    let programs = match &options.server {
        Some(server) => programs_beside(server),
        None => build::build_all(true).await?,
    };
    frontend::install_packages().await?;
    let chromium = machine::find_or_install_chromium().await?;
    let provider = FakeProvider::start(&programs.fake_providers, PROVIDER_DELAY, "{}").await?;
    let settings = ServerSettings { allowed_hosts: provider.host().to_owned(), ..ServerSettings::default() };
    let server = ApiflowServer::start(&programs.server, settings).await?;
    let table = target_dir().join("page-bench.md");
    print_headline("measuring the page");
    let mut arguments = vec!["run", "bench"];
    if let Some(only) = &options.only {
        arguments.extend(["--", "--grep", only]);
    }
    let bench = npm_command(&arguments).env("CHROMIUM", chromium);
    let bench = bench.env("APIFLOW_URL", &server.url).env("FAKE_REPLICATE_URL", format!("{}/v1", provider.url));
    let bench = bench.env("APIFLOW_ADMIN_LOGIN", ADMIN).env("APIFLOW_ADMIN_PASSWORD", &server.password);
    let bench = bench.env("PAGE_BENCH_TABLE", &table).env("APIFLOW_WASM_PKG", wasm::CORE_MODULE.output_dir());
    bench.run().await?;
    let rows = read_file(&table)?;
    print_line(&rows);
    if options.only.is_some() {
        return Ok(());
    }
    let page = workspace_root().join("docs/performance.md");
    let text = replace_section(&read_file(&page)?, &rows).ok_or("docs/performance.md has no section for the table")?;
    fs::write(&page, text).map_err(|error| format!("`{}` can't be written: {error}", page.display()))
}

/// Returns the programs of a build of which only the server's path is known.
#[must_use]
pub fn programs_beside(server: &Path) -> BuiltPrograms {
    BuiltPrograms { server: server.to_owned(), fake_providers: server.with_file_name("fake-providers") }
}

fn read_file(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("`{}` can't be read: {error}", path.display()))
}

/// Returns the text with another content between the markers; `None` if they are missing.
fn replace_section(text: &str, content: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", content.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::replace_section;

    #[test]
    fn only_the_section_is_replaced() {
        let text = "before\n<!-- page bench -->\nold\n<!-- end of page bench -->\nafter\n";
        let expected = "before\n<!-- page bench -->\nnew\n<!-- end of page bench -->\nafter\n";
        assert_eq!(replace_section(text, "new\n").as_deref(), Some(expected));
        assert_eq!(replace_section("no section", "new"), None);
    }
}
