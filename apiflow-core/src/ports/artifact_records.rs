//! What is known about kept files: the index beside the storage of their content.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ArtifactError, Provenance, Timestamp};

/// What is known about a kept file, except its URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRow {
    /// Identifier: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    pub id: String,
    /// The content; artifacts with equal content share it.
    pub blob: BlobRow,
    /// MIME type.
    pub mime: String,
    /// File name, if one is known.
    pub name: Option<String>,
    /// Width of an image or a video, in pixels.
    pub width: Option<u32>,
    /// Height of an image or a video, in pixels.
    pub height: Option<u32>,
    /// Duration of a video or an audio file, in seconds.
    pub duration_s: Option<f64>,
    /// Id of the user to whom it belongs; for a new output, records that know jobs fill in the job's user.
    pub owner: Option<String>,
    /// Where an output comes from; `None` for an upload.
    pub provenance: Option<Provenance>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was stored, or when a job was last started with it.
    pub last_used_at: Timestamp,
}

impl ArtifactRow {
    /// Returns the kind by which lists are filtered: `image`, `video`, `audio`, or `file` for everything else.
    pub fn kind(&self) -> &'static str {
        match self.mime.split('/').next() {
            Some("image") => "image",
            Some("video") => "video",
            Some("audio") => "audio",
            Some(_) | None => "file",
        }
    }
}

/// A stored content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRow {
    /// Path in the object store.
    pub key: String,
    /// SHA-256 of the content, as 64 hexadecimal digits.
    pub sha256: String,
    /// Size, in bytes.
    pub size_bytes: u64,
}

/// Which artifacts a list contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactFilter {
    /// Only artifacts of this user.
    pub owner: Option<String>,
    /// Only outputs of this job and artifacts that it uses.
    pub job: Option<String>,
    /// Only artifacts of this [`ArtifactRow::kind`].
    pub kind: Option<String>,
    /// Only artifacts of this MIME type.
    pub mime: Option<String>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArtifactUsage {
    /// Number of artifacts.
    pub artifacts: u64,
    /// Sum of their sizes, in bytes; equal contents count each time.
    pub bytes: u64,
    /// Number of stored contents.
    pub blobs: u64,
    /// Sum of their sizes, in bytes.
    pub blob_bytes: u64,
}

/// Keeps the records of artifacts. Every method is one transaction.
///
/// A content is stored once: its record counts the artifacts that have it. When the last of them is deleted, the content
/// is *released*: no new artifact takes it any more, its file is deleted, and then its record
/// ([`ArtifactRecords::forget_blobs`]). So a file is never deleted while an artifact needs it.
#[async_trait]
pub trait ArtifactRecords: Send + Sync {
    /// Adds an artifact and returns its record. If an artifact with this id exists, that one is returned; if the same
    /// content is stored already, the record names that content. In both cases the caller deletes the file that it has
    /// stored, if the record names another. An output is recorded as used by its job.
    ///
    /// # Errors
    /// [`ArtifactError::OverQuota`] if the artifacts of the owner would take more than `quota_bytes`;
    /// [`ArtifactError::NoJob`] if records that know jobs do not know that of an output.
    async fn add_artifact(&self, new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError>;

    /// Returns the record of an artifact.
    async fn find_artifact(&self, id: &str) -> Result<Option<ArtifactRow>, ArtifactError>;

    /// Returns the record of an artifact that a job may send: one of the job's user, one that the job uses, or any if the
    /// user is an admin or the job has no user. `user` is the user of a job that may not be stored yet. Records that know no
    /// jobs return every artifact.
    async fn find_artifact_for_job(
        &self,
        job: &str,
        user: Option<&str>,
        id: &str,
    ) -> Result<Option<ArtifactRow>, ArtifactError>;

    /// Lists up to `limit` artifacts, newest first, then by descending id; those after the artifact that was created at
    /// `before.0` and has the id `before.1`, if given.
    async fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<ArtifactRow>, ArtifactError>;

    /// Deletes the record of an artifact; returns whether it existed.
    async fn delete_artifact(&self, id: &str) -> Result<bool, ArtifactError>;

    /// Deletes up to `limit` artifacts that were last used before `unused_since` and that no active job uses, the least
    /// recently used first; with `free_bytes` only as many as together have this size. Returns their number.
    async fn delete_unused_artifacts(
        &self,
        unused_since: Timestamp,
        free_bytes: Option<u64>,
        limit: u32,
    ) -> Result<u64, ArtifactError>;

    /// Records that a job uses artifacts; unknown ones are left out.
    async fn add_references(&self, job: &str, artifacts: &[String], now: Timestamp) -> Result<(), ArtifactError>;

    /// Lists up to `limit` released contents.
    async fn list_released_blobs(&self, limit: u32) -> Result<Vec<BlobRow>, ArtifactError>;

    /// Removes the records of released contents, whose files have been deleted.
    async fn forget_blobs(&self, keys: &[String]) -> Result<(), ArtifactError>;

    /// Returns those of the keys that have a record.
    async fn find_blobs(&self, keys: &[String]) -> Result<BTreeSet<String>, ArtifactError>;

    /// Returns how much is kept; with an owner only the artifacts of that user, without blobs.
    async fn read_usage(&self, owner: Option<&str>) -> Result<ArtifactUsage, ArtifactError>;

    /// Returns whether a periodic task is due, and makes it due again after `period`: of all processes only one is told
    /// so each time.
    async fn take_turn(&self, task: &str, period: Duration) -> Result<bool, ArtifactError>;
}
