//! Checks of documents and inputs, away from the threads that answer requests.

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::validate;
use serde_json::Value;

use crate::documents::schema;
use crate::documents::schema::SchemaCache;
use crate::http::fair_places::{FairPlaces, PlaceLimits};
use crate::http::problem::Problem;

/// Checks documents, few at a time.
///
/// Architecture invariant: a check is processor work of whoever sent the document, never runs on a thread that answers
/// requests, and takes its turn with those of other users. A caller that goes away while it waits gives its turn up.
#[derive(Debug, Clone)]
pub(crate) struct Validation {
    pub(crate) places: FairPlaces,
    pub(crate) schemas: SchemaCache,
}

/// What was checked, and what was found.
pub(crate) struct Checked {
    pub(crate) document: Value,
    pub(crate) catalog: Catalog,
    pub(crate) found: Vec<Diagnostic>,
}

impl Default for Validation {
    fn default() -> Self {
        Self { places: FairPlaces::new(PlaceLimits::of_machine()), schemas: SchemaCache::default() }
    }
}

impl Validation {
    /// Finds what is wrong with a workflow.
    pub(crate) async fn check_workflow(
        &self,
        user: &str,
        document: Value,
        catalog: Catalog,
    ) -> Result<Checked, Problem> {
        let schemas = self.schemas.clone();
        let check = move || {
            let found = validate_with_schemas(&document, &catalog, &schemas);
            Checked { document, catalog, found }
        };
        self.places.run(user, check).await
    }
}

/// All that is wrong with a workflow, its JSON Schemas included: what is said of a document that is saved, checked, run
/// from a file or sent to be run.
pub(crate) fn validate_with_schemas(document: &Value, catalog: &Catalog, schemas: &SchemaCache) -> Vec<Diagnostic> {
    let mut found = validate::validate_workflow(document, catalog);
    found.extend(schema::check_document(document, schemas));
    found
}
