//! Modules with several lists or iterations inside.

use apiflow_core::openflow::{BranchAll, ForLoop, Module, WhileLoop};
use serde_json::{Value, json};

use super::names::{Known, with_iter};
use super::steps::{Shared, Went, failed, stop_error};
use super::{Ended, Failure, Interpreter, Place, Scope, expression_error, inside};
use crate::expression;

/// What the iterations of a loop have come to.
#[derive(Default)]
struct Iterations {
    results: Vec<Value>,
    failure: Option<Failure>,
    /// Whether an iteration was stopped by a step of its own.
    stopped: bool,
}

impl Iterations {
    fn take(&mut self, ended: Ended, keeps_failures: bool) {
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

    fn end(self) -> Result<Went, Failure> {
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
        place: &Place<'d>,
        items: &[Value],
    ) -> Result<Went, Failure> {
        let mut iterations = Iterations::default();
        if body.modules.is_empty() {
            return iterations.end();
        }
        for (index, item) in items.iter().enumerate() {
            let scope = if body.parallel { Scope::inside(&place.scope) } else { place.scope.clone() };
            let ended = self.iteration(module, &body.modules, place, scope, index, item);
            iterations.take(ended, body.skip_failures);
            if !body.parallel && over(module, place, &iterations)? {
                break;
            }
        }
        iterations.end()
    }

    pub(super) fn while_loop(
        &mut self,
        module: &'d Module,
        body: &'d WhileLoop,
        place: &Place<'d>,
    ) -> Result<Went, Failure> {
        let mut iterations = Iterations::default();
        if body.modules.is_empty() {
            return iterations.end();
        }
        for index in 0.. {
            let scope = place.scope.clone();
            let ended = self.iteration(module, &body.modules, place, scope, index, &json!(index));
            iterations.take(ended, body.skip_failures);
            if over(module, place, &iterations)? {
                break;
            }
        }
        iterations.end()
    }

    fn iteration(
        &mut self,
        module: &Module,
        body: &'d [Module],
        place: &Place<'d>,
        scope: Shared,
        index: usize,
        item: &Value,
    ) -> Ended {
        let args = with_iter(&place.args, index, item);
        let path = inside(&place.path, &module.id, index);
        let inner = Place { args, scope, path, ..place.clone() };
        self.list(body, &inner, inner.args.clone())
    }

    pub(super) fn branch_all(
        &mut self,
        module: &'d Module,
        all: &'d BranchAll,
        place: &Place<'d>,
        scopes: &mut Vec<Shared>,
    ) -> Result<Went, Failure> {
        let sequential = all.parallel == Some(false);
        let mut branches = Iterations::default();
        for (index, branch) in all.branches.iter().enumerate() {
            let scope = if sequential { place.scope.clone() } else { Scope::inside(&place.scope) };
            let path = inside(&place.path, &module.id, index);
            let inner = Place { scope: scope.clone(), path, ..place.clone() };
            let ended = self.list(&branch.modules, &inner, place.args.clone());
            if let Ended::Stopped { skipped, .. } = &ended
                && sequential
            {
                let skipped = *skipped;
                branches.take(ended, branch.skip_failure);
                return Ok(Went::Stop { result: Value::Array(branches.results), skipped });
            }
            branches.take(ended, branch.skip_failure);
            if sequential && branches.failure.is_some() {
                break;
            }
            if !sequential {
                scopes.push(scope);
            }
        }
        branches.end()
    }
}

/// Whether a sequential loop ends after its last iteration.
fn over(module: &Module, place: &Place<'_>, iterations: &Iterations) -> Result<bool, Failure> {
    if iterations.stopped || iterations.failure.is_some() {
        return Ok(true);
    }
    let Some(rule) = &module.stop_after_if else { return Ok(false) };
    let last = iterations.results.last().cloned().unwrap_or_default();
    let names = Known::after(place, &last).with_iterations(&iterations.results);
    let stops = expression::holds(&rule.expr, &names)
        .map_err(|message| failed(module, expression_error(&rule.expr, &message)))?;
    match stop_error(rule).filter(|_| stops) {
        Some(error) => Err(failed(module, error)),
        None => Ok(stops),
    }
}
