//! Records of artifacts in memory, and as small JSON files beside their contents: for embedding without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};

use super::{open_folder, unavailable};
use crate::ports::{ArtifactError, ArtifactFilter, ArtifactRecords, ArtifactRow, ArtifactUsage, BlobRow, Timestamp};

/// Folder of the files, beside that of the contents.
const RECORDS: &str = "records";

/// Keeps records in memory, and also in the files `records/<id>.json` of a folder, if it was opened with one: only one
/// process may use the folder at a time. It knows no jobs, so that artifacts in use are what
/// [`ArtifactRecords::add_references`] says since it was created, whether or not the job has ended.
#[derive(Default)]
pub struct LocalRecords {
    state: Mutex<RecordsState>,
    files: Option<LocalFileSystem>,
}

#[derive(Default)]
struct RecordsState {
    artifacts: BTreeMap<String, ArtifactRow>,
    /// Key and number of artifacts of each content, by SHA-256 and size.
    contents: BTreeMap<(String, u64), (String, u64)>,
    released: BTreeMap<String, BlobRow>,
    /// Pairs of an artifact and a job that uses it.
    references: BTreeSet<(String, String)>,
    turns: BTreeMap<String, Instant>,
}

impl RecordsState {
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

    /// Lists artifacts that nothing uses, as [`ArtifactRecords::delete_unused_artifacts`] selects them.
    fn list_unused(&self, unused_since: Timestamp, free_bytes: Option<u64>, limit: u32) -> Vec<String> {
        let in_use: BTreeSet<&String> = self.references.iter().map(|(artifact, _)| artifact).collect();
        let is_unused = |row: &&ArtifactRow| row.last_used_at < unused_since && !in_use.contains(&row.id);
        let mut unused: Vec<&ArtifactRow> = self.artifacts.values().filter(is_unused).collect();
        unused.sort_by_key(|row| (row.last_used_at, &row.id));
        let mut freed = 0;
        let is_needed = |row: &&ArtifactRow| {
            let is_needed = free_bytes.is_none_or(|wanted| freed < wanted);
            freed += row.blob.size_bytes;
            is_needed
        };
        unused.into_iter().take(limit as usize).take_while(is_needed).map(|row| row.id.clone()).collect()
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

impl LocalRecords {
    /// Opens or creates a folder and reads its records.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`] if the folder or a record cannot be read.
    pub async fn open_folder(folder: &Path) -> Result<Self, ArtifactError> {
        let files = open_folder(folder)?;
        let mut state = RecordsState::default();
        let listed: Vec<_> = files.list(Some(&ObjectPath::from(RECORDS))).try_collect().await.map_err(unavailable)?;
        for file in listed {
            let content = files.get(&file.location).await.map_err(unavailable)?.bytes().await.map_err(unavailable)?;
            let row = serde_json::from_slice(&content).map_err(|error| {
                ArtifactError::Unavailable(format!("the record {} is invalid: {error}", file.location))
            })?;
            state.add(row, None)?;
        }
        Ok(Self { state: Mutex::new(state), files: Some(files) })
    }

    fn lock_state(&self) -> MutexGuard<'_, RecordsState> {
        // Valid even after a panic: nothing is changed before everything has been checked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_file(&self, row: &ArtifactRow) -> Result<(), ArtifactError> {
        let Some(files) = &self.files else { return Ok(()) };
        let text = serde_json::to_vec_pretty(row).expect("a record is plain data");
        files.put(&record_path(&row.id), PutPayload::from(text)).await.map(drop).map_err(unavailable)
    }

    async fn delete_file(&self, id: &str) -> Result<(), ArtifactError> {
        let Some(files) = &self.files else { return Ok(()) };
        match files.delete(&record_path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn record_path(id: &str) -> ObjectPath {
    ObjectPath::from_iter([RECORDS, &format!("{id}.json")])
}

#[async_trait]
impl ArtifactRecords for LocalRecords {
    async fn add_artifact(&self, new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError> {
        let row = self.lock_state().add(new, quota_bytes)?;
        if let Err(error) = self.write_file(&row).await {
            self.lock_state().delete(&row.id);
            return Err(error);
        }
        Ok(row)
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
        self.delete_file(id).await?;
        Ok(self.lock_state().delete(id))
    }

    async fn delete_unused_artifacts(
        &self,
        unused_since: Timestamp,
        free_bytes: Option<u64>,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        let unused = self.lock_state().list_unused(unused_since, free_bytes, limit);
        let mut deleted = 0;
        for id in unused {
            self.delete_file(&id).await?;
            deleted += u64::from(self.lock_state().delete(&id));
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
