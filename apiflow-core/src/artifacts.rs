//! Artifacts in an object store: a folder, memory, or a cloud's bucket.
//!
//! The content of each artifact is an object with a random key below `blobs/`; what is known about it is in
//! [`ArtifactRecords`]. An artifact exists as soon as it has a record, which is written when its content is complete. A
//! crash in between leaves at most an object without a record, which [`StoredArtifacts::collect_garbage`] deletes.

mod collector;
mod content_type;
mod derived;
mod local_records;
mod media_header;
mod upload;

pub use self::collector::CollectedGarbage;
pub use self::local_records::LocalRecords;

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _};

use self::content_type::check_content;
use self::media_header::{MediaFacts, RangeReader, read_media_facts};
use self::upload::{CLOUD_PART_BYTES, LOCAL_PART_BYTES, StoredContent, UploadLimits, store_content};
use crate::artifact::Artifact;
use crate::digest::hash_text;
use crate::json::is_valid_id;
use crate::ports::{
    ArtifactError, ArtifactReader, ArtifactRecords, ArtifactRow, Artifacts, BlobRow, ByteStream, Clock, HttpError,
    NewArtifact,
};

/// Default maximum size of an artifact, in bytes: 2 GiB.
pub const DEFAULT_MAX_ARTIFACT_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Folder of the object store that contains the contents.
const BLOBS: &str = "blobs";

/// Returns a signed link to an artifact that is valid for a time; `None` if this host is not reachable from others.
pub type SignLink = Arc<dyn Fn(&str, Duration) -> Option<String> + Send + Sync>;

/// Settings of [`StoredArtifacts`].
#[derive(Clone)]
pub struct ArtifactSettings {
    /// What comes before the id in the URL of an artifact: `https://api.example.com/api/v1/artifacts/`.
    pub url_prefix: String,
    /// Maximum size of an artifact, in bytes.
    pub max_artifact_bytes: u64,
    /// Maximum size of all artifacts of a user, in bytes; `None` means no limit.
    pub quota_bytes: Option<u64>,
    /// Signs links for providers; without it there are none.
    pub sign_link: Option<SignLink>,
}

impl ArtifactSettings {
    /// Creates settings with the default maximum size, without quota and links.
    pub fn new(url_prefix: impl Into<String>) -> Self {
        Self {
            url_prefix: url_prefix.into(),
            max_artifact_bytes: DEFAULT_MAX_ARTIFACT_BYTES,
            quota_bytes: None,
            sign_link: None,
        }
    }
}

/// Stores artifacts in an object store, and equal contents once.
pub struct StoredArtifacts {
    objects: Arc<dyn ObjectStore>,
    records: Arc<dyn ArtifactRecords>,
    clock: Arc<dyn Clock>,
    settings: ArtifactSettings,
    /// The folder of the objects if it is a local one; unfinished files are looked for there.
    folder: Option<PathBuf>,
    /// Size of the parts of an upload, in bytes.
    part_bytes: usize,
}

impl StoredArtifacts {
    /// Creates a store of artifacts on an object store.
    pub fn new(
        objects: Arc<dyn ObjectStore>,
        records: Arc<dyn ArtifactRecords>,
        clock: Arc<dyn Clock>,
        settings: ArtifactSettings,
    ) -> Self {
        Self { objects, records, clock, settings, folder: None, part_bytes: CLOUD_PART_BYTES }
    }

    /// Creates a store of artifacts in a folder, which is created for its owner only if it does not exist. Contents are
    /// synced to the disk.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`] if the folder cannot be created or opened.
    pub fn in_folder(
        folder: &Path,
        records: Arc<dyn ArtifactRecords>,
        clock: Arc<dyn Clock>,
        settings: ArtifactSettings,
    ) -> Result<Self, ArtifactError> {
        let objects = Arc::new(open_folder(folder)?);
        let store = Self::new(objects, records, clock, settings);
        Ok(Self { folder: Some(folder.to_owned()), part_bytes: LOCAL_PART_BYTES, ..store })
    }

    /// Creates a store of artifacts in memory, which is dropped with it; URLs are `memory:<id>`.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        let records = Arc::new(LocalRecords::default());
        Self::new(Arc::new(InMemory::new()), records, clock, ArtifactSettings::new("memory:"))
    }

    /// Returns the records of the artifacts.
    pub fn records(&self) -> &Arc<dyn ArtifactRecords> {
        &self.records
    }

    /// Returns the maximum size of an artifact, in bytes.
    pub fn max_artifact_bytes(&self) -> u64 {
        self.settings.max_artifact_bytes
    }

    /// Returns what is known about an artifact, with its URL.
    pub fn describe_row(&self, row: ArtifactRow) -> Artifact {
        Artifact {
            url: format!("{}{}", self.settings.url_prefix, row.id),
            id: row.id,
            mime: row.mime,
            size_bytes: row.blob.size_bytes,
            sha256: row.blob.sha256,
            name: row.name,
            width: row.width,
            height: row.height,
            duration_s: row.duration_s,
        }
    }

    /// Stores the content and adds the record; whatever goes wrong, the object is deleted again.
    async fn put_content(&self, new: NewArtifact, bytes: ByteStream) -> Result<ArtifactRow, ArtifactError> {
        let path = new_blob_path(&new.id);
        let limits = UploadLimits { max_bytes: self.settings.max_artifact_bytes, part_bytes: self.part_bytes };
        let content = store_content(&*self.objects, &path, bytes, limits).await?;
        match self.add_record(new, &path, &content).await {
            Ok(row) => {
                if row.blob.key != path.as_ref() {
                    self.delete_object(&path).await;
                }
                Ok(row)
            }
            Err(error) => {
                self.delete_object(&path).await;
                Err(error)
            }
        }
    }

    async fn add_record(
        &self,
        new: NewArtifact,
        path: &ObjectPath,
        content: &StoredContent,
    ) -> Result<ArtifactRow, ArtifactError> {
        let mime = check_content(&content.head, content.size_bytes, new.value_type, new.mime.as_deref())?;
        let reader = StoredRanges { objects: &*self.objects, path };
        let facts = read_media_facts(&mime, &content.head, content.size_bytes, &reader).await;
        let MediaFacts { width, height, duration_s } = facts;
        let now = self.clock.now();
        let row = ArtifactRow {
            id: new.id,
            blob: BlobRow { key: path.to_string(), sha256: content.sha256.clone(), size_bytes: content.size_bytes },
            mime,
            name: new.name,
            width,
            height,
            duration_s,
            owner: new.owner,
            provenance: new.provenance,
            created_at: now,
            last_used_at: now,
        };
        self.records.add_artifact(row, self.settings.quota_bytes).await
    }

    /// Deletes an object that nothing refers to; if that fails, the collector does it later.
    async fn delete_object(&self, path: &ObjectPath) {
        if let Err(error) = self.objects.delete(path).await {
            tracing::warn!(%error, key = %path, "a file without an artifact is deleted later");
        }
    }
}

#[async_trait]
impl Artifacts for StoredArtifacts {
    async fn put(&self, new: NewArtifact, bytes: ByteStream) -> Result<Artifact, ArtifactError> {
        if let Some(row) = self.records.find_artifact(&new.id).await? {
            return Ok(self.describe_row(row));
        }
        if let (Some(quota_bytes), Some(owner)) = (self.settings.quota_bytes, &new.owner) {
            // The exact check is that of the records, when the size is known.
            if self.records.read_usage(Some(owner)).await?.bytes >= quota_bytes {
                return Err(ArtifactError::OverQuota { user: owner.clone(), quota_bytes });
            }
        }
        self.put_content(new, bytes).await.map(|row| self.describe_row(row))
    }

    async fn get(&self, id: &str, range: Option<Range<u64>>) -> Result<ArtifactReader, ArtifactError> {
        let row = self.records.find_artifact(id).await?;
        let row = row.ok_or_else(|| ArtifactError::NotFound { id: id.to_owned() })?;
        let size = row.blob.size_bytes;
        let range =
            range.map_or(0..size, |range| range.start.min(size)..range.end.min(size).max(range.start.min(size)));
        let path = ObjectPath::from(row.blob.key.as_str());
        let artifact = self.describe_row(row);
        if range.is_empty() {
            return Ok(ArtifactReader { artifact, range, bytes: Box::pin(stream::empty()) });
        }
        let options = GetOptions::new().with_range(Some(range.clone()));
        let found = self.objects.get_opts(&path, options).await.map_err(unavailable)?;
        let lost = |error: object_store::Error| HttpError::Unknown(format!("the stored file ended early: {error}"));
        let bytes = Box::pin(found.into_stream().map(move |part| part.map_err(lost)));
        Ok(ArtifactReader { artifact, range, bytes })
    }

    async fn stat(&self, id: &str) -> Result<Option<Artifact>, ArtifactError> {
        Ok(self.records.find_artifact(id).await?.map(|row| self.describe_row(row)))
    }

    async fn stat_for_job(&self, job: &str, user: Option<&str>, id: &str) -> Result<Option<Artifact>, ArtifactError> {
        Ok(self.records.find_artifact_for_job(job, user, id).await?.map(|row| self.describe_row(row)))
    }

    async fn delete(&self, id: &str) -> Result<bool, ArtifactError> {
        let existed = self.records.delete_artifact(id).await?;
        if existed {
            self.delete_released_blobs().await?;
        }
        Ok(existed)
    }

    fn id_of_url(&self, url: &str) -> Option<String> {
        let id = url.strip_prefix(self.settings.url_prefix.as_str())?.split(['?', '#']).next()?;
        is_valid_id(id).then(|| id.to_owned())
    }

    fn public_url(&self, id: &str, valid_for: Duration) -> Option<String> {
        self.settings.sign_link.as_ref().and_then(|sign| sign(id, valid_for))
    }
}

/// Reads parts of a stored object.
struct StoredRanges<'a> {
    objects: &'a dyn ObjectStore,
    path: &'a ObjectPath,
}

#[async_trait]
impl RangeReader for StoredRanges<'_> {
    async fn read_range(&self, range: Range<u64>) -> Option<Bytes> {
        self.objects.get_range(self.path, range).await.ok()
    }
}

/// Returns a path that no other content has.
fn new_blob_path(id: &str) -> ObjectPath {
    // Each `RandomState` has keys of its own.
    let random = [RandomState::new().hash_one(id), RandomState::new().hash_one(id)];
    let name = hash_text(&format!("{id} {random:?}"));
    ObjectPath::from(format!("{BLOBS}/{}/{}", &name[..2], &name[2..40]))
}

/// Opens a local folder as an object store whose writes are synced.
fn open_folder(folder: &Path) -> Result<LocalFileSystem, ArtifactError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        ArtifactError::Unavailable(format!("the folder {} cannot be created: {error}", folder.display()))
    })?;
    Ok(LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?.with_fsync(true))
}

/// Converts an error of the object store.
fn unavailable(error: object_store::Error) -> ArtifactError {
    ArtifactError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
