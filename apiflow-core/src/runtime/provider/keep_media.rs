//! Stores the media that a reply itself contains, before the answer is recorded.
//!
//! Architecture invariant: neither the journal, a call's record nor an error contains the bytes of media.

use futures_util::{StreamExt as _, stream};

use super::Caller;
use super::reply_filter::ReplyMedia;
use crate::artifact::{Artifact, output_artifact_id};
use crate::call::{
    CallError, CallPlan, ErrorClass, Marker, MediaLink, ReplyReading, decode_data_uri, is_in_reply, specific_mime,
};
use crate::engine::Call;
use crate::ports::{ArtifactError, ByteStream, NewArtifact, Provenance};

/// How long a paid answer waits for an artifact store that is unavailable, in milliseconds; then the step fails.
const MAX_STORE_WAIT_MS: u64 = 5 * 60 * 1000;
/// Delay before the store is tried again, in milliseconds; doubled each time.
const FIRST_PAUSE_MS: u64 = 200;
/// Maximum delay between two tries, in milliseconds.
const MAX_PAUSE_MS: u64 = 10_000;

/// A piece of a file.
enum StreamPiece {
    /// A range of what was taken out of the reply: its start and size.
    Range(u64, u64),
    Bytes(bytes::Bytes),
}

/// A file of a reply.
struct ReplyFile {
    pieces: Vec<StreamPiece>,
    mime: Option<String>,
    name: Option<String>,
}

impl Caller {
    /// Stores the media that a result contains, and puts its artifacts in its places. Links remain to be downloaded.
    pub(super) async fn keep_media(
        &self,
        call: &Call,
        plan: &CallPlan,
        reading: ReplyReading,
        media: &ReplyMedia,
    ) -> ReplyReading {
        let ReplyReading::Download(mut operation) = reading else { return reading };
        let Some(mut downloads) = operation.downloads.take() else { return ReplyReading::Download(operation) };
        let (contained, links) = downloads.media.into_iter().partition(|media| is_in_reply(&media.link));
        downloads.media = links;
        let contained: Vec<MediaLink> = contained;
        let mut stored: Vec<Artifact> = Vec::new();
        for link in &contained {
            match self.store_file(call, plan, link, media).await {
                Ok(artifact) => stored.push(artifact),
                Err(error) => {
                    self.delete_artifacts(&stored).await;
                    let error = error.with_detail("output", link.output.clone());
                    return ReplyReading::Failed(match operation.id {
                        Some(id) => error.with_detail("provider_id", id),
                        None => error,
                    });
                }
            }
        }
        for (link, artifact) in contained.iter().zip(&stored) {
            if let Some(place) = downloads.result.pointer_mut(&link.pointer) {
                *place = artifact.to_value();
            }
        }
        if downloads.media.is_empty() {
            return ReplyReading::Done(downloads.result);
        }
        operation.downloads = Some(downloads);
        ReplyReading::Download(operation)
    }

    /// Stores one file. If the store is unavailable, it is tried again for some minutes, because the call was paid for.
    async fn store_file(
        &self,
        call: &Call,
        plan: &CallPlan,
        link: &MediaLink,
        media: &ReplyMedia,
    ) -> Result<Artifact, CallError> {
        let fault = |reason: String| {
            let message = format!("output `{}` cannot be kept: {reason}", link.output);
            CallError::new(ErrorClass::OutputInvalid, message)
        };
        let file = ReplyFile::locate(link, media).map_err(fault)?;
        let new = NewArtifact {
            id: output_artifact_id(&self.job, call.effect, &link.output, link.index),
            value_type: link.value_type,
            mime: file.mime.clone().or_else(|| link.mime.clone()),
            name: file.name.clone(),
            owner: None,
            provenance: Some(Provenance {
                job: self.job.clone(),
                step: call.step,
                step_id: call.step_id.clone(),
                provider: plan.provider_name().to_owned(),
                link: None,
                link_expires_at: None,
            }),
        };
        let gives_up_at = self.now().plus_ms(MAX_STORE_WAIT_MS);
        let mut tries = 0;
        loop {
            match self.artifacts.put(new.clone(), file.read(media)).await {
                Ok(artifact) => return Ok(artifact),
                Err(ArtifactError::Unavailable(reason)) if self.now() < gives_up_at => {
                    tracing::warn!(reason, job = self.job, step = call.step_id, "an artifact is stored again later");
                }
                Err(ArtifactError::Unavailable(reason)) => {
                    tracing::error!(reason, job = self.job, step = call.step_id, "an artifact could not be stored");
                    return Err(fault("the artifact storage is unavailable".to_owned()));
                }
                Err(error) => return Err(fault(error.to_string())),
            }
            let pause = (FIRST_PAUSE_MS << tries.min(16)).min(MAX_PAUSE_MS);
            tries += 1;
            self.clock.sleep_until(self.now().plus_ms(pause)).await;
        }
    }

    /// Deletes the artifacts of a result that failed.
    async fn delete_artifacts(&self, artifacts: &[Artifact]) {
        for artifact in artifacts {
            if let Err(error) = self.artifacts.delete(&artifact.id).await {
                tracing::warn!(%error, artifact = artifact.id, "the artifact of a failed step could not be deleted");
            }
        }
    }
}

impl ReplyFile {
    /// Finds the bytes of a file: those in place of markers, and those of data URIs.
    fn locate(link: &MediaLink, media: &ReplyMedia) -> Result<Self, String> {
        let mut file = Self { pieces: Vec::new(), mime: None, name: None };
        let mut size = 0;
        for piece in link.link.split('\n') {
            let mime = if Marker::parse(piece).is_some() {
                let part = media.parts.part_at(piece).ok_or("the value is not an http, https or data URL")?;
                if let Some(fault) = &part.fault {
                    return Err(fault.clone());
                }
                file.pieces.push(StreamPiece::Range(part.start, part.size));
                size += part.size;
                file.name = file.name.or_else(|| part.name.clone());
                part.mime.clone()
            } else {
                let (mime, bytes) = decode_data_uri(piece)?;
                size += bytes.len() as u64;
                file.pieces.push(StreamPiece::Bytes(bytes.into()));
                mime
            };
            file.mime = file.mime.or(specific_mime(mime.as_deref()));
        }
        if size == 0 { Err("the file is empty".to_owned()) } else { Ok(file) }
    }

    /// Reads the pieces one after the other.
    fn read(&self, media: &ReplyMedia) -> ByteStream {
        let pieces: Vec<ByteStream> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                StreamPiece::Range(start, size) => media.bytes.read_range(*start, *size),
                StreamPiece::Bytes(bytes) => stream::iter([Ok(bytes.clone())]).boxed(),
            })
            .collect();
        stream::iter(pieces).flatten().boxed()
    }
}
