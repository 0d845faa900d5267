//! Compiled calls, kept while their jobs are at work.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::call::{self, CallPlan};
use crate::catalog::Catalog;
use crate::ports::{Store, StoreError};

/// Jobs whose plans are kept, at most.
const KEPT_JOBS: usize = 512;

/// The plans of jobs that were used lately.
pub(crate) struct Plans {
    jobs: Mutex<VecDeque<(String, Arc<JobPlans>)>>,
}

/// The plans of one job, by the path that its modules name.
pub(crate) struct JobPlans {
    catalog: Catalog,
    plans: Mutex<BTreeMap<String, Arc<CallPlan>>>,
}

impl Plans {
    pub(crate) fn new() -> Self {
        Self { jobs: Mutex::default() }
    }

    pub(crate) fn enter(&self, job: &str, catalog: Catalog) -> Arc<JobPlans> {
        if let Some(plans) = self.find(job) {
            return plans;
        }
        let plans = Arc::new(JobPlans { catalog, plans: Mutex::default() });
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push_back((job.to_owned(), plans.clone()));
        if jobs.len() > KEPT_JOBS {
            jobs.pop_front();
        }
        plans
    }

    pub(crate) fn leave(&self, job: &str) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).retain(|(kept, _)| kept != job);
    }

    pub(crate) async fn of(&self, job: &str, store: &dyn Store) -> Result<Arc<JobPlans>, StoreError> {
        match self.find(job) {
            Some(plans) => Ok(plans),
            None => Ok(self.enter(job, store.load(job).await?.bundle.catalog)),
        }
    }

    fn find(&self, job: &str) -> Option<Arc<JobPlans>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|(kept, _)| kept == job).map(|(_, plans)| plans.clone())
    }
}

impl JobPlans {
    /// All that the job's document refers to.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The declarations behind a call, as JSON.
    pub(crate) fn declared(&self, path: &str) -> Value {
        let node = self.catalog.node_at(path);
        let connector = node.and_then(|node| self.catalog.connectors.get(&node.connector_id));
        json!([node, connector])
    }

    /// The plan of the node at a path, or the error object for the step.
    pub(crate) fn plan(&self, path: &str) -> Result<Arc<CallPlan>, Value> {
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.compile(path)?);
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), plan.clone());
        Ok(plan)
    }

    fn compile(&self, path: &str) -> Result<CallPlan, Value> {
        let invalid = |message: String| json!({"name": "invalid_input", "message": message});
        let node = self.catalog.node_at(path).ok_or_else(|| invalid(format!("there is no node at `{path}`")))?;
        let connector = self.catalog.connectors.get(&node.connector_id).ok_or_else(|| {
            invalid(format!("node `{}` is of connector `{}`, which does not exist", node.id, node.connector_id))
        })?;
        call::plan(node, connector).map_err(|diagnostics| {
            let messages: Vec<String> =
                diagnostics.iter().map(|found| format!("{} (at {})", found.message, found.pointer)).collect();
            invalid(format!("node `{}` cannot be called: {}", node.id, messages.join("; ")))
        })
    }
}
