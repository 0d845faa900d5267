//! The compiled calls of the nodes that a document refers to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[cfg(feature = "runtime")]
use serde_json::Map;
use serde_json::{Value, json};

use super::{CallPlan, compile_call};
use crate::declarations::Catalog;
use crate::digest::hash_value;

/// The compiled calls of a catalog's nodes, by the path that modules name.
pub(crate) struct CallPlans {
    catalog: Arc<Catalog>,
    plans: Mutex<BTreeMap<String, Arc<CallPlan>>>,
    catalog_digest: OnceLock<String>,
    /// Whether any declaration has a price or limits.
    #[cfg(feature = "runtime")]
    counts_attempts: OnceLock<bool>,
}

impl CallPlans {
    /// Creates the plans of a catalog; each is compiled on first use.
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            plans: Mutex::default(),
            catalog_digest: OnceLock::new(),
            #[cfg(feature = "runtime")]
            counts_attempts: OnceLock::new(),
        }
    }

    /// Returns a hash of the whole catalog: cached results of sub-flows are valid for the same declarations only.
    pub(crate) fn catalog_digest(&self) -> &str {
        let compute = || hash_value(&serde_json::to_value(&*self.catalog).expect("declarations are plain data"));
        self.catalog_digest.get_or_init(compute)
    }

    /// Returns whether attempts of any node have a price or share limits, so that their ends have to be recorded.
    #[cfg(feature = "runtime")]
    pub(crate) fn count_attempts(&self) -> bool {
        *self.counts_attempts.get_or_init(|| {
            let has_price =
                |data: &Option<Map<String, Value>>| data.as_ref().is_some_and(|data| data.contains_key("price"));
            self.have_limits()
                || self.catalog.nodes.values().any(|node| has_price(&node.data))
                || self.catalog.connectors.values().any(|connector| has_price(&connector.data))
        })
    }

    /// Returns whether any declaration has an `operation`.
    #[cfg(feature = "runtime")]
    pub(crate) fn have_operations(&self) -> bool {
        let has_operation =
            |data: &Option<Map<String, Value>>| data.as_ref().is_some_and(|data| data.contains_key("operation"));
        self.catalog.nodes.values().any(|node| has_operation(&node.data))
            || self.catalog.connectors.values().any(|connector| has_operation(&connector.data))
    }

    /// Returns whether a connector has limits.
    #[cfg(feature = "runtime")]
    pub(crate) fn have_limits(&self) -> bool {
        let has_limits =
            |data: &Option<Map<String, Value>>| data.as_ref().is_some_and(|data| data.contains_key("limits"));
        self.catalog.connectors.values().any(|connector| has_limits(&connector.data))
    }

    /// Returns what of the declarations behind a call determines its result, as JSON: without names, descriptions,
    /// prices and limits.
    pub(crate) fn declarations_at(&self, path: &str) -> Value {
        let node = self.catalog.node_at(path);
        let connector = node.and_then(|node| self.catalog.connectors.get(&node.connector_id));
        let mut declarations = json!([node, connector]);
        for declaration in declarations.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            declaration.retain(|key, _| key != "name" && key != "description");
            if let Some(data) = declaration.get_mut("data").and_then(Value::as_object_mut) {
                data.retain(|key, _| key != "price" && key != "limits");
            }
            for list in ["input", "output"] {
                for slot in declaration.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(slot) = slot.as_object_mut() {
                        slot.remove("description");
                    }
                }
            }
        }
        declarations
    }

    /// Returns the plan of the node at a path.
    ///
    /// # Errors
    /// The error object for the step.
    pub(crate) fn plan_at(&self, path: &str) -> Result<Arc<CallPlan>, Value> {
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.compile_plan(path)?);
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), plan.clone());
        Ok(plan)
    }

    fn compile_plan(&self, path: &str) -> Result<CallPlan, Value> {
        let invalid = |message: String| json!({"name": "invalid_input", "message": message});
        let node = self.catalog.node_at(path).ok_or_else(|| invalid(format!("there is no node at `{path}`")))?;
        let connector = self.catalog.connectors.get(&node.connector_id).ok_or_else(|| {
            invalid(format!("node `{}` uses the connector `{}`, which does not exist", node.id, node.connector_id))
        })?;
        compile_call(node, connector).map_err(|diagnostics| {
            let messages: Vec<String> =
                diagnostics.iter().map(|found| format!("{} (at {})", found.message, found.pointer)).collect();
            invalid(format!("node `{}` cannot be called: {}", node.id, messages.join("; ")))
        })
    }
}
