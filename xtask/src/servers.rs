//! The programs that the demo, the tests and the bench run, each on its own port and in its own folder.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::Result;
use crate::http::HttpRequest;
use crate::processes::{OwnedProcess, find_free_port};

/// The name of the first admin.
pub const ADMIN: &str = "admin";

/// Maximum time that a program may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Number of lines of the server's log that are shown after a failure.
const LOG_TAIL_COUNT: usize = 30;

/// The settings of a server that differ from the defaults.
#[derive(Default)]
pub struct ServerSettings {
    /// Private hosts that the server may call, as in `APIFLOW_ALLOW_HOSTS`.
    pub allowed_hosts: String,
    /// Names, hosts and values of secrets.
    pub secrets: Vec<(&'static str, String, String)>,
    /// `DATABASE_URL`; the default is a file in the data folder.
    pub database_url: Option<String>,
    /// Whether the server is a demo, with the nodes of the library and stand-ins of its own.
    pub is_demo: bool,
}

/// A running `apiflow serve`.
pub struct ApiflowServer {
    /// Base URL, without a path.
    pub url: String,
    /// Password of the first admin.
    pub password: String,
    // Fields are dropped in this order: first the program, then its files.
    process: OwnedProcess,
    folder: TempDir,
}

impl ApiflowServer {
    /// Starts a server in a new folder and waits until it is ready.
    ///
    /// # Errors
    /// The server does not become ready; the error contains the end of its log.
    pub async fn start(program: &Path, settings: ServerSettings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("apiflow-").tempdir();
        let folder = folder.map_err(|error| format!("can't create a temporary folder: {error}"))?;
        let url = format!("http://127.0.0.1:{}", find_free_port()?);
        let password = generate_password();
        let no_log = |error: std::io::Error| format!("can't create the server's log: {error}");
        let log = File::create(folder.path().join("server.log")).map_err(no_log)?;
        let errors = log.try_clone().map_err(no_log)?;
        let mut command = Command::new(program);
        command.arg("serve");
        settings.apply_to(&mut command);
        command
            .env("APIFLOW_LISTEN", url.trim_start_matches("http://"))
            .env("PUBLIC_API_URL", &url)
            .env("APIFLOW_DATA", folder.path().join("data"))
            .env("ADMIN_LOGIN", ADMIN)
            .env("ADMIN_PASSWORD", &password)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let mut server = Self { url, password, process: OwnedProcess::start(&mut command)?, folder };
        match server.wait_until_ready().await {
            Ok(()) => Ok(server),
            Err(reason) => Err(format!("{}\n{reason}", server.log_tail())),
        }
    }

    /// The id of the server's process.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The folder of the server's database and key.
    #[must_use]
    pub fn data_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// The last lines of the server's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_COUNT)..].join("\n")
    }

    /// Leaves the server running; returns the command that stops it and deletes its files.
    #[must_use]
    pub fn leave_running(self) -> String {
        let folder = self.folder.keep();
        let id = self.process.release().unwrap_or_default();
        format!("kill -INT {id}; rm -r {}", folder.display())
    }

    async fn wait_until_ready(&mut self) -> Result {
        let url = format!("{}/readyz", self.url);
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.process.exit_status() {
                return Err(format!("the server ended with {status} while it was starting"));
            }
            let request = HttpRequest { method: "GET", url: &url, token: "", body: None };
            let reply = tokio::time::timeout(Duration::from_secs(5), request.send()).await;
            if matches!(reply, Ok(Ok(reply)) if reply.is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("the server was not ready within {} s", START_TIMEOUT.as_secs()))
    }
}

impl ServerSettings {
    fn apply_to(self, command: &mut Command) {
        // Environment variables that are meant for another server must not reach this one.
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "RUST_LOG"));
        command.env("APIFLOW_ALLOW_HOSTS", self.allowed_hosts);
        command.args(self.is_demo.then_some("--demo"));
        let listed: Vec<_> = self.secrets.iter().map(|(name, host, _)| format!("{name}@{host}")).collect();
        command.env("APIFLOW_SECRETS_FROM_ENV", listed.join(","));
        command.envs(self.secrets.into_iter().map(|(name, _, value)| (name, value)));
        command.envs(self.database_url.map(|url| ("DATABASE_URL", url)));
    }
}

/// A running stand-in for Replicate.
pub struct FakeProvider {
    /// Base URL, without a path.
    pub url: String,
    process: OwnedProcess,
}

impl FakeProvider {
    /// Starts the stand-in; a prediction takes `delay`, and `behaviour` is its behaviour as JSON. Its first line of output
    /// contains its address.
    ///
    /// # Errors
    /// The program does not start.
    pub async fn start(program: &Path, delay: Duration, behaviour: &str) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--delay-ms", &delay.as_millis().to_string()]);
        command.args(["--behaviour", behaviour]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = OwnedProcess::start_with_signal(&mut command, "INT")?;
        let output = process.child().stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
        let line = line.ok().and_then(std::result::Result::ok).flatten().unwrap_or_default();
        let url = line.strip_prefix("listening on ").map(str::to_owned);
        let url = url.ok_or_else(|| format!("the stand-in printed `{line}` instead of its address"))?;
        Ok(Self { url, process })
    }

    /// Host and port of the stand-in.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Leaves the stand-in running; returns the command that stops it.
    #[must_use]
    pub fn leave_running(self) -> String {
        format!("kill -INT {}", self.process.release().unwrap_or_default())
    }
}

/// Returns a random password, from the random keys of the standard library's hash maps.
#[must_use]
pub fn generate_password() -> String {
    let draw = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", draw(), draw())
}
