//! Finding what has been kept for long enough, and giving space back.

use apiflow_core::ports::{StoreError, Timestamp};
use async_trait::async_trait;

/// Finds jobs to delete, and gives the space of what was deleted back.
#[async_trait]
pub trait Housekeeping: Send + Sync {
    /// Lists up to `limit` jobs that have ended, the oldest first: those that ended before `ended_before`, and those
    /// beyond the newest `max_ended`. Of each final status only the oldest 1,000 are looked at.
    async fn list_expired_jobs(
        &self,
        ended_before: Option<Timestamp>,
        max_ended: Option<u64>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Gives a bounded amount of free space back to the file system; returns the number of bytes. Postgres does this
    /// by itself.
    async fn reclaim_space(&self) -> Result<u64, StoreError>;
}

/// The oldest jobs of one final status.
macro_rules! oldest {
    ($status:literal) => {
        concat!(
            "SELECT * FROM (SELECT id, finished_at FROM jobs WHERE status = '",
            $status,
            "' ORDER BY id LIMIT 1000) AS ",
            $status
        )
    };
}

pub(crate) const EXPIRED_JOBS: &str = concat!(
    "SELECT id FROM (",
    oldest!("completed"),
    " UNION ALL ",
    oldest!("failed"),
    " UNION ALL ",
    oldest!("cancelled"),
    ") AS oldest WHERE finished_at < $1 ORDER BY id LIMIT $2"
);
pub(crate) const COUNT_ENDED_JOBS: &str =
    "SELECT COUNT(*) FROM jobs WHERE status IN ('completed', 'failed', 'cancelled')";

/// Returns how many of the oldest jobs are to be deleted.
pub(crate) fn excess_jobs(ended: i64, max_ended: u64, limit: u32) -> i64 {
    ended.saturating_sub(i64::try_from(max_ended).unwrap_or(i64::MAX)).clamp(0, i64::from(limit))
}
