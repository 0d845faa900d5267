//! Records of artifacts in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::ports::{ArtifactError, ArtifactFilter, ArtifactRecords, ArtifactRow, ArtifactUsage, BlobRow, Timestamp};

/// Keeps records until it is dropped. It knows no jobs, so that artifacts in use are what [`ArtifactRecords::add_references`]
/// says, whether or not the job has ended.
#[derive(Default)]
pub struct MemoryRecords {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    artifacts: BTreeMap<String, ArtifactRow>,
    /// Key and number of artifacts of each content, by SHA-256 and size.
    contents: BTreeMap<(String, u64), (String, u64)>,
    released: BTreeMap<String, BlobRow>,
    /// Pairs of an artifact and a job that uses it.
    references: BTreeSet<(String, String)>,
    turns: BTreeMap<String, Instant>,
}

impl State {
    fn add(&mut self, mut new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError> {
        if let Some(row) = self.artifacts.get(&new.id) {
            return Ok(row.clone());
        }
        if let (Some(quota_bytes), Some(user)) = (quota_bytes, &new.owner)
            && self.usage(Some(user)).bytes + new.blob.size_bytes > quota_bytes
        {
            return Err(ArtifactError::OverQuota { user: user.clone(), quota_bytes });
        }
        let content = (new.blob.sha256.clone(), new.blob.size_bytes);
        let (key, uses) = self.contents.entry(content).or_insert_with(|| (new.blob.key.clone(), 0));
        *uses += 1;
        new.blob.key.clone_from(key);
        if let Some(provenance) = &new.provenance {
            self.references.insert((new.id.clone(), provenance.job.clone()));
        }
        self.artifacts.insert(new.id.clone(), new.clone());
        Ok(new)
    }

    fn delete(&mut self, id: &str) -> bool {
        let Some(row) = self.artifacts.remove(id) else { return false };
        self.references.retain(|(artifact, _)| artifact != id);
        let content = (row.blob.sha256.clone(), row.blob.size_bytes);
        if let Some((key, uses)) = self.contents.get_mut(&content) {
            *uses -= 1;
            if *uses == 0 {
                self.released.insert(key.clone(), row.blob);
                self.contents.remove(&content);
            }
        }
        true
    }

    fn usage(&self, owner: Option<&str>) -> ArtifactUsage {
        let rows = self.artifacts.values().filter(|row| owner.is_none() || row.owner.as_deref() == owner);
        let mut usage = ArtifactUsage::default();
        for row in rows {
            usage.artifacts += 1;
            usage.bytes += row.blob.size_bytes;
        }
        if owner.is_none() {
            usage.blobs = self.contents.len() as u64;
            usage.blob_bytes = self.contents.keys().map(|(_, size_bytes)| size_bytes).sum();
        }
        usage
    }

    fn matches(&self, row: &ArtifactRow, filter: &ArtifactFilter) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        let of_job = |job: &String| self.references.contains(&(row.id.clone(), job.clone()));
        is(&filter.owner, row.owner.as_deref())
            && is(&filter.kind, Some(row.kind()))
            && is(&filter.mime, Some(&row.mime))
            && filter.job.as_ref().is_none_or(of_job)
    }
}

impl MemoryRecords {
    fn lock_state(&self) -> MutexGuard<'_, State> {
        // Valid even after a panic: nothing is changed before everything has been checked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record that was written earlier.
    pub(super) fn restore_artifact(&self, row: ArtifactRow) {
        // Without a quota nothing is refused.
        drop(self.lock_state().add(row, None));
    }
}

#[async_trait]
impl ArtifactRecords for MemoryRecords {
    async fn add_artifact(&self, new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError> {
        self.lock_state().add(new, quota_bytes)
    }

    async fn find_artifact(&self, id: &str) -> Result<Option<ArtifactRow>, ArtifactError> {
        Ok(self.lock_state().artifacts.get(id).cloned())
    }

    async fn find_artifact_for_job(
        &self,
        _: &str,
        _: Option<&str>,
        id: &str,
    ) -> Result<Option<ArtifactRow>, ArtifactError> {
        self.find_artifact(id).await
    }

    async fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<ArtifactRow>, ArtifactError> {
        let state = self.lock_state();
        let place = |row: &ArtifactRow| (row.created_at, row.id.clone());
        let is_later = |row: &&ArtifactRow| before.as_ref().is_none_or(|before| place(row) < *before);
        let mut rows: Vec<ArtifactRow> =
            state.artifacts.values().filter(is_later).filter(|row| state.matches(row, filter)).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    async fn delete_artifact(&self, id: &str) -> Result<bool, ArtifactError> {
        Ok(self.lock_state().delete(id))
    }

    async fn delete_unused_artifacts(
        &self,
        unused_since: Timestamp,
        free_bytes: Option<u64>,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        let mut state = self.lock_state();
        let in_use: BTreeSet<&String> = state.references.iter().map(|(artifact, _)| artifact).collect();
        let is_unused = |row: &&ArtifactRow| row.last_used_at < unused_since && !in_use.contains(&row.id);
        let mut unused: Vec<(Timestamp, String, u64)> = state
            .artifacts
            .values()
            .filter(is_unused)
            .map(|row| (row.last_used_at, row.id.clone(), row.blob.size_bytes))
            .collect();
        unused.sort();
        let (mut deleted, mut freed) = (0, 0);
        for (_, id, size_bytes) in unused.into_iter().take(limit as usize) {
            if free_bytes.is_some_and(|wanted| freed >= wanted) {
                break;
            }
            state.delete(&id);
            freed += size_bytes;
            deleted += 1;
        }
        Ok(deleted)
    }

    async fn add_references(&self, job: &str, artifacts: &[String], now: Timestamp) -> Result<(), ArtifactError> {
        let mut state = self.lock_state();
        for id in artifacts {
            if let Some(row) = state.artifacts.get_mut(id) {
                row.last_used_at = now;
                state.references.insert((id.clone(), job.to_owned()));
            }
        }
        Ok(())
    }

    async fn list_released_blobs(&self, limit: u32) -> Result<Vec<BlobRow>, ArtifactError> {
        Ok(self.lock_state().released.values().take(limit as usize).cloned().collect())
    }

    async fn forget_blobs(&self, keys: &[String]) -> Result<(), ArtifactError> {
        let mut state = self.lock_state();
        for key in keys {
            state.released.remove(key);
        }
        Ok(())
    }

    async fn find_blobs(&self, keys: &[String]) -> Result<BTreeSet<String>, ArtifactError> {
        let state = self.lock_state();
        let known: BTreeSet<&String> =
            state.contents.values().map(|(key, _)| key).chain(state.released.keys()).collect();
        Ok(keys.iter().filter(|key| known.contains(key)).cloned().collect())
    }

    async fn read_usage(&self, owner: Option<&str>) -> Result<ArtifactUsage, ArtifactError> {
        Ok(self.lock_state().usage(owner))
    }

    async fn take_turn(&self, task: &str, period: Duration) -> Result<bool, ArtifactError> {
        let now = Instant::now();
        let mut state = self.lock_state();
        let is_due = state.turns.get(task).is_none_or(|due| *due <= now);
        if is_due {
            state.turns.insert(task.to_owned(), now + period);
        }
        Ok(is_due)
    }
}
