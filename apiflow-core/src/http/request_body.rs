//! Bodies with files: read from the artifacts while they are sent.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::auth::UNSIGNED_PAYLOAD;
use crate::digest::{format_hex, hash_bytes};
use crate::ports::{ArtifactError, Artifacts, HttpError, SentArtifact};
use crate::template::{BodySegment, MediaEncoding};

/// A body that is about to be sent. Not `Debug`, because it may contain secrets.
pub(super) struct OutgoingBody {
    segments: Vec<BodySegment>,
    /// Where files are read from; `None` if the body has none.
    artifacts: Option<Arc<dyn Artifacts>>,
}

/// Why the last sending of a body ended early, if it was the body's own fault.
#[derive(Clone, Default)]
pub(super) struct BodyFault(Arc<Mutex<Option<String>>>);

impl BodyFault {
    fn set(&self, reason: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// Notes why a stream ended early.
    pub(super) fn watch<S: Stream<Item = Result<Bytes, HttpError>>>(
        &self,
        bytes: S,
    ) -> impl Stream<Item = Result<Bytes, HttpError>> + use<S> {
        let fault = self.clone();
        bytes.inspect_err(move |error| fault.set(&error.to_string()))
    }

    /// Returns the reason, and forgets it.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl OutgoingBody {
    /// Checks that all files of a body exist and have the size that the request says.
    ///
    /// # Errors
    /// [`HttpError::Refused`] if a file does not exist any more; [`HttpError::Connect`] if the storage is unavailable.
    pub(super) async fn check(
        segments: Vec<BodySegment>,
        artifacts: Option<&Arc<dyn Artifacts>>,
    ) -> Result<Self, HttpError> {
        let mut used = None;
        for segment in &segments {
            let BodySegment::Artifact { artifact, .. } = segment else { continue };
            let Some(artifacts) = artifacts else {
                let id = &artifact.id;
                return Err(HttpError::Refused(format!(
                    "artifact `{id}` cannot be sent, because this HTTP client has no artifacts: create it with \
                     `Http::with_artifacts`"
                )));
            };
            check_artifact(artifacts.as_ref(), artifact).await?;
            used = Some(Arc::clone(artifacts));
        }
        Ok(Self { segments, artifacts: used })
    }

    /// Returns the whole body if it needs no reading.
    pub(super) fn whole_bytes(&self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        for segment in &self.segments {
            match segment {
                BodySegment::Text(text) => whole.extend_from_slice(text.as_bytes()),
                BodySegment::Bytes(bytes) => whole.extend_from_slice(bytes),
                BodySegment::Artifact { .. } => return None,
            }
        }
        Some(whole)
    }

    /// Returns the number of bytes that are sent; `None` if it is not known before.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        self.segments.iter().map(BodySegment::size_bytes).sum()
    }

    /// Returns the body as it is sent. If it cannot be read to its end, `fault` says why.
    pub(super) fn open(&self, fault: &BodyFault) -> BoxStream<'static, Result<Bytes, HttpError>> {
        let parts: Vec<BoxStream<'static, Result<Bytes, HttpError>>> = self
            .segments
            .iter()
            .map(|segment| match segment {
                BodySegment::Text(text) => whole_part(text.clone().into()),
                BodySegment::Bytes(bytes) => whole_part(bytes.clone().into()),
                BodySegment::Artifact { artifact, encoding } => self.open_artifact(artifact.clone(), *encoding),
            })
            .collect();
        fault.watch(stream::iter(parts).flatten()).boxed()
    }

    fn open_artifact(
        &self,
        artifact: SentArtifact,
        encoding: MediaEncoding,
    ) -> BoxStream<'static, Result<Bytes, HttpError>> {
        let Some(artifacts) = self.artifacts.clone() else { return stream::empty().boxed() };
        let size = artifact.size_bytes;
        let bytes = stream::once(async move {
            let opened = artifacts.get(&artifact.id, None).await.map_err(|error| unreadable(&artifact.id, &error))?;
            Ok::<_, HttpError>(count_bytes(opened.bytes.boxed(), artifact.id, size))
        });
        let bytes = bytes.try_flatten().boxed();
        match encoding {
            MediaEncoding::Raw => bytes,
            MediaEncoding::Base64 => encode_base64(bytes).boxed(),
            MediaEncoding::PercentEncodedBase64 => encode_base64(bytes).map_ok(|part| percent_encode(&part)).boxed(),
        }
    }
}

/// Returns the SHA-256 of a body for a signature. A file's own hash is known; another body with files is read once more,
/// or left unsigned where that is allowed.
pub(super) async fn hash_body(body: Option<&OutgoingBody>, allows_unsigned: bool) -> Result<String, HttpError> {
    let Some(body) = body else { return Ok(hash_bytes(b"")) };
    if let Some(bytes) = body.whole_bytes() {
        return Ok(hash_bytes(&bytes));
    }
    if let [BodySegment::Artifact { artifact, encoding: MediaEncoding::Raw }] = body.segments.as_slice() {
        return Ok(artifact.sha256.clone());
    }
    if allows_unsigned {
        return Ok(UNSIGNED_PAYLOAD.to_owned());
    }
    let mut parts = body.open(&BodyFault::default());
    let mut hash = Sha256::new();
    while let Some(part) = parts.try_next().await? {
        hash.update(&part);
    }
    Ok(format_hex(&hash.finalize()))
}

async fn check_artifact(artifacts: &dyn Artifacts, sent: &SentArtifact) -> Result<(), HttpError> {
    let id = &sent.id;
    match artifacts.stat(id).await {
        Ok(Some(found)) if found.size_bytes == sent.size_bytes => Ok(()),
        Ok(Some(_)) => Err(HttpError::Refused(format!("artifact `{id}` has changed since the request was built"))),
        Ok(None) => Err(HttpError::Refused(format!("artifact `{id}` does not exist any more"))),
        Err(error) => Err(unreadable(id, &error)),
    }
}

fn unreadable(id: &str, error: &ArtifactError) -> HttpError {
    HttpError::Connect(format!("artifact `{id}` cannot be read: {error}"))
}

fn whole_part(bytes: Bytes) -> BoxStream<'static, Result<Bytes, HttpError>> {
    stream::iter([Ok(bytes)]).boxed()
}

/// Passes on the bytes of an artifact; an error follows if they are more or fewer than its size.
fn count_bytes(
    bytes: BoxStream<'static, Result<Bytes, HttpError>>,
    id: String,
    size: u64,
) -> BoxStream<'static, Result<Bytes, HttpError>> {
    let wrong = move |count: u64| HttpError::Connect(format!("artifact `{id}` has {count} bytes instead of {size}"));
    let counted = stream::try_unfold((bytes, 0_u64, wrong), move |(mut bytes, count, wrong)| async move {
        match bytes.try_next().await? {
            Some(part) => {
                let count = count + part.len() as u64;
                if count > size { Err(wrong(count)) } else { Ok(Some((part, (bytes, count, wrong)))) }
            }
            None if count == size => Ok(None),
            None => Err(wrong(count)),
        }
    });
    counted.boxed()
}

/// Encodes bytes as they arrive; up to two bytes wait for the next part, because base64 encodes three at a time.
fn encode_base64(
    bytes: BoxStream<'static, Result<Bytes, HttpError>>,
) -> impl futures_core::Stream<Item = Result<Bytes, HttpError>> + Send {
    stream::try_unfold(Some((bytes, BytesMut::new())), |state| async move {
        let Some((mut bytes, mut waiting)) = state else { return Ok(None) };
        match bytes.try_next().await? {
            Some(part) => {
                waiting.extend_from_slice(&part);
                let complete = waiting.split_to(waiting.len() / 3 * 3);
                Ok(Some((Bytes::from(STANDARD.encode(&complete)), Some((bytes, waiting)))))
            }
            None => Ok(Some((Bytes::from(STANDARD.encode(&waiting)), None))),
        }
    })
}

fn percent_encode(base64: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(base64);
    Bytes::from(text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"))
}
