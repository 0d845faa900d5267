//! From a saved document to what callers see.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_store::{Document, DocumentKind};
use serde_json::{Map, Value};

use crate::launch;
use crate::moment::text;
use crate::problem::Problem;
use crate::references;
use crate::state::AppState;

/// A document with its id, times and diagnostics.
pub(super) async fn body(state: &AppState, user: &str, document: Document) -> Result<Value, Problem> {
    let bodies = bodies(state, user, vec![document]).await?;
    bodies.into_iter().next().ok_or_else(|| Problem::internal("a document has no reply"))
}

/// The same for several documents.
pub(super) async fn bodies(state: &AppState, user: &str, documents: Vec<Document>) -> Result<Vec<Value>, Problem> {
    let mut bodies = Vec::with_capacity(documents.len());
    for mut document in documents {
        let diagnostics = diagnostics(state, user, &mut document).await?;
        bodies.push(shown(document, &diagnostics)?);
    }
    Ok(bodies)
}

fn shown(document: Document, diagnostics: &[Diagnostic]) -> Result<Value, Problem> {
    let mut object = Map::from_iter([("id".to_owned(), Value::from(document.id))]);
    if let Value::Object(fields) = document.body {
        object.extend(fields);
    }
    object.insert("created_at".to_owned(), Value::from(text(document.created_at)));
    object.insert("updated_at".to_owned(), Value::from(text(document.updated_at)));
    object.insert("diagnostics".to_owned(), serde_json::to_value(diagnostics).map_err(Problem::internal)?);
    Ok(Value::Object(object))
}

async fn diagnostics(state: &AppState, user: &str, document: &mut Document) -> Result<Vec<Diagnostic>, Problem> {
    match document.kind {
        DocumentKind::Connector => launch::check_connector(&state.secrets.directory().await?, document),
        DocumentKind::Node => {
            let connector_id = references::node(document)?.connector_id;
            let connector = state.documents.document(DocumentKind::Connector, &connector_id).await?;
            launch::check_node(&state.secrets.directory().await?, document, connector.as_ref())
        }
        DocumentKind::Workflow => {
            let Some(nodes) = document.body.get_mut("nodes") else { return Ok(Vec::new()) };
            let (checked, found) = launch::check(state, user, nodes.take()).await?;
            *nodes = checked;
            Ok(found)
        }
    }
}
