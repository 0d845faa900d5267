//! The number of jobs that have not ended, counted periodically.

use std::collections::BTreeMap;

use apiflow_core::ports::{JobStatus, Store, StoreError, Timestamp};
use tokio::sync::Mutex;

/// How long a count is reused, so that frequent scrapes query the database only once.
const MAX_COUNT_AGE_MS: u64 = 15_000;

/// The number of jobs of each status that is not final.
pub(crate) type ActiveJobs = BTreeMap<JobStatus, u64>;

/// The last count of active jobs, with its time.
#[derive(Debug, Default)]
pub(crate) struct ActiveJobCounts(Mutex<Option<(Timestamp, ActiveJobs)>>);

impl ActiveJobCounts {
    /// Returns the number of active jobs by status. Ended jobs are not counted: their number only grows.
    pub(crate) async fn count_active(&self, store: &dyn Store, now: Timestamp) -> Result<ActiveJobs, StoreError> {
        let mut last = self.0.lock().await;
        if let Some((at, counts)) = last.as_ref()
            && now.since_ms(*at) < MAX_COUNT_AGE_MS
        {
            return Ok(counts.clone());
        }
        let active = [JobStatus::Pending, JobStatus::Running, JobStatus::Suspended];
        let mut counts = BTreeMap::from(active.map(|status| (status, 0)));
        counts.extend(store.count_active_jobs().await?);
        *last = Some((now, counts.clone()));
        Ok(counts)
    }
}
