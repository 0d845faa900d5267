//! How many jobs have not ended, counted now and then.

use std::collections::BTreeMap;

use apiflow_core::ports::{JobFilter, JobStatus, Store, StoreError, Timestamp};
use tokio::sync::Mutex;

/// How long a count is reused: however often one asks, the database is asked once.
const MAX_COUNT_AGE_MS: u64 = 15_000;

/// Jobs read at a time.
const JOBS_PER_PAGE: u32 = 500;

/// The number of jobs of each status that is not final.
pub(crate) type ActiveJobs = BTreeMap<JobStatus, u64>;

/// The last count of active jobs, with its time.
#[derive(Debug, Default)]
pub(crate) struct ActiveJobCounts(Mutex<Option<(Timestamp, ActiveJobs)>>);

impl ActiveJobCounts {
    /// Returns the number of active jobs by status. Ended ones are not counted: there are ever more of them.
    pub(crate) async fn count(&self, store: &dyn Store, now: Timestamp) -> Result<ActiveJobs, StoreError> {
        let mut last = self.0.lock().await;
        if let Some((at, counts)) = last.as_ref()
            && now.since_ms(*at) < MAX_COUNT_AGE_MS
        {
            return Ok(counts.clone());
        }
        let mut counts = BTreeMap::new();
        for status in [JobStatus::Pending, JobStatus::Running, JobStatus::Suspended] {
            counts.insert(status, count_jobs(store, status).await?);
        }
        *last = Some((now, counts.clone()));
        Ok(counts)
    }
}

async fn count_jobs(store: &dyn Store, status: JobStatus) -> Result<u64, StoreError> {
    let filter = JobFilter { status: Some(status), ..JobFilter::default() };
    let (mut total, mut before) = (0, None::<String>);
    loop {
        let rows = store.jobs(&filter, before.as_deref(), JOBS_PER_PAGE).await?;
        total += rows.len() as u64;
        if rows.len() < JOBS_PER_PAGE as usize {
            return Ok(total);
        }
        before = rows.last().map(|row| row.id.clone());
    }
}
