//! The parent's side of one child process.

use std::borrow::Cow;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::SandboxSettings;
use super::wire::{DEADLINE_VARIABLE, MEMORY_VARIABLE, Reply, Request, frame, read_reply};
use crate::ports::{EvaluationError, Script};

/// How long a process may take until it is ready for work.
const START: Duration = Duration::from_secs(20);

/// How long a process whose pipe closed may take to be gone.
const END: Duration = Duration::from_secs(2);

/// A child process, killed when dropped.
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
    evaluations: u32,
}

impl Process {
    /// Starts a process and waits until it is ready for work.
    pub(super) async fn start(settings: &SandboxSettings) -> Result<Self, EvaluationError> {
        let not_started = |error: io::Error| {
            EvaluationError::Internal(format!("the evaluator `{}` does not start: {error}", settings.program.display()))
        };
        let mut child = Command::new(&settings.program)
            .args(&settings.arguments)
            .env_clear()
            .env(MEMORY_VARIABLE, settings.memory_bytes.to_string())
            .env(DEADLINE_VARIABLE, settings.deadline.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(EvaluationError::Internal("the evaluator has no pipes".to_owned()));
        };
        let mut process = Self { child, requests, replies, evaluations: 0 };
        match timeout(START, read_reply(&mut process.replies)).await {
            Ok(Ok(Reply::Ready)) => Ok(process),
            Ok(Ok(_)) => Err(not_started(io::Error::other("it speaks out of turn"))),
            Ok(Err(error)) => Err(not_started(error)),
            Err(_) => Err(not_started(io::ErrorKind::TimedOut.into())),
        }
    }

    /// How many evaluations it was given.
    pub(super) fn evaluations(&self) -> u32 {
        self.evaluations
    }

    /// Says whether it has not ended.
    pub(super) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Has a script evaluated. After an error the process is of no use any more.
    pub(super) async fn evaluate(
        &mut self,
        script: &Script,
        settings: &SandboxSettings,
    ) -> Result<Reply, EvaluationError> {
        self.evaluations += 1;
        let request =
            Request { source: Cow::Borrowed(&script.source), names: Cow::Borrowed(&script.names), form: script.form };
        let request = frame(&request).map_err(|error| {
            EvaluationError::Limit(format!("the values in scope are too large to pass on: {error}"))
        })?;
        let exchanged = timeout(settings.deadline, self.exchange(&request)).await;
        match exchanged {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(EvaluationError::Internal("the evaluator gave an answer that is none".to_owned()))
            }
            Ok(Err(_)) => Err(self.post_mortem(settings).await),
            Err(_) => {
                let message = format!("the expression gave no value within {:?}, and was stopped", settings.deadline);
                Err(EvaluationError::Limit(message))
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.requests.write_all(request).await?;
        self.requests.flush().await?;
        read_reply(&mut self.replies).await
    }

    /// Why a process is dead.
    async fn post_mortem(&mut self, settings: &SandboxSettings) -> EvaluationError {
        match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) if crashed(status) => EvaluationError::Limit(format!(
                "the expression took more than {} MiB of memory or nested its calls too deep, and was stopped",
                settings.memory_bytes / (1024 * 1024)
            )),
            Ok(Ok(status)) => EvaluationError::Internal(format!("the evaluator broke down ({status})")),
            Ok(Err(_)) | Err(_) => EvaluationError::Internal("the evaluator closed its pipe".to_owned()),
        }
    }
}

/// Says whether a signal ended the process: a failed allocation and an overflown stack do so.
#[cfg(unix)]
fn crashed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status).is_some()
}

/// Says whether the process ended in a crash, which other systems tell by its code.
#[cfg(not(unix))]
fn crashed(status: ExitStatus) -> bool {
    !status.success()
}
