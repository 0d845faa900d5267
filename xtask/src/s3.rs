//! An S3 server for the tests: `moto` from PyPI.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::Result;
use crate::output::print_line;
use crate::processes::{OwnedProcess, find_free_port};
use crate::python::prepare_environment;
use crate::tool::{find_program, tool};

/// The package, with what its server and its S3 need.
const PACKAGE: &str = "moto[server,s3]==5.2.5";

/// The time that the server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A server on a free port of the loopback interface, which keeps everything in memory.
pub struct S3Server {
    server: OwnedProcess,
    url: String,
}

impl S3Server {
    /// Starts a server; returns `None`, with a message, if this machine has no Python to install it with.
    ///
    /// # Errors
    /// The server does not start.
    pub async fn start_if_possible() -> Result<Option<Self>> {
        let program = match find_or_install_moto().await {
            Ok(program) => program,
            Err(error) => {
                print_line(format!("the tests on S3 are left out: {error}"));
                return Ok(None);
            }
        };
        let port = find_free_port()?;
        let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()];
        let server = tool(program).args(arguments).spawn(Stdio::null(), Stdio::null())?;
        let mut server = Self { server, url: format!("http://127.0.0.1:{port}") };
        server.wait_until_ready(port).await?;
        Ok(Some(server))
    }

    /// The URL of the server; any credentials are accepted.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn wait_until_ready(&mut self, port: u16) -> Result {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.server.exit_status() {
                return Err(format!("moto ended with {status} while it was starting"));
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("moto was not ready within {} s", START_TIMEOUT.as_secs()))
    }
}

/// Returns the program `moto_server`; installs it below the target folder if it is missing.
async fn find_or_install_moto() -> Result<PathBuf> {
    if let Some(found) = find_program(&["moto_server"]) {
        return Ok(found);
    }
    Ok(prepare_environment("moto", PACKAGE).await?.join("moto_server"))
}
