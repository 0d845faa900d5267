//! The server and the provider's stand-in, on ports and in folders of their own.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::Result;
use crate::processes::{Owned, free_port};

/// The name of the first admin.
pub(crate) const ADMIN: &str = "admin";

/// How long a program may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much of the server's log is shown when something went wrong.
const TAIL_LINES: usize = 30;

/// What differs from the defaults.
pub(crate) struct Settings {
    /// The private hosts that it may call, as `APIFLOW_ALLOW_HOSTS`.
    pub(crate) allowed: String,
    /// Names, hosts and values of secrets.
    pub(crate) secrets: Vec<(&'static str, String, String)>,
    /// `DATABASE_URL`; the default is a file in the data folder.
    pub(crate) database: Option<String>,
}

/// A running `apiflow serve`.
pub(crate) struct Server {
    /// Its address.
    pub(crate) url: String,
    /// The admin's password.
    pub(crate) password: String,
    // Dropped in this order: first the program, then its files.
    process: Owned,
    folder: TempDir,
}

impl Server {
    /// Starts it in a new folder and waits until it is ready.
    pub(crate) async fn fresh(program: &Path, settings: Settings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("apiflow-").tempdir();
        Self::start(program, folder.map_err(|error| format!("no temporary folder: {error}"))?, settings).await
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(program: &Path, folder: TempDir, settings: Settings) -> Result<Self> {
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let password = random();
        let log = File::create(folder.path().join("server.log")).map_err(|error| format!("no log: {error}"))?;
        let errors = log.try_clone().map_err(|error| format!("no log: {error}"))?;
        let mut command = Command::new(program);
        settings.write(&mut command);
        command
            .arg("serve")
            .env("APIFLOW_LISTEN", url.trim_start_matches("http://"))
            .env("PUBLIC_API_URL", &url)
            .env("APIFLOW_DATA", folder.path().join("data"))
            .env("ADMIN_LOGIN", ADMIN)
            .env("ADMIN_PASSWORD", &password)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let mut server = Self { url, password, process: Owned::start(&mut command)?, folder };
        match server.wait_until_ready().await {
            Ok(()) => Ok(server),
            Err(reason) => Err(format!("{}\n{reason}", server.log_tail())),
        }
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Leaves it running with its files; gives the command that ends both.
    pub(crate) fn leave(self) -> String {
        let folder = self.folder.keep();
        let id = self.process.release().unwrap_or_default();
        format!("kill -INT {id}; rm -r {}", folder.display())
    }

    async fn wait_until_ready(&mut self) -> Result {
        let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let ready = format!("{}/readyz", self.url);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.ended() {
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

impl Settings {
    fn write(self, command: &mut Command) {
        // What the terminal has set for another server must not reach this one.
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "RUST_LOG"));
        command.env("APIFLOW_ALLOW_HOSTS", self.allowed);
        let listed: Vec<_> = self.secrets.iter().map(|(name, host, _)| format!("{name}@{host}")).collect();
        command.env("APIFLOW_SECRETS_FROM_ENV", listed.join(","));
        command.envs(self.secrets.into_iter().map(|(name, _, value)| (name, value)));
        command.envs(self.database.map(|url| ("DATABASE_URL", url)));
    }
}

/// The stand-in for a provider.
pub(crate) struct Provider {
    /// Its address.
    pub(crate) url: String,
    process: Owned,
}

impl Provider {
    /// Starts it; a prediction takes this long. Its first line names its address.
    pub(crate) async fn start(program: &Path, delay: Duration) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--delay-ms", &delay.as_millis().to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Owned::start_asking(&mut command, "INT")?;
        let output = process.child().stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.ok().and_then(std::result::Result::ok).flatten().unwrap_or_default();
        let url = line.strip_prefix("listening on ").map(str::to_owned);
        let url = url.ok_or_else(|| format!("the stand-in said `{line}` where it should name its address"))?;
        Ok(Self { url, process })
    }

    /// Its host and port.
    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Leaves it running; gives the command that ends it.
    pub(crate) fn leave(self) -> String {
        format!("kill -INT {}", self.process.release().unwrap_or_default())
    }
}

/// Text that nobody guesses, from the keys that the standard library draws for its hash maps.
pub(crate) fn random() -> String {
    let word = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", word(), word())
}
