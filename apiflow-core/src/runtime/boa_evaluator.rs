//! The evaluator on boa_engine, on threads of this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::boa::{Limits, STACK_BYTES, evaluate_on_this_thread};
use crate::ports::{EvaluationError, Evaluator, Script};

/// How long a caller waits for a value.
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(20);

/// How many evaluations may be under way at once.
const MAX_THREADS: usize = 4;

/// Evaluates JavaScript with boa_engine, in this process. Cheap to clone.
///
/// Each evaluation has a thread of its own with a stack of [`STACK_BYTES`] and an engine of its own: nothing is shared
/// between evaluations. The text is capped before it is parsed; loops, calls, promise jobs and the size of the value
/// have limits; code made from strings (`eval`, `Function`) and blocking waits are refused.
///
/// **This is no sandbox.** For expressions of people one does not trust use [`super::sandbox`]. It can't stop:
/// - memory: `s += s` in a short loop, `'x'.repeat(1e9)`, `new Array(1e9).fill(1)` take what there is, and a failed
///   allocation ends the process;
/// - built-in functions that take long: a regular expression that backtracks without end, sorting or filling a giant
///   array. The caller gets [`EvaluationError::Limit`] after 20 s, but the thread works on until it is done; while all
///   4 threads are held so, every evaluation fails with a limit;
/// - built-in functions that recurse over what a script builds at run time: a pattern with 100 000 groups given to
///   `RegExp`, an array nested 100 000 deep given to `JSON.stringify` may overflow the stack, which ends the process.
#[derive(Clone)]
pub struct BoaEvaluator {
    threads: Arc<Semaphore>,
    deadline: Duration,
}

impl BoaEvaluator {
    /// An evaluator that runs up to 4 evaluations at once.
    pub fn new() -> Self {
        Self { threads: Arc::new(Semaphore::new(MAX_THREADS)), deadline: EVALUATION_TIMEOUT }
    }

    /// The same with another time that a caller waits for a value.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn on_thread(&self, script: Script) -> Result<Value, EvaluationError> {
        let permit = Arc::clone(&self.threads).acquire_owned().await.expect("the semaphore is never closed");
        let (sender, receiver) = oneshot::channel();
        std::thread::Builder::new()
            .name("apiflow-expression".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || evaluate_and_answer(&script, sender, permit))
            .map_err(|error| EvaluationError::Internal(format!("cannot start a thread: {error}")))?;
        receiver.await.unwrap_or_else(|_| Err(EvaluationError::Internal("the JavaScript engine panicked".to_owned())))
    }
}

impl Default for BoaEvaluator {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Evaluator for BoaEvaluator {
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError> {
        match tokio::time::timeout(self.deadline, self.on_thread(script)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(EvaluationError::Limit(format!("the expression returned no value within {:?}", self.deadline)))
            }
        }
    }
}

/// Evaluates and answers; the permit is given back when the thread is done, even if nobody waits any more.
fn evaluate_and_answer(
    script: &Script,
    sender: oneshot::Sender<Result<Value, EvaluationError>>,
    permit: OwnedSemaphorePermit,
) {
    let outcome = evaluate_on_this_thread(script, &Limits::default());
    // Nobody may wait any more.
    let _ = sender.send(outcome);
    drop(permit);
}
