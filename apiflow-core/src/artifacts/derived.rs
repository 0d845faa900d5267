//! Files that are made from a content, such as thumbnails: they can be made again, and go with the content.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::{BLOBS, StoredArtifacts, unavailable};
use crate::ports::{ArtifactError, BlobRow};

/// Folder of the object store that contains the derived files.
pub(super) const DERIVED: &str = "derived";

impl StoredArtifacts {
    /// Returns a file that was derived from a content; `None` if there is none with this name.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`] if the storage cannot be read.
    pub async fn read_derived(&self, blob: &BlobRow, name: &str) -> Result<Option<Bytes>, ArtifactError> {
        match self.objects.get(&derived_folder(&blob.key).join(name)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(unavailable),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Stores a file that was derived from a content; replaces one with the same name.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`] if the storage cannot be written.
    pub async fn write_derived(&self, blob: &BlobRow, name: &str, content: Bytes) -> Result<(), ArtifactError> {
        let path = derived_folder(&blob.key).join(name);
        self.objects.put(&path, PutPayload::from(content)).await.map(drop).map_err(unavailable)
    }

    /// Deletes the files that were derived from a content.
    pub(super) async fn delete_derived(&self, key: &str) -> Result<(), ArtifactError> {
        let files = self.objects.list(Some(&derived_folder(key)));
        let files: Vec<_> = files.map_ok(|file| file.location).try_collect().await.map_err(unavailable)?;
        for file in files {
            match self.objects.delete(&file).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(())
    }
}

/// Returns the folder of the files that were derived from the content with this key.
fn derived_folder(key: &str) -> ObjectPath {
    let name = key.strip_prefix(BLOBS).unwrap_or(key);
    ObjectPath::from(format!("{DERIVED}/{}", name.trim_start_matches('/')))
}

/// Returns the key of the content that a file was derived from.
pub(super) fn source_key(path: &ObjectPath) -> Option<String> {
    let (folder, _) = path.as_ref().rsplit_once('/')?;
    Some(format!("{BLOBS}{}", folder.strip_prefix(DERIVED)?))
}
