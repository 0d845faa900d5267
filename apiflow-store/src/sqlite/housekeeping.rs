//! Finding what has been kept for long enough, and shrinking the file, on SQLite.

use apiflow_core::ports::{StoreError, Timestamp};
use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::connection::Connection;
use crate::Housekeeping;
use crate::housekeeping::{COUNT_ENDED_JOBS, EXPIRED_JOBS, excess_jobs};

/// Number of pages that are given back at a time: the file is locked meanwhile.
const RECLAIMED_PAGES: i64 = 1_000;

#[async_trait]
impl Housekeeping for SqliteStore {
    async fn list_expired_jobs(
        &self,
        ended_before: Option<Timestamp>,
        max_ended: Option<u64>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut jobs = Vec::new();
            if let Some(moment) = ended_before {
                jobs = list_oldest(connection, moment.0, i64::from(limit))?;
            }
            if let Some(max_ended) = max_ended {
                let (ended,): (i64,) = connection.fetch_one(COUNT_ENDED_JOBS, &[])?;
                let excess = list_oldest(connection, i64::MAX, excess_jobs(ended, max_ended, limit))?;
                jobs.extend(excess.into_iter().filter(|job| !jobs.contains(job)).collect::<Vec<_>>());
            }
            jobs.truncate(limit as usize);
            Ok(jobs)
        })
        .await
    }

    async fn reclaim_space(&self) -> Result<u64, StoreError> {
        // Read first: a file without free pages is not written.
        let (free, page_bytes) = self
            .read(|connection| {
                let (free,): (i64,) = connection.fetch_one("PRAGMA freelist_count", &[])?;
                let (page_bytes,): (i64,) = connection.fetch_one("PRAGMA page_size", &[])?;
                Ok::<_, super::errors::QueryError<StoreError>>((free, page_bytes))
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

fn list_oldest(connection: &Connection, ended_before: i64, limit: i64) -> rusqlite::Result<Vec<String>> {
    let found: Vec<(String,)> = connection.fetch_all(EXPIRED_JOBS, params![ended_before, limit])?;
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
