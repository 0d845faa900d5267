//! The versions of workflows.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A version of a workflow, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkflowVersionSummary {
    /// Number of the version; later saves have higher numbers, and saves that changed nothing have none.
    pub number: u64,
    /// Id of the user who saved it.
    #[schema(required)]
    pub saved_by: Option<String>,
    /// Name of that user; null if the user was deleted, or if the caller may not see other users.
    #[schema(required)]
    pub saved_by_name: Option<String>,
    /// When it was saved.
    #[schema(format = DateTime)]
    pub saved_at: String,
    /// Whether it is what the workflow is now.
    pub is_current: bool,
}

/// A version of a workflow with its content.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkflowVersion {
    /// The fields that lists show.
    #[serde(flatten)]
    pub summary: WorkflowVersionSummary,
    /// The workflow's fields as they were saved: `name`, `description`, `nodes` and so on.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub content: Map<String, Value>,
}
