//! The parent's side of a child process.

use std::borrow::Cow;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::SandboxSettings;
use super::wire::{DEADLINE_VARIABLE, MEMORY_VARIABLE, NICENESS_VARIABLE, Reply, Request, frame_message, read_reply};
use crate::ports::{EvaluationError, Script};

/// Time limit for a process to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Time limit for a process to end after its pipe has closed.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of bytes that are read of a dead process's standard error.
const MAX_LAST_WORDS_BYTES: u64 = 4_096;

/// Messages of Rust's runtime before it aborts because of a failed allocation or a stack overflow. Source:
/// `alloc::alloc`'s default error handler and `std::sys`'s stack overflow handler.
const OUT_OF_MEMORY: &str = "memory allocation of";
const STACK_OVERFLOW: &str = "has overflowed its stack";

/// A child process, killed when dropped.
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
    errors: ChildStderr,
    evaluations: u32,
}

/// Why a process did not reply.
#[derive(Debug)]
pub(super) enum ProcessFailure {
    /// The script exceeded a limit, or the process cannot be used.
    Evaluation(EvaluationError),
    /// The process died, and not because of its limits; contains how it ended: ``was killed by signal 9``.
    Died(String),
}

impl From<EvaluationError> for ProcessFailure {
    fn from(error: EvaluationError) -> Self {
        Self::Evaluation(error)
    }
}

impl Process {
    /// Starts a process and waits until it is ready.
    pub(super) async fn start(settings: &SandboxSettings, niceness: u32) -> Result<Self, ProcessFailure> {
        let not_started = |error: io::Error| {
            EvaluationError::Internal(format!(
                "the evaluator `{}` cannot be started: {error}",
                settings.program.display()
            ))
        };
        let mut command = Command::new(&settings.program);
        // A process group of its own: Ctrl-C in a terminal must only reach the parent, which may have to finish.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .args(&settings.arguments)
            .env_clear()
            .env(MEMORY_VARIABLE, settings.memory_bytes.to_string())
            .env(DEADLINE_VARIABLE, settings.deadline.as_millis().to_string())
            .env(NICENESS_VARIABLE, niceness.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let (Some(requests), Some(replies), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(EvaluationError::Internal("the evaluator has no pipes".to_owned()).into());
        };
        let mut process = Self { child, requests, replies, errors, evaluations: 0 };
        match timeout(START_TIMEOUT, read_reply(&mut process.replies)).await {
            Ok(Ok(Reply::Ready)) => Ok(process),
            Ok(Ok(_)) => Err(not_started(io::Error::other("it sent an unexpected message")).into()),
            Ok(Err(error)) => match timeout(END_TIMEOUT, process.child.wait()).await {
                Ok(Ok(status)) if is_killed(status) => Err(ProcessFailure::Died(describe_end(status))),
                Ok(_) | Err(_) => Err(not_started(error).into()),
            },
            Err(_) => Err(not_started(io::ErrorKind::TimedOut.into()).into()),
        }
    }

    /// Returns the number of evaluations so far.
    pub(super) fn evaluation_count(&self) -> u32 {
        self.evaluations
    }

    /// Returns whether the process is running.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Evaluates a script. After an error, the process cannot be used any more.
    pub(super) async fn evaluate_script(
        &mut self,
        script: &Script,
        settings: &SandboxSettings,
    ) -> Result<Reply, ProcessFailure> {
        self.evaluations += 1;
        let request =
            Request { source: Cow::Borrowed(&script.source), names: Cow::Borrowed(&script.names), form: script.form };
        let request = frame_message(&request).map_err(|error| {
            EvaluationError::Limit(format!("the values in scope are too large for the evaluator: {error}"))
        })?;
        let exchanged = timeout(settings.deadline, self.exchange_messages(&request)).await;
        match exchanged {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(EvaluationError::Internal("the evaluator returned an invalid answer".to_owned()).into())
            }
            Ok(Err(_)) => Err(self.post_mortem(settings).await),
            Err(_) => {
                let message =
                    format!("the expression returned no value within {:?} and was stopped", settings.deadline);
                Err(EvaluationError::Limit(message).into())
            }
        }
    }

    async fn exchange_messages(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.requests.write_all(request).await?;
        self.requests.flush().await?;
        read_reply(&mut self.replies).await
    }

    /// Returns why a process died: because of a limit, as its standard error says, or killed from outside.
    async fn post_mortem(&mut self, settings: &SandboxSettings) -> ProcessFailure {
        let Ok(Ok(status)) = timeout(END_TIMEOUT, self.child.wait()).await else {
            return EvaluationError::Internal("the evaluator closed its pipe".to_owned()).into();
        };
        let last_words = self.read_last_words().await;
        if last_words.contains(OUT_OF_MEMORY) {
            let limit = settings.memory_bytes / (1024 * 1024);
            return EvaluationError::Limit(format!(
                "the expression took more than {limit} MiB of memory and was stopped"
            ))
            .into();
        }
        if last_words.contains(STACK_OVERFLOW) {
            let message = "the expression nested its calls too deeply and was stopped";
            return EvaluationError::Limit(message.to_owned()).into();
        }
        ProcessFailure::Died(describe_end(status))
    }

    /// Reads the end of a dead process's standard error.
    async fn read_last_words(&mut self) -> String {
        let mut words = Vec::new();
        let mut pipe = (&mut self.errors).take(MAX_LAST_WORDS_BYTES);
        // What has been read is sufficient; a descendant may keep the pipe open.
        let _ = timeout(END_TIMEOUT, pipe.read_to_end(&mut words)).await;
        String::from_utf8_lossy(&words).into_owned()
    }
}

/// Returns whether a signal ended a process.
fn is_killed(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status).is_some();
    #[cfg(not(unix))]
    false
}

/// Describes how a process ended, as the end of a sentence.
fn describe_end(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    format!("ended ({status})")
}
