//! Artifacts: media that the host keeps.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use super::{HttpError, Timestamp};
use crate::artifact::Artifact;
use crate::value_type::ValueType;

/// Bytes as they arrive; an error ends them.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, HttpError>> + Send>>;

/// A file that is about to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewArtifact {
    /// Identifier; an artifact that exists under it is returned instead of storing another one. See
    /// [`crate::artifact::output_artifact_id`] for those of outputs.
    pub id: String,
    /// What the content must be; a content that is recognized as something else is refused. [`ValueType::File`] accepts
    /// everything.
    pub value_type: ValueType,
    /// MIME type that was declared or sent; used if the content is not recognized.
    pub mime: Option<String>,
    /// File name, if one is known.
    pub name: Option<String>,
    /// Id of the user who uploads it; `None` for the output of a job, which belongs to the job's user.
    pub owner: Option<String>,
    /// Where an output comes from; `None` for an upload.
    pub provenance: Option<Provenance>,
}

/// Where an output comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Id of the job.
    pub job: String,
    /// Ordinal of the step.
    pub step: u64,
    /// Id of the module.
    pub step_id: String,
    /// Name of the connector.
    pub provider: String,
    /// Link that it was downloaded from, without credentials; `None` if the reply itself contained it.
    pub link: Option<String>,
    /// When the link expires, if known.
    pub link_expires_at: Option<Timestamp>,
}

/// An open artifact.
pub struct ArtifactReader {
    /// What is known about the artifact.
    pub artifact: Artifact,
    /// Which bytes are read.
    pub range: Range<u64>,
    /// The bytes of the artifact, in order.
    pub bytes: ByteStream,
}

/// Why an artifact cannot be stored or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// There is no such artifact.
    #[error("artifact `{id}` does not exist")]
    NotFound {
        /// The unknown id.
        id: String,
    },
    /// The file is too large; nothing was stored.
    #[error("the file is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// Maximum size of a file, in bytes.
        limit_bytes: u64,
    },
    /// The user's artifacts would exceed their quota; nothing was stored.
    #[error("the user's artifacts would exceed the quota of {quota_bytes} bytes: delete some")]
    OverQuota {
        /// Id of the user.
        user: String,
        /// Maximum size of all artifacts of the user, in bytes.
        quota_bytes: u64,
    },
    /// The job of an output does not exist any more; nothing was stored.
    #[error("job `{job}` does not exist any more")]
    NoJob {
        /// Id of the job.
        job: String,
    },
    /// The content is not what was declared; nothing was stored.
    #[error("the content is {found}, not {wanted}")]
    WrongType {
        /// What was declared, with its article: `an image`.
        wanted: String,
        /// What was found, such as a MIME type.
        found: String,
    },
    /// The bytes to store could not be read to their end; nothing was stored.
    #[error(transparent)]
    Source(#[from] HttpError),
    /// The storage or its index is unavailable at the moment; the message is for the log.
    #[error("the artifact storage is unavailable: {0}")]
    Unavailable(String),
}

/// Stores artifacts and reads them.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// Stores the bytes as they arrive, and returns what is known about them. An artifact exists whole or not at all.
    async fn put(&self, new: NewArtifact, bytes: ByteStream) -> Result<Artifact, ArtifactError>;

    /// Opens an artifact; `range` selects bytes, cut at the end of the artifact.
    async fn get(&self, id: &str, range: Option<Range<u64>>) -> Result<ArtifactReader, ArtifactError>;

    /// Returns what is known about an artifact; `None` if it does not exist.
    async fn stat(&self, id: &str) -> Result<Option<Artifact>, ArtifactError>;

    /// Returns what is known about an artifact that a job is about to send; `None` also if the job's user may not read it.
    /// Without users every job may read every artifact. `user` is the job's user; the first steps of a job run before it is
    /// stored. With `None`, it is that of the stored job.
    async fn stat_for_job(&self, job: &str, user: Option<&str>, id: &str) -> Result<Option<Artifact>, ArtifactError> {
        let _ = (job, user);
        self.stat(id).await
    }

    /// Deletes an artifact; returns whether it existed.
    async fn delete(&self, id: &str) -> Result<bool, ArtifactError>;

    /// Returns the id of the artifact whose stable URL ([`Artifact::url`]) this is, if it can be one; whether it exists is
    /// not checked. Inputs that are such URLs are sent as artifacts.
    fn id_of_url(&self, url: &str) -> Option<String> {
        let _ = url;
        None
    }

    /// Returns a URL under which a provider can download an artifact for `valid_for` without credentials; `None` if this
    /// host is not reachable from other machines.
    fn public_url(&self, id: &str, valid_for: Duration) -> Option<String>;
}
