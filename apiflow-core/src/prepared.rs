//! Documents prepared once for all of their runs.

#[cfg(feature = "runtime")]
mod concurrency_settings;

use std::sync::Arc;

use serde_json::Value;

use crate::call::CallPlans;
use crate::catalog::{Catalog, check_call};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::engine::{Program, ProgramError, read_document};
use crate::ports::{JobBundle, SharedBundle};
use crate::validate;
#[cfg(feature = "runtime")]
pub(crate) use concurrency_settings::QueueSettings;

/// A document prepared for running, with the connectors, nodes and sub-flows that it refers to: it is parsed once, and
/// the calls of its nodes are compiled once, for all runs that share it. Immutable; runs share it in an [`Arc`].
pub struct Prepared {
    bundle: SharedBundle,
    program: Arc<Program>,
    plans: Arc<CallPlans>,
    #[cfg(feature = "runtime")]
    queue: QueueSettings,
    early_return: Option<String>,
}

/// Checks a document and what it refers to, and prepares it for running.
///
/// # Errors
/// All findings, if any of them is an error; those about a node name it, with pointers relative to the node.
pub fn prepare_workflow(document: Value, catalog: Catalog) -> Result<Prepared, Vec<Diagnostic>> {
    let mut found = validate::validate_workflow(&document, &catalog);
    for node in catalog.nodes.values() {
        let Some(connector) = catalog.connectors.get(&node.connector_id) else { continue };
        let findings = check_call(node, connector).into_iter();
        found.extend(
            findings.map(|found| Diagnostic { message: format!("node `{}`: {}", node.id, found.message), ..found }),
        );
    }
    if has_errors(&found) {
        return Err(found);
    }
    let bundle = JobBundle { document, catalog: Catalog { secrets: None, ..catalog }, ..JobBundle::default() };
    Prepared::compile_bundle(bundle).map_err(|error| vec![Diagnostic::new_error("not-runnable", "", error.to_string())])
}

impl Prepared {
    /// Compiles a bundle whose documents were checked earlier.
    ///
    /// # Errors
    /// [`ProgramError`] if the document or a sub-flow cannot be parsed.
    pub fn compile_bundle(bundle: impl Into<SharedBundle>) -> Result<Self, ProgramError> {
        let bundle = bundle.into();
        let document = read_document("the workflow", &bundle.document)?;
        #[cfg(feature = "runtime")]
        let queue = QueueSettings::read(&document.value, &bundle.document);
        let early_return = document.value.early_return.clone();
        let program = Program::compile_document(document, &bundle.catalog.workflows)?;
        let program = Arc::new(program.with_reused_results(bundle.reused_results.clone()));
        Ok(Self {
            plans: Arc::new(CallPlans::new(Arc::new(bundle.catalog.clone()))),
            #[cfg(feature = "runtime")]
            queue,
            bundle,
            program,
            early_return,
        })
    }

    /// Returns the bundle that it was compiled from.
    pub fn bundle(&self) -> &SharedBundle {
        &self.bundle
    }

    /// Returns the program of its runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Returns the step whose result is returned early to waiting callers, if the document names one.
    pub fn early_return(&self) -> Option<&str> {
        self.early_return.as_deref()
    }

    /// Returns the compiled calls of its nodes.
    pub(crate) fn plans(&self) -> &Arc<CallPlans> {
        &self.plans
    }

    /// Returns the queue settings of its jobs.
    #[cfg(feature = "runtime")]
    pub(crate) fn queue(&self) -> &QueueSettings {
        &self.queue
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prepared").field("early_return", &self.early_return).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_with_errors_is_refused_with_all_of_them() {
        let module = |id: &str| json!({"id": id, "value": {"type": "script", "path": "node/none"}});
        let found = prepare_workflow(json!({"value": {"modules": [module("a"), module("b")]}}), Catalog::default());
        assert_eq!(found.expect_err("there are no such nodes").len(), 2);
        let early = json!({"value": {"modules": [{"id": "a", "value": {"type": "identity"}}], "early_return": "a"}});
        let prepared = prepare_workflow(early, Catalog::default()).expect("a document without errors");
        assert_eq!(prepared.early_return(), Some("a"));
    }
}
