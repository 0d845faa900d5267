//! Bodies as they are written to the socket: text, and files between it that are read while they are sent.

use super::resolve_secrets::{Replacement, find_marker};
use crate::ports::{PartContent, RequestPart, SentArtifact, SentMedia};

/// A piece of a body.
pub enum BodySegment {
    /// Text, with secrets.
    Text(String),
    /// The content of a file that is in the request itself.
    Bytes(Vec<u8>),
    /// The content of an artifact.
    Artifact {
        /// The artifact whose content is sent.
        artifact: SentArtifact,
        /// How its bytes are written.
        encoding: MediaEncoding,
    },
}

/// How the bytes of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEncoding {
    /// As they are.
    Raw,
    /// As standard base64 with padding.
    Base64,
    /// As base64 whose `+`, `/` and `=` are percent-encoded, for forms.
    PercentEncodedBase64,
}

impl BodySegment {
    /// Returns the number of bytes that are written; `None` if it depends on the content.
    pub fn size_bytes(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.len() as u64),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Artifact { artifact, encoding } => match encoding {
                MediaEncoding::Raw => Some(artifact.size_bytes),
                MediaEncoding::Base64 => Some(artifact.size_bytes.div_ceil(3) * 4),
                MediaEncoding::PercentEncodedBase64 => None,
            },
        }
    }
}

/// Collects segments; adjacent texts become one.
#[derive(Default)]
pub(super) struct SegmentList(Vec<BodySegment>);

impl SegmentList {
    pub(super) fn into_segments(self) -> Vec<BodySegment> {
        self.0
    }

    fn push_text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(BodySegment::Text(last)) => last.push_str(text),
            Some(BodySegment::Bytes(_) | BodySegment::Artifact { .. }) | None => {
                self.0.push(BodySegment::Text(text.to_owned()));
            }
        }
    }

    pub(super) fn push_media(&mut self, media: &SentMedia, encoding: MediaEncoding) {
        match (media, encoding) {
            (SentMedia::Artifact(artifact), _) => {
                self.0.push(BodySegment::Artifact { artifact: artifact.clone(), encoding });
            }
            (SentMedia::Inline { base64, .. }, MediaEncoding::Raw) => {
                self.0.push(BodySegment::Bytes(decode_base64(base64)));
            }
            (SentMedia::Inline { base64, .. }, MediaEncoding::Base64) => self.push_text(base64),
            (SentMedia::Inline { base64, .. }, MediaEncoding::PercentEncodedBase64) => {
                self.push_text(&super::expand::percent_encode(base64));
            }
        }
    }

    /// Adds a text whose markers are replaced in one pass.
    pub(super) fn push_marked_text(&mut self, text: &str, markers: &[(&str, Replacement<'_>)]) {
        let mut rest = text;
        while let Some((at, marker, replacement)) = find_marker(rest, markers) {
            self.push_text(&rest[..at]);
            match replacement {
                Replacement::Text(text) => self.push_text(text),
                Replacement::Media { prefix, media, encoding } => {
                    self.push_text(prefix);
                    self.push_media(media, *encoding);
                }
            }
            rest = &rest[at + marker.len()..];
        }
        self.push_text(rest);
    }

    /// Adds a `multipart/form-data` body.
    ///
    /// Source: RFC 7578, and the WHATWG HTML standard for the escaping of names.
    pub(super) fn push_multipart(
        &mut self,
        boundary: &str,
        parts: &[RequestPart],
        markers: &[(&str, Replacement<'_>)],
    ) {
        for part in parts {
            let mut head =
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escape_name(&part.name));
            if let Some(name) = &part.file_name {
                head.extend(["; filename=\"", &escape_name(name), "\""]);
            }
            if let Some(kind) = &part.content_type {
                let kind: String = kind.chars().filter(|c| !c.is_control()).collect();
                head.extend(["\r\nContent-Type: ", &kind]);
            }
            head.push_str("\r\n\r\n");
            self.push_text(&head);
            match &part.content {
                PartContent::Text(text) => self.push_marked_text(text, markers),
                PartContent::Media(media) => self.push_media(media, MediaEncoding::Raw),
            }
            self.push_text("\r\n");
        }
        self.push_text(&format!("--{boundary}--\r\n"));
    }
}

fn escape_name(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}
