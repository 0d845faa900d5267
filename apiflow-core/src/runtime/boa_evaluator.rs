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

/// Maximum number of concurrent evaluations.
const MAX_THREADS: usize = 4;

/// Evaluates JavaScript with boa_engine, in this process. Cheap to clone.
///
/// Each evaluation has its own engine, on its own thread with a stack of [`STACK_BYTES`]: evaluations share nothing.
/// The source is limited before it is parsed; loops, calls, promise jobs and the size of the value have limits; code
/// from strings (`eval`, `Function`) and blocking waits are refused.
///
/// **This is not a sandbox.** Use [`super::sandbox`] for expressions of untrusted users. This evaluator cannot limit:
/// - memory: `s += s` in a short loop, `'x'.repeat(1e9)` or `new Array(1e9).fill(1)` may use all memory, and a failed
///   allocation aborts the process;
/// - built-in functions that take long: a regular expression with catastrophic backtracking, sorting or filling a huge
///   array. The caller gets [`EvaluationError::Limit`] after 20 s, but the thread continues; while all 4 threads are
///   blocked, every evaluation fails with this error;
/// - built-in functions that recurse over data built at run time: a pattern with 100,000 groups passed to `RegExp`, or
///   an array nested 100,000 deep passed to `JSON.stringify`, may overflow the stack, which aborts the process.
#[derive(Clone)]
pub struct BoaEvaluator {
    threads: Arc<Semaphore>,
    deadline: Duration,
}

impl BoaEvaluator {
    /// Creates an evaluator that runs up to 4 evaluations at once.
    pub fn new() -> Self {
        Self { threads: Arc::new(Semaphore::new(MAX_THREADS)), deadline: EVALUATION_TIMEOUT }
    }

    /// Sets how long a caller waits for a value.
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

/// Evaluates and sends the outcome; the permit is released once the thread is done, even if the caller is gone.
fn evaluate_and_answer(
    script: &Script,
    sender: oneshot::Sender<Result<Value, EvaluationError>>,
    permit: OwnedSemaphorePermit,
) {
    let outcome = evaluate_on_this_thread(script, &Limits::default());
    // The caller may be gone.
    let _ = sender.send(outcome);
    drop(permit);
}
