//! Findings of workflows in lists: stored with the document, and updated in the background if they are out of date.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_store::{Document, DocumentCheck, DocumentKind};
use serde_json::Value;

use crate::documents::workflow_checks;
use crate::http::problem::Problem;
use crate::state::AppState;

/// The user on whose behalf workflows are validated in the background, so that no user loses a turn.
const NOBODY: &str = "";

/// Returns the findings of the last check of workflows, by id. Workflows with outdated findings are checked in the
/// background.
pub(super) async fn known_findings(state: &AppState, ids: &[String]) -> Result<Vec<DocumentCheck>, Problem> {
    let checks = state.documents.list_checks(DocumentKind::Workflow, ids).await?;
    let secrets = state.secrets.read_directory().await?.directory_digest();
    let stale = checks.iter().filter(|check| !check.is_current || check.secrets != secrets);
    if state.recheck_queue.add_workflows(stale.map(|check| check.id.clone())) {
        tokio::spawn(run_rechecks(state.clone()));
    }
    Ok(checks)
}

/// Checks the queued workflows one after the other.
async fn run_rechecks(state: AppState) {
    while let Some(id) = state.recheck_queue.next_workflow() {
        if state.stop.is_cancelled() {
            return;
        }
        let checked = match state.documents.read_document(DocumentKind::Workflow, &id).await {
            Ok(Some(mut document)) => workflow_findings(&state, NOBODY, &mut document).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(problem) = checked {
            tracing::warn!(
                workflow = id,
                problem = problem.in_words(),
                "a workflow could not be validated in the background"
            );
        }
        state.recheck_queue.remove(&id);
    }
}

/// Returns the findings about a workflow: the stored ones if they are up to date, otherwise new ones, which are stored.
pub(super) async fn workflow_findings(
    state: &AppState,
    user: &str,
    document: &mut Document,
) -> Result<Vec<Diagnostic>, Problem> {
    let ids = [document.id.clone()];
    let known = state.documents.list_checks(DocumentKind::Workflow, &ids).await?.pop();
    let secrets = state.secrets.read_directory().await?.directory_digest();
    if let Some(check) = known.as_ref().filter(|check| check.is_current && check.secrets == secrets)
        && let Ok(findings) = serde_json::from_value(check.findings.clone())
    {
        return Ok(findings);
    }
    let Some(nodes) = document.body.get_mut("nodes") else { return Ok(Vec::new()) };
    let (checked, found) = workflow_checks::check_workflow(state, user, nodes.take()).await?;
    *nodes = checked;
    if let Some(check) = known {
        let findings: Value = serde_json::to_value(&found).map_err(Problem::internal)?;
        let check = DocumentCheck { secrets, findings, ..check };
        state.documents.record_check(DocumentKind::Workflow, &check).await?;
    }
    Ok(found)
}
