//! Finding what has been kept for long enough, and shrinking the file, on SQLite.

use apiflow_core::ports::{ArtifactError, StoreError, Timestamp};
use async_trait::async_trait;
use rusqlite::{ToSql, params};

use super::SqliteStore;
use super::artifacts::delete_artifacts;
use super::connection::Connection;
use super::errors::QueryError;
use crate::housekeeping::{
    COUNT_ENDED_JOBS, EXPIRED_JOBS, EXPIRED_JOBS_OF_WORKFLOW, OLDEST_JOBS, RETENTIONS, excess_jobs, retention_row,
};
use crate::{Housekeeping, WorkflowRetention, artifact_rows};

/// Number of pages that are given back at a time: the file is locked meanwhile.
const RECLAIMED_PAGES: i64 = 1_000;

#[async_trait]
impl Housekeeping for SqliteStore {
    async fn list_workflow_retentions(&self) -> Result<Vec<WorkflowRetention>, StoreError> {
        self.read(|connection| Ok(connection.fetch_all(RETENTIONS, &[])?.into_iter().map(retention_row).collect()))
            .await
    }

    async fn list_expired_jobs(
        &self,
        ended_before: Option<Timestamp>,
        max_ended: Option<u64>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut jobs = Vec::new();
            if let Some(moment) = ended_before {
                jobs = list_ids(connection, EXPIRED_JOBS, params![moment.0, limit])?;
            }
            if let Some(max_ended) = max_ended {
                let (ended,): (i64,) = connection.fetch_one(COUNT_ENDED_JOBS, &[])?;
                let excess = excess_jobs(ended, max_ended, limit);
                let excess = list_ids(connection, OLDEST_JOBS, params![i64::MAX, excess])?;
                jobs.extend(excess.into_iter().filter(|job| !jobs.contains(job)).collect::<Vec<_>>());
            }
            jobs.truncate(limit as usize);
            Ok(jobs)
        })
        .await
    }

    async fn list_expired_jobs_of_workflow(
        &self,
        workflow: &str,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let workflow = workflow.to_owned();
        self.read(move |connection| {
            Ok(list_ids(connection, EXPIRED_JOBS_OF_WORKFLOW, params![ended_before.0, limit, workflow])?)
        })
        .await
    }

    async fn delete_expired_artifacts(
        &self,
        workflow: Option<&str>,
        unused_since: Timestamp,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        let workflow = workflow.map(str::to_owned);
        self.write(move |connection| {
            let expired: Vec<artifact_rows::DeletedColumns> = match &workflow {
                None => connection.fetch_all(artifact_rows::EXPIRED, params![unused_since.0, limit]),
                Some(workflow) => {
                    let parameters = params![unused_since.0, limit, workflow];
                    connection.fetch_all(artifact_rows::EXPIRED_OF_WORKFLOW, parameters)
                }
            }?;
            Ok(delete_artifacts(connection, expired)?)
        })
        .await
    }

    async fn reclaim_space(&self) -> Result<u64, StoreError> {
        // Read first: a file without free pages is not written.
        let (free, page_bytes) = self
            .read(|connection| {
                let (free,): (i64,) = connection.fetch_one("PRAGMA freelist_count", &[])?;
                let (page_bytes,): (i64,) = connection.fetch_one("PRAGMA page_size", &[])?;
                Ok::<_, QueryError<StoreError>>((free, page_bytes))
            })
            .await?;
        if free == 0 {
            // What was given back in the log is given back in the file.
            self.read(|connection| {
                let (_busy, _logged, _written): (i64, i64, i64) =
                    connection.fetch_one("PRAGMA wal_checkpoint(PASSIVE)", &[])?;
                Ok::<_, super::errors::QueryError<StoreError>>(())
            })
            .await?;
            return Ok(0);
        }
        let pages: i64 = self.write(|connection| Ok(reclaim_pages(connection)?)).await?;
        Ok(u64::try_from(pages * page_bytes).unwrap_or_default())
    }
}

fn list_ids(
    connection: &Connection,
    statement: &'static str,
    parameters: &[&dyn ToSql],
) -> rusqlite::Result<Vec<String>> {
    let found: Vec<(String,)> = connection.fetch_all(statement, parameters)?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Gives free pages at the end of the file back; returns their number.
fn reclaim_pages(connection: &Connection) -> rusqlite::Result<i64> {
    let free_pages = || -> rusqlite::Result<i64> {
        let (free,): (i64,) = connection.fetch_one("PRAGMA freelist_count", &[])?;
        Ok(free)
    };
    let before = free_pages()?;
    connection.run_to_end(&format!("PRAGMA incremental_vacuum({RECLAIMED_PAGES})"))?;
    Ok(before - free_pages()?)
}
