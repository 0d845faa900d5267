//! The compiled calls of one job.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{CallPlan, plan};
use crate::declarations::Catalog;

/// The plans of one job, by the path that its modules name.
pub(crate) struct JobPlans {
    catalog: Catalog,
    plans: Mutex<BTreeMap<String, Arc<CallPlan>>>,
}

impl JobPlans {
    /// The plans of a job with this catalog; each is compiled when it is first asked for.
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog, plans: Mutex::default() }
    }

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
        plan(node, connector).map_err(|diagnostics| {
            let messages: Vec<String> =
                diagnostics.iter().map(|found| format!("{} (at {})", found.message, found.pointer)).collect();
            invalid(format!("node `{}` cannot be called: {}", node.id, messages.join("; ")))
        })
    }
}
