//! The versions of workflows: what each save kept.

use std::collections::BTreeMap;

use apiflow_store::{Document, DocumentKind};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value};

use crate::api::{Page, WorkflowVersion, WorkflowVersionSummary};
use crate::documents::crud;
use crate::documents::references::saved_document;
use crate::http::pagination::{PageQuery, build_page};
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// Lists the versions of a workflow, newest first.
pub(crate) async fn list_versions(
    state: &AppState,
    caller: &Caller,
    id: &str,
    query: &PageQuery,
) -> Result<Page<WorkflowVersionSummary>, Problem> {
    let limit = query.limit()?;
    let before = query.after_key()?.map(|key| key.parse::<u64>());
    let before =
        before.transpose().map_err(|_| Problem::malformed("invalid cursor: pass the `next` of the previous page"))?;
    let workflow = saved_document(&*state.documents, DocumentKind::Workflow, id).await?;
    let found = state.documents.list_workflow_versions(id, before, limit + 1).await?;
    let current = current_number(state, &workflow).await?;
    let mut names = UserNames::default();
    for version in &found {
        names.find_name(state, caller, version.saved_by.as_deref()).await?;
    }
    let key = |version: &apiflow_store::WorkflowVersion| version.number.to_string();
    Ok(build_page(found, limit, key, |version| names.summarize(version, current)))
}

/// Reads one version of a workflow.
pub(crate) async fn read_version(
    state: &AppState,
    caller: &Caller,
    id: &str,
    number: u64,
) -> Result<WorkflowVersion, Problem> {
    let workflow = saved_document(&*state.documents, DocumentKind::Workflow, id).await?;
    let current = current_number(state, &workflow).await?;
    let (version, content) = find_version(state, id, number).await?;
    let mut names = UserNames::default();
    names.find_name(state, caller, version.saved_by.as_deref()).await?;
    Ok(WorkflowVersion { summary: names.summarize(version, current), content })
}

/// Saves what a workflow was as its newest version; checks it as any other save.
pub(crate) async fn restore_version(
    state: &AppState,
    caller: &Caller,
    id: &str,
    number: u64,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    saved_document(&*state.documents, DocumentKind::Workflow, id).await?;
    let (_, content) = find_version(state, id, number).await?;
    crud::replace_document(state, caller, DocumentKind::Workflow, id, headers, Value::Object(content)).await
}

/// Returns a version with its content.
///
/// # Errors
/// 404 if the workflow has no such version, or it is no longer kept.
pub(crate) async fn find_version(
    state: &AppState,
    id: &str,
    number: u64,
) -> Result<(apiflow_store::WorkflowVersion, Map<String, Value>), Problem> {
    let found = state.documents.read_workflow_version(id, number).await?;
    let Some((version, Value::Object(content))) = found else {
        return Err(Problem::not_found(format!(
            "workflow `{id}` has no version {number}; `GET /api/v1/workflows/{id}/versions` lists those that are kept"
        )));
    };
    Ok((version, content))
}

/// Number of the version that a workflow is now.
async fn current_number(state: &AppState, workflow: &Document) -> Result<Option<u64>, Problem> {
    let newest = state.documents.list_workflow_versions(&workflow.id, None, 1).await?;
    Ok(newest.first().map(|version| version.number))
}

/// Names of users, each read once.
#[derive(Default)]
struct UserNames(BTreeMap<String, Option<String>>);

impl UserNames {
    /// Reads the name of a user, if the caller may see it: admins see all users, others only themselves.
    async fn find_name(&mut self, state: &AppState, caller: &Caller, id: Option<&str>) -> Result<(), Problem> {
        let may_see = |id: &str| caller.user.is_admin || caller.user.id == id;
        if let Some(id) = id.filter(|id| may_see(id) && !self.0.contains_key(*id)) {
            let user = state.accounts.read_user(id).await?;
            self.0.insert(id.to_owned(), user.map(|user| user.username));
        }
        Ok(())
    }

    fn summarize(&self, version: apiflow_store::WorkflowVersion, current: Option<u64>) -> WorkflowVersionSummary {
        let name = version.saved_by.as_ref().and_then(|id| self.0.get(id).cloned().flatten());
        WorkflowVersionSummary {
            number: version.number,
            saved_by: version.saved_by,
            saved_by_name: name,
            saved_at: version.saved_at.to_rfc3339(),
            is_current: Some(version.number) == current,
        }
    }
}
