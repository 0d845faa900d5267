//! Findings about a workflow, depending on the saved declarations.

use std::sync::Arc;

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::diagnostic::codes;
use serde_json::Value;

use crate::documents::references;
use crate::documents::validation::Checked;
use crate::http::problem::Problem;
use crate::record_cache::DocumentReader;
use crate::secrets::directory::SecretDirectory;
use crate::state::AppState;

/// Returns the findings about an OpenFlow document, and the document.
pub(crate) async fn check_workflow(
    state: &AppState,
    user: &str,
    document: Value,
) -> Result<(Value, Vec<Diagnostic>), Problem> {
    let directory = state.secrets.read_directory().await?;
    let reader = DocumentReader::uncached(Arc::clone(&state.documents));
    let declarations = references::load_declarations(&reader, &directory, &[&document]).await?;
    let refused = declarations.findings_of_nodes(&directory, &document);
    let catalog = declarations.catalog;
    let Checked { document, catalog, mut found } = check_with_names(state, user, document, catalog, &directory).await?;
    drop_elsewhere(catalog);
    found.extend(refused);
    Ok((document, found))
}

/// Returns the findings about an OpenFlow document in a request, if it is not too large; nothing is stored.
pub(crate) async fn check_sent_workflow(
    state: &AppState,
    user: &str,
    document: Value,
) -> Result<Vec<Diagnostic>, Problem> {
    let limits = state.settings.documents;
    let measure = move || limits.check_workflow(&document, "/document").map(|()| document);
    let document = state.validation.places.run(user, measure).await??;
    let (document, found) = check_workflow(state, user, document).await?;
    drop_elsewhere(document);
    Ok(found)
}

/// Drops a value on another thread: dropping a large one takes as long as building it.
pub(crate) fn drop_elsewhere(value: impl Send + 'static) {
    tokio::task::spawn_blocking(move || drop(value));
}

pub(crate) async fn check_with_names(
    state: &AppState,
    user: &str,
    document: Value,
    mut catalog: Catalog,
    directory: &SecretDirectory,
) -> Result<Checked, Problem> {
    catalog.secrets = Some(directory.common_names());
    let checked = state.validation.check_workflow(user, document, catalog).await?;
    let unknown = [codes::UNKNOWN_NODE, codes::UNKNOWN_CONNECTOR, codes::UNKNOWN_WORKFLOW];
    if checked.found.iter().all(|found| !unknown.contains(&found.code.as_str())) {
        return Ok(checked);
    }
    // Suggestions such as "did you mean" need to know all names.
    let Checked { document, mut catalog, .. } = checked;
    references::add_names(&*state.documents, &mut catalog).await?;
    state.validation.check_workflow(user, document, catalog).await
}
