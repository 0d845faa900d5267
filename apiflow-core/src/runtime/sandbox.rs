//! The evaluator in child processes, which may crash, run out of memory or hang without harm to this one.

mod child;
mod lane;
mod process;
mod wire;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::timeout;

use crate::ports::{EvaluationError, Evaluator, Script};
use lane::Lane;
use process::{Process, ProcessFailure};

pub use child::serve_child;

/// After how many evaluations a process is replaced, so that nothing builds up in it.
const MAX_EVALUATIONS_PER_PROCESS: u32 = 500;

/// How long an evaluation may take among the quick ones.
const QUICK_TIMEOUT: Duration = Duration::from_millis(200);
/// Jobs whose evaluations take long that are remembered, at most.
const MAX_HEAVY_JOBS: usize = 1_024;
/// Evaluations of jobs that wait among the slow ones, at most.
const MAX_SLOW_WAITING: usize = 16;

/// How evaluations are run.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// A program that calls [`serve_child`] when started with `arguments`.
    pub program: PathBuf,
    /// Command-line arguments of the program, without its name.
    pub arguments: Vec<String>,
    /// How many processes may be at work at once, at least 2: one for quick evaluations, one for those that take long.
    pub processes: usize,
    /// How much memory one evaluation may take, on top of what an idle process has.
    pub memory_bytes: u64,
    /// How long one evaluation may take.
    pub deadline: Duration,
}

/// Evaluates JavaScript in child processes. Cheap to clone.
///
/// A process has a cleared environment, no core dumps, a limit of its memory and a deadline for each evaluation. One
/// that is over a limit or incomprehensible is killed and replaced, which costs only the evaluation that it was at. One
/// that was ended by somebody else, such as the kernel when memory is short, is replaced too, and its evaluation is
/// done once more. Between evaluations in one process nothing is shared: each has a JavaScript engine of its own. A process whose
/// parent is gone ends by itself.
///
/// Half of the processes are for quick evaluations, the other half for those that take long: one that takes longer than
/// 200 ms is stopped and begun again among those, where the next ones of its job begin at once. In either half jobs get
/// their places in turns. So whatever one job evaluates, another one that evaluates quickly waits for quick ones only.
///
/// The limit of memory needs Linux; elsewhere only the deadline holds.
#[derive(Clone)]
pub struct SandboxEvaluator {
    pool: Arc<Pool>,
}

struct Pool {
    settings: SandboxSettings,
    quick: Arc<Lane>,
    slow: Arc<Lane>,
    /// Jobs whose last evaluation took long, the last one last.
    heavy: Mutex<VecDeque<String>>,
    /// Processes that wait for work; the last one worked last.
    idle: Mutex<Vec<Process>>,
}

impl SandboxEvaluator {
    /// An evaluator without processes: they are started when first needed.
    pub fn new(settings: SandboxSettings) -> Self {
        let slow = (settings.processes / 2).max(1);
        let quick = settings.processes.saturating_sub(slow).max(1);
        Self {
            pool: Arc::new(Pool {
                settings,
                quick: Lane::new(quick),
                slow: Lane::new(slow),
                heavy: Mutex::default(),
                idle: Mutex::default(),
            }),
        }
    }
}

impl Pool {
    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A living process: one that waits for work, or a new one.
    async fn take_process(&self) -> Result<Process, EvaluationError> {
        loop {
            let waiting = self.lock_idle().pop();
            let Some(mut process) = waiting else { return self.start().await };
            if process.is_alive() {
                return Ok(process);
            }
        }
    }

    /// A new process; one that somebody else ended while it started is replaced once.
    async fn start(&self) -> Result<Process, EvaluationError> {
        for _ in 0..2 {
            match Process::start(&self.settings).await {
                Ok(process) => return Ok(process),
                Err(ProcessFailure::Evaluation(error)) => return Err(error),
                Err(ProcessFailure::Died(how)) => tracing::warn!("an evaluator {how} while starting"),
            }
        }
        Err(died_twice("was killed while starting"))
    }

    fn lock_heavy(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.heavy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers or forgets that the evaluations of a job take long.
    fn note_weight(&self, job: &str, is_heavy: bool) {
        if job.is_empty() {
            return;
        }
        let mut heavy = self.lock_heavy();
        heavy.retain(|known| known != job);
        if is_heavy {
            heavy.push_back(job.to_owned());
        }
        if heavy.len() > MAX_HEAVY_JOBS {
            heavy.pop_front();
        }
    }

    /// Evaluates among the quick ones; `None` if it takes too long for that.
    async fn evaluate_quickly(&self, job: &str, script: &Script) -> Option<Result<Value, EvaluationError>> {
        let _place = self.quick.wait_for_place(job, usize::MAX).await?;
        let process = match self.take_process().await {
            Ok(process) => process,
            Err(error) => return Some(Err(error)),
        };
        // Dropped when the time is over, the process is killed.
        timeout(QUICK_TIMEOUT.min(self.settings.deadline), self.run(process, script)).await.ok()
    }

    /// Evaluates among those that take long, of which at most `most` wait.
    async fn evaluate_slowly(&self, job: &str, script: &Script, most: usize) -> Result<Value, EvaluationError> {
        let place = self.slow.wait_for_place(job, most).await;
        let _place = place.ok_or(EvaluationError::Busy)?;
        let process = self.take_process().await?;
        let began = tokio::time::Instant::now();
        let outcome = self.run(process, script).await;
        self.note_weight(job, began.elapsed() >= QUICK_TIMEOUT);
        outcome
    }

    async fn run(&self, mut process: Process, script: &Script) -> Result<Value, EvaluationError> {
        // Dropped at any point below, even if the caller loses interest, the process is killed.
        let reply = match process.evaluate_script(script, &self.settings).await {
            Ok(reply) => reply,
            Err(ProcessFailure::Evaluation(error)) => return Err(error),
            // Somebody else ended it, such as the kernel when memory is short: that is not the script's fault.
            Err(ProcessFailure::Died(_)) => {
                process = self.start().await?;
                match process.evaluate_script(script, &self.settings).await {
                    Ok(reply) => reply,
                    Err(ProcessFailure::Evaluation(error)) => return Err(error),
                    Err(ProcessFailure::Died(how)) => return Err(died_twice(&how)),
                }
            }
        };
        let outcome = reply.into_outcome();
        let worn = process.evaluation_count() >= MAX_EVALUATIONS_PER_PROCESS
            || matches!(outcome, Err(EvaluationError::Limit(_) | EvaluationError::Internal(_)));
        if !worn {
            self.lock_idle().push(process);
        }
        outcome
    }

    async fn evaluate_in_process(&self, job: &str, script: &Script, most: usize) -> Result<Value, EvaluationError> {
        let is_heavy = self.lock_heavy().iter().any(|known| known == job);
        if !is_heavy {
            if let Some(outcome) = self.evaluate_quickly(job, script).await {
                return outcome;
            }
            self.note_weight(job, true);
        }
        self.evaluate_slowly(job, script, most).await
    }
}

/// The error of an evaluation whose processes were ended by somebody else, two in a row.
fn died_twice(how: &str) -> EvaluationError {
    EvaluationError::Internal(format!(
        "the evaluator process {how} twice, without exceeding its own limits: check whether this machine or container \
         is out of memory"
    ))
}

#[async_trait]
impl Evaluator for SandboxEvaluator {
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError> {
        self.pool.evaluate_in_process("", &script, usize::MAX).await
    }

    async fn evaluate_for(&self, job: &str, script: Script) -> Result<Value, EvaluationError> {
        self.pool.evaluate_in_process(job, &script, MAX_SLOW_WAITING).await
    }
}
