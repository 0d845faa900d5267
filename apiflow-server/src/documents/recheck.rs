//! Findings of workflows that are shown in lists: kept with the document, and found anew in the background where they
//! are out of date.

use apiflow_core::diagnostic::Diagnostic;
use apiflow_store::{Document, DocumentCheck, DocumentKind};
use serde_json::Value;

use crate::documents::workflow_checks;
use crate::http::problem::Problem;
use crate::state::AppState;

/// For whom workflows are checked in the background: nobody's turn is taken by that.
const NOBODY: &str = "";

/// What was found wrong with workflows when they were checked last, by id. Those whose findings are out of date are
/// checked in the background.
pub(super) async fn known_findings(state: &AppState, ids: &[String]) -> Result<Vec<DocumentCheck>, Problem> {
    let checks = state.fresh_documents.list_checks(DocumentKind::Workflow, ids).await?;
    let secrets = state.secrets.read_directory().await?.directory_digest();
    let stale = checks.iter().filter(|check| !check.is_current || check.secrets != secrets);
    if state.recheck_queue.add_workflows(stale.map(|check| check.id.clone())) {
        tokio::spawn(run_rechecks(state.clone()));
    }
    Ok(checks)
}

/// Checks what waits, one after the other.
async fn run_rechecks(state: AppState) {
    while let Some(id) = state.recheck_queue.next_workflow() {
        if state.stop.is_cancelled() {
            return;
        }
        let checked = match state.fresh_documents.read_document(DocumentKind::Workflow, &id).await {
            Ok(Some(mut document)) => workflow_findings(&state, NOBODY, &mut document).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(problem) = checked {
            tracing::warn!(workflow = id, problem = problem.in_words(), "a workflow could not be checked again");
        }
        state.recheck_queue.remove(&id);
    }
}

/// What is wrong with a workflow: what is known, where it is up to date, or found now and kept.
pub(super) async fn workflow_findings(
    state: &AppState,
    user: &str,
    document: &mut Document,
) -> Result<Vec<Diagnostic>, Problem> {
    let ids = [document.id.clone()];
    let known = state.fresh_documents.list_checks(DocumentKind::Workflow, &ids).await?.pop();
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
        state.fresh_documents.record_check(DocumentKind::Workflow, &check).await?;
    }
    Ok(found)
}
