//! Finding what has been kept for long enough on Postgres, which gives space back by itself.

use apiflow_core::ports::{StoreError, Timestamp};
use async_trait::async_trait;

use super::PostgresStore;
use crate::Housekeeping;
use crate::fault::store_error;
use crate::housekeeping::{COUNT_ENDED_JOBS, EXPIRED_JOBS, excess_jobs};

#[async_trait]
impl Housekeeping for PostgresStore {
    async fn list_expired_jobs(
        &self,
        ended_before: Option<Timestamp>,
        max_ended: Option<u64>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let mut jobs = Vec::new();
        if let Some(moment) = ended_before {
            jobs = self.list_oldest(moment.0, i64::from(limit)).await?;
        }
        if let Some(max_ended) = max_ended {
            let counted = sqlx::query_as(COUNT_ENDED_JOBS).fetch_one(self.pool.count_statement()).await;
            let (ended,): (i64,) = counted.map_err(store_error)?;
            let excess = self.list_oldest(i64::MAX, excess_jobs(ended, max_ended, limit)).await?;
            jobs.extend(excess.into_iter().filter(|job| !jobs.contains(job)).collect::<Vec<_>>());
        }
        jobs.truncate(limit as usize);
        Ok(jobs)
    }

    async fn reclaim_space(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl PostgresStore {
    async fn list_oldest(&self, ended_before: i64, limit: i64) -> Result<Vec<String>, StoreError> {
        let found = sqlx::query_as(EXPIRED_JOBS).bind(ended_before).bind(limit);
        let found: Vec<(String,)> = found.fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }
}
