//! The server and the provider's stand-in, on ports and in a folder of their own.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::Result;
use crate::build::Built;
use crate::processes::{Owned, free_port};
use crate::say::say;

/// The name of the first admin.
pub(crate) const ADMIN: &str = "admin";

/// How long a program may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much of the server's log is shown when something went wrong.
const TAIL_LINES: usize = 30;

/// A running server with a provider to call.
pub(crate) struct Site {
    /// The server's address.
    pub(crate) url: String,
    /// The stand-in's address.
    pub(crate) stand_in: String,
    /// The admin's password.
    pub(crate) password: String,
    // Dropped in this order: programs first, then their files.
    server: Owned,
    provider: Owned,
    folder: TempDir,
}

impl Site {
    /// Starts both. The stand-in takes time to answer, so that there is progress to see.
    pub(crate) async fn start(built: &Built) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("apiflow-demo-").tempdir();
        let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
        let (provider, stand_in) = start_provider(&built.fake_providers).await?;
        let password = random();
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let server = start_server(&built.server, folder.path(), &url, &stand_in, &password)?;
        let mut site = Self { url, stand_in, password, server, provider, folder };
        if let Err(reason) = site.wait_until_ready().await {
            return Err(format!("{}\n{reason}", site.log_tail()));
        }
        Ok(site)
    }

    /// The last lines of the server's log.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Leaves all running and says how to go on.
    pub(crate) fn leave(self) {
        let Self { url, password, server, provider, folder, .. } = self;
        let ids: Vec<_> = [server.release(), provider.release()].into_iter().flatten().map(|id| id.to_string()).collect();
        let folder = folder.keep();
        say(format!("\nstill running: {url}"));
        say(format!("log in as {ADMIN} with the password {password}"));
        say(format!("stop it: kill -INT {} && rm -r {}", ids.join(" "), folder.display()));
    }

    async fn wait_until_ready(&mut self) -> Result {
        let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let ready = format!("{}/readyz", self.url);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.server.ended() {
                return Err(format!("the server ended with {status} while starting"));
            }
            let asked = client.get(&ready).timeout(Duration::from_secs(5)).send().await;
            if asked.is_ok_and(|reply| reply.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("the server was not ready within {} s", PATIENCE.as_secs()))
    }
}

fn start_server(program: &Path, folder: &Path, url: &str, stand_in: &str, password: &str) -> Result<Owned> {
    let log = File::create(folder.join("server.log")).map_err(|error| format!("no log: {error}"))?;
    let errors = log.try_clone().map_err(|error| format!("no log: {error}"))?;
    let provider = stand_in.trim_start_matches("http://");
    let mut command = Command::new(program);
    // What the terminal has set for another server must not reach this one.
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "RUST_LOG"));
    command
        .arg("serve")
        .env("APIFLOW_LISTEN", url.trim_start_matches("http://"))
        .env("PUBLIC_API_URL", url)
        .env("APIFLOW_DATA", folder.join("data"))
        .env("ADMIN_LOGIN", ADMIN)
        .env("ADMIN_PASSWORD", password)
        .env("APIFLOW_ALLOW_HOSTS", provider)
        .env("APIFLOW_SECRETS_FROM_ENV", format!("REPLICATE_API_TOKEN@{provider}"))
        .env("REPLICATE_API_TOKEN", format!("r8_{}", random()))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    Owned::start(&mut command)
}

/// Starts the stand-in; its first line names its address.
async fn start_provider(program: &Path) -> Result<(Owned, String)> {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0", "--delay-ms", "1500"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut provider = Owned::start_asking(&mut command, "INT")?;
    let output = provider.child().stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(output).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    let line = line.ok().and_then(std::result::Result::ok).flatten().unwrap_or_default();
    let address = line.strip_prefix("listening on ");
    let address = address.ok_or_else(|| format!("the stand-in said `{line}` where it should name its address"))?;
    Ok((provider, address.to_owned()))
}

/// Text that nobody guesses, from the keys that the standard library draws for its hash maps.
fn random() -> String {
    let word = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", word(), word())
}
