//! The versions of workflows: what each save kept.

use apiflow_core::ports::Timestamp;

use crate::job_rows::from_int;

/// Maximum number of versions that are kept of each workflow; older ones are deleted with the next save.
pub const MAX_WORKFLOW_VERSIONS: u32 = 100;

/// One version of a workflow, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowVersion {
    /// The version that the document had after the save ([`Document::version`](crate::Document::version)). Numbers of
    /// saves that changed nothing are missing.
    pub number: u64,
    /// The user who saved it, if known.
    pub saved_by: Option<String>,
    /// When it was saved.
    pub saved_at: Timestamp,
}

/// `number`, `saved_by` and `saved_at` of a version.
pub(crate) type VersionColumns = (i64, Option<String>, i64);

/// The columns of a version, and its `body`.
pub(crate) type VersionBodyColumns = (i64, Option<String>, i64, String);

pub(crate) fn version_row((number, saved_by, saved_at): VersionColumns) -> WorkflowVersion {
    WorkflowVersion { number: from_int(number), saved_by, saved_at: Timestamp(saved_at) }
}

/// Adds the version of a save, unless the newest one has the same body.
pub(crate) const ADD_VERSION: &str = "INSERT INTO workflow_versions (workflow, number, body, saved_by, saved_at) \
     SELECT id, version, body, saved_by, updated_at FROM documents WHERE kind = 'workflow' AND id = $1 \
     AND body IS DISTINCT FROM \
         (SELECT body FROM workflow_versions WHERE workflow = $1 ORDER BY number DESC LIMIT 1)";

/// Deletes all but the newest versions of a workflow.
pub(crate) const DELETE_OLD_VERSIONS: &str = "DELETE FROM workflow_versions WHERE workflow = $1 AND number <= \
     (SELECT number FROM workflow_versions WHERE workflow = $1 ORDER BY number DESC LIMIT 1 OFFSET $2)";

pub(crate) const DELETE_VERSIONS: &str = "DELETE FROM workflow_versions WHERE workflow = $1";

pub(crate) const VERSIONS: &str = "SELECT number, saved_by, saved_at FROM workflow_versions \
     WHERE workflow = $1 AND number < $2 ORDER BY number DESC LIMIT $3";

/// The newest version up to a number that the workflow has had.
pub(crate) const VERSION: &str = "SELECT number, saved_by, saved_at, body FROM workflow_versions \
     WHERE workflow = $1 AND number <= $2 \
     AND $2 <= (SELECT version FROM documents WHERE kind = 'workflow' AND id = $1) ORDER BY number DESC LIMIT 1";
