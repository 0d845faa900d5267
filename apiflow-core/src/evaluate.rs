//! Performs the free effects of the engine (expressions, inputs, predicates), within a turn and without a commit of
//! their own.
//!
//! Architecture invariant: nothing here depends on who drives the run. The durable runtime and the dry run share this
//! code.

mod attempt_request;
mod expressions;
#[cfg(feature = "runtime")]
mod known_artifacts;
mod preparation;
mod value_cache;

use serde_json::Value;

use crate::call::CallPlans;
use crate::engine::{ConcludedStep, Effect, Input, PreparedStep, Run, StepConclusion, StepPreparation};
use crate::openflow::NumberOrTransform;
use crate::ports::{Evaluator, StoreError, ValueRef};

pub(crate) use self::attempt_request::build_request;
#[cfg(feature = "runtime")]
pub(crate) use self::known_artifacts::{find_artifacts, may_read_all};
pub(crate) use self::value_cache::{ValueCache, estimate_json_bytes};

/// The environment of evaluations.
pub(crate) struct Evaluation<'a> {
    pub(crate) run: &'a Run,
    pub(crate) values: &'a mut ValueCache,
    pub(crate) evaluator: &'a dyn Evaluator,
    pub(crate) plans: &'a CallPlans,
}

/// Why an effect could not be performed.
enum EvaluationFault {
    /// The error object of the step.
    Step(Value),
    Store(StoreError),
    /// The evaluator has no capacity now.
    Busy,
}

impl From<StoreError> for EvaluationFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Evaluation<'_> {
    /// Performs a free effect; `None` for any other effect, or if the evaluator has no capacity now.
    pub(crate) async fn perform_effect(&mut self, effect: &Effect) -> Result<Option<Input>, StoreError> {
        Ok(match effect {
            Effect::Prepare(prepare) => self.prepare_step(prepare).await?.map(|(prepared, bound_ms)| Input::Prepared {
                frame: prepare.frame,
                prepared,
                bound_ms,
            }),
            Effect::Conclude(conclude) => self
                .conclude_step(conclude)
                .await?
                .map(|concluded| Input::Concluded { frame: conclude.frame, concluded }),
            Effect::Call(_)
            | Effect::Cancel(_)
            | Effect::Poll(_)
            | Effect::Recover(_)
            | Effect::Download(_)
            | Effect::Wait { .. } => None,
        })
    }

    /// Evaluates what a module needs before it starts.
    async fn prepare_step(
        &mut self,
        effect: &StepPreparation,
    ) -> Result<Option<(PreparedStep, Option<u64>)>, StoreError> {
        let prepared = match self.evaluate_preparation(effect).await {
            // The timeout of a call is evaluated with its inputs, and a step that is not started needs none.
            Ok(
                prepared @ (PreparedStep::Skip
                | PreparedStep::Entered { .. }
                | PreparedStep::Cached { .. }
                | PreparedStep::Code { .. }
                | PreparedStep::Inputs { bound_ms: Some(_), .. }
                | PreparedStep::Failed(_)),
            ) => Ok((prepared, None)),
            Ok(prepared) => self.evaluate_timeout_ms(effect).await.map(|bound_ms| (prepared, bound_ms)),
            Err(fault) => Err(fault),
        };
        match prepared {
            Ok(prepared) => Ok(Some(prepared)),
            Err(EvaluationFault::Step(error)) => Ok(Some((PreparedStep::Failed(error), None))),
            Err(EvaluationFault::Store(error)) => Err(error),
            Err(EvaluationFault::Busy) => Ok(None),
        }
    }

    /// Evaluates what follows a step.
    async fn conclude_step(&mut self, effect: &StepConclusion) -> Result<Option<ConcludedStep>, StoreError> {
        let none = ConcludedStep { holds: false, sleep_ms: 0, result: None, error: None };
        match self.evaluate_conclusion(effect).await {
            Ok(concluded) => Ok(Some(concluded)),
            Err(EvaluationFault::Step(error)) => Ok(Some(ConcludedStep { error: Some(error), ..none })),
            Err(EvaluationFault::Store(error)) => Err(error),
            Err(EvaluationFault::Busy) => Ok(None),
        }
    }

    async fn evaluate_conclusion(&mut self, effect: &StepConclusion) -> Result<ConcludedStep, EvaluationFault> {
        let mut concluded = ConcludedStep { holds: false, sleep_ms: 0, result: None, error: None };
        if let Some(recover) = &effect.recover {
            let result = self.values.resolve_reference(recover).await?;
            concluded.holds = result.get("recover") == Some(&Value::Bool(true));
            return Ok(concluded);
        }
        if let Some(expr) = &effect.predicate {
            concluded.holds = self.evaluate_predicate(expr, &effect.names).await?;
        }
        if concluded.holds && effect.include_result {
            let result = effect.names.result.clone().unwrap_or(ValueRef::Null);
            concluded.result = Some(self.values.resolve_reference(&result).await?);
        }
        if let Some(sleep) = effect.sleep.as_ref().filter(|_| !concluded.holds) {
            let sleep = NumberOrTransform::Transform(sleep.clone());
            concluded.sleep_ms = (self.evaluate_number(&sleep, &effect.names, "sleep").await? * 1000.0) as u64;
        }
        Ok(concluded)
    }
}
