//! A Postgres that lives as long as the tests do.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::Command;

use crate::processes::{Owned, free_port};
use crate::tool::tool;
use crate::{Result, machine};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the server writes, in its folder.
const LOG: &str = "server.log";

/// A server on a free port of the loopback interface, with an empty cluster that goes when it does.
pub(crate) struct Postgres {
    // Dropped in this order: first the server, then its files.
    server: Owned,
    files: TempDir,
    url: String,
}

impl Postgres {
    /// Makes a cluster and starts its server. Postgres refuses to run as root; another user is taken then.
    pub(crate) async fn start() -> Result<Self> {
        let bin = machine::postgres().await?;
        let files = tempfile::Builder::new().prefix("apiflow-postgres-").tempdir();
        let files = files.map_err(|error| format!("no temporary folder: {error}"))?;
        let user = unprivileged_user().await?;
        if let Some(user) = &user {
            tool("chown").args([user.name]).args([files.path()]).run().await?;
        }
        let data = files.path().join("data");
        let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"];
        let (program, arguments) = as_user(user.as_ref(), &bin.join("initdb"));
        tool(program).args(arguments).args(options).args(["-D"]).args([&data]).folder(files.path()).output().await?;

        let port = free_port()?;
        let server = serve(user.as_ref(), &bin, files.path(), port)?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut postgres = Self { server, files, url };
        postgres.wait_until_ready(&bin, port).await?;
        Ok(postgres)
    }

    /// Where it is reached; the user may do everything in it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn wait_until_ready(&mut self, bin: &Path, port: u16) -> Result {
        let deadline = Instant::now() + PATIENCE;
        let port = port.to_string();
        while Instant::now() < deadline {
            if let Some(status) = self.server.ended() {
                let log = fs::read_to_string(self.files.path().join(LOG)).unwrap_or_default();
                return Err(format!("{log}\nPostgres ended with {status} while starting"));
            }
            let asked = tool(bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).output().await;
            if asked.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("Postgres did not answer within {} s", PATIENCE.as_secs()))
    }
}

fn serve(user: Option<&User>, bin: &Path, files: &Path, port: u16) -> Result<Owned> {
    let (program, arguments) = as_user(user, &bin.join("postgres"));
    let log = File::create(files.join(LOG)).map_err(|error| format!("no log: {error}"))?;
    let errors = log.try_clone().map_err(|error| format!("no log: {error}"))?;
    let mut command = Command::new(program);
    command.args(arguments).arg("-D").arg(files.join("data")).current_dir(files);
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let port = format!("port={port}");
    // Durability is part of what is tested: fsync stays on.
    let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "max_connections=200", &port];
    for setting in settings {
        command.args(["-c", setting]);
    }
    // SIGINT asks Postgres to end without waiting for its clients.
    Owned::start_asking(&mut command, "INT")
}

/// A user without rights.
struct User {
    name: &'static str,
    group: String,
}

/// The user to become, where this process is root.
async fn unprivileged_user() -> Result<Option<User>> {
    if !machine::is_root().await? {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Ok(group) = tool("id").args(["-gn", name]).output().await {
            return Ok(Some(User { name, group: group.trim().to_owned() }));
        }
    }
    Err("Postgres can't run as root, and there is neither a user `postgres` nor `nobody`".to_owned())
}

/// The program and first arguments that run `program` as this user. `setpriv` becomes the program, so that it can be
/// signalled.
fn as_user(user: Option<&User>, program: &Path) -> (OsString, Vec<OsString>) {
    let Some(User { name, group }) = user else { return (program.into(), Vec::new()) };
    let (user, group) = (format!("--reuid={name}"), format!("--regid={group}"));
    ("setpriv".into(), vec![user.into(), group.into(), "--clear-groups".into(), "--".into(), program.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cluster_answers_while_it_lives_and_leaves_nothing_behind() {
        let postgres = Postgres::start().await.expect("this machine has Postgres or gets it");
        let folder = postgres.files.path().to_path_buf();
        let address =
            postgres.url().trim_start_matches("postgres://postgres@").trim_end_matches("/postgres").to_owned();
        std::net::TcpStream::connect(&address).expect("it listens on the loopback interface");
        drop(postgres);
        assert!(std::net::TcpStream::connect(&address).is_err());
        assert!(!folder.exists());
    }
}
