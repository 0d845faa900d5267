//! Writes a stream of bytes to an object, in parts of bounded size.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use ring::digest;

use super::unavailable;
use crate::digest::format_hex;
use crate::ports::{ArtifactError, ByteStream};

/// Size of a part: the memory that an upload takes. S3 wants at least 5 MiB, and at most 10,000 parts.
pub(super) const CLOUD_PART_BYTES: usize = 8 * 1024 * 1024;

/// Size of a part that is written to a file or to memory.
pub(super) const LOCAL_PART_BYTES: usize = 1024 * 1024;

/// Number of first bytes that are kept to recognize the content and to read its header.
const HEAD_BYTES: usize = 64 * 1024;

/// Limits of an upload.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadLimits {
    /// Maximum size, in bytes.
    pub(super) max_bytes: u64,
    /// Size of a part, in bytes.
    pub(super) part_bytes: usize,
}

/// What was stored.
#[derive(Debug)]
pub(super) struct StoredContent {
    /// Size, in bytes.
    pub(super) size_bytes: u64,
    /// SHA-256, as 64 hexadecimal digits.
    pub(super) sha256: String,
    /// The first bytes, up to [`HEAD_BYTES`].
    pub(super) head: Bytes,
}

/// Stores the bytes as they arrive. The object appears when all have arrived; after an error nothing is left.
pub(super) async fn store_content(
    objects: &dyn ObjectStore,
    path: &ObjectPath,
    mut bytes: ByteStream,
    limits: UploadLimits,
) -> Result<StoredContent, ArtifactError> {
    let mut writer = PartWriter { objects, path, upload: None, part: BytesMut::new(), part_bytes: limits.part_bytes };
    let mut progress =
        UploadProgress { size_bytes: 0, hash: digest::Context::new(&digest::SHA256), head: BytesMut::new() };
    let outcome = write_all(&mut writer, &mut progress, &mut bytes, limits).await;
    if let Err(error) = outcome {
        writer.abort().await;
        return Err(error);
    }
    let UploadProgress { size_bytes, hash, head } = progress;
    Ok(StoredContent { size_bytes, sha256: format_hex(hash.finish().as_ref()), head: head.freeze() })
}

/// What is known about the bytes so far.
struct UploadProgress {
    size_bytes: u64,
    hash: digest::Context,
    head: BytesMut,
}

async fn write_all(
    writer: &mut PartWriter<'_>,
    progress: &mut UploadProgress,
    bytes: &mut ByteStream,
    limits: UploadLimits,
) -> Result<(), ArtifactError> {
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        progress.size_bytes += chunk.len() as u64;
        if progress.size_bytes > limits.max_bytes {
            return Err(ArtifactError::TooLarge { limit_bytes: limits.max_bytes });
        }
        progress.hash.update(&chunk);
        let missing = (HEAD_BYTES - progress.head.len()).min(chunk.len());
        progress.head.extend_from_slice(&chunk[..missing]);
        writer.write_chunk(&chunk).await?;
    }
    writer.finish().await
}

/// Collects bytes in parts; an object of one part is written at once.
struct PartWriter<'a> {
    objects: &'a dyn ObjectStore,
    path: &'a ObjectPath,
    /// The upload in parts, once there is more than one.
    upload: Option<Box<dyn MultipartUpload>>,
    part: BytesMut,
    part_bytes: usize,
}

impl PartWriter<'_> {
    async fn write_chunk(&mut self, mut chunk: &[u8]) -> Result<(), ArtifactError> {
        while !chunk.is_empty() {
            if self.part.len() == self.part_bytes {
                self.send_part().await?;
            }
            let (fitting, rest) = chunk.split_at(chunk.len().min(self.part_bytes - self.part.len()));
            self.part.extend_from_slice(fitting);
            chunk = rest;
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), ArtifactError> {
        let part = PutPayload::from(self.part.split().freeze());
        let upload = match &mut self.upload {
            Some(upload) => upload,
            empty => empty.insert(self.objects.put_multipart(self.path).await.map_err(unavailable)?),
        };
        upload.put_part(part).await.map_err(unavailable)
    }

    async fn finish(&mut self) -> Result<(), ArtifactError> {
        if self.upload.is_none() {
            let content = PutPayload::from(self.part.split().freeze());
            return self.objects.put(self.path, content).await.map(drop).map_err(unavailable);
        }
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        match &mut self.upload {
            Some(upload) => upload.complete().await.map(drop).map_err(unavailable),
            None => Ok(()),
        }
    }

    async fn abort(&mut self) {
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, key = %self.path, "an unfinished upload could not be aborted");
        }
    }
}
