//! Artifacts in memory, for runs whose artifacts need not outlive the process.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::artifact::Artifact;
use crate::digest::hash_bytes;
use crate::ports::{ArtifactError, ArtifactReader, Artifacts, ByteStream, NewArtifact};

/// Default MIME type of content that is neither declared nor recognized.
const DEFAULT_MIME: &str = "application/octet-stream";

/// Keeps artifacts in memory until it is dropped; URLs are `memory:<id>`.
#[derive(Default)]
pub struct MemoryArtifacts {
    kept: Mutex<BTreeMap<String, (Artifact, Bytes)>>,
}

impl MemoryArtifacts {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, (Artifact, Bytes)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Artifacts for MemoryArtifacts {
    async fn put(&self, new: NewArtifact, mut bytes: ByteStream) -> Result<Artifact, ArtifactError> {
        let mut content = BytesMut::new();
        while let Some(part) = bytes.next().await {
            content.extend_from_slice(&part?);
        }
        let content = content.freeze();
        let artifact = Artifact {
            url: format!("memory:{}", new.id),
            id: new.id,
            mime: new.mime.unwrap_or_else(|| DEFAULT_MIME.to_owned()),
            size_bytes: content.len() as u64,
            sha256: hash_bytes(&content),
            name: new.name,
            width: None,
            height: None,
            duration_s: None,
        };
        let mut kept = self.kept();
        let (artifact, _) = kept.entry(artifact.id.clone()).or_insert((artifact, content));
        Ok(artifact.clone())
    }

    async fn get(&self, id: &str, range: Option<Range<u64>>) -> Result<ArtifactReader, ArtifactError> {
        let found = self.kept().get(id).cloned();
        let (artifact, content) = found.ok_or_else(|| ArtifactError::NotFound { id: id.to_owned() })?;
        let size = artifact.size_bytes;
        let range = range.unwrap_or(0..size);
        let range = range.start.min(size)..range.end.min(size).max(range.start.min(size));
        let part = content.slice(range.start as usize..range.end as usize);
        Ok(ArtifactReader { artifact, range, bytes: Box::pin(stream::iter([Ok(part)])) })
    }

    async fn stat(&self, id: &str) -> Result<Option<Artifact>, ArtifactError> {
        Ok(self.kept().get(id).map(|(artifact, _)| artifact.clone()))
    }

    async fn delete(&self, id: &str) -> Result<bool, ArtifactError> {
        Ok(self.kept().remove(id).is_some())
    }

    fn id_of_url(&self, url: &str) -> Option<String> {
        url.strip_prefix("memory:").map(str::to_owned)
    }

    fn public_url(&self, _: &str, _: Duration) -> Option<String> {
        None
    }
}
