//! Deletes what has been kept for long enough, in the background, in small portions.
//!
//! Of all processes on one database one does it each time ([`ArtifactRecords::take_turn`]); if two did, they would only
//! find less to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apiflow_core::artifacts::{CollectedGarbage, StoredArtifacts};
use apiflow_core::ports::{ArtifactError, ArtifactRecords, ArtifactUsage, Clock, Store, StoreError, Timestamp};
use apiflow_store::{Housekeeping, Stores, WorkflowRetention};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::settings::RetentionSettings;

/// How often the limits are checked.
const CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// How often files without an artifact are looked for: all files are listed.
const GARBAGE_INTERVAL: Duration = Duration::from_hours(6);

/// Minimum age of a file without an artifact: an upload may be about to get its record.
const MIN_GARBAGE_AGE: Duration = Duration::from_hours(1);

/// Number of jobs or artifacts that are deleted at a time.
const BATCH_SIZE: u32 = 100;

/// Number of records of calls that are deleted at a time.
const CALL_BATCH_SIZE: u32 = 1_000;

/// Number of portions per check; the rest follows with the next one.
const MAX_BATCHES: usize = 100;

const DAY_MS: u64 = 86_400_000;

/// How long a count of artifacts is reused, so that frequent scrapes query the database only once.
const MAX_USAGE_AGE_MS: u64 = 15_000;

/// What was deleted since the process started.
#[derive(Debug, Default)]
pub(crate) struct RetentionCounters {
    /// Number of files of contents that nothing refers to.
    pub(crate) collected_files: AtomicU64,
    /// Sum of their sizes, in bytes.
    pub(crate) collected_bytes: AtomicU64,
    /// Number of artifacts that were not used for long enough.
    pub(crate) expired_artifacts: AtomicU64,
    /// Number of jobs that had ended for long enough.
    pub(crate) expired_jobs: AtomicU64,
    /// Number of bytes that the database gave back to the file system.
    pub(crate) reclaimed_bytes: AtomicU64,
    usage: Mutex<Option<(Timestamp, ArtifactUsage)>>,
}

impl RetentionCounters {
    /// Returns how much is kept.
    pub(crate) async fn read_usage(
        &self,
        records: &dyn ArtifactRecords,
        now: Timestamp,
    ) -> Result<ArtifactUsage, ArtifactError> {
        let mut last = self.usage.lock().await;
        if let Some((at, usage)) = *last
            && now.since_ms(at) < MAX_USAGE_AGE_MS
        {
            return Ok(usage);
        }
        let usage = records.read_usage(None).await?;
        *last = Some((now, usage));
        Ok(usage)
    }

    fn count_garbage(&self, collected: CollectedGarbage) {
        self.collected_files.fetch_add(collected.files, Ordering::Relaxed);
        self.collected_bytes.fetch_add(collected.bytes, Ordering::Relaxed);
    }
}

/// Deletes old jobs and artifacts, and the files of deleted ones.
pub(crate) struct Retention {
    artifacts: Arc<StoredArtifacts>,
    store: Arc<dyn Store>,
    housekeeping: Arc<dyn Housekeeping>,
    clock: Arc<dyn Clock>,
    settings: RetentionSettings,
    counters: Arc<RetentionCounters>,
}

/// Why a check did not succeed; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum RetentionError {
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retention {
    /// Creates the task.
    pub(crate) fn new(
        artifacts: Arc<StoredArtifacts>,
        stores: &Stores,
        clock: Arc<dyn Clock>,
        settings: RetentionSettings,
        counters: Arc<RetentionCounters>,
    ) -> Self {
        let (store, housekeeping) = (Arc::clone(&stores.store), Arc::clone(&stores.housekeeping));
        Self { artifacts, store, housekeeping, clock, settings, counters }
    }

    /// Checks the limits again and again, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let check = async {
                if let Err(error) = self.check_if_due().await {
                    tracing::warn!(%error, "old jobs and artifacts are deleted later");
                }
                tokio::time::sleep(CHECK_INTERVAL).await;
            };
            tokio::select! {
                () = check => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn check_if_due(&self) -> Result<(), RetentionError> {
        let records = self.artifacts.records();
        if records.take_turn("retention", CHECK_INTERVAL).await? {
            self.apply_limits().await?;
        }
        if records.take_turn("artifact_garbage", GARBAGE_INTERVAL).await? {
            self.counters.count_garbage(self.artifacts.collect_garbage(MIN_GARBAGE_AGE).await?);
        }
        Ok(())
    }

    async fn apply_limits(&self) -> Result<(), RetentionError> {
        self.delete_old_jobs().await?;
        self.delete_old_calls().await?;
        for workflow in self.housekeeping.list_workflow_retentions().await? {
            self.apply_workflow_limits(&workflow).await?;
        }
        self.delete_old_artifacts(None, self.settings.artifact_days).await?;
        self.delete_excess_artifacts().await?;
        self.counters.count_garbage(self.artifacts.delete_released_blobs().await?);
        for _ in 0..MAX_BATCHES {
            match self.housekeeping.reclaim_space().await? {
                0 => break,
                bytes => self.counters.reclaimed_bytes.fetch_add(bytes, Ordering::Relaxed),
            };
        }
        Ok(())
    }

    async fn delete_old_jobs(&self) -> Result<(), RetentionError> {
        let RetentionSettings { job_days, max_ended_jobs, .. } = self.settings;
        if job_days.is_none() && max_ended_jobs.is_none() {
            return Ok(());
        }
        let ended_before = job_days.map(|days| self.days_ago(days));
        for _ in 0..MAX_BATCHES {
            let jobs = self.housekeeping.list_expired_jobs(ended_before, max_ended_jobs, BATCH_SIZE).await?;
            self.delete_jobs(&jobs).await?;
            if jobs.len() < BATCH_SIZE as usize {
                break;
            }
        }
        Ok(())
    }

    /// Ends the calls through the proxy whose process died, and deletes old ones.
    async fn delete_old_calls(&self) -> Result<(), RetentionError> {
        while self.store.end_lost_proxied_calls(self.clock.now()).await? > 0 {}
        let RetentionSettings { call_days, max_calls, .. } = self.settings;
        let started_before = Some(self.days_ago(call_days));
        for _ in 0..MAX_BATCHES {
            let deleted = self.store.delete_old_proxied_calls(started_before, Some(max_calls), CALL_BATCH_SIZE).await?;
            if deleted == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Applies what a workflow itself says, instead of `job_days` and `artifact_days`.
    async fn apply_workflow_limits(&self, retention: &WorkflowRetention) -> Result<(), RetentionError> {
        if let Some(days) = retention.jobs_days {
            let ended_before = self.days_ago(days);
            for _ in 0..MAX_BATCHES {
                let (workflow, housekeeping) = (&retention.workflow, &self.housekeeping);
                let jobs = housekeeping.list_expired_jobs_of_workflow(workflow, ended_before, BATCH_SIZE).await?;
                self.delete_jobs(&jobs).await?;
                if jobs.len() < BATCH_SIZE as usize {
                    break;
                }
            }
        }
        self.delete_old_artifacts(Some(&retention.workflow), retention.artifacts_days).await
    }

    async fn delete_jobs(&self, jobs: &[String]) -> Result<(), StoreError> {
        for job in jobs {
            match self.store.delete_job(job).await {
                Ok(()) => self.counters.expired_jobs.fetch_add(1, Ordering::Relaxed),
                // Deleted by a user, or reopened by one who looked for its work again.
                Err(StoreError::NotFound { .. } | StoreError::Active { .. }) => 0,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// Deletes outputs of a workflow, or without one everything but the outputs of workflows with days of their own.
    async fn delete_old_artifacts(&self, workflow: Option<&str>, days: Option<u64>) -> Result<(), RetentionError> {
        let Some(days) = days else { return Ok(()) };
        let unused_since = self.days_ago(days);
        for _ in 0..MAX_BATCHES {
            let deleted = self.housekeeping.delete_expired_artifacts(workflow, unused_since, BATCH_SIZE).await?;
            self.counters.expired_artifacts.fetch_add(deleted, Ordering::Relaxed);
            if deleted < u64::from(BATCH_SIZE) {
                break;
            }
        }
        Ok(())
    }

    async fn delete_excess_artifacts(&self) -> Result<(), RetentionError> {
        let Some(max_bytes) = self.settings.max_stored_bytes else { return Ok(()) };
        for _ in 0..MAX_BATCHES {
            let usage = self.artifacts.records().read_usage(None).await?;
            let excess = usage.blob_bytes.saturating_sub(max_bytes);
            if excess == 0 {
                break;
            }
            let records = self.artifacts.records();
            let deleted = records.delete_unused_artifacts(self.clock.now(), Some(excess), BATCH_SIZE).await?;
            self.counters.expired_artifacts.fetch_add(deleted, Ordering::Relaxed);
            if deleted == 0 {
                break;
            }
        }
        Ok(())
    }

    fn days_ago(&self, days: u64) -> Timestamp {
        let ms = i64::try_from(days.saturating_mul(DAY_MS)).unwrap_or(i64::MAX);
        Timestamp(self.clock.now().0.saturating_sub(ms))
    }
}

#[cfg(test)]
mod tests;
