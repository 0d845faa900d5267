//! Pictures of all pages and dialogs, and the film of the founding story, made with the demo in Chromium.

use std::path::PathBuf;

use clap::Args;

use crate::frontend::{self, npm_command};
use crate::output::print_line;
use crate::servers::{ADMIN, ApiflowServer, ServerSettings};
use crate::{Result, build, machine, target_dir};

/// What is made, and where.
#[derive(Debug, Args)]
pub struct ScreenshotOptions {
    /// Use this server instead of building one.
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
    let server = match &options.server {
        Some(server) => server.clone(),
        None => build::build_all(false).await?.server,
    };
    frontend::install_packages().await?;
    let chromium = machine::find_or_install_chromium().await?;
    let settings = ServerSettings { is_demo: true, ..ServerSettings::default() };
    let server = ApiflowServer::start(&server, settings).await?;
    let output = options.output.clone().unwrap_or_else(|| target_dir().join("screenshots"));
    let output = std::path::absolute(&output).map_err(|error| format!("`{}`: {error}", output.display()))?;
    let mut arguments = vec!["run", "screenshots", "--", "--project", if options.film { "film" } else { "pages" }];
    if let Some(only) = &options.only {
        arguments.extend(["--grep", only]);
    }
    let pictures = npm_command(&arguments).env("CHROMIUM", chromium).env("APIFLOW_URL", &server.url);
    let pictures = pictures.env("APIFLOW_ADMIN_LOGIN", ADMIN).env("APIFLOW_ADMIN_PASSWORD", &server.password);
    pictures.env("SCREENSHOT_FOLDER", &output).run().await?;
    print_line(format!("the pictures are in {}", output.display()));
    Ok(())
}
