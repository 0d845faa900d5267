//! Loops.

use apiflow_core::openflow::{ForLoop, Module, WhileLoop};
use serde_json::{Value, json};

use super::names::{Known, with_iter};
use super::steps::{Went, failed, stop_error};
use super::{Ended, Failure, Here, Interpreter, Resume, Scope, expression_error};
use crate::expression;

/// What iterations or branches have come to.
#[derive(Default)]
pub(super) struct Iterations {
    pub(super) results: Vec<Value>,
    pub(super) failure: Option<Failure>,
    /// Whether one was stopped by a step of its own.
    stopped: bool,
}

impl Iterations {
    pub(super) fn take(&mut self, ended: Ended, keeps_failures: bool) {
        match ended {
            Ended::Normal(result) => self.results.push(result),
            Ended::Stopped { result, .. } => {
                self.results.push(result);
                self.stopped = true;
            }
            Ended::Failed(failure) => {
                self.results.push(failure.result.clone());
                if !keeps_failures {
                    self.failure.get_or_insert(failure);
                }
            }
        }
    }

    pub(super) fn end(self) -> Result<Went, Failure> {
        match self.failure {
            Some(failure) => Err(Failure { result: Value::Array(self.results), ..failure }),
            None => Ok(Went::Done(Value::Array(self.results))),
        }
    }
}

impl<'d> Interpreter<'d> {
    pub(super) fn for_loop(
        &mut self,
        module: &'d Module,
        body: &'d ForLoop,
        here: &Here<'d>,
        resumes: &[Resume],
        items: &[Value],
        attempt: u32,
    ) -> Result<Went, Failure> {
        let mut iterations = Iterations::default();
        if body.modules.is_empty() {
            return iterations.end();
        }
        for (index, item) in items.iter().enumerate() {
            let scope = if body.parallel { Scope::inside(&here.scope) } else { here.scope.clone() };
            let around = Here { scope, place: here.place.inside(&module.id, attempt, index), ..here.clone() };
            let ended = self.iteration(&body.modules, around, index, item);
            iterations.take(ended, body.skip_failures);
            if !body.parallel && over(module, here, resumes, &iterations)? {
                break;
            }
        }
        iterations.end()
    }

    pub(super) fn while_loop(
        &mut self,
        module: &'d Module,
        body: &'d WhileLoop,
        here: &Here<'d>,
        resumes: &[Resume],
        attempt: u32,
    ) -> Result<Went, Failure> {
        let mut iterations = Iterations::default();
        if body.modules.is_empty() {
            return iterations.end();
        }
        for index in 0.. {
            let around = Here { place: here.place.inside(&module.id, attempt, index), ..here.clone() };
            let ended = self.iteration(&body.modules, around, index, &json!(index));
            iterations.take(ended, body.skip_failures);
            if over(module, here, resumes, &iterations)? {
                break;
            }
        }
        iterations.end()
    }

    fn iteration(&mut self, body: &'d [Module], around: Here<'d>, index: usize, item: &Value) -> Ended {
        let args = with_iter(&around.args, index, item);
        let inner = Here { args, ..around };
        self.list(body, &inner, inner.args.clone())
    }
}

/// Whether a sequential loop ends after its last iteration.
fn over(module: &Module, here: &Here<'_>, resumes: &[Resume], iterations: &Iterations) -> Result<bool, Failure> {
    if iterations.stopped || iterations.failure.is_some() {
        return Ok(true);
    }
    let Some(rule) = &module.stop_after_if else { return Ok(false) };
    let last = iterations.results.last().cloned().unwrap_or_default();
    let names = Known::after(here, &last, resumes).with_iterations(&iterations.results);
    let stops = expression::holds(&rule.expr, &names)
        .map_err(|message| failed(module, expression_error(&rule.expr, &message)))?;
    match stop_error(rule).filter(|_| stops) {
        Some(error) => Err(failed(module, error)),
        None => Ok(stops),
    }
}
