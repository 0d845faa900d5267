//! Converts saved documents to replies.

use std::collections::BTreeMap;

use apiflow_core::diagnostic::Diagnostic;
use apiflow_store::{Document, DocumentKind};
use serde_json::{Map, Value};

use crate::documents::declaration_checks;
use crate::documents::recheck;
use crate::documents::references;
use crate::http::problem::Problem;
use crate::state::AppState;

/// Returns a document with its id, times and diagnostics, including these remarks.
pub(super) async fn document_body(
    state: &AppState,
    user: &str,
    mut document: Document,
    remarks: Vec<Diagnostic>,
) -> Result<Value, Problem> {
    let mut diagnostics = document_diagnostics(state, user, &mut document).await?;
    diagnostics.extend(remarks);
    Ok(display_body(document, serde_json::to_value(&diagnostics).map_err(Problem::internal)?))
}

/// Returns the documents of a list. Workflows are not validated here: the last findings are shown, and updated in the
/// background if they are out of date.
pub(super) async fn document_bodies(
    state: &AppState,
    user: &str,
    kind: DocumentKind,
    documents: Vec<Document>,
) -> Result<Vec<Value>, Problem> {
    let mut known = match kind {
        DocumentKind::Workflow => {
            let ids: Vec<String> = documents.iter().map(|document| document.id.clone()).collect();
            let checks = recheck::known_findings(state, &ids).await?;
            checks.into_iter().map(|check| (check.id, check.findings)).collect()
        }
        DocumentKind::Connector | DocumentKind::Node => BTreeMap::new(),
    };
    let mut bodies = Vec::with_capacity(documents.len());
    for document in documents {
        bodies.push(match kind {
            DocumentKind::Workflow => {
                let findings = known.remove(&document.id).unwrap_or_else(|| Value::Array(Vec::new()));
                display_body(document, findings)
            }
            DocumentKind::Connector | DocumentKind::Node => document_body(state, user, document, Vec::new()).await?,
        });
    }
    Ok(bodies)
}

fn display_body(document: Document, diagnostics: Value) -> Value {
    let mut object = Map::from_iter([("id".to_owned(), Value::from(document.id))]);
    if let Value::Object(fields) = document.body {
        object.extend(fields);
    }
    object.insert("created_at".to_owned(), Value::from(document.created_at.to_rfc3339()));
    object.insert("updated_at".to_owned(), Value::from(document.updated_at.to_rfc3339()));
    object.insert("diagnostics".to_owned(), diagnostics);
    Value::Object(object)
}

async fn document_diagnostics(
    state: &AppState,
    user: &str,
    document: &mut Document,
) -> Result<Vec<Diagnostic>, Problem> {
    match document.kind {
        DocumentKind::Connector => {
            declaration_checks::check_connector(&state.secrets.read_directory().await?, document)
        }
        DocumentKind::Node => {
            let connector_id = references::saved_node(document)?.connector_id;
            let connector = state.documents.read_document(DocumentKind::Connector, &connector_id).await?;
            declaration_checks::check_node(&state.secrets.read_directory().await?, document, connector.as_ref())
        }
        DocumentKind::Workflow => recheck::workflow_findings(state, user, document).await,
    }
}
