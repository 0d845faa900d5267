//! Finding what has been kept for long enough, and giving space back.

use apiflow_core::ports::{ArtifactError, StoreError, Timestamp};
use async_trait::async_trait;
use serde_json::Value;

use crate::job_rows::from_int;
use crate::{Document, DocumentKind};

/// How long the jobs and outputs of a workflow are kept, instead of what holds for all others. It is saved with the
/// workflow, as its field `retention`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRetention {
    /// Id of the workflow.
    pub workflow: String,
    /// Days after which outputs that no job was started with meanwhile are deleted.
    pub artifacts_days: Option<u64>,
    /// Days after which ended jobs are deleted.
    pub jobs_days: Option<u64>,
}

impl WorkflowRetention {
    /// Reads the field `retention` of a saved workflow; `None` if it sets nothing.
    pub(crate) fn of_document(document: &Document) -> Option<Self> {
        if document.kind != DocumentKind::Workflow {
            return None;
        }
        let days =
            |name: &str| document.body.get("retention").and_then(|found| found.get(name)).and_then(Value::as_u64);
        let (artifacts_days, jobs_days) = (days("artifacts_days"), days("jobs_days"));
        (artifacts_days.is_some() || jobs_days.is_some()).then(|| Self {
            workflow: document.id.clone(),
            artifacts_days,
            jobs_days,
        })
    }
}

/// Finds jobs and artifacts to delete, and gives the space of what was deleted back.
#[async_trait]
pub trait Housekeeping: Send + Sync {
    /// Lists the workflows that say themselves how long something is kept.
    async fn list_workflow_retentions(&self) -> Result<Vec<WorkflowRetention>, StoreError>;

    /// Lists up to `limit` jobs that have ended, the oldest first: those that ended before `ended_before` and whose
    /// workflow has no `jobs_days`, and all those beyond the newest `max_ended`. Of each final status only the oldest
    /// 1,000 are looked at.
    async fn list_expired_jobs(
        &self,
        ended_before: Option<Timestamp>,
        max_ended: Option<u64>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Lists up to `limit` jobs of a workflow that ended before `ended_before`, of its oldest 1,000.
    async fn list_expired_jobs_of_workflow(
        &self,
        workflow: &str,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Deletes up to `limit` artifacts that were last used before `unused_since` and that no active job uses, the least
    /// recently used first: outputs of a workflow, or without one everything but the outputs of workflows that have
    /// `artifacts_days`. Returns their number.
    async fn delete_expired_artifacts(
        &self,
        workflow: Option<&str>,
        unused_since: Timestamp,
        limit: u32,
    ) -> Result<u64, ArtifactError>;

    /// Gives a bounded amount of free space back to the file system; returns the number of bytes. Postgres does this
    /// by itself.
    async fn reclaim_space(&self) -> Result<u64, StoreError>;
}

/// The oldest jobs of one final status that meet a condition.
macro_rules! oldest {
    ($status:literal, $condition:literal) => {
        concat!(
            "SELECT * FROM (SELECT id, finished_at FROM jobs WHERE status = '",
            $status,
            "'",
            $condition,
            " ORDER BY id LIMIT 1000) AS ",
            $status
        )
    };
}

/// The oldest `$2` jobs that ended before `$1` and meet a condition.
macro_rules! ended_jobs {
    ($condition:literal) => {
        concat!(
            "SELECT id FROM (",
            oldest!("completed", $condition),
            " UNION ALL ",
            oldest!("failed", $condition),
            " UNION ALL ",
            oldest!("cancelled", $condition),
            ") AS oldest WHERE finished_at < $1 ORDER BY id LIMIT $2"
        )
    };
}

pub(crate) const OLDEST_JOBS: &str = ended_jobs!("");
pub(crate) const EXPIRED_JOBS: &str = ended_jobs!(
    " AND NOT EXISTS (SELECT 1 FROM workflow_retention \
     WHERE workflow_retention.workflow = jobs.workflow_id AND jobs_days IS NOT NULL)"
);
pub(crate) const EXPIRED_JOBS_OF_WORKFLOW: &str = concat!(
    "SELECT id FROM (SELECT id, finished_at FROM jobs WHERE workflow_id = $3 AND status IN ",
    crate::sql::ended!(),
    " ORDER BY id LIMIT 1000) AS oldest WHERE finished_at < $1 ORDER BY id LIMIT $2"
);
pub(crate) const RETENTIONS: &str =
    "SELECT workflow, artifacts_days, jobs_days FROM workflow_retention ORDER BY workflow";
pub(crate) const ADD_RETENTION: &str =
    "INSERT INTO workflow_retention (workflow, artifacts_days, jobs_days) VALUES ($1, $2, $3)";
pub(crate) const DELETE_RETENTION: &str = "DELETE FROM workflow_retention WHERE workflow = $1";
pub(crate) const COUNT_ENDED_JOBS: &str =
    "SELECT COUNT(*) FROM jobs WHERE status IN ('completed', 'failed', 'cancelled')";

/// Reads a row of `workflow_retention`.
pub(crate) fn retention_row((workflow, artifacts, jobs): (String, Option<i64>, Option<i64>)) -> WorkflowRetention {
    WorkflowRetention { workflow, artifacts_days: artifacts.map(from_int), jobs_days: jobs.map(from_int) }
}

/// Returns how many of the oldest jobs are to be deleted.
pub(crate) fn excess_jobs(ended: i64, max_ended: u64, limit: u32) -> i64 {
    ended.saturating_sub(i64::try_from(max_ended).unwrap_or(i64::MAX)).clamp(0, i64::from(limit))
}
