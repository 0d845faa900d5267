//! Pictures of all pages and dialogs, and the film of the founding story, made with the demo in Chromium.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::frontend::{self, npm_command};
use crate::output::print_line;
use crate::servers::{ADMIN, ApiflowServer, FakeProvider, ServerSettings};
use crate::{Result, build, machine, page_bench, target_dir};

/// Time that the film's stand-in takes for an image, so that it can be watched.
const PROVIDER_DELAY: Duration = Duration::from_millis(2500);

/// What is made, and where.
#[derive(Debug, Args)]
pub struct ScreenshotOptions {
    /// Use this server instead of building one; the providers' stand-in lies next to it.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// The folder that the pictures are written to [default: target/screenshots].
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Make only the film: a workflow is built by hand, run and watched.
    #[arg(long)]
    film: bool,
    /// Make only the pictures of scenes whose title contains this text.
    #[arg(long, value_name = "TEXT", conflicts_with = "film")]
    only: Option<String>,
}

/// Makes the pictures.
///
/// # Errors
/// A build fails, or the page does not behave as expected.
pub async fn run(options: &ScreenshotOptions) -> Result {
    let programs = match &options.server {
        Some(server) => page_bench::programs_beside(server),
        None => build::build_all(false).await?,
    };
    frontend::install_packages().await?;
    let chromium = machine::find_or_install_chromium().await?;
    // The film begins without documents; the pictures show those of the demo.
    let provider = FakeProvider::start(&programs.fake_providers, PROVIDER_DELAY, "{}").await?;
    let allowed_hosts = provider.host().to_owned();
    let settings = ServerSettings { allowed_hosts, is_demo: !options.film, ..ServerSettings::default() };
    let server = ApiflowServer::start(&programs.server, settings).await?;
    let output = options.output.clone().unwrap_or_else(|| target_dir().join("screenshots"));
    let output = std::path::absolute(&output).map_err(|error| format!("`{}`: {error}", output.display()))?;
    let projects: &[&str] = if options.film { &["film"] } else { &["light", "dark", "phone"] };
    let mut arguments = vec!["run", "screenshots", "--"];
    arguments.extend(projects.iter().flat_map(|project| ["--project", project]));
    if let Some(only) = &options.only {
        arguments.extend(["--grep", only]);
    }
    let pictures = npm_command(&arguments).env("CHROMIUM", chromium).env("APIFLOW_URL", &server.url);
    let pictures = pictures.env("FAKE_REPLICATE_URL", format!("{}/v1", provider.url));
    let pictures = pictures.env("APIFLOW_ADMIN_LOGIN", ADMIN).env("APIFLOW_ADMIN_PASSWORD", &server.password);
    pictures.env("SCREENSHOT_FOLDER", &output).run().await?;
    print_line(format!("the pictures are in {}", output.display()));
    Ok(())
}
