//! Deletes files that no artifact needs.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::derived::{DERIVED, source_key};
use super::{BLOBS, StoredArtifacts, unavailable};
use crate::ports::{ArtifactError, BlobRow};

/// Number of files whose records are looked up, or that are deleted, at a time.
const BATCH_SIZE: usize = 200;

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CollectedGarbage {
    /// Number of files.
    pub files: u64,
    /// Sum of their sizes, in bytes.
    pub bytes: u64,
}

impl CollectedGarbage {
    fn count_file(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

impl StoredArtifacts {
    /// Deletes the files of contents that no artifact has any more.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`]; what is left is deleted by the next call.
    pub async fn delete_released_blobs(&self) -> Result<CollectedGarbage, ArtifactError> {
        let mut collected = CollectedGarbage::default();
        loop {
            let released = self.records.list_released_blobs(BATCH_SIZE as u32).await?;
            for BlobRow { key, size_bytes, .. } in &released {
                self.delete_derived(key).await?;
                match self.objects.delete(&ObjectPath::from(key.as_str())).await {
                    Ok(()) => collected.count_file(*size_bytes),
                    // Deleted by another process, or before a crash.
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(unavailable(error)),
                }
            }
            let keys: Vec<String> = released.iter().map(|blob| blob.key.clone()).collect();
            self.records.forget_blobs(&keys).await?;
            if released.len() < BATCH_SIZE {
                return Ok(collected);
            }
        }
    }

    /// Deletes files without a record that are older than `min_age`: what crashes left behind. `min_age` must be longer
    /// than the time between the end of an upload and its record. Unfinished uploads to a cloud are not seen: let the
    /// bucket abort them by a rule of its own.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`]; what is left is deleted by the next call.
    pub async fn collect_garbage(&self, min_age: Duration) -> Result<CollectedGarbage, ArtifactError> {
        let mut collected = self.delete_released_blobs().await?;
        let newest = self.clock.now().0.saturating_sub(i64::try_from(min_age.as_millis()).unwrap_or(i64::MAX));
        for folder in [BLOBS, DERIVED] {
            let mut files = self.objects.list(Some(&ObjectPath::from(folder)));
            let mut batch = Vec::with_capacity(BATCH_SIZE);
            while let Some(file) = files.try_next().await.map_err(unavailable)? {
                if file.last_modified.timestamp_millis() <= newest {
                    batch.push(file);
                }
                if batch.len() == BATCH_SIZE {
                    self.delete_unknown_files(&mut batch, &mut collected).await?;
                }
            }
            self.delete_unknown_files(&mut batch, &mut collected).await?;
        }
        if let Some(folder) = self.folder.clone() {
            let removed = tokio::task::spawn_blocking(move || delete_unfinished_files(&folder.join(BLOBS), min_age));
            let removed = removed.await.map_err(|error| ArtifactError::Unavailable(error.to_string()))?;
            collected.files += removed.files;
            collected.bytes += removed.bytes;
        }
        Ok(collected)
    }

    async fn delete_unknown_files(
        &self,
        files: &mut Vec<ObjectMeta>,
        collected: &mut CollectedGarbage,
    ) -> Result<(), ArtifactError> {
        let key_of = |file: &ObjectMeta| source_key(&file.location).unwrap_or_else(|| file.location.to_string());
        let keys: Vec<String> = files.iter().map(key_of).collect();
        let known = self.records.find_blobs(&keys).await?;
        for file in files.drain(..).filter(|file| !known.contains(&key_of(file))) {
            match self.objects.delete(&file.location).await {
                Ok(()) => collected.count_file(file.size),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(())
    }
}

/// Deletes files that an upload to a folder had not finished: the object store writes to `<key>#<number>` first, and does
/// not list such files.
fn delete_unfinished_files(folder: &Path, min_age: Duration) -> CollectedGarbage {
    let mut removed = CollectedGarbage::default();
    let is_old = |modified: SystemTime| modified.elapsed().is_ok_and(|age| age >= min_age);
    for path in list_folder(folder).into_iter().flat_map(|folder| list_folder(&folder)) {
        let is_unfinished = path.file_name().is_some_and(|name| name.to_string_lossy().contains('#'));
        let Some(facts) = path.metadata().ok().filter(|_| is_unfinished) else { continue };
        if facts.modified().is_ok_and(is_old) && std::fs::remove_file(&path).is_ok() {
            removed.count_file(facts.len());
        }
    }
    removed
}

fn list_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
