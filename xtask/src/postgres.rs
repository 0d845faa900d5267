//! A Postgres server for the tests and the bench.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::Command;

use crate::processes::{OwnedProcess, find_free_port};
use crate::tool::tool;
use crate::{Result, machine};

/// The time that the server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The name of the server's log in its folder.
const LOG_FILE: &str = "server.log";

/// A server on a free port of the loopback interface, with a temporary cluster.
pub struct PostgresServer {
    // Fields are dropped in this order: first the server, then its files.
    server: OwnedProcess,
    files: TempDir,
    url: String,
}

impl PostgresServer {
    /// Creates a cluster and starts its server. Postgres refuses to run as root; root runs it as another user.
    ///
    /// # Errors
    /// Postgres can't be installed, or does not start.
    pub async fn start() -> Result<Self> {
        let bin = machine::find_or_install_postgres().await?;
        let files = tempfile::Builder::new().prefix("apiflow-postgres-").tempdir();
        let files = files.map_err(|error| format!("can't create a temporary folder: {error}"))?;
        let user = find_unprivileged_user().await?;
        if let Some(user) = &user {
            tool("chown").args([user.name]).args([files.path()]).run().await?;
        }
        let data = files.path().join("data");
        let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"];
        let (program, arguments) = build_user_command(user.as_ref(), &bin.join("initdb"));
        tool(program)
            .args(arguments)
            .args(options)
            .args(["-D"])
            .args([&data])
            .in_folder(files.path())
            .read_output()
            .await?;

        let port = find_free_port()?;
        let server = start_server(user.as_ref(), &bin, files.path(), port)?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut postgres = Self { server, files, url };
        postgres.wait_until_ready(&bin, port).await?;
        Ok(postgres)
    }

    /// The URL of the server, with a superuser.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn wait_until_ready(&mut self, bin: &Path, port: u16) -> Result {
        let deadline = Instant::now() + START_TIMEOUT;
        let port = port.to_string();
        while Instant::now() < deadline {
            if let Some(status) = self.server.exit_status() {
                let log = fs::read_to_string(self.files.path().join(LOG_FILE)).unwrap_or_default();
                return Err(format!("{log}\nPostgres ended with {status} while it was starting"));
            }
            let reply = tool(bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).read_output().await;
            if reply.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("Postgres was not ready within {} s", START_TIMEOUT.as_secs()))
    }
}

fn start_server(user: Option<&SystemUser>, bin: &Path, files: &Path, port: u16) -> Result<OwnedProcess> {
    let (program, arguments) = build_user_command(user, &bin.join("postgres"));
    let log = File::create(files.join(LOG_FILE)).map_err(|error| format!("can't create the log: {error}"))?;
    let errors = log.try_clone().map_err(|error| format!("can't create the log: {error}"))?;
    let mut command = Command::new(program);
    command.args(arguments).arg("-D").arg(files.join("data")).current_dir(files);
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let port = format!("port={port}");
    // The tests include durability: fsync stays on.
    let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "max_connections=200", &port];
    for setting in settings {
        command.args(["-c", setting]);
    }
    // On SIGINT, Postgres ends without waiting for its clients.
    OwnedProcess::start_with_signal(&mut command, "INT")
}

/// A user of this machine without privileges.
struct SystemUser {
    name: &'static str,
    group: String,
}

/// Returns the user to run Postgres as, if this process is root.
async fn find_unprivileged_user() -> Result<Option<SystemUser>> {
    if !machine::is_root().await? {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Ok(group) = tool("id").args(["-gn", name]).read_output().await {
            return Ok(Some(SystemUser { name, group: group.trim().to_owned() }));
        }
    }
    Err("Postgres can't run as root: create a user `postgres`".to_owned())
}

/// Returns the command and first arguments that run `program` as this user. `setpriv` is replaced by the program, so signals
/// reach it.
fn build_user_command(user: Option<&SystemUser>, program: &Path) -> (OsString, Vec<OsString>) {
    let Some(SystemUser { name, group }) = user else { return (program.into(), Vec::new()) };
    let (user, group) = (format!("--reuid={name}"), format!("--regid={group}"));
    ("setpriv".into(), vec![user.into(), group.into(), "--clear-groups".into(), "--".into(), program.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cluster_answers_while_it_lives_and_leaves_nothing_behind() {
        let postgres = PostgresServer::start().await.expect("this machine has Postgres or gets it");
        let folder = postgres.files.path().to_path_buf();
        let address =
            postgres.url().trim_start_matches("postgres://postgres@").trim_end_matches("/postgres").to_owned();
        std::net::TcpStream::connect(&address).expect("it listens on the loopback interface");
        drop(postgres);
        assert!(std::net::TcpStream::connect(&address).is_err());
        assert!(!folder.exists());
    }
}
