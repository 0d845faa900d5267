//! Records of artifacts as small JSON files beside their contents, for embedding without a database.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};

use super::{MemoryRecords, open_folder, unavailable};
use crate::ports::{ArtifactError, ArtifactFilter, ArtifactRecords, ArtifactRow, ArtifactUsage, BlobRow, Timestamp};

/// Folder of the files, beside that of the contents.
const RECORDS: &str = "records";

/// Keeps records in the files `records/<id>.json` of a folder. Only one process may use the folder at a time. Which jobs
/// use an artifact is kept in memory.
pub struct FolderRecords {
    files: LocalFileSystem,
    memory: MemoryRecords,
}

impl FolderRecords {
    /// Opens or creates the folder and reads its records.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`] if the folder or a record cannot be read.
    pub async fn open(folder: &Path) -> Result<Self, ArtifactError> {
        let files = open_folder(folder)?;
        let memory = MemoryRecords::default();
        let listed: Vec<_> = files.list(Some(&ObjectPath::from(RECORDS))).try_collect().await.map_err(unavailable)?;
        for file in listed {
            let content = files.get(&file.location).await.map_err(unavailable)?.bytes().await.map_err(unavailable)?;
            let row = serde_json::from_slice(&content).map_err(|error| {
                ArtifactError::Unavailable(format!("the record {} is invalid: {error}", file.location))
            })?;
            memory.restore_artifact(row);
        }
        Ok(Self { files, memory })
    }

    async fn delete_file(&self, id: &str) -> Result<(), ArtifactError> {
        match self.files.delete(&record_path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn record_path(id: &str) -> ObjectPath {
    ObjectPath::from_iter([RECORDS, &format!("{id}.json")])
}

#[async_trait]
impl ArtifactRecords for FolderRecords {
    async fn add_artifact(&self, new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError> {
        let row = self.memory.add_artifact(new, quota_bytes).await?;
        let text = serde_json::to_vec_pretty(&row).expect("a record is plain data");
        if let Err(error) = self.files.put(&record_path(&row.id), PutPayload::from(text)).await {
            self.memory.delete_artifact(&row.id).await?;
            return Err(unavailable(error));
        }
        Ok(row)
    }

    async fn find_artifact(&self, id: &str) -> Result<Option<ArtifactRow>, ArtifactError> {
        self.memory.find_artifact(id).await
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
        self.memory.list_artifacts(filter, before, limit).await
    }

    async fn delete_artifact(&self, id: &str) -> Result<bool, ArtifactError> {
        self.delete_file(id).await?;
        self.memory.delete_artifact(id).await
    }

    async fn delete_unused_artifacts(
        &self,
        unused_since: Timestamp,
        free_bytes: Option<u64>,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        let all = ArtifactFilter::default();
        let before = self.memory.list_artifacts(&all, None, u32::MAX).await?;
        let deleted = self.memory.delete_unused_artifacts(unused_since, free_bytes, limit).await?;
        let left = self.memory.list_artifacts(&all, None, u32::MAX).await?;
        let left: BTreeSet<String> = left.into_iter().map(|row| row.id).collect();
        for row in before.iter().filter(|row| !left.contains(&row.id)) {
            self.delete_file(&row.id).await?;
        }
        Ok(deleted)
    }

    async fn add_references(&self, job: &str, artifacts: &[String], now: Timestamp) -> Result<(), ArtifactError> {
        self.memory.add_references(job, artifacts, now).await
    }

    async fn list_released_blobs(&self, limit: u32) -> Result<Vec<BlobRow>, ArtifactError> {
        self.memory.list_released_blobs(limit).await
    }

    async fn forget_blobs(&self, keys: &[String]) -> Result<(), ArtifactError> {
        self.memory.forget_blobs(keys).await
    }

    async fn find_blobs(&self, keys: &[String]) -> Result<BTreeSet<String>, ArtifactError> {
        self.memory.find_blobs(keys).await
    }

    async fn read_usage(&self, owner: Option<&str>) -> Result<ArtifactUsage, ArtifactError> {
        self.memory.read_usage(owner).await
    }

    async fn take_turn(&self, task: &str, period: Duration) -> Result<bool, ArtifactError> {
        self.memory.take_turn(task, period).await
    }
}
