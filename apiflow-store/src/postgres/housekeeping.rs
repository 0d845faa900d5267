//! Finding what has been kept for long enough on Postgres, which gives space back by itself.

use apiflow_core::ports::{ArtifactError, StoreError, Timestamp};
use async_trait::async_trait;

use super::PostgresStore;
use super::artifacts::delete_held;
use crate::fault::{artifact_error, store_error};
use crate::housekeeping::{
    COUNT_ENDED_JOBS, EXPIRED_JOBS, EXPIRED_JOBS_OF_WORKFLOW, OLDEST_JOBS, RETENTIONS, excess_jobs, retention_row,
};
use crate::{Housekeeping, WorkflowRetention, artifact_rows};

const HOLD_EXPIRED: &str = concat!(artifact_rows::expired!(), " FOR UPDATE OF artifacts SKIP LOCKED");
const HOLD_EXPIRED_OF_WORKFLOW: &str =
    concat!(artifact_rows::expired_of_workflow!(), " FOR UPDATE OF artifacts SKIP LOCKED");

#[async_trait]
impl Housekeeping for PostgresStore {
    async fn list_workflow_retentions(&self) -> Result<Vec<WorkflowRetention>, StoreError> {
        let found = sqlx::query_as(RETENTIONS).fetch_all(self.pool.count_statement()).await;
        Ok(found.map_err(store_error)?.into_iter().map(retention_row).collect())
    }

    async fn list_expired_jobs(
        &self,
        ended_before: Option<Timestamp>,
        max_ended: Option<u64>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let mut jobs = Vec::new();
        if let Some(moment) = ended_before {
            jobs = self.list_ids(EXPIRED_JOBS, moment, i64::from(limit)).await?;
        }
        if let Some(max_ended) = max_ended {
            let counted = sqlx::query_as(COUNT_ENDED_JOBS).fetch_one(self.pool.count_statement()).await;
            let (ended,): (i64,) = counted.map_err(store_error)?;
            let excess = excess_jobs(ended, max_ended, limit);
            let excess = self.list_ids(OLDEST_JOBS, Timestamp(i64::MAX), excess).await?;
            jobs.extend(excess.into_iter().filter(|job| !jobs.contains(job)).collect::<Vec<_>>());
        }
        jobs.truncate(limit as usize);
        Ok(jobs)
    }

    async fn list_expired_jobs_of_workflow(
        &self,
        workflow: &str,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let found = sqlx::query_as(EXPIRED_JOBS_OF_WORKFLOW).bind(ended_before.0).bind(i64::from(limit)).bind(workflow);
        let found: Vec<(String,)> = found.fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    async fn delete_expired_artifacts(
        &self,
        workflow: Option<&str>,
        unused_since: Timestamp,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        let mut transaction = self.pool.begin().await.map_err(artifact_error)?;
        let held = match workflow {
            None => sqlx::query_as(HOLD_EXPIRED).bind(unused_since.0).bind(i64::from(limit)),
            Some(workflow) => {
                let held = sqlx::query_as(HOLD_EXPIRED_OF_WORKFLOW).bind(unused_since.0).bind(i64::from(limit));
                held.bind(workflow)
            }
        };
        let held = held.fetch_all(transaction.count_statement()).await.map_err(artifact_error)?;
        let deleted = delete_held(&mut transaction, held).await.map_err(artifact_error)?;
        transaction.commit().await.map_err(artifact_error)?;
        Ok(deleted)
    }

    async fn reclaim_space(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl PostgresStore {
    async fn list_ids(
        &self,
        statement: &'static str,
        ended_before: Timestamp,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let found = sqlx::query_as(statement).bind(ended_before.0).bind(limit);
        let found: Vec<(String,)> = found.fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }
}
