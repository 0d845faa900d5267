//! Sub-flows and branches.

use apiflow_core::openflow::{BranchAll, Module};
use serde_json::Value;

use super::loops::Iterations;
use super::steps::{Shared, Trying, Went};
use super::{Ended, Failure, Here, Interpreter, Scope, env};
use crate::fate::CallKey;

impl<'d> Interpreter<'d> {
    pub(super) fn sub_flow(
        &mut self,
        module: &Module,
        here: &Here<'d>,
        path: &'d str,
        args: &Value,
        attempt: u32,
    ) -> Result<Went, Failure> {
        let flow = &self.flows[path];
        let inner = Here {
            flow,
            name: path,
            env: if flow.flow_env.is_some() { env(flow) } else { here.env.clone() },
            args: args.clone(),
            scope: Scope::inside(&here.scope),
            place: here.place.inside(&module.id, attempt, 0),
            // Its own error handler is its own affair, wherever it is called.
            handler: false,
        };
        match self.flow(&inner) {
            Ended::Normal(result) | Ended::Stopped { result, .. } => Ok(Went::Done(result)),
            Ended::Failed(failure) => Err(failure),
        }
    }

    pub(super) fn branch_one(
        &mut self,
        module: &Module,
        here: &Here<'d>,
        previous: &Value,
        list: &'d [Module],
        attempt: u32,
    ) -> Result<Went, Failure> {
        if list.is_empty() {
            return Ok(Went::Done(previous.clone()));
        }
        let inner = Here { place: here.place.inside(&module.id, attempt, 0), ..here.clone() };
        match self.list(list, &inner, here.args.clone()) {
            Ended::Normal(result) => Ok(Went::Done(result)),
            Ended::Stopped { result, skipped } => Ok(Went::Stop { result, skipped }),
            Ended::Failed(failure) => Err(failure),
        }
    }

    pub(super) fn branch_all(
        &mut self,
        module: &'d Module,
        all: &'d BranchAll,
        here: &Here<'d>,
        trying: &mut Trying,
    ) -> Result<Went, Failure> {
        if all.parallel == Some(false) {
            return self.in_sequence(module, all, here, trying.failures);
        }
        let race = CallKey { place: here.place.clone(), step_id: module.id.clone(), nth: trying.failures };
        if let Some(&winner) = self.observed.winners.get(&race).filter(|_| all.race) {
            let scope = Scope::inside(&here.scope);
            trying.branches.push(scope.clone());
            return match self.branch(module, all, here, scope, winner, trying.failures) {
                Ended::Normal(result) | Ended::Stopped { result, .. } => Ok(Went::Done(result)),
                // It has not won, whatever was observed.
                Ended::Failed(failure) => Err(failure),
            };
        }
        let mut branches = Iterations::default();
        for (index, branch) in all.branches.iter().enumerate() {
            let scope = Scope::inside(&here.scope);
            trying.branches.push(scope.clone());
            let ended = self.branch(module, all, here, scope, index, trying.failures);
            branches.take(ended, branch.skip_failure && !all.race);
        }
        branches.end()
    }

    fn in_sequence(
        &mut self,
        module: &'d Module,
        all: &'d BranchAll,
        here: &Here<'d>,
        attempt: u32,
    ) -> Result<Went, Failure> {
        let mut branches = Iterations::default();
        for (index, branch) in all.branches.iter().enumerate() {
            let ended = self.branch(module, all, here, here.scope.clone(), index, attempt);
            let stops = if let Ended::Stopped { skipped, .. } = &ended { Some(*skipped) } else { None };
            branches.take(ended, branch.skip_failure);
            if let Some(skipped) = stops {
                return Ok(Went::Stop { result: Value::Array(branches.results), skipped });
            }
            if branches.failure.is_some() {
                break;
            }
        }
        branches.end()
    }

    fn branch(
        &mut self,
        module: &'d Module,
        all: &'d BranchAll,
        here: &Here<'d>,
        scope: Shared,
        index: usize,
        attempt: u32,
    ) -> Ended {
        let inner = Here { scope, place: here.place.inside(&module.id, attempt, index), ..here.clone() };
        self.list(&all.branches[index].modules, &inner, here.args.clone())
    }
}
