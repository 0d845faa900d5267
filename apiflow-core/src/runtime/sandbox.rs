//! The evaluator in child processes, which may crash, run out of memory or hang without harm to this one.

mod child;
mod process;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::ports::{EvaluationError, Evaluator, Script};
use process::Process;

pub use child::serve_child;

/// After how many evaluations a process is replaced, so that nothing builds up in it.
const EVALUATIONS_PER_PROCESS: u32 = 500;

/// How evaluations are run.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// A program that calls [`serve_child`] when started with `arguments`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many processes may be at work at once, at least 1.
    pub processes: usize,
    /// How much memory one evaluation may take, on top of what an idle process has.
    pub memory_bytes: u64,
    /// How long one evaluation may take.
    pub deadline: Duration,
}

/// Evaluates JavaScript in child processes. Cheap to clone.
///
/// A process has a cleared environment, no core dumps, a limit of its memory and a deadline for each evaluation. One
/// that is over a limit, dead or incomprehensible is killed and replaced, which costs only the evaluation that it was
/// at. Between evaluations in one process nothing is shared: each has a JavaScript engine of its own. A process whose
/// parent is gone ends by itself.
///
/// The limit of memory needs Linux; elsewhere only the deadline holds.
#[derive(Clone)]
pub struct SandboxEvaluator {
    pool: Arc<Pool>,
}

struct Pool {
    settings: SandboxSettings,
    permits: Semaphore,
    /// Processes that wait for work; the last one worked last.
    idle: Mutex<Vec<Process>>,
}

impl SandboxEvaluator {
    /// An evaluator without processes: they are started when first needed.
    pub fn new(settings: SandboxSettings) -> Self {
        let permits = Semaphore::new(settings.processes.max(1));
        Self { pool: Arc::new(Pool { settings, permits, idle: Mutex::default() }) }
    }
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A living process: one that waits for work, or a new one.
    async fn process(&self) -> Result<Process, EvaluationError> {
        loop {
            let waiting = self.idle().pop();
            let Some(mut process) = waiting else { return Process::start(&self.settings).await };
            if process.lives() {
                return Ok(process);
            }
        }
    }
}

#[async_trait]
impl Evaluator for SandboxEvaluator {
    async fn evaluate(&self, script: Script) -> Result<Value, EvaluationError> {
        let _permit = self.pool.permits.acquire().await.expect("the semaphore is never closed");
        let mut process = self.pool.process().await?;
        // Dropped at any point below, also where the caller loses interest, the process is killed.
        let reply = process.evaluate(&script, &self.pool.settings).await?;
        let outcome = reply.into_outcome();
        let worn = process.evaluations() >= EVALUATIONS_PER_PROCESS
            || matches!(outcome, Err(EvaluationError::Limit(_) | EvaluationError::Internal(_)));
        if !worn {
            self.pool.idle().push(process);
        }
        outcome
    }
}
