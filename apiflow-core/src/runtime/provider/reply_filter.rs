//! Takes media out of a reply while it arrives.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::reply_archive::unpack_archive;
use super::reply_spool::{ReplySpool, SpooledBytes, unreadable};
use crate::call::{
    CallPlan, EventStreamFilter, JsonFilter, MAX_INLINE_MEDIA_BYTES, MultipartFilter, ReplyForm, ReplyParts,
    file_name_of, specific_mime,
};
use crate::ports::{BodyFilter, HttpError};

/// Maximum size of all media in one reply, in bytes.
const MAX_REPLY_MEDIA_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Maximum number of files, or parts of files, in one reply.
const MAX_REPLY_PARTS: usize = 100_000;
/// Maximum size of a string of base64 in an event that is not taken out, in bytes: streams contain many small ones.
const MAX_INLINE_EVENT_BYTES: usize = 512;
/// Maximum number of bytes that are read to find out what a body is.
const MAX_SNIFFED_BYTES: usize = 64;

/// Filters the reply of one call.
pub(super) struct MediaFilter {
    plan: Arc<CallPlan>,
    body: BodyState,
    mime: Option<String>,
    name: Option<String>,
    parts: ReplyParts,
    spool: ReplySpool,
}

/// How the body is read.
enum BodyState {
    /// Its form is not known yet.
    Sniffed {
        held: Vec<u8>,
        is_text: bool,
    },
    Text,
    Json(JsonFilter),
    Events(EventStreamFilter),
    Multipart(MultipartFilter),
    Bytes,
    /// A ZIP archive, which is unpacked when it is complete.
    Archive,
}

/// What was taken out of a reply.
pub(super) struct ReplyMedia {
    pub(super) parts: ReplyParts,
    pub(super) bytes: SpooledBytes,
}

impl MediaFilter {
    /// Creates the filter for a reply to a call.
    pub(super) fn new(plan: Arc<CallPlan>) -> Self {
        // No provider can know it.
        let random = || RandomState::new().hash_one(0);
        let parts = ReplyParts::new(format!("{:016x}{:016x}", random(), random()));
        Self { plan, body: BodyState::Text, mime: None, name: None, parts, spool: ReplySpool::default() }
    }

    /// Returns what was taken out.
    pub(super) async fn into_media(self) -> Result<ReplyMedia, HttpError> {
        let bytes = self.spool.finish().await.map_err(|error| unreadable(&error))?;
        Ok(ReplyMedia { parts: self.parts, bytes })
    }

    /// Moves decoded bytes to the spool.
    async fn spool_bytes(&mut self) -> Result<(), HttpError> {
        if self.parts.total_bytes() > MAX_REPLY_MEDIA_BYTES {
            let message = format!("the media of the reply is larger than {MAX_REPLY_MEDIA_BYTES} bytes");
            return Err(HttpError::TooLarge(message));
        }
        if self.parts.len() > MAX_REPLY_PARTS {
            return Err(HttpError::TooLarge(format!("the reply contains more than {MAX_REPLY_PARTS} pieces of media")));
        }
        let bytes = self.parts.take_bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        self.spool.append(&bytes).await.map_err(|error| unreadable(&error))
    }

    /// Replaces the archive that was read by the files in it.
    async fn unpack(&mut self, kept: &mut Vec<u8>) -> Result<(), HttpError> {
        let size = self.parts.total_bytes();
        let archive = std::mem::take(&mut self.spool).finish().await.map_err(|error| unreadable(&error))?;
        let parts = self.parts.restarted();
        let unpacked = tokio::task::spawn_blocking(move || unpack_archive(&archive, size, parts)).await;
        let unpacked = unpacked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let unpacked = unpacked.map_err(HttpError::Reply)?;
        (self.spool, self.parts) = (unpacked.spool, unpacked.parts);
        kept.extend_from_slice(unpacked.document.to_string().as_bytes());
        Ok(())
    }

    fn push(&mut self, chunk: &[u8], kept: &mut Vec<u8>) -> Result<(), HttpError> {
        match &mut self.body {
            BodyState::Sniffed { held, is_text } => {
                held.extend_from_slice(chunk);
                let start = crate::call::without_byte_order_mark(held).trim_ascii_start();
                if start.is_empty() && held.len() < MAX_SNIFFED_BYTES {
                    return Ok(());
                }
                let is_json = matches!(start.first(), Some(b'{' | b'[')) && !self.plan.wants_whole_body();
                let is_json = is_json || *is_text && matches!(start.first(), Some(b'{' | b'[' | b'"'));
                let held = std::mem::take(held);
                self.body = if is_json {
                    BodyState::Json(JsonFilter::new(MAX_INLINE_MEDIA_BYTES))
                } else if is_binary(&held) || !*is_text && self.plan.wants_whole_body() {
                    self.parts.begin_part(self.mime.take(), self.name.take());
                    BodyState::Bytes
                } else {
                    BodyState::Text
                };
                return self.push(&held, kept);
            }
            BodyState::Text => kept.extend_from_slice(chunk),
            BodyState::Json(filter) => filter.push(chunk, kept, &mut self.parts),
            BodyState::Events(filter) => filter.push(chunk, kept, &mut self.parts),
            BodyState::Multipart(filter) => {
                return filter.push(chunk, kept, &mut self.parts).map_err(HttpError::Reply);
            }
            BodyState::Bytes | BodyState::Archive => self.parts.push_bytes(chunk),
        }
        Ok(())
    }
}

#[async_trait]
impl BodyFilter for MediaFilter {
    fn accepts_head(&mut self, status: u16, headers: &[(String, String)]) -> bool {
        if !self.plan.accepts_status(status) {
            return false;
        }
        let has_media = self.plan.has_media_outputs();
        let form = ReplyForm::from_headers(headers);
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        self.mime = specific_mime(header("content-type"));
        self.name = header("content-disposition").and_then(file_name_of);
        let (body, is_accepted) = match form {
            ReplyForm::Events => {
                let limit = if has_media { MAX_INLINE_EVENT_BYTES } else { usize::MAX - 1 };
                (BodyState::Events(EventStreamFilter::new(limit)), true)
            }
            ReplyForm::Bytes => {
                self.parts.begin_part(self.mime.take(), self.name.take());
                (BodyState::Bytes, has_media)
            }
            ReplyForm::Text => (BodyState::Sniffed { held: Vec::new(), is_text: true }, has_media),
            ReplyForm::Multipart(boundary) => {
                let limit = if has_media { MAX_INLINE_MEDIA_BYTES } else { usize::MAX - 1 };
                (BodyState::Multipart(MultipartFilter::new(&boundary, limit)), true)
            }
            ReplyForm::Zip if !self.plan.wants_whole_body() => {
                self.parts.begin_part(None, None);
                (BodyState::Archive, has_media)
            }
            ReplyForm::Zip | ReplyForm::Unknown => (BodyState::Sniffed { held: Vec::new(), is_text: false }, has_media),
        };
        self.body = body;
        is_accepted
    }

    async fn filter_chunk(&mut self, chunk: Bytes, kept: &mut Vec<u8>) -> Result<(), HttpError> {
        self.push(&chunk, kept)?;
        self.spool_bytes().await
    }

    async fn finish_body(&mut self, kept: &mut Vec<u8>) -> Result<(), HttpError> {
        match &mut self.body {
            BodyState::Sniffed { held, .. } => kept.append(held),
            BodyState::Text => {}
            BodyState::Json(filter) => filter.finish(kept, &mut self.parts),
            BodyState::Events(filter) => filter.finish(kept, &mut self.parts),
            BodyState::Multipart(filter) => filter.finish(kept, &mut self.parts).map_err(HttpError::Reply)?,
            BodyState::Archive => self.unpack(kept).await?,
            BodyState::Bytes => {
                let marker = self.parts.end_part();
                if self.parts.total_bytes() > 0 {
                    kept.extend_from_slice(marker.as_bytes());
                }
            }
        }
        self.spool_bytes().await
    }
}

/// Returns whether the beginning of a body is not text.
fn is_binary(start: &[u8]) -> bool {
    start.contains(&0) || std::str::from_utf8(start).is_err_and(|error| error.error_len().is_some())
}
