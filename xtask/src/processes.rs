//! Processes that end with whoever owns them.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command as SyncCommand, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::Result;

/// How long a process may take to end by itself when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process in a group of its own. Dropping it ends the group: first by asking, then by force.
pub(crate) struct Owned {
    child: Child,
    ask: &'static str,
}

impl Owned {
    /// Starts a process that ends at `SIGTERM`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Self::start_asking(command, "TERM")
    }

    /// Starts a process that ends at another signal.
    pub(crate) fn start_asking(command: &mut Command, ask: &'static str) -> Result<Self> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().map_err(|error| format!("`{name}` can't be started: {error}"))?;
        Ok(Self { child, ask })
    }

    /// The process itself, to read from its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.map_err(|error| format!("waiting for a process failed: {error}"))
    }

    /// Says how it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Lets it live on; gives its id.
    pub(crate) fn release(self) -> Option<u32> {
        let id = self.child.id();
        std::mem::forget(self);
        id
    }

    fn ended_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.ended().is_none() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let Some(id) = self.child.id() else { return };
        for signal in [self.ask, "KILL"] {
            let group = format!("-{id}");
            // It may have ended in between, so that there is nobody to signal.
            let _ = SyncCommand::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status();
            if self.ended_within(PATIENCE) {
                return;
            }
        }
    }
}

/// A port of the loopback interface that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("no free port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(id: u32) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        state.split(") ").nth(1).is_some_and(|rest| !rest.starts_with('Z'))
    }

    #[tokio::test]
    async fn a_dropped_process_ends_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped());
        let mut owned = Owned::start(&mut command).expect("sh is everywhere");
        let parent = owned.child().id().expect("it runs");
        let mut line = String::new();
        let output = owned.child().stdout.take().expect("its output is piped");
        tokio::io::AsyncBufReadExt::read_line(&mut tokio::io::BufReader::new(output), &mut line)
            .await
            .expect("it speaks");
        let child: u32 = line.trim().parse().expect("sh says the id of its child");
        assert!(alive(parent) && alive(child));
        drop(owned);
        assert!(!alive(parent));
        let deadline = Instant::now() + PATIENCE;
        while alive(child) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!alive(child));
    }
}
