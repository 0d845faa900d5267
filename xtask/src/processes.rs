//! Processes that end when their owner is dropped.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command as SyncCommand, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::Result;

/// Time that a process has to end after a signal, before it is killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A process in its own process group. Dropping it ends the group: first with a signal that it can handle, then with `SIGKILL`.
pub struct OwnedProcess {
    child: Child,
    exit_signal: &'static str,
}

impl OwnedProcess {
    /// Starts a process that is stopped with `SIGTERM`.
    ///
    /// # Errors
    /// The program does not exist.
    pub fn start(command: &mut Command) -> Result<Self> {
        Self::start_with_signal(command, "TERM")
    }

    /// Starts a process that is stopped with another signal.
    ///
    /// # Errors
    /// The program does not exist.
    pub fn start_with_signal(command: &mut Command, exit_signal: &'static str) -> Result<Self> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().map_err(|error| format!("`{name}` can't be started: {error}"))?;
        Ok(Self { child, exit_signal })
    }

    /// The process, for reading its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The id of the process; `None` if it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// The operating system does not know the process.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.map_err(|error| format!("waiting for a process failed: {error}"))
    }

    /// The exit status, if the process has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Leaves the process running; returns its id.
    pub fn release(self) -> Option<u32> {
        let id = self.child.id();
        std::mem::forget(self);
        id
    }

    fn wait_for_exit(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while self.exit_status().is_none() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        let Some(id) = self.child.id() else { return };
        for signal in [self.exit_signal, "KILL"] {
            let group = format!("-{id}");
            // The process may have ended meanwhile; then there is nothing to signal.
            let _ = SyncCommand::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status();
            if self.wait_for_exit(EXIT_TIMEOUT) {
                return;
            }
        }
    }
}

/// Returns a port of the loopback interface that was free just now.
///
/// # Errors
/// No port is free.
pub fn find_free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("there is no free port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("there is no free port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_alive(id: u32) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        state.split(") ").nth(1).is_some_and(|rest| !rest.starts_with('Z'))
    }

    #[tokio::test]
    async fn a_dropped_process_ends_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped());
        let mut process = OwnedProcess::start(&mut command).expect("sh is everywhere");
        let parent = process.child().id().expect("it runs");
        let mut line = String::new();
        let output = process.child().stdout.take().expect("its output is piped");
        tokio::io::AsyncBufReadExt::read_line(&mut tokio::io::BufReader::new(output), &mut line)
            .await
            .expect("it prints a line");
        let child: u32 = line.trim().parse().expect("sh says the id of its child");
        assert!(is_alive(parent) && is_alive(child));
        drop(process);
        assert!(!is_alive(parent));
        let deadline = Instant::now() + EXIT_TIMEOUT;
        while is_alive(child) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!is_alive(child));
    }
}
