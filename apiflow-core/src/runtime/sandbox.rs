//! The evaluator in child processes, which may crash, run out of memory or hang without affecting this process.

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

/// Number of evaluations after which a process is replaced, so that nothing accumulates in it.
const MAX_EVALUATIONS_PER_PROCESS: u32 = 500;

/// Time limit of evaluations in the quick lane.
const QUICK_TIMEOUT: Duration = Duration::from_millis(200);
/// Niceness of the processes for slow evaluations: they leave the CPU to everything else that wants it.
const SLOW_NICENESS: u32 = 10;
/// Maximum number of jobs that are remembered as having slow evaluations.
const MAX_HEAVY_JOBS: usize = 1_024;
/// Maximum number of evaluations of jobs that wait in the slow lane.
const MAX_SLOW_WAITING: usize = 16;

/// Settings of the sandbox.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// A program that calls [`serve_child`] if it is started with `arguments`.
    pub program: PathBuf,
    /// Command-line arguments of the program, without its name.
    pub arguments: Vec<String>,
    /// Maximum number of processes, at least 2: one for quick evaluations, one for slow ones.
    pub processes: usize,
    /// Memory limit of one evaluation, in addition to what an idle process uses.
    pub memory_bytes: u64,
    /// Time limit of one evaluation.
    pub deadline: Duration,
}

/// Evaluates JavaScript in child processes. Cheap to clone.
///
/// A process has an empty environment, no core dumps, a memory limit, and a deadline for each evaluation. A process
/// that exceeds a limit or sends an invalid reply is killed and replaced, which only affects its current evaluation.
/// One that was killed from outside, for example by the kernel for lack of memory, is replaced, too, and its evaluation
/// is repeated once. Evaluations in the same process share nothing: each has its own JavaScript engine. A process ends
/// by itself when its parent is gone.
///
/// Half of the processes are for quick evaluations, the other half for slow ones: an evaluation that takes longer than
/// 200 ms is stopped and repeated in the slow lane, where further evaluations of its job start directly. Within a lane,
/// jobs take turns. So whatever a job evaluates, it delays other jobs with quick evaluations only by quick ones. Slow
/// evaluations run at a low priority, because a machine may have fewer cores than the sandbox has processes.
///
/// The memory limit requires Linux; elsewhere only the deadline applies.
#[derive(Clone)]
pub struct SandboxEvaluator {
    pool: Arc<Pool>,
}

struct Pool {
    settings: SandboxSettings,
    quick: LanePool,
    slow: LanePool,
    /// Jobs whose last evaluation was slow, the latest last.
    heavy: Mutex<VecDeque<String>>,
}

/// The processes of one lane.
struct LanePool {
    places: Arc<Lane>,
    /// Idle processes; the most recently used one last.
    idle: Mutex<Vec<Process>>,
    niceness: u32,
}

impl SandboxEvaluator {
    /// Creates an evaluator; processes are started on first use.
    pub fn new(settings: SandboxSettings) -> Self {
        let slow = (settings.processes / 2).max(1);
        let quick = settings.processes.saturating_sub(slow).max(1);
        Self {
            pool: Arc::new(Pool {
                settings,
                quick: LanePool::new(quick, 0),
                slow: LanePool::new(slow, SLOW_NICENESS),
                heavy: Mutex::default(),
            }),
        }
    }
}

impl LanePool {
    fn new(places: usize, niceness: u32) -> Self {
        Self { places: Lane::new(places), idle: Mutex::default(), niceness }
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a running process: an idle one, or a new one.
    async fn take_process(&self, settings: &SandboxSettings) -> Result<Process, EvaluationError> {
        loop {
            let waiting = self.lock_idle().pop();
            let Some(mut process) = waiting else { return self.start(settings).await };
            if process.is_alive() {
                return Ok(process);
            }
        }
    }

    /// Starts a process; repeats that once if it was killed from outside.
    async fn start(&self, settings: &SandboxSettings) -> Result<Process, EvaluationError> {
        for _ in 0..2 {
            match Process::start(settings, self.niceness).await {
                Ok(process) => return Ok(process),
                Err(ProcessFailure::Evaluation(error)) => return Err(error),
                Err(ProcessFailure::Died(how)) => tracing::warn!("an evaluator {how} while starting"),
            }
        }
        Err(died_twice("was killed while starting"))
    }

    async fn run(
        &self,
        mut process: Process,
        script: &Script,
        settings: &SandboxSettings,
    ) -> Result<Value, EvaluationError> {
        // If this is dropped at any later point, even because the caller is gone, the process is killed.
        let reply = match process.evaluate_script(script, settings).await {
            Ok(reply) => reply,
            Err(ProcessFailure::Evaluation(error)) => return Err(error),
            // It was killed from outside, for example by the kernel for lack of memory, which is not the script's
            // fault.
            Err(ProcessFailure::Died(_)) => {
                process = self.start(settings).await?;
                match process.evaluate_script(script, settings).await {
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
}

impl Pool {
    fn lock_heavy(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.heavy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records whether the evaluations of a job are slow.
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

    /// Evaluates in the quick lane; `None` if it takes too long for that.
    async fn evaluate_quickly(&self, job: &str, script: &Script) -> Option<Result<Value, EvaluationError>> {
        let _place = self.quick.places.wait_for_place(job, usize::MAX).await?;
        let process = match self.quick.take_process(&self.settings).await {
            Ok(process) => process,
            Err(error) => return Some(Err(error)),
        };
        // The process is killed when it is dropped at the time limit.
        timeout(QUICK_TIMEOUT.min(self.settings.deadline), self.quick.run(process, script, &self.settings)).await.ok()
    }

    /// Evaluates in the slow lane, where at most `most` evaluations wait.
    async fn evaluate_slowly(&self, job: &str, script: &Script, most: usize) -> Result<Value, EvaluationError> {
        let place = self.slow.places.wait_for_place(job, most).await;
        let _place = place.ok_or(EvaluationError::Busy)?;
        let process = self.slow.take_process(&self.settings).await?;
        let began = tokio::time::Instant::now();
        let outcome = self.slow.run(process, script, &self.settings).await;
        self.note_weight(job, began.elapsed() >= QUICK_TIMEOUT);
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

/// Returns the error of an evaluation whose process was killed from outside twice.
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
