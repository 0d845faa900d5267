//! Evaluates JavaScript with boa_engine: one evaluation at a time, on the calling thread.
//!
//! The evaluators of [`crate::runtime`] add threads, deadlines and processes.

mod artifact_strings;
mod engine;
mod sandboxed_realm;

use async_trait::async_trait;
use serde_json::Value;

use crate::ports::{EvaluationError, Evaluator, Script};

pub(crate) use engine::evaluate_on_this_thread;
pub use engine::{Limits, MAX_VALUE_BYTES, STACK_BYTES};

/// An evaluator that blocks the calling thread, for hosts that have no other, such as a browser's page.
///
/// It has the default [`Limits`], but no deadline, and uses the stack as it is: a host that cannot
/// provide [`STACK_BYTES`] must survive an overflow, as a page survives a trap of its WebAssembly.
#[derive(Debug, Clone, Copy, Default)]
pub struct InlineEvaluator;

#[async_trait]
impl Evaluator for InlineEvaluator {
    async fn evaluate_script(&self, script: Script) -> Result<Value, EvaluationError> {
        evaluate_on_this_thread(&script, &Limits::default())
    }
}
