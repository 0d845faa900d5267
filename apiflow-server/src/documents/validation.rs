//! Validates documents and inputs, off the threads that answer requests.

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::validate;
use serde_json::Value;

use crate::documents::schema;
use crate::documents::schema::SchemaCache;
use crate::http::fair_places::{FairPlaces, PlaceLimits};
use crate::http::problem::Problem;

/// Validates documents, a few at a time.
///
/// Architecture invariant: validation never runs on a thread that answers requests. It is done on behalf of the user who
/// sent the document, and users take turns. A caller who disconnects while waiting loses the turn.
#[derive(Debug, Clone)]
pub(crate) struct Validation {
    pub(crate) places: FairPlaces,
    pub(crate) schemas: SchemaCache,
}

/// A validated value with its findings.
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
    /// Returns the findings about a workflow.
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

/// Returns all findings about a workflow, including its JSON Schemas: the same for a document that is saved, validated,
/// run from a file or run by a request.
pub(crate) fn validate_with_schemas(document: &Value, catalog: &Catalog, schemas: &SchemaCache) -> Vec<Diagnostic> {
    let mut found = validate::validate_workflow(document, catalog);
    found.extend(schema::check_document(document, schemas));
    found
}
