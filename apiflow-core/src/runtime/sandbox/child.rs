//! The child process.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Map;

use super::wire::{
    DEADLINE_VARIABLE, MAX_REPLY_BYTES, MEMORY_VARIABLE, NICENESS_VARIABLE, Reply, Request, frame_message, read, write,
};
use crate::boa::{Limits, STACK_BYTES, evaluate_on_this_thread};
use crate::ports::{Script, ScriptForm};

/// How much longer than its parent a child waits for a value: it only ends itself if the parent is gone.
const EXIT_GRACE_TIMEOUT: Duration = Duration::from_secs(1);

/// What could not be set up or done in a child.
#[derive(Debug, thiserror::Error)]
enum ChildError {
    #[error("this command is internal: `apiflow` starts it to evaluate expressions")]
    NotStartedByParent,
    #[error("the pipe to the parent process failed: {0}")]
    Pipe(#[from] io::Error),
}

/// Evaluates requests from the standard input until it ends; this is the whole program of a child process.
///
/// [`super::SandboxEvaluator`] starts it; if it is started by hand, it ends immediately with an explanation.
pub fn serve_child() -> ExitCode {
    match serve_requests(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            // Only a person who started it by hand reads this: the parent does not read errors.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_requests(requests: &mut impl Read, replies: &mut impl Write) -> Result<ExitCode, ChildError> {
    let memory_bytes = read_variable(MEMORY_VARIABLE)?;
    let deadline = Duration::from_millis(read_variable(DEADLINE_VARIABLE)?) + EXIT_GRACE_TIMEOUT;
    lower_priority(read_variable(NICENESS_VARIABLE)?)?;
    let engine = Engine::start()?;
    // What the first evaluation allocates permanently must not count towards the limit.
    let warm = Script { source: "[1].map(n => n + 1)".to_owned(), names: Map::new(), form: ScriptForm::Expression };
    engine.answer_script(warm, deadline);
    limit_memory(memory_bytes)?;
    write(replies, &Reply::Ready)?;
    while let Some(request) = read::<Request<'_>>(requests)? {
        let script =
            Script { source: request.source.into_owned(), names: request.names.into_owned(), form: request.form };
        match engine.answer_script(script, deadline) {
            ScriptAnswer::Reply(reply) => replies.write_all(&reply)?,
            ScriptAnswer::Late => return Ok(ExitCode::FAILURE),
            ScriptAnswer::Panicked => {
                write(replies, &Reply::Internal("the JavaScript engine panicked".to_owned()))?;
                return Ok(ExitCode::FAILURE);
            }
        }
        replies.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lowers the priority of this process, of which threads that are started later inherit it.
fn lower_priority(niceness: u64) -> io::Result<()> {
    #[cfg(unix)]
    if niceness > 0 {
        rustix::process::nice(i32::try_from(niceness).unwrap_or(i32::MAX))?;
    }
    #[cfg(not(unix))]
    let _unsupported = niceness;
    Ok(())
}

fn read_variable(name: &str) -> Result<u64, ChildError> {
    let value = std::env::var(name).ok().and_then(|text| text.parse().ok());
    value.ok_or(ChildError::NotStartedByParent)
}

/// The thread that evaluates, with its stack.
struct Engine {
    scripts: Sender<Script>,
    replies: Receiver<Vec<u8>>,
}

enum ScriptAnswer {
    Reply(Vec<u8>),
    Late,
    Panicked,
}

impl Engine {
    fn start() -> io::Result<Self> {
        let (scripts, work) = channel::<Script>();
        let (done, replies) = channel();
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            while let Ok(script) = work.recv() {
                if done.send(reply_to(&script)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { scripts, replies })
    }

    fn answer_script(&self, script: Script, deadline: Duration) -> ScriptAnswer {
        if self.scripts.send(script).is_err() {
            return ScriptAnswer::Panicked;
        }
        match self.replies.recv_timeout(deadline) {
            Ok(reply) => ScriptAnswer::Reply(reply),
            Err(RecvTimeoutError::Timeout) => ScriptAnswer::Late,
            Err(RecvTimeoutError::Disconnected) => ScriptAnswer::Panicked,
        }
    }
}

fn reply_to(script: &Script) -> Vec<u8> {
    let reply = frame_message(&Reply::from_outcome(evaluate_on_this_thread(script, &Limits::default())));
    reply.ok().filter(|reply| reply.len() <= MAX_REPLY_BYTES + 4).unwrap_or_else(|| {
        let message = "the value is too large as JSON".to_owned();
        frame_message(&Reply::Limit(message)).expect("a short message has a JSON form")
    })
}

/// Limits the memory of this process to its current size plus `bytes`, and disables core dumps.
fn limit_memory(bytes: u64) -> io::Result<()> {
    lower_limit(rlimit::Resource::CORE, 0)?;
    // A limit can only be computed if the kernel reports the current size.
    let Some(in_use) = address_space() else { return Ok(()) };
    let limit = in_use.saturating_add(bytes);
    lower_limit(rlimit::Resource::AS, limit)?;
    lower_limit(rlimit::Resource::DATA, limit)
}

fn lower_limit(resource: rlimit::Resource, limit: u64) -> io::Result<()> {
    let (_, hard) = resource.get()?;
    let limit = limit.min(hard);
    resource.set(limit, limit)
}

/// Returns the size of this process's address space, in bytes. Source: proc(5), `VmSize` in `/proc/pid/status`.
fn address_space() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
